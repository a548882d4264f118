"""The client on a real socket: what it asks, when it repeats itself and when it falls silent."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta

import pytest
import stamina
import yarl
from aiohttp import web
from multidict import CIMultiDict
from prometheus_client import REGISTRY
from pydantic import SecretStr

from bot.errors import (
    ExecutionNotFound,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMalformed,
    GCSMisdirected,
    GCSThrottled,
    GCSUnavailable,
    InvalidInput,
)
from bot.gcs.auth import IAMUser, SignatureAuth, TokenAuth
from bot.gcs.breaker import CredentialHold, CredentialsHeld
from bot.gcs.client import FIRST_TRY_SECONDS, GCSClient
from bot.gcs.http import Credentials, HTTPClient, Question
from bot.workers.watcher import WITHIN

from .conftest import ID, Scripted, body_of

REFUSED = body_of("refused")
SHORTLY = timedelta(seconds=0.2)


def counted(outcome: str) -> float:
    """How often a call has ended with `outcome`."""
    return REGISTRY.get_sample_value("execution_bot_gcs_calls_total", {"outcome": outcome}) or 0.0


async def test_asks_by_id(client: GCSClient, scripted: Scripted) -> None:
    """One execution is one GET of its path, JSON in both directions, and becomes the model."""
    scripted.says(200, body_of("running"))
    response = await client.get_execution(f" {ID.upper()} ")
    assert response.to_execution().phase == "Running"
    asked = scripted.requests[0]
    assert (asked.method, asked.raw_path) == ("GET", f"/v1/executions/{ID}")
    assert asked.headers["Content-Type"] == asked.headers["Accept"] == "application/json"
    assert asked.headers["User-Agent"].startswith("execution-bot/")


@pytest.mark.parametrize(
    "execution_id",
    ["", "deepvariant", f"{ID}/events", f"../{ID}", f"{ID}?x=1", f"{ID}#", f"{ID}\n{ID}", ID[:-1], "ｅ" + ID[1:]],
)
async def test_ids_are_checked(client: GCSClient, scripted: Scripted, execution_id: str) -> None:
    """What is no id is refused before anything is asked, so an id never changes the path."""
    with pytest.raises(InvalidInput):
        await client.get_execution(execution_id)
    assert scripted.requests == []


async def test_keeps_its_connection(client: GCSClient, scripted: Scripted) -> None:
    """Ten questions one after another use one connection."""
    scripted.says(200, body_of("running"))
    for _ in range(10):
        await client.get_execution(ID)
    assert len(scripted.requests) == 10
    assert len(scripted.connections) == 1


async def test_signed_on_the_wire(scripted: Scripted, http: HTTPClient) -> None:
    """What arrives at the server carries the signature of what arrives at the server."""
    scripted.says(200, '{"executions": [], "total_num": 0}')
    auth = SignatureAuth("AK", SecretStr("SK"), project_id="p", clock=lambda: 1_704_164_645)
    await GCSClient(http, endpoint=scripted.url + "/", auth=auth).check()
    asked = scripted.requests[0]
    headers = CIMultiDict((name, asked.headers[name]) for name in ("Content-Type", "Host"))
    again = auth.signed(Question("GET", yarl.URL(scripted.url), asked.raw_path, headers))
    assert asked.raw_path == "/v1/executions?limit=1&offset=0"
    assert again.headers["Authorization"] == asked.headers["Authorization"]
    assert "content-type;host;x-project-id;x-sdk-date" in asked.headers["Authorization"]


async def test_token_on_the_wire(scripted: Scripted, http: HTTPClient) -> None:
    """A refused token is renewed and the question put again, within one call."""
    granted = '{"token": {"expires_at": "2999-01-01T00:00:00Z"}}'
    scripted.says(201, granted, X_Subject_Token="t1").says(401, "The token must be updated")
    scripted.says(201, granted, X_Subject_Token="t2").says(200, body_of("running"))
    auth = TokenAuth(http, scripted.url, IAMUser("u", SecretStr("p"), "d", project_id="1"))
    await GCSClient(http, endpoint=scripted.url, auth=auth).get_execution(ID)
    assert [request.headers.get("X-Auth-Token") for request in scripted.requests] == [None, "t1", None, "t2"]


async def test_trouble_is_repeated(client: GCSClient, scripted: Scripted) -> None:
    """A passing trouble is not noticed by whoever asked, but counted."""
    before = counted("unavailable"), counted("ok")
    scripted.says(503).says(502).says(200, body_of("running"))
    await client.get_execution(ID)
    assert (counted("unavailable"), counted("ok")) == (before[0] + 2, before[1] + 1)


async def test_trouble_that_stays(client: GCSClient, scripted: Scripted) -> None:
    """Four attempts, then the last trouble is the answer."""
    scripted.says(503, '{"error_code": "APIGW.0201", "error_msg": "Backend unavailable"}')
    with pytest.raises(GCSUnavailable, match="Backend unavailable"):
        await client.get_execution(ID)
    assert len(scripted.requests) == 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, GCSMalformed), (401, GCSBadCredentials), (403, GCSForbidden), (404, ExecutionNotFound), (200, GCSMalformed)],
)
async def test_what_a_repeat_cannot_mend(
    client: GCSClient, scripted: Scripted, status: int, kind: type[GCSError]
) -> None:
    """A refusal is asked once."""
    scripted.says(status, '{"error_code": "GCS.1", "error_msg": "no"}')
    with pytest.raises(kind):
        await client.get_execution(ID)
    assert len(scripted.requests) == 1


async def test_short_throttle(client: GCSClient, scripted: Scripted) -> None:
    """A throttle that ends within the time is waited for."""
    scripted.says(429, Retry_After="2").says(200, body_of("running"))
    await client.get_execution(ID, within=timedelta(seconds=10))
    assert len(scripted.requests) == 2


async def test_long_throttle(client: GCSClient, scripted: Scripted) -> None:
    """A throttle that outlasts the time is handed on at once, with its end."""
    scripted.says(429, Retry_After="60")
    with pytest.raises(GCSThrottled) as found:
        await client.get_execution(ID, within=timedelta(seconds=10))
    assert found.value.retry_after == timedelta(seconds=60)
    assert len(scripted.requests) == 1


async def test_never_longer_than_asked(client: GCSClient, scripted: Scripted) -> None:
    """A server that does not answer costs no more time than was given."""

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    scripted.answers.append(silent)
    started = time.monotonic()
    with pytest.raises(GCSUnavailable, match=r"within 0\.2 s"):
        await client.get_execution(ID, within=SHORTLY)
    assert time.monotonic() - started < 5


async def test_a_first_try_that_hangs(client: GCSClient, scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first try that gets no answer leaves time for another, which a question that is put once does not have."""
    monkeypatch.setattr("bot.gcs.client.FIRST_TRY_SECONDS", SHORTLY.total_seconds())

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(2 * SHORTLY.total_seconds())
        return web.json_response({"executions": [], "total_num": 0})

    scripted.answers.append(silent)
    scripted.says(200, body_of("running"))
    assert (await client.get_execution(ID, within=timedelta(seconds=12))).execution.guid == ID
    assert len(scripted.requests) == 2
    scripted.answers[:] = [silent]
    assert (await client.listed("Running", offset=0, limit=10)).length == 0


