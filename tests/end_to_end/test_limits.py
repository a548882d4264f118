"""One person, or many, who ask for much: everybody else and the watch go on as usual."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest

from bot.store.gcs_quota.people import SILENCE
from sandbox import story
from sandbox.gcs import GCS
from tests.end_to_end.bot_process import AS_TYPED
from tests.end_to_end.conftest import World, made
from tests.end_to_end.people import Person, words

INTERVAL = 5
"""Seconds between two polls of what is followed."""


async def followed(world: World) -> str:
    """An execution that somebody follows, after its first poll."""
    execution_id = world.gcs.play(story.happy(3), by_hand=True)
    await Person.new(world).types(f"subscribe {execution_id}")
    await world.gcs.wait_for_calls(execution_id, 2)
    return execution_id


async def polls_go_on(world: World, execution_id: str) -> bool:
    """Whether it is polled three times more, one call for each interval and a busy machine's delay."""
    seen = sum(call.execution_id == execution_id for call in world.gcs.calls)
    began = time.monotonic()
    await world.gcs.wait_for_calls(execution_id, seen + 3, timeout=60)
    return time.monotonic() - began < 6 * INTERVAL


async def test_one_person_floods(tmp_path: Path) -> None:
    """650 commands: thirty are served, the person reads when to go on, and nobody else notices."""
    async with made(tmp_path, POLL_INTERVAL=str(INTERVAL), PERSON_REQUESTS_PER_MINUTE="20") as world:
        execution_id = await followed(world)
        mallory, other = Person.new(world), world.gcs.play(story.slow())
        ids = [world.gcs.play(story.slow()) for _ in range(650)]
        began, calls = time.monotonic(), len(world.gcs.calls)
        flood = asyncio.gather(*(world.slack.command(mallory.id, mallory.channel, each) for each in ids))
        assert other in words(await Person.new(world).types(other))
        taken = await flood
        assert all(each.acked for each in taken)
        assert await polls_go_on(world, execution_id)
        seconds = time.monotonic() - began
        of_mallory = [call for call in world.gcs.calls[calls:] if call.execution_id in ids]
        assert 30 <= len(of_mallory) <= 31 + seconds / 3
        refusals = [each.text for each in mallory.read if "more than I accept from one person" in each.text]
        assert 1 <= len(refusals) <= 2 + seconds
        assert "Try again in " in refusals[0]


async def test_many_people_leave_half_of_the_quota(tmp_path: Path) -> None:
    """People may use half of GCS's quota while something is followed, and polls have the other half."""
    gcs = GCS(quota_per_minute=60)
    async with made(tmp_path, gcs=gcs, GCS_QUOTA="60", GCS_QUOTA_FOR_PEOPLE="10", POLL_INTERVAL=str(INTERVAL)) as world:
        execution_id = await followed(world)
        ids = [world.gcs.play(story.slow()) for _ in range(90)]
        people = [Person.new(world) for _ in range(9)]
        asks = zip(people * 10, ids, strict=True)
        await asyncio.gather(*(world.slack.command(person.id, person.channel, each) for person, each in asks))
        assert await polls_go_on(world, execution_id)
        asked = sum(call.execution_id in ids for call in world.gcs.calls)
        assert 20 <= asked <= 30
        assert {call.status for call in world.gcs.calls} == {200}


async def test_a_person_and_a_channel_follow_so_many(tmp_path: Path) -> None:
    """One more is refused with a sentence that says what to do; after that there is room again."""
    async with made(tmp_path, SUBSCRIPTIONS_PER_PERSON="2", SUBSCRIPTIONS_PER_CHANNEL="1") as world:
        carol, ids = Person.new(world), [world.gcs.play(story.slow()) for _ in range(3)]
        for each in ids[:2]:
            await carol.types(f"subscribe {each}")
        refusal = (await carol.types(f"subscribe {ids[2]}")).text
        assert "You follow 2 executions" in refusal
        assert "/execution list" in refusal
        await carol.types(f"subscribe {ids[0]} here")
        assert "This channel follows 1 execution" in (await carol.types(f"subscribe {ids[1]} here")).text
        await carol.types(f"unsubscribe {ids[0]}")
        assert "Its card comes as a direct message." in (await carol.types(f"subscribe {ids[2]}")).text
        assert "You follow 2 executions" in (await carol.types(f"subscribe {ids[0]}")).text


LARGE = 15_000_000
"""Bytes of a large answer."""


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has had so far."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


async def seconds_of(session: aiohttp.ClientSession, url: str) -> float:
    """How long the longest of some requests takes; all succeed."""
    longest = 0.0
    for _ in range(10):
        began = time.monotonic()
        async with session.get(url) as response:
            assert response.status == 200
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.05)
    return longest


@pytest.mark.parametrize("most", ["4", "32"])
async def test_large_answers_delay_nobody(tmp_path: Path, most: str) -> None:
    """While six people ask for 15 MB each, others are served, the bot lives, and its memory stays small."""
    async with made(tmp_path, GCS_MAX_ANSWER_MIB=most, **AS_TYPED) as world:
        ids, other = [world.gcs.play(story.slow()) for _ in range(6)], world.gcs.play(story.slow())
        for each in ids:
            body = world.gcs.body(each)
            assert body is not None
            body["execution"]["outputs_json"] = '{"a": "b"}' * (LARGE // 20)
            world.gcs.set_body(each, json.dumps(body).encode())
        (started,) = world.bot.logged("health.started")
        people = [Person.new(world) for _ in ids]
        asked = asyncio.gather(*(person.types(each) for person, each in zip(people, ids, strict=True)))
        began = time.monotonic()
        async with aiohttp.ClientSession() as session:
            alive = asyncio.create_task(seconds_of(session, f"http://127.0.0.1:{started['port']}/livez"))
            assert other in words(await Person.new(world).types(other))
            print(f"another person after {time.monotonic() - began:.2f} s, /livez {await alive:.2f} s")  # noqa: T201
        answers = [words(answer) for answer in await asked]
        print(f"all after {time.monotonic() - began:.2f} s, {peak_megabytes(world.bot.pid):.0f} MB")  # noqa: T201
        is_read = most == "32"
        assert all((each in text) is is_read for each, text in zip(ids, answers, strict=True))
        assert all(("GCS_MAX_ANSWER_MIB" in text) is not is_read for text in answers)
        assert peak_megabytes(world.bot.pid) < 300


async def test_each_typed_command_has_an_answer(tmp_path: Path) -> None:
    """Also the second and third that somebody types too fast, and the one after a command that was served."""
    async with made(tmp_path, PERSON_REQUESTS_PER_MINUTE="2") as world:
        person = Person.new(world)
        for _ in range(3):
            await person.types("list")
        for _ in range(3):
            assert "Try again in " in (await person.types("list")).text
            await asyncio.sleep(SILENCE.total_seconds() + 0.1)
