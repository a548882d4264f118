"""What arrives at the bot's ports: strangers, floods and repetitions stop nothing and do nothing twice."""

from __future__ import annotations

import asyncio
import io
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from sandbox import story
from sandbox.slack.delivery import Parcel
from sandbox.slack.state import Ephemeral
from tests.end_to_end.bot_process import AS_TYPED
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.people import PATIENCE, Person, button_of
from tests.end_to_end.test_process import health
from tests.end_to_end.test_unresponsive import in_both_modes, store_stopped

DESCRIPTORS, FLOOD = 256, 300
"""File descriptors of the bot, and connections of somebody who wants to use them up."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@contextmanager
def few_descriptors() -> Iterator[None]:
    """Processes that are started inside, not forked, may open few files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


REOPEN_SECONDS = 3.0
"""How long until a connection that was cut is opened again: the oldest is cut first, so that 300 at 0.3 s would leave
64 ms for a request to follow its connection, which takes longer on a busy machine."""


class Flood:
    """Connections that never send a whole request; each that is cut is opened again while the flood goes on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: list[asyncio.Task[None]] = []
        self.opened = 0
        self.open = 0

    async def begin(self) -> None:
        """Open all of them."""
        self._tasks = [asyncio.create_task(self._keep(drips=number % 3 == 0)) for number in range(FLOOD)]
        await eventually(lambda: self.opened >= FLOOD)

    async def _keep(self, *, drips: bool) -> None:
        while True:
            with suppress(OSError):
                await self._once(drips=drips)
            await asyncio.sleep(REOPEN_SECONDS)

    async def _once(self, *, drips: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.opened, self.open = self.opened + 1, self.open + 1
        dripping = asyncio.create_task(self._drip(writer)) if drips else None
        try:
            if not drips:
                writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            await reader.read()
        finally:
            self.open -= 1
            if dripping is not None:
                dripping.cancel()
            writer.close()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-Filler: 1\r\n" * 99:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.2)

    async def end(self) -> None:
        """Close all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def flooded(port: int) -> AsyncIterator[Flood]:
    """A flood at a port."""
    flood = Flood(port)
    try:
        await flood.begin()
        yield flood
    finally:
        await flood.end()


