"""How the bot shows GCS who it is: signed requests (access key and secret key), or an IAM token.

Lives here: the two `httpx.Auth` and nothing about executions. Does not live here: what happens when GCS refuses them
(`bot.gcs.client` stops calling). Built by the service, called by the client with every request.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from bot.errors import GCSMalformed, GCSUnavailable
from bot.gcs import failures, reading, wire
from bot.metrics import GCS_TOKENS

_ALGORITHM = "SDK-HMAC-SHA256"
_UNSIGNED = frozenset(
    "accept accept-encoding authorization connection content-length transfer-encoding user-agent".split()
)
"""Headers that httpx sets on its own account and that proxies may rewrite; all others are signed."""

_PLAIN_PATH = re.compile(r"[\w/.~-]*", re.ASCII)
"""Paths that are canonical as they are."""
_HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()

_Raw = tuple[tuple[bytes, bytes], ...]
"""Headers as they go out."""

RENEW_BEFORE = timedelta(minutes=10)
"""A token is renewed this long before it ends, so that none ends on its way."""
TOKEN_LIFE = timedelta(hours=12)
"""Assumed where IAM does not say when a token ends; documented are 24 hours."""

TOKEN_PATIENCE = timedelta(seconds=30)
"""For one question to IAM, on which every call waits."""


def _now() -> datetime:
    return datetime.now(UTC)


class SignatureAuth(wire.Signer):
    """Signs each request with an access key, by the vendor's SDK-HMAC-SHA256 (reference 1.4)."""

    def __init__(
        self,
        access_key: str,
        secret_key: SecretStr,
        *,
        project_id: str | None = None,
        security_token: SecretStr | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._project_id = project_id
        self._security_token = security_token
        self._now = now
        self._last: tuple[_Raw, str] | None = None
        self._added: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self._project_id!r})"

    def sign(self, request: httpx.Request) -> None:
        """Add date, project, token and signature to `request`, and send exactly the query that was signed."""
        date = request.headers.get("x-sdk-date") or f"{self._now().astimezone(UTC):%Y%m%dT%H%M%SZ}"
        for name, value in self._missing(tuple(request.headers.raw), date).items():
            request.headers[name] = value
        query = wire.target(request).partition("?")[2]
        if query != (signed_query := canonical_query(query)):
            wire.set_query(request, signed_query)
        signed, _ = _standing(tuple(request.headers.raw))
        digest = hashlib.sha256(canonical_request(request).encode()).hexdigest()
        key = self._secret_key.get_secret_value().encode()
        signature = hmac.digest(key, f"{_ALGORITHM}\n{date}\n{digest}".encode(), "sha256").hex()
        request.headers["Authorization"] = (
            f"{_ALGORITHM} Access={self._access_key}, SignedHeaders={signed}, Signature={signature}"
        )

    def _missing(self, raw: _Raw, date: str) -> dict[str, str]:
        """What is to be added to headers before they are signed."""
        if (raw, date) != self._last:
            given = httpx.Headers(raw)
            added = {"X-Sdk-Date": date}
            if self._project_id and "x-project-id" not in given:
                added["X-Project-Id"] = self._project_id
            if self._security_token:
                added["X-Security-Token"] = self._security_token.get_secret_value()
            if not given.get("content-type", "application/json").startswith(("application/json", "application/bson")):
                added["X-Sdk-Content-Sha256"] = "UNSIGNED-PAYLOAD"
            self._last, self._added = (raw, date), added
        return self._added


def canonical_request(request: httpx.Request) -> str:
    """What is hashed and signed of `request`: steps 3 to 7 of reference 1.4."""
    path, _, query = wire.target(request).partition("?")
    _, headers = _standing(tuple(request.headers.raw))
    lines = [request.method.upper(), _canonical_path(path), canonical_query(query), headers, _payload_hash(request)]
    return "\n".join(lines)


