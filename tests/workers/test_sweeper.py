"""What lists show: a change is polled at once, and nothing that they hide, repeat or show late is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import Any

import pytest

from bot.domain.following import Subscriber
from bot.store.schedule import Coverage
from bot.workers.sweeper.pacing import DISTRUST, REPORT_EVERY, SHORTEST_ROUND, PageSize
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig
from tests.workers.sweeper_rig import MANY, SweeperRig, due_in, due_now, running


async def test_a_listed_change_is_polled_at_once(rig: Rig, lists: SweeperRig) -> None:
    """And only that: the polls of all others are delayed."""
    executions = await running(rig)
    await lists.read_round()
    rig.gcs.step(executions[7], to="running 2/3")
    await lists.read_round()
    assert due_now(rig) == {executions[7]}
    await rig.watcher.run_once()
    await lists.read_round()
    assert due_now(rig) == set()
    await rig.later(times=3)
    assert "change 2" in rig.read(rig.lab)


async def test_unchanged_executions_are_compared_now_and_then(
    rig: Rig, lists: SweeperRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round reports to the store what has changed; what has not is deferred for much longer than a round."""
    executions = await running(rig)
    reported, listed = list[int](), rig.store.schedule.listed

    async def spied(team_id: str, shown: Iterable[tuple[str, str]], **more: Any) -> Coverage:
        reported.append(len(shown := list(shown)))
        return await listed(team_id, shown, **more)

    monkeypatch.setattr(rig.store.schedule, "listed", spied)
    compared = []
    for number in range(2 + int(REPORT_EVERY / SHORTEST_ROUND)):
        if number == 1:
            rig.gcs.step(executions[7], to="running 2/3")
        reported.clear()
        await lists.read_round()
        compared.append(sum(reported))
    assert compared[:2] == [MANY, 1]
    assert MANY in compared[2:]
    assert compared[2:].count(0) == len(compared) - 3


async def test_a_dropped_execution_is_polled_at_once(rig: Rig, lists: SweeperRig) -> None:
    """It has ended or was deleted, since the list of running executions leaves it out."""
    executions = await running(rig)
    await lists.read_round()
    rig.gcs.step(executions[3], to="succeeded")
    await lists.read_round()
    assert due_now(rig) == {executions[3]}


async def test_a_new_reader_notices_what_dropped_out(rig: Rig, lists: SweeperRig) -> None:
    """It does not know the earlier lists, only what is followed; a third reader does not expedite the same again."""
    executions = await running(rig)
    await lists.read_round()
    rig.gcs.step(executions[3], to="succeeded")
    successor = SweeperRig(rig)
    successor.sweeper._quota = lists.sweeper._quota
    await successor.read_round()
    assert due_now(rig) == {executions[3]}
    rig.gcs.faults.add(Fault(kind="status", status=503, times=9))  # whatever the poll shows
    await rig.watcher.run_once()
    third = SweeperRig(rig)
    third.sweeper._quota = lists.sweeper._quota
    await third.read_round()
    assert due_now(rig) == set()


async def test_a_returning_reader_forgets_its_old_list(rig: Rig, lists: SweeperRig) -> None:
    """After ten minutes without reading, what is followed counts, and not the list that it read then."""
    await running(rig)
    await lists.read_round()
    (later,) = await running(rig, 1)
    lists.now += DISTRUST.total_seconds() + 1
    rig.gcs.step(later, to="succeeded")
    await lists.read_round()
    assert due_now(rig) == {later}


async def test_a_list_that_hides_most_is_ignored(rig: Rig, lists: SweeperRig) -> None:
    """It is another project's, or broken; polling all that it hides would leave no calls for the rest."""
    for execution in await running(rig):
        rig.gcs.step(execution, to="succeeded")
    await lists.read_round()
    assert due_now(rig) == set()


async def test_a_drop_between_neighbours_needs_no_full_round(rig: Rig) -> None:
    """An outcome does not wait until the whole list was read."""
    rig.gcs.max_limit = 100
    lists = SweeperRig(rig, per_minute=600)
    executions = await running(rig, 300)
    await lists.read_round()
    rig.gcs.step(executions[250], to="succeeded")  # the list begins with the newest
    while not due_now(rig):
        await lists.step()
    assert due_now(rig) == {executions[250]}
    (round_,) = lists.sweeper._rounds
    assert round_.pages_left, "two pages are left"


async def test_a_list_that_lags_loses_nothing(rig: Rig, lists: SweeperRig) -> None:
    """Polls are ahead of the list: the execution is polled as usual until they agree, and no change is missed."""
    life = story.happy(12, seconds=3000)
    executions = [rig.gcs.play(life, ago=1500) for _ in range(MANY)]
    for execution in executions:
        await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=rig.alice)
    rig.gcs.clock.pause()
    await lists.read_round()
    rig.gcs.list_lag = 600
    rig.gcs.clock.advance(600)
    await rig.poll()
    finished = {rig.gcs.frame(execution).finished for execution in executions}
    await lists.read_round()
    assert all(seconds < 61 for seconds in due_in(rig).values()), "none may be deferred"
    rig.gcs.clock.advance(600)
    await lists.read_round()
    assert due_now(rig) == set(), "the list has caught up with the polls"
    rig.gcs.list_lag = 0
    await lists.read_round()
    assert due_now(rig) == set(executions), "and shows what happened after them"
    assert finished != {rig.gcs.frame(execution).finished for execution in executions}