@pytest.mark.parametrize("target", ["requests", "health"])
async def test_a_flood_of_connections_stops_nothing(tmp_path: Path, target: str) -> None:
    """300 connections with half a request, 256 descriptors: people, the bot's own calls and /livez go on."""
    async with AsyncExitStack() as stack:
        with few_descriptors():
            world = await stack.enter_async_context(made(tmp_path, mode="http", **AS_TYPED))
        event = "inbound.listening" if target == "requests" else "health.started"
        (listening,) = world.bot.logged(event)
        async with flooded(listening["port"]) as flood:
            carol, execution_id = Person.new(world), world.gcs.play(story.happy(3), by_hand=True)
            for _ in range(5):
                assert "/execution list" in (await carol.types("help")).text
                assert (await health(world, "/livez"))[0] == 200
            await carol.types(f"subscribe {execution_id}")
            await carol.card(text="Pending")
            assert (await health(world))[0] == 200
            # Not at every moment: the system takes connections that a busy bot has not cut yet.
            await eventually(lambda: flood.open <= DESCRIPTORS // 4)
        _, metrics = await health(world, "/metrics")
        assert "execution_bot_service_connections_cut_total 0.0" not in metrics


async def test_slow_connections_are_cut_in_time(tmp_path: Path) -> None:
    """Where there is room for all of them, they are cut after their time."""
    async with made(tmp_path, mode="http") as world, AsyncExitStack() as stack:
        ports = [world.bot.logged(event)[0]["port"] for event in ("inbound.listening", "health.started")]
        requests = [b"", b"POST /sl", b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"]
        cut = []
        for port in ports:
            for request in requests:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                writer.write(request)
                cut.append(asyncio.create_task(reader.read()))
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*cut) == [b""] * len(cut)


async def test_the_health_port_is_for_this_machine(tmp_path: Path) -> None:
    """By default it listens on loopback only, in both modes."""

    async def scene(world: World, _carol: Person) -> None:
        (started,) = world.bot.logged("health.started")
        assert listening_on(started["port"]) == ["0100007F"]

    await in_both_modes(tmp_path, scene)


def listening_on(port: int) -> list[str]:
    """The IPv4 addresses on which somebody listens at a port, as the kernel writes them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    return [row[1][:8] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"]


def results(world: World) -> list[str]:
    """How the listeners ended so far, sorted."""
    return sorted(line["result"] for line in world.bot.logged("handlers.answered"))


def strange(world: World) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Requests that Slack never sends: status, headers, body."""
    text = "command=%2Fexecution&text=help"
    good = world.slack._http.signature(text)
    signature, stamp = good["X-Slack-Signature"], good["X-Slack-Request-Timestamp"]

    def headers(signature: str = signature, stamp: str = stamp) -> list[tuple[str, str]]:
        return [("X-Slack-Signature", signature), ("X-Slack-Request-Timestamp", stamp)]

    def signed(body: str) -> tuple[list[tuple[str, str]], bytes]:
        return list(world.slack._http.signature(body).items()), body.encode()

    press = {"type": "block_actions", "user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}}
    odd: list[Any] = [
        *([], "x", 7, None, {"type": "block_actions"}, press | {"actions": []}, press | {"actions": [{"value": "x"}]}),
        *({"type": "event_callback", "event": []}, {"type": "view_submission"}, press | {"user": [], "actions": [{}]}),
    ]
    return [
        (401, [], text.encode()),
        (401, headers(signature="v0=00"), text.encode()),
        (401, headers(signature="v0=" + "0" * 64), text.encode()),
        (401, headers(signature="v0=" + "é" * 64), text.encode()),
        (401, [("X-Slack-Signature", "v0=" + "0" * 64), *headers()], text.encode()),
        *((401, headers(stamp=value), text.encode()) for value in ("nan", "abc", "", "9" * 400, "1700000000")),
        *((400, *signed(urlencode({"payload": json.dumps(payload)}))) for payload in odd),
        (400, *signed("payload=%7B")),
        (400, *signed(urlencode({"payload": '{"a":' * 50_000}))),
        (413, *signed("x" * 1_100_000)),
    ]


async def test_strange_requests_have_one_clean_answer(tmp_path: Path) -> None:
    """Unsigned, forged, signed rubbish: a status each, counted by reason, no traceback and no listener."""
    async with made(tmp_path, mode="http", LOG_LEVEL="debug") as world, aiohttp.ClientSession() as session:
        for status, headers, body in strange(world):
            sent: Any = [*headers, *FORM.items()]
            async with session.post(str(world.slack.request_url), data=io.BytesIO(body), headers=sent) as response:
                assert response.status == status, (headers, body[:80])
                assert await response.text() in {"", "Request Entity Too Large"} or status == 413
        assert not world.bot.logged("handlers.answered")
        assert "Traceback" not in world.bot.log
        _, metrics = await health(world, "/metrics")
        counted = 'execution_bot_slack_refused_requests_total{reason="%s"} %s.0'
        reasons = {"unsigned": 1, "ambiguous": 1, "wrong_signature": 2, "malformed_header": 6, "malformed_body": 12}
        assert [reason for reason, count in reasons.items() if counted % (reason, count) not in metrics] == []
        assert len(world.bot.logged("inbound.refused")) == len(reasons)
        assert "/execution list" in (await Person.new(world).types("help")).text


async def test_a_captured_press_posts_once(tmp_path: Path) -> None:
    """The same share three times, byte by byte: three acks, one public message, in both modes."""

    async def scene(world: World, carol: Person) -> None:
        execution_id = world.gcs.play(story.happy(3), by_hand=True)
        summary = await carol.types(execution_id)
        parcels: list[Parcel] = []
        deliver = world.slack._people._deliver

        async def captured(parcel: Parcel) -> Any:
            parcels.append(parcel)
            return await deliver(parcel)

        world.slack._people._deliver = captured
        await carol.presses("Share to channel", summary)
        for _ in range(2):
            await deliver(parcels[0])
        await eventually(lambda: len(world.bot.logged("handlers.answered")) >= 4)
        assert results(world) == ["ok", "ok", "repeated", "repeated"]
        assert len([each for each in world.slack.messages(carol.channel) if execution_id[:8] in str(each)]) == 1

    await in_both_modes(tmp_path, scene)


async def test_an_event_that_slack_repeats_is_handled_once(tmp_path: Path) -> None:
    """The first ack is lost on the way, so Slack sends the event again."""

    async def scene(world: World, carol: Person) -> None:
        body = {
            "type": "event_callback",
            "team_id": world.slack.workspace.team_id,
            "event_id": "Ev0REPEATED",
            "event": {"type": "app_home_opened", "user": carol.id, "tab": "home", "channel": world.slack.dm(carol.id)},
        }
        for attempt in range(3):
            await world.slack._deliver(Parcel("events_api", body | {"event_time": attempt}, attempt, "timeout"))
        await eventually(lambda: len(world.bot.logged("handlers.answered")) >= 3)
        assert results(world) == ["ok", "repeated", "repeated"]
        assert [call.method for call in world.slack.calls].count("views.publish") == 1

    await in_both_modes(tmp_path, scene)


async def test_without_its_store_the_bot_shares_nothing(tmp_path: Path) -> None:
    """It cannot know whether the press is new: the person reads why, and others nothing; help still helps."""
    async with made(tmp_path) as world:
        carol = Person.new(world)
        summary = await carol.types(world.gcs.play(story.happy(3), by_hand=True))
        posted = len(world.slack.messages(carol.channel))
        async with store_stopped(world):
            answer = await pressed_while_away(world, carol, summary)
            assert "memory" in answer.text
            assert len(world.slack.messages(carol.channel)) == posted
            assert "/execution list" in (await carol.types("help")).text


async def pressed_while_away(world: World, carol: Person, summary: Ephemeral) -> Ephemeral:
    """The answer to `Share to channel`."""
    button, seen = button_of(summary, "Share to channel"), len(carol.read)
    done = await world.slack.press(
        carol.id, action_id=button["action_id"], value=button["value"], channel=summary.channel, ephemeral=summary.ts
    )
    assert done.acked_in < 3
    return await carol.next_answer(seen)


async def test_a_storm_of_disconnects_calms_down(tmp_path: Path) -> None:
    """Slack ends each socket after its hello: a few connections in 6 s, and /readyz and the log say why."""
    async with made(tmp_path) as world:
        world.slack.sockets.ends_at_once = "too_many_websockets"
        await world.slack.disconnect_sockets("too_many_websockets")
        await asyncio.sleep(6)
        assert world.slack.sockets.opened <= 6
        await eventually(lambda: world.slack.sockets.opened > 2)
        status, report = await health(world)
        assert status == 503
        assert "too_many_websockets" in report["components"]["slack"]["detail"]
        assert {line["reason"] for line in world.bot.logged("inbound.reconnect_paused")} == {"too_many_websockets"}
        assert "Traceback" not in world.bot.log
        world.slack.sockets.ends_at_once = None
        async with asyncio.timeout(PATIENCE):
            while (await health(world))[0] != 200:  # noqa: ASYNC110  # another process's doing
                await asyncio.sleep(0.1)
        assert "/execution list" in (await Person.new(world).types("help")).text
