"""Promises of `bot.slack.inbound.socket_mode`, with the simulated Slack: renewed without a gap, no storms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.metrics import SLACK_REFUSED_REQUESTS
from bot.network import Network
from bot.slack.client import SlackClient
from bot.slack.inbound import SocketMode, reconnects, socket_mode
from bot.slack.inbound.signatures import Refusal
from sandbox.slack import Fault, Slack
from sandbox.slack.delivery import Parcel
from sandbox.slack.socket_mode import Disconnect, Reason

PATIENCE = 60.0


@dataclass
class World:
    """Slack, one person in a channel, and a connection."""

    slack: Slack
    inbound: SocketMode
    person: str
    channel: str
    heard: list[str] = field(default_factory=list)
    """The commands that arrived."""

    async def says(self, text: str) -> bool:
        """Type a command; whether Slack got the ack in time."""
        return (await self.slack.command(self.person, self.channel, text)).acked

    async def problem_is(self, text: str) -> None:
        """Return once that is wrong."""
        async with asyncio.timeout(PATIENCE):
            while text not in (await self.inbound.problem() or "nothing"):  # noqa: ASYNC110  # the loop's doing
                await asyncio.sleep(0.01)


@asynccontextmanager
async def made(
    prepare: Callable[[Slack], None] = lambda _: None, app_token: str = "xapp-1-A0SANDBOX-1-a"
) -> AsyncIterator[World]:
    """A world in which the connection was started."""
    async with Slack(app_token=app_token) as slack, aiohttp.ClientSession() as session:
        prepare(slack)
        person = slack.add_user("carol")
        channel = slack.add_channel("lab", members=(person,))
        app = bolt(slack, session)
        client = SlackClient(slack.bot_token, base_url=slack.api_url, session=session)
        world = World(slack, SocketMode(app, client, slack.app_token, Network()), person, channel)

        @app.command("/execution")
        async def hear(ack: AsyncAck, body: dict[str, Any]) -> None:
            await ack()
            world.heard.append(body["text"])

        await world.inbound.start()
        try:
            yield world
        finally:
            await world.inbound.stop()


def bolt(slack: Slack, session: aiohttp.ClientSession) -> AsyncApp:
    """An app that knows its workspace."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=slack.workspace.team_id, bot_token="x", bot_id="B0BOT")

    client = AsyncWebClient(base_url=slack.api_url, session=session)
    return AsyncApp(name="app", client=client, authorize=authorize, request_verification_enabled=False)


async def until(check: Callable[[], bool]) -> None:
    """Return once `check` is true."""
    async with asyncio.timeout(PATIENCE):
        while not check():  # noqa: ASYNC110  # another task's doing
            await asyncio.sleep(0.01)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short, and a connection lasts after a moment."""
    monkeypatch.setattr(reconnects, "FIRST_PAUSE", timedelta(seconds=0.05))
    monkeypatch.setattr(reconnects, "LASTING_SECONDS", 0.3)
    monkeypatch.setattr(socket_mode, "LASTING_SECONDS", 0.3)
    monkeypatch.setattr(socket_mode, "WATCH_SECONDS", 0.1)


async def test_commands_arrive() -> None:
    """One connection, no problem."""
    async with made() as world:
        assert await world.says("help")
        assert world.heard == ["help"]
        assert await world.inbound.problem() is None
        assert world.slack.sockets.opened == 1


async def test_stop_closes_the_connection() -> None:
    """Slack sends nothing more to a bot that has stopped."""
    async with made() as world:
        await world.slack.disconnect_sockets("warning")
        await world.inbound.stop()
        await until(lambda: world.slack.sockets.connections == 0)


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_renewal_loses_no_command(reason: Disconnect) -> None:
    """While Slack renews the connection, each command has its ack."""
    async with made() as world:
        assert await world.says("before")
        typing = [asyncio.create_task(world.says(f"{number}")) for number in range(20)]
        await world.slack.disconnect_sockets(reason)
        await until(lambda: world.slack.sockets.opened == 2)
        typing += [asyncio.create_task(world.says(f"{number}")) for number in range(20, 40)]
        assert all(await asyncio.gather(*typing[:20] if reason == "warning" else typing[20:]))
        assert await world.inbound.problem() is None


async def test_the_old_connection_stays_until_the_next() -> None:
    """After a warning it is in use while Slack does not open a new one."""
    async with made() as world:
        world.slack.faults.add(Fault(kind="error", method="apps.connections.open", error="internal_error", times=2))
        await world.slack.disconnect_sockets("warning")
        await until(lambda: sum(call.method == "apps.connections.open" for call in world.slack.calls) > 1)
        assert await world.says("meanwhile")
        await until(lambda: world.slack.sockets.opened == 2)


@pytest.mark.parametrize("disconnect", ["abrupt", "half_open"])
async def test_a_lost_connection_is_replaced(monkeypatch: pytest.MonkeyPatch, disconnect: Disconnect) -> None:
    """Reset, or silent: the next one is opened without Slack's notice."""
    monkeypatch.setattr(socket_mode, "PING_SECONDS", 0.5)
    async with made() as world:
        await world.slack.disconnect_sockets(disconnect)
        await until(lambda: world.slack.sockets.opened == 2)
        assert await world.says("lost with it, perhaps") or await world.says("after")


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled", "refresh_requested"])
async def test_ended_connections_make_no_storm(reason: Reason, capsys: pytest.CaptureFixture[str]) -> None:
    """Slack ends each connection after its hello: pauses grow, and operators read why."""
    async with made(lambda slack: setattr(slack.sockets, "ends_at_once", reason)) as world:
        await world.problem_is(reason)
        await asyncio.sleep(3)
        assert world.slack.sockets.opened <= 5
        await until(lambda: world.slack.sockets.opened > 1)
        assert reason in str(await world.inbound.problem())
    printed = "".join(capsys.readouterr())
    assert "inbound.reconnect_paused" in printed
    assert reason in printed
    assert "Traceback" not in printed


