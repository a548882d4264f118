"""`TokenAuth` fetches a token once for all, renews it in time, and does not hammer IAM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import yarl
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict
from pydantic import SecretStr

from bot.errors import GCSBadCredentials, GCSError, GCSMalformed, GCSMisdirected, GCSThrottled, GCSUnavailable
from bot.gcs.auth import RENEW_PAUSE, IAMUser, TokenAuth
from bot.gcs.http import HTTPClient, Question

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
    """A clock that stands at the token's birth."""
    return Clock()


@pytest.fixture
def auth(http: HTTPClient, scripted: Scripted, clock: Clock) -> TokenAuth:
    """Token credentials whose IAM is the scripted server."""
    return TokenAuth(http, scripted.url, USER, now=clock)


class Shown:
    """A GCS that notes the tokens that it is shown, and answers each caller as that one wants."""

    def __init__(self, http: HTTPClient) -> None:
        self._http = http
        self.origin = yarl.URL()
        self._callers: dict[str, tuple[tuple[int, ...], list[str]]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with the next status of whoever calls."""
        statuses, tokens = self._callers[request.path]
        tokens.append(request.headers["X-Auth-Token"])
        return web.Response(status=statuses[len(tokens) - 1])

    async def __call__(self, auth: TokenAuth, *statuses: int) -> list[str]:
        """The tokens that are shown, one after another, to a GCS that answers with `statuses`."""
        path, tokens = f"/{len(self._callers)}", list[str]()
        self._callers[path] = (statuses, tokens)
        headers = CIMultiDict({"Host": self.origin.authority})
        await self._http.exchange(Question("GET", self.origin, path, headers), auth)
        return tokens


@pytest.fixture
async def shown_tokens(http: HTTPClient) -> AsyncIterator[Shown]:
    """A GCS that knows nobody."""
    shown = Shown(http)
    app = web.Application()
    app.router.add_get("/{caller}", shown.handle)
    async with TestServer(app) as server:
        shown.origin = server.make_url("")
        yield shown


async def test_question(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """IAM is asked by password, for the project's scope, without its catalogue."""
    scripted.says(201, GRANTED, X_Subject_Token="t1")
    assert await shown_tokens(auth, 200) == ["t1"]
    assert str(scripted.requests[0].rel_url) == "/v3/auth/tokens?nocatalog=true"
    user = {"name": "watcher", "password": "Passw0rd-of-the-bot", "domain": {"name": "lab"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    assert json.loads(scripted.bodies[0]) == {
        "auth": {"identity": identity, "scope": {"project": {"name": "cn-north-4"}}}
    }


async def test_single_flight(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A hundred requests that need a token put one question to IAM."""
    scripted.says(201, GRANTED, X_Subject_Token="t1")
    shown = await asyncio.gather(*(shown_tokens(auth, 200) for _ in range(100)))
    assert shown == [["t1"]] * 100
    assert len(scripted.requests) == 1


async def test_failure_is_shared(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A failed renewal is the failure of all who waited for it, and one question only."""
    scripted.says(401, '{"error": {"code": 401, "message": "wrong", "title": "Unauthorized"}}')
    found = await asyncio.gather(*(shown_tokens(auth, 200) for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in found} == {GCSBadCredentials}
    assert len(scripted.requests) == 1


async def test_renewed_before_its_end(auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown) -> None:
    """A token is kept until shortly before its end, then renewed without anyone being refused or waiting."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    assert await shown_tokens(auth, 200) == ["t1"]
    clock.now += timedelta(hours=23, minutes=49)
    assert await shown_tokens(auth, 200) == ["t1"]
    assert auth._renewal is None
    clock.now += timedelta(minutes=2)
    assert await shown_tokens(auth, 200) == ["t1"]
    await renewed(auth)
    assert await shown_tokens(auth, 200) == ["t2"]


async def renewed(auth: TokenAuth) -> None:
    """Wait for the renewal that is under way."""
    if auth._renewal:
        await asyncio.wait([auth._renewal])


@pytest.mark.parametrize("status", [201, 302, 404, 429, 500, 504])
async def test_a_good_token_is_shown_while_iam_is_away(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown, status: int
) -> None:
    """Every look of the last ten minutes goes well; IAM is asked once a minute, until it has another token."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(status).says(status)
    scripted.says(201, GRANTED, X_Subject_Token="t2")
    await shown_tokens(auth, 200)
    clock.now += timedelta(hours=23, minutes=51)
    for asked in (2, 3):
        for _ in range(3):
            assert await shown_tokens(auth, 200) == ["t1"]
            await renewed(auth)
        assert len(scripted.requests) == asked
        clock.now += RENEW_PAUSE
    assert await shown_tokens(auth, 200) == ["t1"]
    await renewed(auth)
    assert await shown_tokens(auth, 200) == ["t2"]


async def test_nobody_waits_for_an_iam_that_hangs(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown
) -> None:
    """With a good token in hand the call goes out at once; after its end IAM's trouble is the answer."""
    answers = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await answers.wait()
        return web.Response(status=503)

    scripted.says(201, GRANTED, X_Subject_Token="t1")
    await shown_tokens(auth, 200)
    scripted.answers[:] = [hang]
    clock.now += timedelta(hours=23, minutes=51)
    async with asyncio.timeout(5):
        assert await shown_tokens(auth, 200) == ["t1"]
    answers.set()
    clock.now += timedelta(minutes=10)
    with pytest.raises(GCSUnavailable):
        await shown_tokens(auth, 200)


async def test_a_user_that_iam_refuses_shows_no_token_any_more(
    auth: TokenAuth, scripted: Scripted, clock: Clock, shown_tokens: Shown
) -> None:
    """A password that was changed is no outage: the next call hears of it, so that all stop before a lock."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(401)
    await shown_tokens(auth, 200)
    clock.now += timedelta(hours=23, minutes=51)
    await shown_tokens(auth, 200)
    await renewed(auth)
    with pytest.raises(GCSBadCredentials):
        await shown_tokens(auth, 200)
    assert len(scripted.requests) == 3


async def test_renewed_once_when_refused(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A refused token is renewed and shown once more; a second refusal is the answer."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    assert await shown_tokens(auth, 401, 401, 200) == ["t1", "t2"]


async def test_refused_together(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """Many requests refused with the same token renew it once."""
    scripted.says(201, GRANTED, X_Subject_Token="t1").says(201, GRANTED, X_Subject_Token="t2")
    shown = await asyncio.gather(*(shown_tokens(auth, 401, 200) for _ in range(20)))
    assert shown == [["t1", "t2"]] * 20
    assert len(scripted.requests) == 2


async def test_one_gives_up(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """A request that is cancelled while it waits does not take the token from the others."""
    scripted.says(201, GRANTED, X_Subject_Token="t1")
    first, second = (asyncio.create_task(shown_tokens(auth, 200)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ["t1"]


async def test_long_token(auth: TokenAuth, scripted: Scripted) -> None:
    """Tokens of twenty thousand characters, as users with many roles get them, are taken."""
    scripted.says(201, GRANTED, X_Subject_Token="t" * 20_000)
    asked = await auth.on(Question("GET", yarl.URL("https://gcs.test"), "/", CIMultiDict()))
    assert asked.headers["X-Auth-Token"] == "t" * 20_000


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
    """Each refusal of IAM has its error, and none repeats the password that IAM quoted."""
    scripted.says(status, '{"error": {"code": "IAM.1", "message": "no: Passw0rd-of-the-bot"}}')
    with pytest.raises(GCSError) as found:
        await shown_tokens(auth, 200)
    assert type(found.value) is kind
    assert "Passw0rd" not in str(found.value)


async def test_secrets_are_not_shown(auth: TokenAuth, scripted: Scripted, shown_tokens: Shown) -> None:
    """Neither password nor token can be seen in the representation."""
    scripted.says(201, GRANTED, X_Subject_Token="token-of-the-bot")
    await shown_tokens(auth, 200)
    assert repr(auth) == "TokenAuth(project='cn-north-4')"
    assert "Passw0rd" not in repr(USER)
    assert "token-of-the-bot" not in repr(auth._token)
