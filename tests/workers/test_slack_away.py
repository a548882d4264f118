"""While Slack does not answer: what waits is left alone, one lane at a time finds out, and then all go."""

from __future__ import annotations

import asyncio
from datetime import time as clock
from datetime import timedelta
from time import time
from typing import Any

import pytest

from bot.domain.following import Level
from bot.domain.quiet import QuietHours
from bot.store.outbox import Outbox
from bot.store.slack_limits import Admission, SlackLimits
from bot.workers.notifier import Notifier
from tests.servers import let_lanes_come, let_night_pass
from tests.workers.rig import Rig, age_outage, ample_limits, run_until

POST, EDIT, READ_BACK = "chat.postMessage", "chat.update", "conversations.replies"
ALL_DAY = QuietHours(begins=clock(0), ends=clock(0), zone="UTC", holds_failures=True)


class Asking:
    """A copy of the bot, and which lanes it asks for."""

    def __init__(self, rig: Rig) -> None:
        self.limits, self.asked = ample_limits(rig.store), list[str]()
        self._admit, self._rig = self.limits.admit, rig
        self.is_asking, self.may_ask = asyncio.Event(), asyncio.Event()
        self.may_ask.set()
        self.limits.admit = self._noted  # type: ignore[method-assign]  # a test listens
        self.notifier = Notifier(rig.door, rig.store, self.limits)

    async def _noted(self, lane: Any, method: str, **more: Any) -> Admission:
        self.asked.append(str(lane))
        self.is_asking.set()
        await self.may_ask.wait()
        return await self._admit(lane, method, **more)

    async def drained(self) -> list[str]:
        """Run the notifier until nothing is claimed any more; the lanes for which it asks."""
        self.asked.clear()
        while await self.notifier.run_once():
            pass
        return self.asked

    async def resting(self) -> None:
        """Have all lanes rest: the first ones learn when to come back, since the copy learns by them."""
        for _ in range(2):
            await self.drained()
            let_lanes_come(self._rig.redis)
        assert await self.drained() == []


async def goes_away(rig: Rig) -> SlackLimits:
    """Slack does not answer for ten minutes, and nobody may call it for the next one."""
    limits, team = ample_limits(rig.store), rig.slack.workspace.team_id
    rig.fault("status", None, times=None)
    await limits.away(team)
    age_outage(rig, seconds=600)
    await limits.away(team)
    return limits


def pause_ends(rig: Rig) -> None:
    """A call may find out whether Slack answers again."""
    (key,) = rig.redis.scan_iter("*:pause:[*]")
    rig.redis.set(str(key), int(time() * 1e6), keepttl=True)


def doubted_since(rig: Rig, *, minutes: int) -> None:
    """Have all sends that are in doubt begun so long ago; their lanes come."""
    for key in map(str, rig.redis.scan_iter("*:claims")):
        for lane, claim in rig.redis.hgetall(key).items():
            *row, _ = str(claim).split("|")
            rig.redis.hset(key, str(lane), "|".join([*row, str(int((time() - 60 * minutes) * 1000))]))
    let_lanes_come(rig.redis)


async def changed(rig: Rig, *, channels: int, level: Level = Level.STEPS, people: int = 0) -> str:
    """An execution, which is returned, goes on that so many channels follow, and one ends that so many people do."""
    names = [rig.slack.add_channel(f"c{number}") for number in range(channels)]
    execution = await rig.followed(*names, level=level)
    while await rig.deliver():
        pass
    if people:
        names = [rig.slack.add_user(f"p{number}") for number in range(people)]
        ended = await rig.followed(*names, level=Level.FINAL)
        await rig.step(ended, to="succeeded")
    await rig.step(execution)
    return execution


def is_about_person(lane: str) -> bool:
    """Whether a person reads what a lane delivers."""
    return lane.rpartition("/")[2].startswith("U")


def news(rig: Rig) -> int:
    """How many messages were posted besides cards."""
    messages = [message for each in rig.slack.workspace.messages.values() for message in each]
    return [message.metadata["event_payload"]["part"] for message in messages].count("change")


def edited(rig: Rig) -> list[str]:
    """The texts of all edits that Slack took."""
    return [call.args["text"] for call in rig.slack.calls if call.method == EDIT and not call.error]


async def test_lanes_rest_while_slack_is_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asks when its time comes, and not again; what happens to it meanwhile is delivered all the same."""
    execution = await changed(rig, channels=40)
    limits = await goes_away(rig)
    copy = Asking(rig)
    assert len(await copy.drained()) == len(set(copy.asked)) == 40
    await copy.resting()
    await rig.step(execution)
    let_lanes_come(rig.redis)
    with monkeypatch.context() as patch:
        patch.delattr(Outbox, "claim")  # nothing is looked for
        assert await copy.drained() == []
    rig.slack.faults.clear()
    await limits.back(rig.slack.workspace.team_id)
    await run_until(rig, lambda: len(edited(rig)) == 40, copy.notifier)
    assert all("1 of 2 steps" in text for text in edited(rig))


async def test_the_first_in_order_finds_out(rig: Rig) -> None:
    """After each pause one lane calls, a person's outcome before others; in doubt, it looks for its message."""
    await changed(rig, channels=20, people=3)
    await goes_away(rig)
    copy, called, asked = Asking(rig), len(rig.slack.calls), list[str]()
    await copy.resting()
    for _ in range(3):
        pause_ends(rig)
        asked += await copy.drained()
        assert max(rig.waits()) == pytest.approx(3, abs=1)
        await copy.resting()
    assert asked == asked[:1] * 3
    assert is_about_person(asked[0])
    assert [call.method for call in rig.slack.calls[called:]] == [POST, READ_BACK, READ_BACK]