async def test_executions_without_listed_steps_are_polled_as_usual(rig: Rig, lists: SweeperRig) -> None:
    """GCS may omit the control object's reports: then only a poll shows the next step."""
    executions = await running(rig, MANY)
    for execution in executions:
        body = rig.gcs.body(execution)
        assert body is not None
        body["object"]["status"]["subObjectStatuses"] = {}
        rig.gcs.set_body(execution, body)
    await rig.poll()
    before = due_in(rig)
    await lists.read_round()
    assert all(
        abs(due_in(rig)[execution] - before[execution]) < 5 or due_in(rig)[execution] <= 0 for execution in executions
    )


@pytest.mark.parametrize("seed", range(2))
async def test_a_list_that_changes_while_read_loses_nothing(rig: Rig, seed: int) -> None:
    """While pages are read, executions begin, change and end: two rounds later every change is due or was seen."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    rig.gcs.max_limit = 100
    lists = SweeperRig(rig, per_minute=600)
    executions = await running(rig, 260)
    lists.sweeper._page_size = PageSize(100)
    await lists.read_round()
    live = list(executions)
    for _ in range(40):
        await lists.step()
        for execution in chance.sample(live, 3):
            step = chance.choice(["running 2/3", "succeeded"])
            if rig.gcs.frame(execution).name == "running 1/3":
                rig.gcs.step(execution, to=step)
        rig.gcs.play(story.happy(2), by_hand=True)
    await lists.read_round()
    await lists.read_round()
    moved = {execution for execution in executions if rig.gcs.frame(execution).name != "running 1/3"}
    assert moved
    assert moved <= due_now(rig)


async def test_unfollowed_executions_are_ignored(rig: Rig, lists: SweeperRig) -> None:
    """The other executions of a project do not count, whatever workspace they belong to."""
    await running(rig)
    stranger = rig.gcs.play(story.happy(2), by_hand=True)
    await lists.read_round()
    assert lists.sweeper._last is not None
    assert lists.sweeper._last.found.watched == MANY
    assert stranger not in due_in(rig)
    assert await rig.store.subscribers.snapshot(Subscriber(team_id="T9", id="U1").team_id, stranger) is None


async def test_a_listed_change_goes_before_overdue_polls(rig: Rig, lists: SweeperRig) -> None:
    """After an hour without GCS everything is overdue; what a list shows as changed is still polled first."""
    executions = await running(rig)
    await lists.read_round()
    rig.gcs.step(executions[5], to="succeeded")
    for snap in map(str, rig.redis.scan_iter("*:snap:*")):  # as after failed polls: a list does not delay them
        home, _, execution = snap.partition("snap:")
        rig.redis.setrange(snap, 55, ".")
        rig.redis.zadd(f"{home}due", {execution: (time.time() - 1200) * 1000})
    await lists.read_round()
    (first, *_) = [
        due
        for number in (await rig.store.schedule.ready()).partitions
        for due in await rig.store.schedule.claim(number, 1)
    ]
    assert first.execution_id == executions[5]


async def test_ends_are_polled_before_progress(rig: Rig, lists: SweeperRig) -> None:
    """With more changes than calls, an outcome does not wait for the progress of others."""
    executions = await running(rig)
    await lists.read_round()
    rig.gcs.step(executions[2], to="running 2/3")
    await lists.read_round()
    rig.gcs.step(executions[5], to="succeeded")
    await lists.read_round()
    ready = await rig.store.schedule.ready()
    claimed = [due for number in ready.partitions for due in await rig.store.schedule.claim(number, 2)]
    assert [due.execution_id for due in claimed[:2]] == [executions[5], executions[2]]


async def test_an_outage_does_not_defer_polls_for_hours(rig: Rig, lists: SweeperRig) -> None:
    """A round that lasts through an outage is long, but the next ones are not."""
    await running(rig)
    await lists.read_round()
    await lists.step()
    lists.now += 3600
    await lists.read_round()
    await lists.read_round()
    assert max(due_in(rig).values()) <= DISTRUST.total_seconds() + 60


async def test_lists_do_not_delay_a_refresh(rig: Rig, lists: SweeperRig) -> None:
    """Somebody pressed Refresh: a list that shows the same as before does not replace that poll."""
    executions = await running(rig)
    await lists.read_round()
    assert await rig.store.subscribers.refresh(rig.who(rig.lab), executions[4])
    await lists.read_round()
    assert executions[4] in due_now(rig)


async def test_an_expedited_poll_put_back_stays_expedited(rig: Rig, lists: SweeperRig) -> None:
    """It is claimed again before all that is merely overdue."""
    executions = await running(rig)
    await lists.read_round()
    rig.gcs.step(executions[2], to="running 2/3")
    await lists.read_round()
    claims = [
        due
        for number in (await rig.store.schedule.ready()).partitions
        for due in await rig.store.schedule.claim(number, 9)
    ]
    (claimed,) = claims
    await rig.store.schedule.put_back(claimed)
    assert rig.waits_by_name("expedited").keys() == {claimed.execution}
    assert executions[2] in due_now(rig)


async def test_a_listed_change_does_not_wait_for_leases(rig: Rig, lists: SweeperRig) -> None:
    """The worker that holds it may have polled too early, or be dead: another one polls in two seconds."""
    executions = await running(rig)
    await lists.read_round()
    rig.polls_come()
    for number in (await rig.store.schedule.ready()).partitions:
        await rig.store.schedule.claim(number, 99)
    rig.gcs.step(executions[2], to="running 2/3")
    await lists.read_round()
    assert due_in(rig)[executions[2]] <= 2
