"""Everything that can go wrong between an app and Slack can be had on purpose, and is told apart by what was done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack import Fault
from tests.sandbox.slack_rig import World, world


@pytest.fixture
async def at() -> AsyncIterator[World]:
    """A workspace in which time stands still."""
    async with world() as opened:
        yield opened


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", 0), ("drop_after", 1), ("silent", 0)])
async def test_dropped_connection(at: World, kind: Any, posted: int) -> None:
    """A connection can be dropped before or after the message was posted, or in silence; the client cannot tell."""
    at.slack.faults.add(Fault(kind=kind, method="chat.postMessage", delay=0.01))
    with pytest.raises(aiohttp.ClientConnectionError):
        await at.client.chat_postMessage(channel=at.room, text="x")
    assert len(at.slack.messages(at.room)) == posted


@pytest.mark.parametrize(("kind", "posted"), [("status", 0), ("status_after", 1)])
async def test_status(at: World, kind: Any, posted: int) -> None:
    """A 502 can come before or after the message was posted."""
    at.slack.faults.add(Fault(kind=kind, method="chat.postMessage", status=502))
    with pytest.raises(SlackApiError) as caught:
        await at.client.chat_postMessage(channel=at.room, text="x")
    assert caught.value.response.status_code == 502
    assert len(at.slack.messages(at.room)) == posted


async def test_error_and_end_of_fault(at: World) -> None:
    """A fault strikes as often as it says, and then no more."""
    at.slack.faults.add(Fault(kind="error", method="chat.postMessage", error="fatal_error", times=2))
    codes = [await at.code("chat.postMessage", channel=at.room, text="x") for _ in range(3)]
    assert codes == ["fatal_error", "fatal_error", ""]
    assert [call.error for call in at.slack.calls] == codes


async def test_a_fault_for_each_third_call(at: World) -> None:
    """A fault can leave most calls alone; the sandbox counts whom it struck; taken away, it strikes no more."""
    fault = Fault(kind="error", method="chat.postMessage", times=None, every=3)
    at.slack.faults.add(fault)
    codes = [await at.code("chat.postMessage", channel=at.room, text="x") for _ in range(6)]
    assert codes == ["", "", "internal_error"] * 2
    assert at.slack.faults.struck == {"error": 2}
    at.slack.faults.remove(fault)
    assert not any([await at.code("chat.postMessage", channel=at.room, text="x") for _ in range(3)])


async def test_fault_for_one_channel(at: World) -> None:
    """A fault for a channel leaves the others alone, and is gone once it is cleared."""
    at.slack.faults.add(Fault(kind="error", channel=at.room, times=None))
    assert await at.code("chat.postMessage", channel=at.you, text="x") == ""
    assert await at.code("chat.postMessage", channel=at.room, text="x") == "internal_error"
    at.slack.faults.clear()
    assert await at.code("chat.postMessage", channel=at.room, text="x") == ""


async def test_slow_answer_is_done_all_the_same(at: World) -> None:
    """A slow call has its effect and its answer."""
    at.slack.faults.add(Fault(kind="slow", delay=0.01))
    assert await at.code("chat.postMessage", channel=at.room, text="x") == ""


async def test_injected_rate_limit(at: World) -> None:
    """A 429 on purpose says when to come back."""
    at.slack.faults.add(Fault(kind="ratelimited", retry_after=7))
    with pytest.raises(SlackApiError) as caught:
        await at.client.auth_test()
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")


async def test_tier_of_a_method(at: World) -> None:
    """chat.update goes fifty times a minute for the whole workspace, and again a minute later."""
    ts = (await at.client.chat_postMessage(channel=at.room, text="x"))["ts"]
    codes = [await at.code("chat.update", channel=at.room, ts=ts, text=str(n)) for n in range(51)]
    assert codes == [""] * 50 + ["ratelimited"]
    at.clock.now += 60
    assert await at.code("chat.update", channel=at.room, ts=ts, text="again") == ""


async def test_messages_a_second_in_a_channel(at: World) -> None:
    """After a burst a channel takes one message a second; another channel is not concerned."""
    burst = at.slack.limits.channel_burst = 3
    codes = [await at.code("chat.postMessage", channel=at.room, text="x") for _ in range(burst + 1)]
    assert codes[-1] == "ratelimited"
    assert await at.code("chat.postMessage", channel=at.you, text="x") == ""
    at.clock.now += 1
    assert await at.code("chat.postMessage", channel=at.room, text="x") == ""


async def test_limits_can_be_off(at: World) -> None:
    """Without limits everything goes through."""
    at.slack.limits.is_on = False
    codes = {await at.code("chat.postMessage", channel=at.room, text="x") for _ in range(30)}
    assert codes == {""}


async def test_messages_a_minute_in_a_workspace(at: World) -> None:
    """All channels together have a limit too."""
    at.slack.limits.posts_per_minute = 2
    codes = [await at.code("chat.postMessage", channel=place, text="x") for place in (at.room, at.you, at.room)]
    assert codes == ["", "", "ratelimited"]
    assert at.slack.limits.refused == {"chat.postMessage": 1}


async def test_the_worst_minute_is_found_whichever_way_it_is_laid(at: World) -> None:
    """By method and by channel, limits on or off."""
    at.slack.limits.is_on = False
    for seconds in (0, 50, 5, 4, 10, 60):
        at.clock.now += seconds
        await at.code("chat.postMessage", channel=at.room, text="x")
    assert at.slack.limits.worst_minute("chat.postMessage") == 4
    assert (at.slack.limits.worst_minute(at.room), at.slack.limits.worst_minute(at.you)) == (4, 0)


async def test_refused_connections(at: World) -> None:
    """While connections are refused the app gets no address for a socket."""
    at.slack.refuse_connections = True
    with pytest.raises(SlackApiError, match="internal_error"):
        await at.client.apps_connections_open(app_token=at.slack.app_token)


async def test_ticket_is_good_once(at: World) -> None:
    """The address of a socket can be used once."""
    url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
    async with at.session.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await at.session.ws_connect(url)


async def test_bot_token_opens_no_socket(at: World) -> None:
    """Only the app token opens connections."""
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await at.client.apps_connections_open(app_token=at.slack.bot_token)


async def test_half_open_socket_gives_no_pong(at: World) -> None:
    """A half-open connection stays open and answers nothing, until the client gives it up."""
    url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
    async with at.session.ws_connect(url, heartbeat=0.1) as socket:
        await socket.receive_json()
        await at.slack.disconnect_sockets("half_open")
        await socket.receive()
        assert isinstance(socket.exception(), aiohttp.ServerTimeoutError)


async def test_warning_leaves_the_socket_in_use(at: World) -> None:
    """After a warning the connection still gets envelopes."""
    url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
    async with at.session.ws_connect(url) as socket:
        await at.slack.disconnect_sockets("warning")
        assert [(await socket.receive_json())["type"] for _ in range(2)] == ["hello", "disconnect"]
        assert at.slack.sockets.connections == 1