async def test_others_find_out_after_a_while(rig: Rig) -> None:
    """A lane whose calls fail for a reason of its own keeps nobody waiting."""
    await changed(rig, channels=20, people=1)
    await goes_away(rig)
    copy = Asking(rig)
    await copy.resting()
    for minutes in (0, 6):
        doubted_since(rig, minutes=minutes)
        pause_ends(rig)
        (first,) = await copy.drained()
    assert max(rig.waits()) == pytest.approx(60, abs=2)
    pause_ends(rig)
    (second,) = await copy.drained()
    assert (is_about_person(first), is_about_person(second)) == (True, False)


async def test_one_lane_at_a_time_finds_out(rig: Rig) -> None:
    """The next one is not claimed before it is done, for whatever reason, and then at once."""
    await changed(rig, channels=20)
    limits = await goes_away(rig)
    copy = Asking(rig)
    await copy.resting()
    await limits.pause(rig.slack.workspace.team_id, POST, timedelta(minutes=5))
    pause_ends(rig)
    copy.may_ask.clear()
    copy.is_asking.clear()
    rig.store.outbox.deliveries.clear()
    finding_out = asyncio.create_task(copy.notifier.run_once())
    await copy.is_asking.wait()
    assert await copy.notifier.run_once() == 0
    copy.may_ask.set()
    assert await finding_out == 1
    await asyncio.wait_for(rig.store.outbox.deliveries.wait(60), 10)


async def test_all_go_when_slack_is_back(rig: Rig) -> None:
    """All copies read in the store that it is, also those that did not find it out."""
    await changed(rig, channels=20)
    limits = await goes_away(rig)
    copies = [Asking(rig), Asking(rig)]
    for copy in copies:
        await copy.drained()
        await copy.resting()
    rig.slack.faults.clear()
    await limits.back(rig.slack.workspace.team_id)
    await run_until(rig, lambda: news(rig) == 20, *[copy.notifier for copy in copies])
    assert all(copy.asked for copy in copies)


async def test_a_dead_copy_keeps_no_lane_waiting(rig: Rig) -> None:
    """It died with the first lane in its hands, while it found out: that is forgotten, and another lane calls."""
    await changed(rig, channels=3)
    limits = await goes_away(rig)
    copy = Asking(rig)
    await copy.resting()
    pause_ends(rig)
    (first, *_) = (await rig.store.outbox.ready()).partitions
    (dead,) = await rig.store.outbox.claim(first, 1)
    assert not (await limits.admit(dead.lane, EDIT, priority=5)).wait
    assert await copy.drained() == []
    (probe,) = rig.redis.scan_iter("*:probe")
    assert 0 < int(str(rig.redis.pttl(str(probe)))) <= 12_000
    rig.redis.delete(str(probe))
    rig.slack.faults.clear()
    await copy.drained()
    assert str(dead.lane) not in copy.asked
    assert news(rig) == 2


async def test_a_lane_that_cannot_call_delays_nobody(rig: Rig) -> None:
    """The first in order waits for something else: the others are tried at once, until one calls."""
    await changed(rig, channels=20, level=Level.FINAL, people=1)
    limits = await goes_away(rig)
    copy = Asking(rig)
    await copy.resting()
    await limits.pause(rig.slack.workspace.team_id, POST, timedelta(minutes=5))
    pause_ends(rig)
    rig.slack.faults.clear()
    await run_until(rig, lambda: len(edited(rig)) == 20, copy.notifier)
    assert is_about_person(copy.asked[0])
    assert max(rig.waits()) == pytest.approx(300, abs=15)


async def test_what_needs_no_slack_goes_on(rig: Rig) -> None:
    """Ends that waited for the morning join one message at once, and the person reads that when Slack is back."""
    executions = [await rig.followed(rig.alice, level=Level.FINAL) for _ in range(2)]
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), ALL_DAY)
    for execution in executions:
        await rig.step(execution, to="succeeded")
    await rig.deliver()
    limits = await goes_away(rig)
    copy = Asking(rig)
    let_night_pass(rig.redis)
    await copy.drained()
    let_lanes_come(rig.redis)
    await copy.drained()
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), None)  # the store does not say any more what is over
    rig.slack.faults.clear()
    await limits.back(rig.slack.workspace.team_id)
    for _ in range(3):
        let_lanes_come(rig.redis)
        await copy.drained()
    said = [message.text for message in rig.slack.messages(rig.slack.dm(rig.alice))]
    assert [text.partition(":")[0] for text in said[2:]] == ["While you were away"]
