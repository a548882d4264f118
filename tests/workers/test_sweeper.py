"""What lists show: what is new is looked at now, and nothing that they hide, repeat or show late is lost."""

from __future__ import annotations

import random
import time

import pytest

from bot.domain.model import Subscriber
from bot.workers.sweeper.sweeper import DISTRUST
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.hand import MANY, Hand, due_in, due_now, running
from tests.workers.rig import Rig


async def test_what_a_list_shows_as_new_is_looked_at_now(rig: Rig, hand: Hand) -> None:
    """And only that: all others wait for longer than they would have."""
    executions = await running(rig)
    await hand.round()
    rig.gcs.step(executions[7], to="running 2/3")
    await hand.round()
    assert due_now(rig) == {executions[7]}
    await rig.watcher.run_once()
    await hand.round()
    assert due_now(rig) == set()
    await rig.later(times=3)
    assert "change 2" in rig.read(rig.lab)


async def test_what_drops_out_of_the_list_is_looked_at_now(rig: Rig, hand: Hand) -> None:
    """It has ended, or was deleted: a list of running executions says so by leaving it out."""
    executions = await running(rig)
    await hand.round()
    rig.gcs.step(executions[3], to="succeeded")
    await hand.round()
    assert due_now(rig) == {executions[3]}


async def test_what_dropped_out_while_nobody_read_is_looked_at_now(rig: Rig, hand: Hand) -> None:
    """Whoever takes the lists over does not know what was on them, but what is followed; a second time is no news."""
    executions = await running(rig)
    await hand.round()
    rig.gcs.step(executions[3], to="succeeded")
    successor = Hand(rig)
    successor.sweeper._budget = hand.sweeper._budget
    await successor.round()
    assert due_now(rig) == {executions[3]}
    rig.gcs.faults.add(Fault(kind="status", status=503, times=9))  # whatever the look says
    await rig.watcher.run_once()
    third = Hand(rig)
    third.sweeper._budget = hand.sweeper._budget
    await third.round()
    assert due_now(rig) == set()


async def test_a_list_that_hides_most_of_what_is_followed_is_no_news(rig: Rig, hand: Hand) -> None:
    """It is another project's, or broken; asking for all that it hides would leave nothing for the rest."""
    for execution in await running(rig):
        rig.gcs.step(execution, to="succeeded")
    await hand.round()
    assert due_now(rig) == set()


async def test_what_drops_out_between_two_others_is_seen_with_its_page(rig: Rig) -> None:
    """An outcome does not have to wait until the whole list was read."""
    rig.gcs.max_limit = 100
    hand = Hand(rig, per_minute=600)
    executions = await running(rig, 300)
    await hand.round()
    rig.gcs.step(executions[250], to="succeeded")  # the list begins with the newest
    while not due_now(rig):
        await hand.page()
    assert due_now(rig) == {executions[250]}
    assert hand.sweeper._round is not None
    assert hand.sweeper._round.todo, "two pages are still to come"


async def test_a_list_that_lags_loses_nothing(rig: Rig, hand: Hand) -> None:
    """The look is ahead of the list: the execution is asked for as usual until they agree, and each change is told."""
    life = story.happy(12, seconds=3000)
    executions = [rig.gcs.play(life, ago=1500) for _ in range(MANY)]
    for execution in executions:
        await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=rig.alice)
    rig.gcs.clock.pause()
    await hand.round()
    rig.gcs.list_lag = 600
    rig.gcs.clock.advance(600)
    await rig.poll()
    finished = {rig.gcs.frame(execution).finished for execution in executions}
    await hand.round()
    assert all(seconds < 61 for seconds in due_in(rig).values()), "none may be taken for known"
    rig.gcs.clock.advance(600)
    await hand.round()
    assert due_now(rig) == set(), "the list has caught up with the look"
    rig.gcs.list_lag = 0
    await hand.round()
    assert due_now(rig) == set(executions), "and shows what came after it"
    assert finished != {rig.gcs.frame(execution).finished for execution in executions}


async def test_executions_whose_steps_lists_do_not_show_are_asked_for_as_usual(rig: Rig, hand: Hand) -> None:
    """GCS may leave the control object's reports out: then only a look sees the next step."""
    executions = await running(rig, MANY)
    for execution in executions:
        body = rig.gcs.body(execution)
        assert body is not None
        body["object"]["status"]["subObjectStatuses"] = {}
        rig.gcs.set_body(execution, body)
    await rig.poll()
    before = due_in(rig)
    await hand.round()
    assert all(
        abs(due_in(rig)[execution] - before[execution]) < 5 or due_in(rig)[execution] <= 0 for execution in executions
    )