@lru_cache(maxsize=4)
def _standing(raw: _Raw) -> tuple[str, str]:
    """Names of the headers that are signed, and all that stands for them; mostly the same for a second's requests."""
    headers = dict(httpx.Headers(raw).items())
    signed = sorted(name for name in headers if "_" not in name and name not in _UNSIGNED)
    names = ";".join(signed)
    return names, "\n".join([*(f"{name}:{headers[name].strip()}" for name in signed), "", names])


def _canonical_path(path: str) -> str:
    if not _PLAIN_PATH.fullmatch(path):
        path = "/".join(_encoded(part) for part in unquote(path).split("/"))
    return path if path.endswith("/") else path + "/"


def canonical_query(query: str) -> str:
    """The query sorted and encoded as the signature wants it."""
    if not query:
        return ""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in pairs)


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _payload_hash(request: httpx.Request) -> str:
    if not request.content:
        return _HASH_OF_NOTHING
    return request.headers.get("x-sdk-content-sha256") or hashlib.sha256(request.content).hexdigest()


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


class TokenAuth(httpx.Auth):
    """Shows an IAM token, fetched when first needed, kept, and renewed before it ends or when it is refused.

    However many requests wait for a token, one question goes to IAM; its failure is the failure of all of them.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        iam_endpoint: str,
        user: IAMUser,
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._http = http
        self._url = f"{iam_endpoint.rstrip('/')}/v3/auth/tokens?nocatalog=true"
        self._user = user
        self._now = now
        self._token: _Token | None = None
        self._renewal: asyncio.Task[_Token] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project={self._user.project_id or self._user.project_name!r})"

    def sync_auth_flow(self, request: httpx.Request) -> NoReturn:  # noqa: ARG002  # httpx's signature
        """Not there: the bot has no synchronous client."""
        raise RuntimeError("TokenAuth needs an AsyncClient")

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send `request` with the token; once more with a new one if the token is refused."""
        token = await self._current(refused=None)
        request.headers["X-Auth-Token"] = token.secret.get_secret_value()
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            await _drop_body(response)
            token = await self._current(refused=token)
            request.headers["X-Auth-Token"] = token.secret.get_secret_value()
            yield request

    async def _current(self, *, refused: _Token | None) -> _Token:
        """A token that is good for a while and is not the `refused` one."""
        if self._token and self._token is not refused and self._now() < self._token.ends_at - RENEW_BEFORE:
            return self._token
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._fetch(), name="gcs token renewal")
            self._renewal.add_done_callback(self._renewed)
        # Shielded: a caller that gives up does not take the renewal from the others.
        return await asyncio.shield(self._renewal)

    def _renewed(self, renewal: asyncio.Task[_Token]) -> None:
        self._renewal = None
        if not renewal.cancelled() and renewal.exception() is None:
            self._token = renewal.result()

    async def _fetch(self) -> _Token:
        request = self._http.build_request("POST", self._url, json=self._user.question())
        try:
            async with asyncio.timeout(TOKEN_PATIENCE.total_seconds()):
                response, body = await wire.exchange(self._http, request)
        except TimeoutError:
            raise GCSUnavailable("IAM: no answer in time") from None
        if not response.is_success:
            raise failures.iam_failure(response, body)
        secret = response.headers.get("x-subject-token", "")
        if not secret:
            raise GCSMalformed(f"IAM: HTTP {response.status_code} without a token")
        GCS_TOKENS.inc()
        return _Token(SecretStr(secret), _end_of(body) or self._now() + TOKEN_LIFE)


async def _drop_body(response: httpx.Response) -> None:
    """Spare httpx the reading of a body that is thrown away, and that nobody has measured."""
    if isinstance(response.stream, httpx.AsyncByteStream):
        await response.stream.aclose()
    response.stream = httpx.ByteStream(b"")


class _Grant(BaseModel):
    """The `token` object of IAM's answer."""

    expires_at: str = ""


class _Granted(BaseModel):
    """IAM's answer."""

    token: _Grant


def _end_of(body: bytes) -> datetime | None:
    try:
        return reading.moment(_Granted.model_validate_json(body).token.expires_at)
    except ValidationError:
        return None
