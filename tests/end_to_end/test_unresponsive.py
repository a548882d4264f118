"""While GCS, Slack or the store hangs: every request is acked in time, and people get a sentence."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sandbox import story
from sandbox.gcs import Fault as GCSFault
from sandbox.slack import Fault
from sandbox.slack.socket_mode import Disconnect
from tests.end_to_end.conftest import World, answers_forgotten, made
from tests.end_to_end.people import PATIENCE, Person


def playing(world: World) -> str:
    """An execution in the middle: 1 of 3 steps."""
    execution_id = world.gcs.play(story.happy(3), by_hand=True)
    world.gcs.step(execution_id, to="running 1/3")
    return execution_id


@asynccontextmanager
async def store_stopped(world: World) -> AsyncIterator[None]:
    """The embedded store takes connections and does not respond."""
    redis = Redis(unix_socket_path=str(world.bot.folder / "state" / "valkey.sock"))
    process_id = int((await redis.info("server"))["process_id"])
    await redis.aclose()
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # the bot has replaced it
            os.kill(process_id, signal.SIGCONT)


async def in_both_modes(folder: Path, scene: Callable[[World, Person], Awaitable[None]]) -> None:
    """Play a scene in both modes side by side, since most of it is waiting."""

    async def play(mode: str) -> None:
        (folder / mode).mkdir()
        async with made(folder / mode, mode=mode) as world:
            await scene(world, Person.new(world))

    await asyncio.gather(play("socket"), play("http"))


async def test_people_get_a_sentence_while_gcs_hangs(tmp_path: Path) -> None:
    """Command, button, modal and Home tab at once; a followed execution is shown from the last poll."""

    async def scene(world: World, carol: Person) -> None:
        known, unknown = playing(world), playing(world)
        summary, _ = await carol.types(unknown), await carol.types(f"subscribe {known}")
        card = await carol.card(text="1 of 3 steps")
        await answers_forgotten()
        world.gcs.faults.add(GCSFault(kind="timeout"))
        await carol.presses("Steps", card)
        await carol.presses("Refresh", summary)
        await world.slack.open_home(carol.id)
        await carol.home("1 of 3 steps")
        await carol.modal("Asking GeneContainer Service")
        answers = await asyncio.gather(carol.types(known), carol.types(unknown))
        await world.slack.wait_for(lambda: len(carol.read) == 5)
        texts = [each.text for each in carol.read[2:]]
        assert answers
        assert sum("GCS has not answered since" in text for text in texts) == 1
        assert sum("is not answering right now" in text for text in texts) == 2
        await carol.modal("GCS has not answered since")
        await world.gcs.stop()  # ends the calls that hang, which the bot would wait for when it stops

    await in_both_modes(tmp_path, scene)


async def test_people_get_a_sentence_while_slack_is_slow(tmp_path: Path) -> None:
    """A modal that cannot open in time is explained; commands, which need no Web API, are answered at once."""

    async def scene(world: World, carol: Person) -> None:
        execution_id = playing(world)
        summary = await carol.types(execution_id)
        world.slack.faults.add(Fault(kind="slow", times=None, delay=4))
        assert "too long to open" in (await carol.gets("Steps", summary)).text
        assert "1 of 3 steps" in (await carol.types(execution_id, within=3)).text
        assert "follows" in (await carol.types(f"subscribe {execution_id} here")).text
        world.slack.faults.clear()

    await in_both_modes(tmp_path, scene)


@pytest.mark.parametrize("kind", ["drop_before", "status", "ratelimited"])
async def test_an_unknown_channel_is_not_subscribed(tmp_path: Path, kind: str) -> None:
    """Slack did not respond, so no subscription is made on a guess."""
    async with made(tmp_path) as world:
        carol, execution_id = Person.new(world), playing(world)
        world.slack.faults.add(Fault(kind=kind, method="conversations.info", times=None))  # type: ignore[arg-type]
        assert "Slack did not" in (await carol.types(f"subscribe {execution_id} here")).text
        world.slack.faults.clear()
        assert "No executions" in (await carol.types("list here")).text


async def test_people_get_a_sentence_while_the_store_hangs(tmp_path: Path) -> None:
    """Commands and buttons are acked, the sentence names the store, and afterwards all works again."""

    async def scene(world: World, carol: Person) -> None:
        execution_id = playing(world)
        summary = await carol.types(execution_id)
        async with store_stopped(world):
            await world.slack.open_home(carol.id)
            await carol.presses("Refresh", summary)
            await carol.types(f"subscribe {execution_id}")
            await world.slack.wait_for(lambda: len(carol.read) == 3)
            assert all("my own memory" in each.text for each in carol.read[1:])
        assert "follow" in (await carol.types(f"subscribe {execution_id}")).text
        await carol.card()

    await in_both_modes(tmp_path, scene)


async def test_refused_credentials_are_reported_and_not_retried(tmp_path: Path) -> None:
    """Both people learn whom to ask; the second makes no further call, which might block the key."""
    async with made(tmp_path) as world:
        carol, execution_id = Person.new(world), playing(world)
        world.gcs.faults.add(GCSFault(kind="status", status=401))
        assert "rejects my credentials" in (await carol.types(execution_id)).text
        calls = len(world.gcs.calls)
        assert "rejects my credentials" in (await carol.types(execution_id)).text
        assert len(world.gcs.calls) == calls


async def test_after_a_lost_socket_commands_work_again(tmp_path: Path) -> None:
    """After Slack's planned disconnect, its warning, a reset, and a connection that only looks alive."""

    async def lose(disconnect: Disconnect) -> None:
        folder = tmp_path / disconnect[0]  # a socket's path must be short
        folder.mkdir()
        async with made(folder) as world:
            carol, execution_id = Person.new(world), playing(world)
            await carol.types(execution_id)
            await world.slack.disconnect_sockets(disconnect)
            async with asyncio.timeout(PATIENCE):
                while not (await world.slack.command(carol.id, carol.channel, execution_id)).acked:  # noqa: ASYNC110  # as people do
                    await asyncio.sleep(0.2)
            await world.slack.wait_for(lambda: "1 of 3 steps" in carol.read[-1].text)

    disconnects: tuple[Disconnect, ...] = ("refresh_requested", "warning", "abrupt", "half_open")
    await asyncio.gather(*map(lose, disconnects))