def test_two_tries_fit_into_a_look() -> None:
    """The time of a look leaves more for what follows a first try than for that."""
    assert WITHIN.total_seconds() > 2 * FIRST_TRY_SECONDS


async def test_time_runs_out_while_waiting(client: GCSClient, scripted: Scripted) -> None:
    """When the time runs out between two attempts, the last trouble is told, not the clock."""
    stamina.set_testing(False)
    scripted.says(503, '{"error_code": "APIGW.0201", "error_msg": "Backend unavailable"}')
    with pytest.raises(GCSUnavailable, match="Backend unavailable"):
        await client.get_execution(ID, within=SHORTLY)


class Clock:
    """Monotonic time that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time it is."""
        return self.now


async def ends(client: GCSClient) -> str:
    """How a question ends: the name of its error, or «ok»."""
    try:
        await client.get_execution(ID)
    except GCSError as error:
        return type(error).__name__
    return "ok"


async def test_bad_credentials_stop_calls(scripted: Scripted, http: HTTPClient) -> None:
    """After a refusal nothing is asked for a while that doubles; one good answer ends it."""
    clock = Clock()
    client = GCSClient(http, endpoint=scripted.url, auth=Credentials(), clock=clock)
    scripted.says(401, REFUSED).says(401, REFUSED).says(200, body_of("running"))
    told = []
    for pause in (0, 59, 2, 119, 2, 0):
        clock.now += pause
        told.append(await ends(client))
    bad, held = GCSBadCredentials.__name__, CredentialsHeld.__name__
    assert told == [bad, held, bad, held, "ok", "ok"]


