"""The client on a real socket: what it requests, when it repeats and when it stops calling."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import timedelta

import httpx
import pytest
import stamina
from aiohttp import web
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
from bot.gcs.breaker import LONGEST_PAUSE, BreakerOpen, CredentialBreaker
from bot.gcs.client import INLINE_PARSE_BYTES, GCSClient
from bot.gcs.http import HTTPClient
from bot.gcs.retries import FIRST_TRY_SECONDS
from bot.gcs.tables import GetExecutionResponse
from bot.workers.watcher import WITHIN

from .conftest import ID, Scripted, body_of

REFUSED = body_of("refused")
SHORTLY = timedelta(seconds=0.2)


def counted(outcome: str) -> float:
    """How often a call has ended with `outcome`."""
    return REGISTRY.get_sample_value("execution_bot_gcs_calls_total", {"outcome": outcome}) or 0.0


async def test_requests_by_id(client: GCSClient, scripted: Scripted) -> None:
    """One execution is one GET of its path, with JSON headers, and becomes the model."""
    scripted.says(200, body_of("running"))
    response = await client.get_execution(f" {ID.upper()} ")
    assert response.to_execution().phase == "Running"
    sent = scripted.requests[0]
    assert (sent.method, sent.raw_path) == ("GET", f"/v1/executions/{ID}")
    assert sent.headers["Content-Type"] == sent.headers["Accept"] == "application/json"
    assert sent.headers["User-Agent"].startswith("execution-bot/")


@pytest.mark.parametrize(
    "execution_id",
    ["", "deepvariant", f"{ID}/events", f"../{ID}", f"{ID}?x=1", f"{ID}#", f"{ID}\n{ID}", ID[:-1], "ｅ" + ID[1:]],
)
async def test_ids_are_checked(client: GCSClient, scripted: Scripted, execution_id: str) -> None:
    """What is no id is refused before anything is sent, so an id never changes the path."""
    with pytest.raises(InvalidInput):
        await client.get_execution(execution_id)
    assert scripted.requests == []


async def test_keeps_its_connection(client: GCSClient, scripted: Scripted) -> None:
    """Ten requests one after another use one connection."""
    scripted.says(200, body_of("running"))
    for _ in range(10):
        await client.get_execution(ID)
    assert len(scripted.requests) == 10
    assert len(scripted.connections) == 1


async def test_signed_on_the_wire(scripted: Scripted, http: HTTPClient) -> None:
    """The signature that the server receives is that of the request that it receives."""
    scripted.says(200, '{"executions": [], "total_num": 0}')
    auth = SignatureAuth("AK", SecretStr("SK"), project_id="p", clock=lambda: 1_704_164_645)
    await GCSClient(http, endpoint=scripted.url + "/", auth=auth).check()
    sent = scripted.requests[0]
    headers = {name: sent.headers[name] for name in ("Content-Type", "Host")}
    again = next(auth.auth_flow(httpx.Request("GET", f"{scripted.url}{sent.raw_path}", headers=headers)))
    assert sent.raw_path == "/v1/executions?limit=1&offset=0"
    assert again.headers["Authorization"] == sent.headers["Authorization"]
    assert "content-type;host;x-project-id;x-sdk-date" in sent.headers["Authorization"]


async def test_token_on_the_wire(scripted: Scripted, http: HTTPClient) -> None:
    """A refused token is renewed and the request sent again, within one call."""
    granted = '{"token": {"expires_at": "2999-01-01T00:00:00Z"}}'
    scripted.says(201, granted, X_Subject_Token="t1").says(401, "The token must be updated")
    scripted.says(201, granted, X_Subject_Token="t2").says(200, body_of("running"))
    auth = TokenAuth(http, scripted.url, IAMUser("u", SecretStr("p"), "d", project_id="1"))
    await GCSClient(http, endpoint=scripted.url, auth=auth).get_execution(ID)
    assert [request.headers.get("X-Auth-Token") for request in scripted.requests] == [None, "t1", None, "t2"]


async def test_repeats_after_an_outage(client: GCSClient, scripted: Scripted) -> None:
    """The caller does not notice a short outage; the metrics count it."""
    before = counted("unavailable"), counted("ok")
    scripted.says(503).says(502).says(200, body_of("running"))
    await client.get_execution(ID)
    assert (counted("unavailable"), counted("ok")) == (before[0] + 2, before[1] + 1)


async def test_gives_up_after_four_attempts(client: GCSClient, scripted: Scripted) -> None:
    """After four attempts the last failure is raised."""
    scripted.says(503, '{"error_code": "APIGW.0201", "error_msg": "Backend unavailable"}')
    with pytest.raises(GCSUnavailable, match="Backend unavailable"):
        await client.get_execution(ID)
    assert len(scripted.requests) == 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, GCSMalformed), (401, GCSBadCredentials), (403, GCSForbidden), (404, ExecutionNotFound), (200, GCSMalformed)],
)
async def test_repeats_no_refusal(client: GCSClient, scripted: Scripted, status: int, kind: type[GCSError]) -> None:
    """A request that GCS refuses is sent once."""
    scripted.says(status, '{"error_code": "GCS.1", "error_msg": "no"}')
    with pytest.raises(kind):
        await client.get_execution(ID)
    assert len(scripted.requests) == 1


async def test_waits_for_a_short_throttle(client: GCSClient, scripted: Scripted) -> None:
    """A throttle that ends within the given time is waited for."""
    scripted.says(429, Retry_After="2").says(200, body_of("running"))
    await client.get_execution(ID, within=timedelta(seconds=10))
    assert len(scripted.requests) == 2


async def test_raises_a_long_throttle(client: GCSClient, scripted: Scripted) -> None:
    """A throttle that outlasts the given time is raised at once, with its end."""
    scripted.says(429, Retry_After="60")
    with pytest.raises(GCSThrottled) as found:
        await client.get_execution(ID, within=timedelta(seconds=10))
    assert found.value.retry_after == timedelta(seconds=60)
    assert len(scripted.requests) == 1


async def test_never_exceeds_the_given_time(client: GCSClient, scripted: Scripted) -> None:
    """A server that does not answer takes no more than the given time."""

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    scripted.answers.append(silent)
    started = time.monotonic()
    with pytest.raises(GCSUnavailable, match=r"within 0\.2 s"):
        await client.get_execution(ID, within=SHORTLY)
    assert time.monotonic() - started < 5


async def test_first_attempt_that_hangs_leaves_time(
    client: GCSClient, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first of several attempts that hangs leaves time for another; a single attempt may take all the time."""
    monkeypatch.setattr("bot.gcs.retries.FIRST_TRY_SECONDS", SHORTLY.total_seconds())

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(2 * SHORTLY.total_seconds())
        return web.json_response({"executions": [], "total_num": 0})

    scripted.answers.append(silent)
    scripted.says(200, body_of("running"))
    assert (await client.get_execution(ID, within=timedelta(seconds=12))).execution.guid == ID
    assert len(scripted.requests) == 2
    scripted.answers[:] = [silent]
    assert (await client.list_page("Running", offset=0, limit=10)).length == 0


