"""How the bot authenticates to GCS: signed requests (access key and secret key), or an IAM token.

Lives here: the two kinds of credentials, each an `httpx.Auth`. Does not live here: what happens when GCS refuses them
(`bot.gcs.breaker` stops the calls). Built by the service; httpx applies it to every request of `bot.gcs.client`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

import httpx
import structlog
from pydantic import BaseModel, SecretStr, ValidationError

from bot.errors import GCSBadCredentials, GCSMalformed, GCSUnavailable
from bot.gcs import errors, values
from bot.gcs.http import HTTPClient
from bot.metrics import GCS_TOKENS

log = structlog.get_logger()

_ALGORITHM = "SDK-HMAC-SHA256"
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_UNSIGNED = frozenset(
    "accept accept-encoding authorization connection content-length transfer-encoding user-agent".split()
)
"""Headers about the connection, which proxies may rewrite; all others are signed."""

_PLAIN_PATH = re.compile(r"[\w/.~-]*", re.ASCII)
"""Paths that need no encoding to be canonical."""
_HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()

RENEW_BEFORE = timedelta(minutes=10)
"""How long before it expires a token is renewed, so that none expires in flight and IAM may be down for minutes."""
RENEW_PAUSE = timedelta(minutes=1)
"""How long to wait after a failed renewal while the current token is still valid."""
TOKEN_LIFE = timedelta(hours=12)
"""How long a token is assumed to be valid if IAM does not say; the documentation says 24 hours."""
LEAST_LIFE = timedelta(minutes=1)
"""How long a new token is used at least: with a clock a day ahead it would seem to have expired at once, for ever."""

TOKEN_TIMEOUT = timedelta(seconds=30)
"""How long one request to IAM may take; every call waits for it."""


class SignatureAuth(httpx.Auth):
    """Signs each request with an access key, by the vendor's SDK-HMAC-SHA256 (reference 1.4)."""

    requires_request_body = True

    def __init__(
        self,
        access_key: str,
        secret_key: SecretStr,
        *,
        project_id: str | None = None,
        security_token: SecretStr | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: Unix time in seconds."""
        self._access_key = access_key
        self._secret_key = secret_key
        self._project_id = project_id
        self._security_token = security_token
        self._clock = clock

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self._project_id!r})"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add date, project, token and signature, and send exactly the query that is signed."""
        if request.url.query:
            request.url = request.url.copy_with(query=canonical_query(request.url.query.decode()).encode())
        date = f"{datetime.fromtimestamp(int(self._clock()), UTC):%Y%m%dT%H%M%SZ}"
        request.headers["X-Sdk-Date"] = date
        if self._project_id:
            request.headers["X-Project-Id"] = self._project_id
        if self._security_token:
            request.headers["X-Security-Token"] = self._security_token.get_secret_value()
        headers = dict(request.headers.items())  # httpx searches its own for every look-up
        if not headers.get("content-type", "application/json").startswith(("application/json", "application/bson")):
            headers["x-sdk-content-sha256"] = request.headers["X-Sdk-Content-Sha256"] = _UNSIGNED_PAYLOAD
        names = signed_names(headers)
        digest = hashlib.sha256(canonical_request(request, headers, names).encode()).hexdigest()
        key = self._secret_key.get_secret_value().encode()
        signature = hmac.digest(key, f"{_ALGORITHM}\n{date}\n{digest}".encode(), "sha256").hex()
        request.headers["Authorization"] = (
            f"{_ALGORITHM} Access={self._access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        yield request


def signed_names(headers: Iterable[str]) -> list[str]:
    """The lower-case names of the headers that are signed, in order."""
    return sorted(name for name in headers if "_" not in name and name not in _UNSIGNED)


def canonical_request(request: httpx.Request, headers: Mapping[str, str], names: list[str]) -> str:
    """What is hashed and signed: steps 3 to 7 of reference 1.4. The request has its body; `headers` are its own."""
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    payload = _HASH_OF_NOTHING
    if request.content:
        payload = headers.get("x-sdk-content-sha256") or hashlib.sha256(request.content).hexdigest()
    lines = [f"{name}:{headers[name].strip()}" for name in names]
    return "\n".join([request.method.upper(), _canonical_path(path), query, *lines, "", ";".join(names), payload])


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
    """An IAM user and the project that its token is for. A project id takes precedence over the name."""

    username: str
    password: SecretStr
    domain: str
    project_name: str = ""
    project_id: str = ""

    def token_request(self) -> dict[str, object]:
        """The JSON body that requests a token from IAM."""
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
    """Sends an IAM token: fetched when first needed, kept, and renewed before it expires, or once when GCS refuses it.

    However many requests wait for a token, one request goes to IAM, and all of them share its failure. While the
    current token is valid, no request waits for a renewal, and IAM may be down, as long as it does not refuse the user.
    """

    def __init__(
        self,
        http: HTTPClient,
        iam_endpoint: str,
        user: IAMUser,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`now`: the time in UTC."""
        self._http = http
        self._url = f"{iam_endpoint.rstrip('/')}/v3/auth/tokens?nocatalog=true"
        self._user = user
        self._now = now
        self._token: _Token | None = None
        self._renew_at = now()
        self._renewal: asyncio.Task[_Token] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project={self._user.project_id or self._user.project_name!r})"

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the token; if GCS refuses it, send a new one, once.

        Raises:
            GCSError: IAM gave no token.
        """
        token = await self._current()
        request.headers["X-Auth-Token"] = token.secret.get_secret_value()
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        await _discard_body(response)
        if self._token is token:  # otherwise another request has dropped it already
            self._token = None
        request.headers["X-Auth-Token"] = (await self._current()).secret.get_secret_value()
        yield request

    async def _current(self) -> _Token:
        now = self._now()
        valid = self._token if self._token and now < self._token.ends_at else None
        if valid and now < self._renew_at:
            return valid
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._fetch(), name="gcs token renewal")
            self._renewal.add_done_callback(self._renewed)
        if valid:
            return valid
        # Shielded: a caller that is cancelled must not cancel the renewal of the others.
        return await asyncio.shield(self._renewal)

    def _renewed(self, renewal: asyncio.Task[_Token]) -> None:
        self._renewal, self._renew_at = None, self._now() + RENEW_PAUSE
        if renewal.cancelled():
            return
        error = renewal.exception()
        if error is None:
            self._token = renewal.result()
            self._renew_at = max(self._renew_at, self._token.ends_at - RENEW_BEFORE)
        elif isinstance(error, GCSBadCredentials):  # the next caller gets IAM's refusal, and the breaker opens
            self._token = None
        else:
            log.warning("gcs.token_not_renewed", error=str(error))

    async def _fetch(self) -> _Token:
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT.total_seconds()):
                response = await self._http.send("POST", self._url, json=self._user.token_request())
        except TimeoutError:
            raise GCSUnavailable("IAM: no answer in time") from None
        if not response.is_success:
            raise errors.iam_error(response)
        secret = response.headers.get("x-subject-token", "")
        if not secret:
            raise GCSMalformed(f"IAM: HTTP {response.status_code} without a token")
        GCS_TOKENS.inc()
        ends_at = _expiry(response.content) or self._now() + TOKEN_LIFE
        return _Token(SecretStr(secret), max(ends_at, self._now() + LEAST_LIFE))


async def _discard_body(response: httpx.Response) -> None:
    """Drop the body unread: httpx would read the whole body of a refused response, however long it is."""
    unread, response.stream = response.stream, httpx.ByteStream(b"")
    if isinstance(unread, httpx.AsyncByteStream):
        await unread.aclose()


class _Grant(BaseModel):
    """The `token` object of IAM's answer."""

    expires_at: str = ""


class _Granted(BaseModel):
    """IAM's answer."""

    token: _Grant


def _expiry(body: bytes) -> datetime | None:
    try:
        return values.moment(_Granted.model_validate_json(body).token.expires_at)
    except ValidationError:
        return None