async def test_calls_under_way_together(scripted: Scripted, http: HTTPClient) -> None:
    """Twenty calls refused together begin one hold of the first length, and one probe ends it."""
    clock = Clock()
    client = GCSClient(http, endpoint=scripted.url, auth=Credentials(), clock=clock)
    scripted.says(401, REFUSED)
    await asyncio.gather(*(ends(client) for _ in range(20)))
    clock.now += 61
    scripted.requests.clear()
    told = await asyncio.gather(*(ends(client) for _ in range(20)))
    assert sorted(told) == ["CredentialsHeld"] * 19 + ["GCSBadCredentials"]
    assert len(scripted.requests) == 1


def refused(hold: CredentialHold) -> None:
    """Let one call through, which is refused."""
    hold.admit()
    hold.heard(GCSBadCredentials())
    hold.probed()


def test_longest_hold() -> None:
    """The hold grows to a quarter of an hour, and no further."""
    clock = Clock()
    hold = CredentialHold(clock)
    for _ in range(50):
        refused(hold)
        clock.now += 15 * 60
    assert hold._until == clock.now


def test_probe_that_is_known() -> None:
    """An answer that only someone known gets, such as «no such execution», ends the hold."""
    clock = Clock()
    hold = CredentialHold(clock)
    refused(hold)
    clock.now += 61
    assert hold.admit() is True
    hold.heard(ExecutionNotFound())
    assert hold.admit() is False


def test_probe_that_learns_nothing() -> None:
    """A probe that meets trouble leaves the hold open for the next probe."""
    clock = Clock()
    hold = CredentialHold(clock)
    refused(hold)
    clock.now += 61
    for _ in range(2):
        assert hold.admit() is True
        hold.heard(GCSUnavailable())
        hold.probed()


async def test_check(client: GCSClient, scripted: Scripted) -> None:
    """The probe asks for the smallest list, limit and offset together, and is silent when all is well."""
    scripted.says(200, json.dumps({"executions": [], "total_num": 0}))
    await client.check()
    assert scripted.requests[0].raw_path == "/v1/executions?limit=1&offset=0"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"", GCSMisdirected),
        (404, b'{"error_code": "GCS.0404", "error_msg": "no such page"}', GCSMisdirected),
        (200, b"<html>log in to the hotel</html>", GCSMalformed),
        (401, REFUSED, GCSBadCredentials),
    ],
)
async def test_check_fails(
    client: GCSClient, scripted: Scripted, status: int, body: bytes, kind: type[GCSError]
) -> None:
    """The probe says what a real question would meet; a list that is not found is a wrong address."""
    scripted.says(status, body)
    with pytest.raises(kind):
        await client.check()
