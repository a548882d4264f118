"""`TokenAuth` fetches a token once for all, renews it in time, and does not hammer IAM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.errors import GCSBadCredentials, GCSError, GCSMalformed, GCSMisdirected, GCSThrottled, GCSUnavailable
from bot.gcs.auth import LEAST_LIFE, RENEW_PAUSE, IAMUser, TokenAuth
from bot.gcs.http import HTTPClient

from .conftest import Scripted

USER = IAMUser("watcher", SecretStr("Passw0rd-of-the-bot"), "lab", project_name="cn-north-4")
GRANTED = '{"token": {"expires_at": "2024-01-03T03:04:05.000000Z", "issued_at": "2024-01-02T03:04:05.000000Z"}}'


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it is."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that starts when the token is issued."""
    return Clock()


@pytest.fixture
def auth(http: HTTPClient, scripted: Scripted, clock: Clock) -> TokenAuth:
    """Token credentials whose IAM is the scripted server."""
    return TokenAuth(http, scripted.url, USER, now=clock)


class Shown:
    """A GCS that records the tokens it receives, and answers each caller with that caller's statuses."""

    def __init__(self, http: HTTPClient) -> None:
        self._http = http
        self.url = ""
        self._callers: dict[str, tuple[tuple[int, ...], list[str]]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with the caller's next status."""
        statuses, tokens = self._callers[request.path]
        tokens.append(request.headers["X-Auth-Token"])
        return web.Response(status=statuses[len(tokens) - 1])

    async def __call__(self, auth: TokenAuth, *statuses: int) -> list[str]:
        """The tokens that one call shows, one after another, to a GCS that answers with `statuses`."""
        path, tokens = f"/{len(self._callers)}", list[str]()
        self._callers[path] = (statuses, tokens)
        await self._http.send("GET", f"{self.url}{path}", auth=auth)
        return tokens


@pytest.fixture
async def shown_tokens(http: HTTPClient) -> AsyncIterator[Shown]:
    """A GCS without callers yet."""
    shown = Shown(http)
    app = web.Application()
    app.router.add_get("/{caller}", shown.handle)
    async with TestServer(app) as server:
        shown.url = str(server.make_url("")).rstrip("/")
        yield shown


async def test_token_request(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """The request to IAM has the password, the project's scope, and refuses the catalogue."""
    scripted.says(201, GRANTED, X_Subject_Token="t1")
    assert await shown_tokens(auth, 200) == ["t1"]
    assert str(scripted.requests[0].rel_url) == "/v3/auth/tokens?nocatalog=true"
    user = {"name": "watcher", "password": "Passw0rd-of-the-bot", "domain": {"name": "lab"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    assert json.loads(scripted.bodies[0]) == {
        "auth": {"identity": identity, "scope": {"project": {"name": "cn-north-4"}}}
    }


async def test_single_flight(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A hundred requests that need a token send one request to IAM."""
    scripted.says(201, GRANTED, X_Subject_Token="t1")
    shown = await asyncio.gather(*(shown_tokens(auth, 200) for _ in range(100)))
    assert shown == [["t1"]] * 100
    assert len(scripted.requests) == 1


async def test_failure_is_shared(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """All callers that wait for a renewal share its failure, after one request."""
    scripted.says(401, '{"error": {"code": 401, "message": "wrong", "title": "Unauthorized"}}')
    found = await asyncio.gather(*(shown_tokens(auth, 200) for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in found} == {GCSBadCredentials}
    assert len(scripted.requests) == 1


async def test_renews_before_expiry(auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown) -> None:
    """A token is kept until shortly before its end, then renewed while no call is refused or waits."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    assert await shown_tokens(auth, 200) == ["t1"]
    clock.now += timedelta(hours=23, minutes=49)
    assert await shown_tokens(auth, 200) == ["t1"]
    assert auth._renewal is None
    clock.now += timedelta(minutes=2)
    assert await shown_tokens(auth, 200) == ["t1"]
    await renewed(auth)
    assert await shown_tokens(auth, 200) == ["t2"]


async def test_a_wrong_clock_costs_few_tokens(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown
) -> None:
    """By a clock that is two days ahead every token has expired: one is requested a minute, not one for each call."""
    clock.now += timedelta(days=2)
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    assert [await shown_tokens(auth, 200) for _ in range(3)] == [["t1"]] * 3
    clock.now += LEAST_LIFE
    assert [await shown_tokens(auth, 200) for _ in range(3)] == [["t2"]] * 3


async def renewed(auth: TokenAuth) -> None:
    """Wait for the renewal in progress."""
    if auth._renewal:
        await asyncio.wait([auth._renewal])


@pytest.mark.parametrize("status", [201, 302, 404, 429, 500, 504])
async def test_shows_a_valid_token_during_iam_outage(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown, status: int
) -> None:
    """All calls of the last ten minutes succeed; IAM gets one request a minute until it issues another token."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(status).says(status)
    scripted.says(201, GRANTED, X_Subject_Token="t2")
    await shown_tokens(auth, 200)
    clock.now += timedelta(hours=23, minutes=51)
    for requests in (2, 3):
        for _ in range(3):
            assert await shown_tokens(auth, 200) == ["t1"]
            await renewed(auth)
        assert len(scripted.requests) == requests
        clock.now += RENEW_PAUSE
    assert await shown_tokens(auth, 200) == ["t1"]
    await renewed(auth)
    assert await shown_tokens(auth, 200) == ["t2"]


async def test_no_call_waits_for_hanging_iam(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown
) -> None:
    """With a valid token the call is sent at once; after its end IAM's failure is raised."""
    answers = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await answers.wait()
        return web.Response(status=503)

    scripted.says(201, GRANTED, X_Subject_Token="t1")
    await shown_tokens(auth, 200)
    scripted.answers[:] = [hang]
    clock.now += timedelta(hours=23, minutes=51)
    async with asyncio.timeout(60):
        assert await shown_tokens(auth, 200) == ["t1"]
    answers.set()
    clock.now += timedelta(minutes=10)
    with pytest.raises(GCSUnavailable):
        await shown_tokens(auth, 200)


async def test_refused_user_shows_no_token(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown
) -> None:
    """A changed password is no outage: the next call fails, so that calls stop before the account is locked."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(401)
    await shown_tokens(auth, 200)
    clock.now += timedelta(hours=23, minutes=51)
    await shown_tokens(auth, 200)
    await renewed(auth)
    with pytest.raises(GCSBadCredentials):
        await shown_tokens(auth, 200)
    assert len(scripted.requests) == 3


async def test_renews_once_when_refused(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A refused token is renewed once; a second refusal is the result."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    assert await shown_tokens(auth, 401, 401, 200) == ["t1", "t2"]


async def test_renews_once_for_refusals_together(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """Many requests refused with the same token renew it once."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    shown = await asyncio.gather(*(shown_tokens(auth, 401, 200) for _ in range(20)))
    assert shown == [["t1", "t2"]] * 20
    assert len(scripted.requests) == 2


async def test_cancelled_call_leaves_the_renewal(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A call that is cancelled while it waits does not cancel the renewal of the others."""
    scripted.says(201, GRANTED, X_Subject_Token="t1")
    first, second = (asyncio.create_task(shown_tokens(auth, 200)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ["t1"]


async def test_long_token(auth: TokenAuth, scripted: Scripted) -> None:
    """Tokens of sixty thousand characters, longer than users with many roles get, are received and sent."""
    scripted.says(201, GRANTED, X_Subject_Token="t" * 60_000)
    request = await anext(auth.async_auth_flow(httpx.Request("GET", "https://gcs.test")))
    assert request.headers["X-Auth-Token"] == "t" * 60_000


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, GCSBadCredentials), (401, GCSBadCredentials), (403, GCSBadCredentials), (404, GCSMisdirected)),
        *((302, GCSMisdirected), (429, GCSThrottled), (500, GCSUnavailable), (504, GCSUnavailable)),
        (201, GCSMalformed),
    ],
)
async def test_refusals(
    auth: TokenAuth, scripted: Scripted, status: int, kind: type[GCSError], shown_tokens: Shown
) -> None:
    """Each refusal by IAM has its error, and none repeats the password that IAM quoted."""
    scripted.says(status, '{"error": {"code": "IAM.1", "message": "no: Passw0rd-of-the-bot"}}')
    with pytest.raises(GCSError) as found:
        await shown_tokens(auth, 200)
    assert type(found.value) is kind
    assert "Passw0rd" not in str(found.value)


async def test_secrets_are_not_shown(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """The representations hold neither password nor token."""
    scripted.says(201, GRANTED, X_Subject_Token="token-of-the-bot")
    await shown_tokens(auth, 200)
    assert repr(auth) == "TokenAuth(project='cn-north-4')"
    assert "Passw0rd" not in repr(USER)
    assert "token-of-the-bot" not in repr(auth._token)