@pytest.mark.usefixtures("brief")
async def test_a_storm_ends_by_itself() -> None:
    """Once Slack keeps a connection, there is no problem any more."""
    async with made(lambda slack: setattr(slack.sockets, "ends_at_once", "too_many_websockets")) as world:
        await world.problem_is("too_many_websockets")
        await until(lambda: world.slack.sockets.opened >= 3)
        world.slack.sockets.ends_at_once = None
        async with asyncio.timeout(PATIENCE):
            while await world.inbound.problem():  # noqa: ASYNC110  # the loop's doing
                await asyncio.sleep(0.01)
        assert await world.says("again")


async def test_an_eleventh_socket_waits() -> None:
    """Ten others of the app are open: Slack says so, and this one does not insist."""
    async with Slack() as slack, aiohttp.ClientSession() as session:
        client = AsyncWebClient(base_url=slack.api_url, session=session)
        others = []
        for _ in range(10):
            url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
            others.append(await session.ws_connect(url))
        ours = SlackClient(slack.bot_token, base_url=slack.api_url, session=session)
        inbound = SocketMode(bolt(slack, session), ours, slack.app_token, Network())
        await inbound.start()
        async with asyncio.timeout(PATIENCE):
            while "too_many_websockets" not in str(await inbound.problem()):  # noqa: ASYNC110  # the loop's doing
                await asyncio.sleep(0.01)
        assert slack.sockets.connections == 10
        await inbound.stop()
        for other in others:
            await other.close()


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Fault(kind="error", method="apps.connections.open", error="invalid_auth", times=None), "invalid_auth"),
        (Fault(kind="ratelimited", method="apps.connections.open", retry_after=60, times=None), "ratelimited"),
        (Fault(kind="status", method="apps.connections.open", times=None), "not been connected"),
    ],
)
async def test_an_address_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch, fault: Fault, problem: str) -> None:
    """Slack gives no address: a few tries, with the reason."""
    monkeypatch.setattr(socket_mode, "FIRST_SECONDS", 0.1)
    async with made(lambda slack: slack.faults.add(fault)) as world:
        await world.problem_is(problem)
        await asyncio.sleep(2)
        assert 1 <= len(world.slack.calls) <= 4


async def test_a_bug_ends_no_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and the next attempt connects."""
    bugs, ask = iter([ZeroDivisionError]), SlackClient.socket_url

    async def failing(slack: SlackClient, app_token: str) -> str:
        for bug in bugs:
            raise bug
        return await ask(slack, app_token)

    monkeypatch.setattr(SlackClient, "socket_url", failing)
    async with made() as world:
        assert await world.says("after it")
        assert await world.inbound.problem() is None


async def test_tokens_of_two_apps_are_named() -> None:
    """Slack connects, and no command arrives; the problem stays, and is logged once, however often it connects."""
    with capture_logs() as logs:
        async with made(app_token="xapp-1-A0OTHER-1-a") as world:
            problem = "SLACK_APP_TOKEN is of app A0OTHER, and SLACK_BOT_TOKEN of app A0SANDBOX: no request arrives"
            await world.problem_is(problem)
            await world.slack.disconnect_sockets("refresh_requested")
            await until(lambda: world.slack.sockets.opened == 2)
            assert not await world.says("help")
            assert await world.inbound.problem() == problem
    assert [line["problem"] for line in logs if line["event"] == "inbound.two_apps"] == [problem]


async def test_the_app_is_asked_for_until_known() -> None:
    """With each connection: Slack may not answer the first time."""
    fault = Fault(kind="status", method="bots.info", times=1)
    async with made(lambda slack: slack.faults.add(fault), app_token="xapp-1-A0OTHER-1-a") as world:
        await until(lambda: _asked(world) == 1)
        await world.slack.disconnect_sockets("refresh_requested")
        await world.problem_is("of app A0OTHER")


async def test_an_unknown_app_is_no_problem() -> None:
    """Without the scope `users:read` Slack does not say which app the bot is."""
    fault = Fault(kind="error", method="bots.info", error="missing_scope", times=None)
    async with made(lambda slack: slack.faults.add(fault), app_token="xapp-1-A0OTHER-1-a") as world:
        await until(lambda: _asked(world) == 1)
        await until(lambda: not [task for task in world.inbound._tasks if "_compare_apps" in str(task)])
        assert await world.inbound.problem() is None


def _asked(world: World) -> int:
    """How often Slack was asked which app the bot is."""
    return sum(call.method == "bots.info" for call in world.slack.calls)


async def test_a_request_that_fails_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no ack, since Slack sends some again; the next one has."""
    async with made() as world:
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(socket_mode, "dispatch", AsyncMock(side_effect=ZeroDivisionError))
            assert not await world.says("help")
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["inbound.request_failed"]
        assert await world.says("help")


@pytest.mark.parametrize(
    "payload", [{"type": "block_actions", "actions": []}, {"command": ["/execution"]}, {"type": {}}]
)
async def test_what_cannot_be_read_is_acked(payload: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Once, without a traceback: Slack would only send it again. The next command works."""
    counted = SLACK_REFUSED_REQUESTS.labels(Refusal.MALFORMED_BODY.value)
    before = counted._value.get()
    async with made() as world:
        await world.slack.sockets.deliver(Parcel("interactive", payload))
        assert counted._value.get() == before + 1
        assert await world.says("help")
    assert "Traceback" not in "".join(capsys.readouterr())