def test_poll_has_time_for_two_attempts() -> None:
    """A poll's time leaves more for the repeats than for the first attempt."""
    assert WITHIN.total_seconds() > 2 * FIRST_TRY_SECONDS


async def test_time_out_while_waiting_keeps_the_failure(client: GCSClient, scripted: Scripted) -> None:
    """When time runs out between two attempts, the last failure is raised, not the time-out."""
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
    """How a request ends: the name of its error, or `ok`."""
    try:
        await client.get_execution(ID)
    except GCSError as error:
        return type(error).__name__
    return "ok"


async def test_refused_credentials_open_the_breaker(scripted: Scripted, http: HTTPClient) -> None:
    """After a refusal no call is sent during a pause that doubles each time; one success ends it."""
    clock = Clock()
    client = GCSClient(http, endpoint=scripted.url, auth=None, clock=clock)
    scripted.says(401, REFUSED).says(401, REFUSED).says(200, body_of("running"))
    outcomes = []
    for pause in (0, 59, 2, 119, 2, 0):
        clock.now += pause
        outcomes.append(await ends(client))
    bad, unsent = GCSBadCredentials.__name__, BreakerOpen.__name__
    assert outcomes == [bad, unsent, bad, unsent, "ok", "ok"]


async def test_calls_refused_together_count_once(scripted: Scripted, http: HTTPClient) -> None:
    """Twenty calls refused together start one pause of the first length, and one call probes after it."""
    clock = Clock()
    client = GCSClient(http, endpoint=scripted.url, auth=None, clock=clock)
    scripted.says(401, REFUSED)
    await asyncio.gather(*(ends(client) for _ in range(20)))
    clock.now += 61
    scripted.requests.clear()
    outcomes = await asyncio.gather(*(ends(client) for _ in range(20)))
    assert sorted(outcomes) == ["BreakerOpen"] * 19 + ["GCSBadCredentials"]
    assert len(scripted.requests) == 1