@pytest.mark.parametrize("seed", range(3))
async def test_a_list_that_moves_under_the_reader_loses_nothing(rig: Rig, seed: int) -> None:
    """While pages are read, executions begin, move on and end: two rounds later every change is due or was seen."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    rig.gcs.max_limit = 100
    hand = Hand(rig, per_minute=600)
    executions = await running(rig, 260)
    hand.sweeper._page = 100
    await hand.round()
    live = list(executions)
    for _ in range(40):
        await hand.page()
        for execution in chance.sample(live, 3):
            step = chance.choice(["running 2/3", "succeeded"])
            if rig.gcs.frame(execution).name == "running 1/3":
                rig.gcs.step(execution, to=step)
        rig.gcs.play(story.happy(2), by_hand=True)
    await hand.round()
    await hand.round()
    moved = {execution for execution in executions if rig.gcs.frame(execution).name != "running 1/3"}
    assert moved
    assert moved <= due_now(rig)


async def test_only_what_somebody_follows_counts(rig: Rig, hand: Hand) -> None:
    """A project's other executions are passed over, whatever workspace they belong to."""
    await running(rig)
    stranger = rig.gcs.play(story.happy(2), by_hand=True)
    await hand.round()
    assert hand.sweeper._last is not None
    assert hand.sweeper._last.found.watched == MANY
    assert stranger not in due_in(rig)
    assert await rig.store.subscribers.snapshot(Subscriber(team_id="T9", id="U1").team_id, stranger) is None


async def test_news_goes_ahead_of_what_is_overdue(rig: Rig, hand: Hand) -> None:
    """After an hour without GCS everything is overdue; what a list shows as new is looked at first all the same."""
    executions = await running(rig)
    await hand.round()
    rig.gcs.step(executions[5], to="succeeded")
    for snap in map(str, rig.redis.scan_iter("*:snap:*")):  # as after looks that failed: a list does not put them off
        home, _, execution = snap.partition("snap:")
        rig.redis.setrange(snap, 55, ".")
        rig.redis.zadd(f"{home}due", {execution: (time.time() - 1200) * 1000})
    await hand.round()
    (first, *_) = [
        due for number in await rig.store.schedule.ready() for due in await rig.store.schedule.claim(number, 1)
    ]
    assert first.execution_id == executions[5]


async def test_what_has_ended_goes_ahead_of_what_has_moved(rig: Rig, hand: Hand) -> None:
    """With more news than calls, an outcome does not wait for the progress of others."""
    executions = await running(rig)
    await hand.round()
    rig.gcs.step(executions[2], to="running 2/3")
    await hand.round()
    rig.gcs.step(executions[5], to="succeeded")
    await hand.round()
    found = due_in(rig)
    assert sorted(executions, key=found.__getitem__)[:2] == [executions[5], executions[2]]


async def test_an_hour_without_gcs_leaves_nothing_to_lists_for_hours(rig: Rig, hand: Hand) -> None:
    """A round that survives an outage was long, but the next ones will not be."""
    await running(rig)
    await hand.round()
    await hand.page()
    hand.now += 3600
    await hand.round()
    await hand.round()
    assert max(due_in(rig).values()) <= DISTRUST.total_seconds() + 60


async def test_a_wish_for_a_fresh_look_is_not_put_off(rig: Rig, hand: Hand) -> None:
    """Somebody pressed Refresh: a list that shows the same as before does not answer that."""
    executions = await running(rig)
    await hand.round()
    assert await rig.store.subscribers.refresh(rig.who(rig.lab), executions[4])
    await hand.round()
    assert executions[4] in due_now(rig)


async def test_news_that_found_no_call_left_keeps_its_place(rig: Rig, hand: Hand) -> None:
    """It is claimed again before all that is merely overdue."""
    executions = await running(rig)
    await hand.round()
    rig.gcs.step(executions[2], to="running 2/3")
    await hand.round()
    claims = [due for number in await rig.store.schedule.ready() for due in await rig.store.schedule.claim(number, 9)]
    (claimed,) = claims
    await rig.store.schedule.put_back(claimed)
    assert rig.waits_by_name("expedited").keys() == {claimed.execution}
    assert executions[2] in due_now(rig)


async def test_news_of_what_a_dead_worker_holds_does_not_wait_for_its_lease(rig: Rig, hand: Hand) -> None:
    """It may have asked too early, or be dead: somebody else looks in two seconds."""
    executions = await running(rig)
    await hand.round()
    rig.polls_come()
    for number in await rig.store.schedule.ready():
        await rig.store.schedule.claim(number, 99)
    rig.gcs.step(executions[2], to="running 2/3")
    await hand.round()
    assert due_in(rig)[executions[2]] <= 2
