"""IAM, as far as a client of GCS needs it: tokens in exchange for a password (reference 1.3).

Lives here: `Tokens`. Does not live here: signatures (`sandbox.signing`), who may do what with a token (`gate`). Called
by `server` for `POST /v3/auth/tokens` and by `gate`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.gcs.answers import Answer, Refusal, iam_error, token_expired
from sandbox.signing import Raw


@dataclass(frozen=True, kw_only=True)
class User:
    """The one IAM user of the sandbox."""

    username: str
    password: str
    domain: str
    project_name: str
    project_id: str
    domain_id: str


class Tokens:
    """Issues, checks and revokes tokens. An older token stays valid when a new one is issued."""

    def __init__(self, user: User, *, life: timedelta, now: Callable[[], datetime]) -> None:
        self.user = user
        self.life = life
        self.fetched = 0
        self._now = now
        self._expiry: dict[str, datetime] = {}

    def issue(self, raw: Raw) -> Answer:
        """The answer to a token request; refuses a wrong password, user, account or scope."""
        try:
            auth = json.loads(raw.body)["auth"]
            is_known = self._is_known(auth["identity"])
            project = auth["scope"]["project"]
        except (ValueError, KeyError, TypeError):
            return iam_error(400, "Bad Request", "The request body is invalid")
        if not is_known:
            return iam_error(401, "Unauthorized", "The username or password is wrong.")
        if project not in ({"name": self.user.project_name}, {"id": self.user.project_id}):
            return iam_error(401, "Unauthorized", "The project does not exist or you are not in it.")
        token = secrets.token_urlsafe(900)
        issued = self._now()
        self._expiry[token] = issued + self.life
        self.fetched += 1
        body = self._body(issued, has_catalog="nocatalog=" not in raw.query)
        return Answer(201, {"token": body}, {"X-Subject-Token": token})

    def check(self, token: str) -> None:
        """Return if `token` is valid, else raise `Refusal`."""
        expiry = self._expiry.get(token)
        if expiry is None or expiry <= self._now():
            raise Refusal(token_expired())

    def revoke(self) -> None:
        """Invalidate all tokens issued so far."""
        self._expiry.clear()

    def _is_known(self, identity: Any) -> bool:
        user = identity["password"]["user"]
        given = (identity["methods"], user["name"], user["password"], user["domain"]["name"])
        return bool(given == (["password"], self.user.username, self.user.password, self.user.domain))

    def _body(self, issued: datetime, *, has_catalog: bool) -> dict[str, Any]:
        user = self.user
        domain = {"id": user.domain_id, "name": user.domain}
        body: dict[str, Any] = {
            "expires_at": _date(issued + self.life),
            "issued_at": _date(issued),
            "methods": ["password"],
            "project": {"id": user.project_id, "name": user.project_name, "domain": domain},
            "user": {"id": "0" * 32, "name": user.username, "domain": domain, "password_expires_at": ""},
            "roles": [{"id": "0", "name": "gcs_readonly"}],
        }
        if has_catalog:
            services = [{"id": f"{n:032x}", "type": f"service-{n}", "endpoints": []} for n in range(100)]
            body["catalog"] = services
        return body


def _date(date: datetime) -> str:
    return date.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
