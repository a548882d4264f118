"""How the bot shows GCS who it is: signed requests (access key and secret key), or an IAM token.

Lives here: the two kinds of credentials and nothing about executions. Does not live here: what happens when GCS refuses
them (`bot.gcs.client` stops calling). Built by the service, put on every question by `bot.gcs.http`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

import httpx
import structlog
from msgspec.structs import replace
from multidict import CIMultiDict
from pydantic import BaseModel, SecretStr, ValidationError

from bot.errors import GCSBadCredentials, GCSMalformed, GCSUnavailable
from bot.gcs import errors, values
from bot.gcs.http import Answer, Credentials, Question
from bot.metrics import GCS_TOKENS

log = structlog.get_logger()

_ALGORITHM = "SDK-HMAC-SHA256"
_UNSIGNED = frozenset(
    "accept accept-encoding authorization connection content-length transfer-encoding user-agent".split()
)
"""Headers that speak of the way and that proxies may rewrite; all others are signed."""

_PLAIN_PATH = re.compile(r"[\w/.~-]*", re.ASCII)
"""Paths that are canonical as they are."""
_HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()

RENEW_BEFORE = timedelta(minutes=10)
"""A token is renewed this long before it ends, so that none ends on its way and IAM may be away for some minutes."""
RENEW_PAUSE = timedelta(minutes=1)
"""From one renewal to the next, as long as the token in hand is good."""
TOKEN_LIFE = timedelta(hours=12)
"""Assumed where IAM does not say when a token ends; documented are 24 hours."""

TOKEN_PATIENCE = timedelta(seconds=30)
"""For one question to IAM, on which every call waits."""


class _Standing(NamedTuple):
    """What all questions of a second that have the same headers have in common."""

    asked: CIMultiDict[str]
    second: int
    headers: CIMultiDict[str]
    """With date, project and token."""
    date: str
    names: str
    """Of those headers that are signed."""
    canonical: str
    """All that is signed of them."""


class SignatureAuth(Credentials):
    """Signs each question with an access key, by the vendor's SDK-HMAC-SHA256 (reference 1.4)."""

    def __init__(
        self,
        access_key: str,
        secret_key: SecretStr,
        *,
        project_id: str | None = None,
        security_token: SecretStr | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._project_id = project_id
        self._security_token = security_token
        self._clock = clock
        self._standing: _Standing | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self._project_id!r})"

    async def on(self, question: Question) -> Question:
        """Add date, project, token and signature, and send exactly the query that is signed."""
        return self.signed(question)

    def signed(self, question: Question) -> Question:
        """`question` as it goes out."""
        target, asked = question.target, question.headers
        second, standing = int(self._clock()), self._standing
        if standing is None or standing.second != second or standing.asked is not asked:
            self._standing = standing = self._stand(asked, second)
        if "?" in target:
            path, _, query = target.partition("?")
            target = f"{path}?{canonical_query(query)}"
        digest = hashlib.sha256(_canonical(question.method, target, standing, question.body).encode()).hexdigest()
        key = self._secret_key.get_secret_value().encode()
        signature = hmac.digest(key, f"{_ALGORITHM}\n{standing.date}\n{digest}".encode(), "sha256").hex()
        headers = standing.headers.copy()
        headers["Authorization"] = (
            f"{_ALGORITHM} Access={self._access_key}, SignedHeaders={standing.names}, Signature={signature}"
        )
        return Question(question.method, question.origin, target, headers, question.body)

    def _stand(self, asked: CIMultiDict[str], second: int) -> _Standing:
        headers = asked.copy()
        date = headers.setdefault("X-Sdk-Date", f"{datetime.fromtimestamp(second, UTC):%Y%m%dT%H%M%SZ}")
        if self._project_id:
            headers.setdefault("X-Project-Id", self._project_id)
        if self._security_token:
            headers["X-Security-Token"] = self._security_token.get_secret_value()
        if not headers.get("Content-Type", "application/json").startswith(("application/json", "application/bson")):
            headers["X-Sdk-Content-Sha256"] = "UNSIGNED-PAYLOAD"
        lines = {name.lower(): value.strip() for name, value in headers.items()}
        signed = sorted(name for name in lines if "_" not in name and name not in _UNSIGNED)
        names = ";".join(signed)
        canonical = "\n".join([*(f"{name}:{lines[name]}" for name in signed), "", names])
        return _Standing(asked, second, headers, date, names, canonical)


