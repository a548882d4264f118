"""Every failure between an app and Slack can be injected, with or without effect."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack import Fault
from sandbox.slack.socket_mode import Reason
from tests.sandbox.slack_rig import World


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", 0), ("drop_after", 1), ("silent", 0)])
async def test_dropped_connection(at: World, kind: Any, posted: int) -> None:
    """A connection can be dropped before or after the message was posted; the client cannot know."""
    at.slack.faults.add(Fault(kind=kind, method="chat.postMessage", delay=0.01))
    with pytest.raises(aiohttp.ClientConnectionError):
        await at.client.chat_postMessage(channel=at.channel, text="x")
    assert len(at.slack.messages(at.channel)) == posted


@pytest.mark.parametrize(("kind", "posted"), [("status", 0), ("status_after", 1)])
async def test_status(at: World, kind: Any, posted: int) -> None:
    """A 502 can come with or without the message being posted."""
    at.slack.faults.add(Fault(kind=kind, method="chat.postMessage", status=502))
    with pytest.raises(SlackApiError) as caught:
        await at.client.chat_postMessage(channel=at.channel, text="x")
    assert caught.value.response.status_code == 502
    assert len(at.slack.messages(at.channel)) == posted


async def test_error_and_end_of_fault(at: World) -> None:
    """A fault applies `times` times, then no more."""
    at.slack.faults.add(Fault(kind="error", method="chat.postMessage", error="fatal_error", times=2))
    codes = [await at.code("chat.postMessage", channel=at.channel, text="x") for _ in range(3)]
    assert codes == ["fatal_error", "fatal_error", ""]
    assert [call.error for call in at.slack.calls] == codes


async def test_fault_for_every_third_call(at: World) -> None:
    """A fault can apply to some calls only; affected calls are counted; a removed fault no longer applies."""
    fault = Fault(kind="error", method="chat.postMessage", times=None, every=3)
    at.slack.faults.add(fault)
    codes = [await at.code("chat.postMessage", channel=at.channel, text="x") for _ in range(6)]
    assert codes == ["", "", "internal_error"] * 2
    assert at.slack.faults.applied == {"error": 2}
    at.slack.faults.remove(fault)
    assert not any([await at.code("chat.postMessage", channel=at.channel, text="x") for _ in range(3)])


async def test_fault_for_one_channel(at: World) -> None:
    """A fault for one channel does not affect others, and ends when cleared."""
    at.slack.faults.add(Fault(kind="error", channel=at.channel, times=None))
    assert await at.code("chat.postMessage", channel=at.you, text="x") == ""
    assert await at.code("chat.postMessage", channel=at.channel, text="x") == "internal_error"
    at.slack.faults.clear()
    assert await at.code("chat.postMessage", channel=at.channel, text="x") == ""


async def test_slow_call_takes_effect(at: World) -> None:
    """A slow call has its effect and its answer."""
    at.slack.faults.add(Fault(kind="slow", delay=0.01))
    assert await at.code("chat.postMessage", channel=at.channel, text="x") == ""


async def test_injected_rate_limit(at: World) -> None:
    """An injected 429 has Retry-After."""
    at.slack.faults.add(Fault(kind="ratelimited", retry_after=7))
    with pytest.raises(SlackApiError) as caught:
        await at.client.auth_test()
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")


async def test_tier_of_a_method(at: World) -> None:
    """chat.update is allowed fifty times a minute in the whole workspace, and again a minute later."""
    ts = (await at.client.chat_postMessage(channel=at.channel, text="x"))["ts"]
    codes = [await at.code("chat.update", channel=at.channel, ts=ts, text=str(n)) for n in range(51)]
    assert codes == [""] * 50 + ["ratelimited"]
    at.clock.now += 60
    assert await at.code("chat.update", channel=at.channel, ts=ts, text="again") == ""


async def test_messages_per_second_in_a_channel(at: World) -> None:
    """After a burst a channel allows one message per second; other channels are not affected."""
    burst = at.slack.limits.channel_burst = 3
    codes = [await at.code("chat.postMessage", channel=at.channel, text="x") for _ in range(burst + 1)]
    assert codes[-1] == "ratelimited"
    assert await at.code("chat.postMessage", channel=at.you, text="x") == ""
    at.clock.now += 1
    assert await at.code("chat.postMessage", channel=at.channel, text="x") == ""


async def test_limits_can_be_off(at: World) -> None:
    """With limits off every call is let through."""
    at.slack.limits.is_on = False
    codes = {await at.code("chat.postMessage", channel=at.channel, text="x") for _ in range(30)}
    assert codes == {""}


async def test_messages_per_minute_in_a_workspace(at: World) -> None:
    """All channels together have a limit too."""
    at.slack.limits.posts_per_minute = 2
    codes = [await at.code("chat.postMessage", channel=place, text="x") for place in (at.channel, at.you, at.channel)]
    assert codes == ["", "", "ratelimited"]
    assert at.slack.limits.refused == {"chat.postMessage": 1}


async def test_worst_minute_is_a_sliding_one(at: World) -> None:
    """It is counted by method and by channel, with limits on or off."""
    at.slack.limits.is_on = False
    for seconds in (0, 50, 5, 4, 10, 60):
        at.clock.now += seconds
        await at.code("chat.postMessage", channel=at.channel, text="x")
    assert at.slack.limits.worst_minute("chat.postMessage") == 4
    assert (at.slack.limits.worst_minute(at.channel), at.slack.limits.worst_minute(at.you)) == (4, 0)


async def test_refused_connections(at: World) -> None:
    """While connections are refused, the app gets no socket address."""
    at.slack.refuse_connections = True
    with pytest.raises(SlackApiError, match="internal_error"):
        await at.client.apps_connections_open(app_token=at.slack.app_token)


async def test_ticket_can_be_used_once(at: World) -> None:
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


async def test_half_open_socket_sends_no_pong(at: World) -> None:
    """A half-open connection stays open but answers nothing."""
    url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
    async with at.session.ws_connect(url, heartbeat=0.1) as socket:
        await socket.receive_json()
        await at.slack.disconnect_sockets("half_open")
        await socket.receive()
        assert isinstance(socket.exception(), aiohttp.ServerTimeoutError)


async def test_warning_leaves_the_socket_in_use(at: World) -> None:
    """After a warning the connection still receives envelopes."""
    url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
    async with at.session.ws_connect(url) as socket:
        await at.slack.disconnect_sockets("warning")
        assert [(await socket.receive_json())["type"] for _ in range(2)] == ["hello", "disconnect"]
        assert at.slack.sockets.connections == 1


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled", "refresh_requested"])
async def test_sockets_can_be_ended_at_once(at: World, reason: Reason) -> None:
    """Each new connection gets its hello, the reason, and its end."""
    at.slack.sockets.ends_at_once = reason
    url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
    async with at.session.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        assert (await socket.receive_json())["reason"] == reason
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert (at.slack.sockets.connections, at.slack.sockets.opened) == (0, 1)


async def test_ten_sockets_are_the_most(at: World) -> None:
    """The eleventh reads so and ends; the others stay."""
    async with AsyncExitStack() as stack:
        for number in range(11):
            url = (await at.client.apps_connections_open(app_token=at.slack.app_token))["url"]
            socket = await stack.enter_async_context(at.session.ws_connect(url))
            assert (await socket.receive_json())["type"] == "hello", number
        assert (await socket.receive_json())["reason"] == "too_many_websockets"
        assert at.slack.sockets.connections == 10


async def test_socket_addresses_are_limited(at: World) -> None:
    """A minute allows 50 of them."""
    for _ in range(50):
        await at.client.apps_connections_open(app_token=at.slack.app_token)
    with pytest.raises(SlackApiError, match="ratelimited"):
        await at.client.apps_connections_open(app_token=at.slack.app_token)
