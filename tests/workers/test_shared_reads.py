"""What GCS is asked when many people want to know about one execution."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import GCSMalformed
from bot.gcs.shared_reads import SharedReads
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig


async def asked(rig: Rig, execution_id: str, people: int) -> set[str]:
    """So many people want the summary at once; the phases that they read."""
    team_id = rig.who(rig.alice).team_id
    found = await asyncio.gather(*(rig.subscriptions.summary(team_id, execution_id, f"U{n}") for n in range(people)))
    return {summary.snapshot.execution.phase for summary in found}


def calls(rig: Rig, execution_id: str) -> int:
    """How often GCS was asked about it."""
    return sum(call.execution_id == execution_id for call in rig.gcs.calls)


async def test_one_call_at_a_time(rig: Rig) -> None:
    """Everybody who asks while a call is under way waits for its answer; another execution has a call of its own."""
    one, other = rig.gcs.play(story.happy(2), by_hand=True), rig.gcs.play(story.happy(2), by_hand=True)
    rig.gcs.faults.add(Fault(kind="slow", delay=2))
    await asyncio.gather(asked(rig, one, 20), asked(rig, other, 20))
    assert (calls(rig, one), calls(rig, other)) == (1, 1)


async def test_an_answer_is_good_for_a_moment(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who ask shortly after read the same; later ones what is new."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    monkeypatch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(hours=1))
    assert await asked(rig, execution, 1) == {"Pending"}
    rig.gcs.step(execution)
    assert await asked(rig, execution, 5) == {"Pending"}
    assert calls(rig, execution) == 1
    monkeypatch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(0))
    assert await asked(rig, execution, 1) == {"Running"}


async def test_no_answer_is_good_for_an_hour(rig: Rig) -> None:
    """Not even when this machine's clock was set back by one."""
    execution, hours = rig.gcs.play(story.happy(2), by_hand=True), [1]
    reads = SharedReads(
        rig.client, within=timedelta(seconds=5), now=lambda: datetime.now(UTC) + timedelta(hours=hours[0])
    )
    assert (await reads.get(execution)).execution.phase == "Pending"
    rig.gcs.step(execution)
    hours[0] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(minutes=1))
        assert (await reads.get(execution)).execution.phase == "Running"


async def test_a_refresh_is_newer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who presses `Refresh` has an answer, and does not get the same one again."""
    monkeypatch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(hours=1))
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    assert await asked(rig, execution, 1) == {"Pending"}
    rig.gcs.step(execution)
    team_id = rig.who(rig.alice).team_id
    summary = await rig.subscriptions.summary(team_id, execution, rig.alice, is_refresh=True)
    assert summary.snapshot.execution.phase == "Running"


async def test_a_refresh_joins_no_earlier_call(rig: Rig) -> None:
    """A call that is under way may have been answered before the press."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    rig.gcs.faults.add(Fault(kind="slow", delay=2, times=1))
    earlier = asyncio.create_task(asked(rig, execution, 1))
    await asyncio.sleep(0.1)
    team_id = rig.who(rig.alice).team_id
    await rig.subscriptions.summary(team_id, execution, rig.alice, is_refresh=True)
    assert not earlier.done()
    assert await earlier == {"Pending"}
    assert calls(rig, execution) == 2


async def test_an_answer_is_not_older_than_a_poll(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the watch has seen since then is not taken back."""
    monkeypatch.setattr("bot.gcs.shared_reads.GOOD_FOR", timedelta(hours=1))
    execution = await rig.followed(rig.lab)
    await rig.step(execution)
    assert await asked(rig, execution, 1) == {"Running"}


async def test_a_failure_is_everybodys_and_kept_by_nobody(rig: Rig) -> None:
    """All who wait learn of it; the next one asks again."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    rig.gcs.faults.add(Fault(kind="malformed", times=1))
    reads = rig.subscriptions._reads._shared
    failures = await asyncio.gather(reads.get(execution), reads.get(execution), return_exceptions=True)
    assert [type(failure) for failure in failures] == [GCSMalformed] * 2
    assert await asked(rig, execution, 1) == {"Pending"}


async def test_one_who_gives_up_takes_no_answer_away(rig: Rig) -> None:
    """The call goes on for those who still wait."""
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    rig.gcs.faults.add(Fault(kind="slow", delay=2))
    first = asyncio.create_task(asked(rig, execution, 1))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(asked(rig, execution, 1))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {"Pending"}
    assert calls(rig, execution) == 1