def _canonical(method: str, target: str, standing: _Standing, body: bytes) -> str:
    """What is hashed and signed: steps 3 to 7 of reference 1.4."""
    path, _, query = target.partition("?")
    payload = _HASH_OF_NOTHING
    if body:
        payload = standing.headers.get("X-Sdk-Content-Sha256") or hashlib.sha256(body).hexdigest()
    return f"{method.upper()}\n{_canonical_path(path)}\n{query}\n{standing.canonical}\n{payload}"


def _canonical_path(path: str) -> str:
    if not _PLAIN_PATH.fullmatch(path):
        path = "/".join(_encoded(part) for part in unquote(path).split("/"))
    return path if path.endswith("/") else path + "/"


def canonical_query(query: str) -> str:
    """The query sorted and encoded as the signature wants it."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in pairs)


def _encoded(text: str) -> str:
    return quote(text, safe="~")


@dataclass(frozen=True)
class IAMUser:
    """An IAM user and the project that its token is for. A project id, where given, goes before the name."""

    username: str
    password: SecretStr
    domain: str
    project_name: str = ""
    project_id: str = ""

    def question(self) -> dict[str, object]:
        """The body that asks IAM for a token."""
        user = {
            "name": self.username,
            "password": self.password.get_secret_value(),
            "domain": {"name": self.domain},
        }
        project = {"id": self.project_id} if self.project_id else {"name": self.project_name}
        identity = {"methods": ["password"], "password": {"user": user}}
        return {"auth": {"identity": identity, "scope": {"project": project}}}


@dataclass(frozen=True)
class _Token:
    secret: SecretStr
    ends_at: datetime


class TokenAuth(Credentials):
    """Shows an IAM token, fetched when first needed, kept, and renewed before it ends or when it is refused.

    However many questions wait for a token, one goes to IAM; its failure is the failure of all of them. As long as the
    token in hand is good none waits for another, and IAM may fail, unless it refuses the user.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        iam_endpoint: str,
        user: IAMUser,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._url = f"{iam_endpoint.rstrip('/')}/v3/auth/tokens?nocatalog=true"
        self._user = user
        self._now = now
        self._token: _Token | None = None
        self._renew_at = now()
        self._renewal: asyncio.Task[_Token] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project={self._user.project_id or self._user.project_name!r})"

    async def on(self, question: Question) -> Question:
        """Show a token that is good for a while."""
        token = await self._current()
        headers = question.headers.copy()
        headers["X-Auth-Token"] = token.secret.get_secret_value()
        return replace(question, headers=headers)

    def renewed(self, refused: Question) -> bool:
        """Give the refused token up, unless it was another one than we have now."""
        if self._token and self._token.secret.get_secret_value() == refused.headers["X-Auth-Token"]:
            self._token = None
        return True

    async def _current(self) -> _Token:
        now = self._now()
        good = self._token if self._token and now < self._token.ends_at else None
        if good and now < self._renew_at:
            return good
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._fetch(), name="gcs token renewal")
            self._renewal.add_done_callback(self._renewed)
        if good:
            return good
        # Shielded: a caller that gives up does not take the renewal from the others.
        return await asyncio.shield(self._renewal)

    def _renewed(self, renewal: asyncio.Task[_Token]) -> None:
        self._renewal, self._renew_at = None, self._now() + RENEW_PAUSE
        if renewal.cancelled():
            return
        error = renewal.exception()
        if error is None:
            self._token = renewal.result()
            self._renew_at = max(self._renew_at, self._token.ends_at - RENEW_BEFORE)
        elif isinstance(error, GCSBadCredentials):  # whoever asks next hears it from IAM, and calls stop
            self._token = None
        else:
            log.warning("gcs.token_not_renewed", error=str(error))

    async def _fetch(self) -> _Token:
        try:
            async with asyncio.timeout(TOKEN_PATIENCE.total_seconds()):
                response = await self._http.post(self._url, json=self._user.question())
        except TimeoutError:
            raise GCSUnavailable("IAM: no answer in time") from None
        if not response.is_success:
            raise errors.iam_failure(Answer(response.status_code, response.headers, response.content))
        secret = response.headers.get("x-subject-token", "")
        if not secret:
            raise GCSMalformed(f"IAM: HTTP {response.status_code} without a token")
        GCS_TOKENS.inc()
        return _Token(SecretStr(secret), _end_of(response.content) or self._now() + TOKEN_LIFE)


class _Grant(BaseModel):
    """The `token` object of IAM's answer."""

    expires_at: str = ""


class _Granted(BaseModel):
    """IAM's answer."""

    token: _Grant


def _end_of(body: bytes) -> datetime | None:
    try:
        return values.moment(_Granted.model_validate_json(body).token.expires_at)
    except ValidationError:
        return None