def refused(breaker: CredentialBreaker) -> None:
    """Let one call through, which is refused."""
    breaker.admit()
    breaker.record(GCSBadCredentials())
    breaker.probed()


def test_pause_has_a_limit() -> None:
    """The pause grows to a quarter of an hour, and no further."""
    clock = Clock()
    breaker = CredentialBreaker(clock)
    assert timedelta(minutes=15) == LONGEST_PAUSE
    for _ in range(50):
        refused(breaker)
        clock.now += LONGEST_PAUSE.total_seconds()
    assert breaker._until == clock.now


def test_accepted_probe_closes_the_breaker() -> None:
    """An answer that only accepted credentials get, such as "no such execution", closes the breaker."""
    clock = Clock()
    breaker = CredentialBreaker(clock)
    refused(breaker)
    clock.now += 61
    assert breaker.admit() is True
    breaker.record(ExecutionNotFound())
    assert breaker.admit() is False


def test_failed_probe_allows_the_next() -> None:
    """A probe that meets an outage leaves the breaker open for the next probe."""
    clock = Clock()
    breaker = CredentialBreaker(clock)
    refused(breaker)
    clock.now += 61
    for _ in range(2):
        assert breaker.admit() is True
        breaker.record(GCSUnavailable())
        breaker.probed()


async def test_check(client: GCSClient, scripted: Scripted) -> None:
    """The check requests the smallest list, with limit and offset, and returns when all is well."""
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
    """The check raises what a poll would; a list that is not found means a wrong address."""
    scripted.says(status, body)
    with pytest.raises(kind):
        await client.check()


async def test_large_answers_are_parsed_beside_the_loop(
    client: GCSClient, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In threads, two at a time; small ones at once."""
    running, most, threads = 0, 0, set[bool]()
    parse = GetExecutionResponse.parse

    def slowly(body: bytes, *, requested_id: str) -> GetExecutionResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threads.add(threading.current_thread() is threading.main_thread())
        time.sleep(0.05)
        running -= 1
        return parse(body, requested_id=requested_id)

    monkeypatch.setattr(GetExecutionResponse, "parse", slowly)
    large = json.dumps(json.loads(body_of("running")) | {"pad": "x" * INLINE_PARSE_BYTES})
    scripted.says(200, large)
    await asyncio.gather(*(client.get_execution(ID) for _ in range(6)))
    assert (most, threads) == (2, {False})
    scripted.answers.clear()
    scripted.says(200, body_of("running"))
    await client.get_execution(ID)
    assert threads == {False, True}
