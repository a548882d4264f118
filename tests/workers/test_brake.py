"""Many endings for one reason are probably a mistake: nothing ends, people and operators read what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.gcs.auth import SignatureAuth
from bot.gcs.client import GCSClient
from bot.gcs.http import HTTPClient
from bot.store import Store
from bot.store.brake import DEAD, LEAST, NOT_FOUND
from bot.store.keys import owner_of
from bot.store.rows import EPOCH, milliseconds
from bot.workers.deletions import APART
from bot.workers.watcher import Watcher
from sandbox import story
from sandbox.gcs import GCS, Fault
from tests.servers import SANDBOX_OWNER
from tests.workers.rig import CADENCE, Rig, watcher_of

HIDDEN = "GCS has not shown this execution since"


@pytest.fixture(autouse=True)
def confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer always comes late enough to confirm the first one, and so do the polls in between."""
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(0))
    monkeypatch.setattr("bot.workers.deletions.APART", timedelta(0))


@asynccontextmanager
async def elsewhere(rig: Rig, gcs: GCS) -> AsyncIterator[Watcher]:
    """The watcher of a bot that was started with the settings of another region or project."""
    async with gcs, HTTPClient() as http:
        auth = SignatureAuth(gcs.access_key, SecretStr(gcs.secret_key), project_id=gcs.project_id)
        yield watcher_of(GCSClient(http, endpoint=gcs.url, auth=auth), rig.store)


def region(project_id: str, executions: int) -> GCS:
    """Another region, with so many executions of its own in a project."""
    gcs = GCS(seed="elsewhere", project_id=project_id)
    for _ in range(executions):
        gcs.play(story.happy(2), by_hand=True)
    return gcs


async def polled(rig: Rig, watcher: Watcher, *, times: int = 1, only: str = "") -> None:
    """Make everything due, or `only` this execution, and poll it, so many times; then deliver."""
    for _ in range(times):
        rig.polls_come(only)
        while await watcher.run_once():
            pass
    await rig.later(times=2)


async def problem(rig: Rig) -> str:
    """What `/readyz` says about the brake; empty when nothing."""
    keys = [str(key) for key in rig.redis.scan_iter("*:subs:*")]
    owner = owner_of(keys[0].partition(":subs:")[2]) if keys else ""
    return await rig.store.brake.problem(owner) or ""


async def follows(rig: Rig, executions: list[str], name: str) -> int:
    """How many of the executions are still followed."""
    return sum([await rig.store.subscribers.find(rig.who(name), each) is not None for each in executions])


ANOTHER = "b" * 32
"""A project that the executions do not belong to."""


@pytest.mark.parametrize("count", [2, 4, 12])
@pytest.mark.parametrize(("project", "others"), [("", 0), ("", 3), (ANOTHER, 3)])
async def test_a_wrong_region_ends_nothing(rig: Rig, count: int, project: str, others: int) -> None:
    """Nobody reads "deleted"; cards and `/readyz` say what is wrong, the log once; then everything goes on."""
    executions = [await rig.followed(rig.lab, life=story.happy(2)) for _ in range(count)]
    with capture_logs() as logs:
        async with elsewhere(rig, region(project or rig.gcs.project_id, others)) as watcher:
            await polled(rig, watcher, times=4)
    assert [line["reason"] for line in logs if line["event"] == "brake.on"] == [NOT_FOUND]
    assert await follows(rig, executions, rig.lab) == count
    assert set(rig.read(rig.lab)) == {"card"}
    assert all(HIDDEN in card for card in rig.cards(rig.lab))
    assert "region or project is wrong" in await problem(rig)
    for execution in executions[1:]:
        rig.gcs.step(execution, to="succeeded")
    await polled(rig, rig.watcher)
    assert sum("change" in part for part in rig.read(rig.lab)) == count - 1
    assert not any(HIDDEN in card for card in rig.cards(rig.lab))
    assert await problem(rig) == ""
    assert await follows(rig, executions, rig.lab) == 1


async def test_a_poll_under_way_is_no_evidence(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One execution is shown late, by a poll that began before GCS lost everything: the other one is not deleted."""
    lost, late = [await rig.followed(rig.lab, life=story.happy(2)) for _ in range(2)]
    rig.gcs.faults.add(Fault(kind="status", status=404, execution_id=lost, times=1))
    rig.gcs.faults.add(Fault(kind="slow", delay=0.3, execution_id=late, times=1))
    monkeypatch.setattr("bot.workers.deletions.APART", APART)
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(seconds=20))
    await polled(rig, rig.watcher)
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(0))
    nothing_known = rig.gcs.faults.add(Fault(kind="status", status=404))
    await polled(rig, rig.watcher, times=2)
    assert await follows(rig, [lost, late], rig.lab) == 2
    rig.gcs.faults.remove(nothing_known)
    await polled(rig, rig.watcher)
    assert not any(HIDDEN in card for card in rig.cards(rig.lab))


async def test_lists_are_no_proof_of_an_older_answer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """GCS is back when the lists are read, but was not when it was polled: it is asked once more."""
    lost, _ = [await rig.followed(rig.lab, life=story.happy(2)) for _ in range(2)]
    rig.gcs.faults.add(Fault(kind="status", status=404, execution_id=lost, times=2))
    # The other one is not polled: polled after the first answer, it would be the proof, and no list would be read.
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(seconds=20))
    await polled(rig, rig.watcher, only=lost)
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(0))
    await polled(rig, rig.watcher, only=lost)
    assert rig.read(rig.lab) == ["card", "card"]
    assert await problem(rig) == ""


async def test_a_place_without_lists_hides_a_single_execution(rig: Rig) -> None:
    """GCS knows neither the execution nor the lists of its project: it is not deleted."""
    execution = await rig.followed(rig.lab)
    nothing_known = rig.gcs.faults.add(Fault(kind="status", status=404))
    await polled(rig, rig.watcher, times=4)
    assert (rig.read(rig.lab), HIDDEN in rig.cards(rig.lab)[0]) == (["card"], True)
    assert "region or project is wrong" in await problem(rig)
    rig.gcs.faults.remove(nothing_known)
    rig.gcs.step(execution, to="succeeded")
    await polled(rig, rig.watcher)
    assert rig.left_over() == []


async def test_a_wrong_project_hides_a_single_execution(rig: Rig) -> None:
    """The lists show another project's executions, so it is not deleted; back in the right one it is followed on."""
    execution = await rig.followed(rig.lab)
    async with elsewhere(rig, region(ANOTHER, 1)) as watcher:
        await polled(rig, watcher, times=4)
    assert (rig.read(rig.lab), HIDDEN in rig.cards(rig.lab)[0]) == (["card"], True)
    assert "region or project is wrong" in await problem(rig)
    rig.gcs.step(execution, to="succeeded")
    await polled(rig, rig.watcher)
    assert rig.read(rig.lab)[-1].startswith("change")
    assert rig.left_over() == []


@pytest.mark.parametrize("others", [0, 2])
async def test_a_single_deletion_is_believed(rig: Rig, others: int) -> None:
    """Whether or not the project has executions that nobody follows."""
    for _ in range(others):
        rig.gcs.play(story.happy(2), by_hand=True)
    execution = await rig.followed(rig.lab, life=story.deleted(2))
    rig.gcs.step(execution, to="gone")
    await polled(rig, rig.watcher, times=2)
    assert "Deleted" in rig.cards(rig.lab)[0]
    assert rig.left_over() == []


@pytest.mark.parametrize("status", [403, 400])
async def test_a_deletion_without_lists_is_believed(rig: Rig, status: int) -> None:
    """GCS may not let the bot read lists: other polls show that the place is right."""
    execution, _ = await rig.followed(rig.lab, life=story.deleted(2)), await rig.followed(rig.alice)
    rig.gcs.step(execution, to="gone")
    rig.gcs.faults.add(Fault(kind="status", status=status, execution_id=""))
    await polled(rig, rig.watcher, times=2)
    assert "Deleted" in rig.cards(rig.lab)[0]


async def test_lists_that_fail_delay_a_deletion(rig: Rig) -> None:
    """Nothing is concluded from a list that cannot be read; the deletion is reported once it can."""
    execution = await rig.followed(rig.lab, life=story.deleted(2))
    rig.gcs.step(execution, to="gone")
    fault = rig.gcs.faults.add(Fault(kind="status", status=503, execution_id=""))
    await polled(rig, rig.watcher, times=3)
    assert (rig.read(rig.lab), await follows(rig, [execution], rig.lab)) == (["card"], 1)
    rig.gcs.faults.remove(fault)
    await polled(rig, rig.watcher)
    assert "Deleted" in rig.cards(rig.lab)[0]


async def test_one_deletion_among_many_is_reported(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the usual time: after the second answer, 20 s after the first; all others go on."""
    executions = [await rig.followed(rig.lab, life=story.deleted(2)) for _ in range(50)]
    rig.gcs.step(executions[7], to="gone")
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(seconds=20))
    await polled(rig, rig.watcher)
    (wait,) = rig.waits("expedited")
    assert wait == pytest.approx(20, abs=3)
    monkeypatch.setattr("bot.domain.observing.CONFIRM_MISSING", timedelta(0))
    await polled(rig, rig.watcher)
    assert sum("Deleted" in card for card in rig.cards(rig.lab)) == 1
    assert (await follows(rig, executions, rig.lab), await problem(rig)) == (49, "")


async def test_two_copies_share_the_count(rig: Rig, server_url: str) -> None:
    """Of twenty that are missing beside others, five end, whichever copy polls them; an operator releases the rest."""
    executions = [await rig.followed(rig.lab, life=story.deleted(2)) for _ in range(24)]
    missing = executions[4:]
    for execution in missing:
        rig.gcs.step(execution, to="gone")
    other = Store(server_url, owner=SANDBOX_OWNER, coalesce=timedelta(0), staleness=CADENCE.staleness)
    copies = [watcher_of(rig.client, rig.store), watcher_of(rig.client, other)]
    with capture_logs() as logs:
        for _ in range(4):
            rig.polls_come()
            while sum(await asyncio.gather(*(copy.run_once() for copy in copies))):
                pass
    await other.aclose()
    assert sum(line["event"] == "brake.on" for line in logs) == 1
    await rig.later()
    assert await follows(rig, missing, rig.lab) == len(missing) - LEAST
    assert "(15 waiting)" in await problem(rig)
    assert await follows(rig, executions[:4], rig.lab) == 4


async def test_an_operator_releases_deletions(rig: Rig) -> None:
    """All that wait are polled at once and reported; a wrong region would have to be meant."""
    executions = [await rig.followed(rig.lab, life=story.deleted(2)) for _ in range(8)]
    for execution in executions:
        rig.gcs.step(execution, to="gone")
    await polled(rig, rig.watcher, times=3)
    assert (await follows(rig, executions, rig.lab), await problem(rig) != "") == (8, True)
    (owner,) = await rig.store.brake.owners()
    assert len(await rig.store.brake.release(owner, NOT_FOUND)) == 8
    while await rig.watcher.run_once():
        pass
    await rig.deliver()
    assert sum("Deleted" in card for card in rig.cards(rig.lab)) == 8
    assert (rig.left_over(), await rig.store.brake.owners()) == ([], [])


async def test_an_operator_releases_refusals(rig: Rig) -> None:
    """Channels that are really gone end, and their owner reads why."""
    names = await channels(rig, LEAST + 3)
    for name in names:
        rig.slack.archive(name)
    for execution in [str(key).rpartition("/")[2] for key in rig.redis.scan_iter("*:snap:*")]:
        rig.gcs.step(execution, to="succeeded")
    await rig.poll()
    await rig.deliver()
    (owner,) = await rig.store.brake.owners()
    await rig.store.brake.release(owner, "slack:is_archived")
    await rig.deliver()
    assert rig.read(rig.alice) == ["dead"] * len(names)
    assert len(await rig.store.outbox.dead_letters()) == len(names)


REFUSALS = ["channel_not_found", "is_archived", "restricted_action"]


async def channels(rig: Rig, count: int) -> list[str]:
    """So many channels, each of which follows an execution of its own; the cards are posted."""
    names = [rig.slack.add_channel(f"lab{number}", members=[rig.alice]) for number in range(count)]
    for name in names:
        await rig.follow(name)
    await rig.deliver()
    return names


async def kept(rig: Rig, names: list[str]) -> int:
    """How many of the channels still follow something."""
    return sum([len((await rig.subscriptions.of(rig.who(name))).items) for name in names])


async def test_one_archived_channel_holds_nothing_for_long(rig: Rig) -> None:
    """Five of its eight end at once, the others once it was refused for an hour; then nothing is braked any more."""
    executions = [await rig.followed(rig.lab) for _ in range(LEAST + 3)]
    rig.slack.archive(rig.lab)
    for execution in executions:
        rig.gcs.step(execution, to="succeeded")
    await rig.poll()
    await rig.deliver()
    assert (len(list(rig.redis.scan_iter("*:subs:*"))), "is_archived (3 waiting)" in await problem(rig)) == (3, True)
    for key in map(str, rig.redis.scan_iter("*:refused:*")):
        rig.redis.zadd(key, {rig.lab: milliseconds(datetime.now(UTC) - DEAD - EPOCH)})
    for key in map(str, rig.redis.scan_iter("*:ended:*")):
        rig.redis.delete(key)
    await rig.later()
    assert rig.read(rig.alice) == ["dead"] * len(executions)
    assert (rig.left_over(), await rig.store.brake.owners()) == ([], [])


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_code_for_all_ends_few(rig: Rig, code: str) -> None:
    """Slack refuses every channel: five end, the rest waits and is delivered once Slack takes posts again."""
    names = await channels(rig, 12)
    executions = [str(key).rpartition("/")[2] for key in rig.redis.scan_iter("*:snap:*")]
    rig.fault("error", "chat.postMessage", error=code, times=None)
    for execution in executions:
        rig.gcs.step(execution, to="succeeded")
    await rig.poll()
    with capture_logs() as logs:
        await rig.deliver()
        await rig.later(times=3)
    assert sum(line["event"] == "brake.on" for line in logs) == 1
    letters = await rig.store.outbox.dead_letters()
    assert (len(letters), len(list(rig.redis.scan_iter("*:subs:*")))) == (LEAST, len(names) - LEAST)
    assert code in await problem(rig)
    rig.slack.faults.clear()
    await rig.later(times=2)
    dead = {letter.lane.rpartition("/")[2] for letter in letters}
    assert all(rig.read(name) == ["card", "change 2"] for name in set(names) - dead)
    assert (rig.left_over(), await rig.store.brake.state(owner_of(letters[0].lane.rpartition("/")[0]))) == ([], [])


async def test_pauses_of_braked_lanes_grow(rig: Rig) -> None:
    """A minute at first, ten at most."""
    await channels(rig, LEAST + 1)
    rig.slack.limits.is_on = False
    rig.fault("error", "chat.postMessage", error="channel_not_found", times=None)
    for execution in [str(key).rpartition("/")[2] for key in rig.redis.scan_iter("*:snap:*")]:
        rig.gcs.step(execution)
    await rig.poll()
    await rig.deliver()
    pauses = rig.waits()
    for _ in range(5):
        await rig.later()
        pauses += rig.waits()
    assert pauses == [pytest.approx(60 * minutes, abs=3) for minutes in (1, 2, 4, 8, 10, 10)]


async def test_an_unknown_code_for_all_ends_none(rig: Rig) -> None:
    """It never does, so there is nothing to brake."""
    names = await channels(rig, 12)
    rig.fault("error", None, error="a_code_of_next_year", times=None)
    await rig.poll()
    await rig.later(times=3)
    assert await kept(rig, names) == 12


async def test_announced_deletions_are_all_reported(rig: Rig) -> None:
    """GCS showed each of them as being deleted, as when somebody deletes a whole batch: nothing is braked."""
    executions = [await rig.followed(rig.lab, life=story.deleted(2)) for _ in range(2 * LEAST)]
    for target in ("deleting", "gone"):
        for execution in executions:
            rig.gcs.step(execution, to=target)
        await polled(rig, rig.watcher, times=2)
    assert sum("Deleted" in card for card in rig.cards(rig.lab)) == 2 * LEAST
    assert rig.left_over() == []
    assert not list(rig.redis.scan_iter("*{brake*"))


async def test_ends_that_people_ask_for_are_not_counted(rig: Rig) -> None:
    """Nor are the outcomes of executions: however many there are, nothing is braked."""
    names = await channels(rig, 14)
    executions = [str(key).rpartition("/")[2] for key in rig.redis.scan_iter("*:snap:*")]
    for execution in executions[:7]:
        rig.gcs.step(execution, to="succeeded")
    for name in names:
        for subscription, _ in (await rig.subscriptions.of(rig.who(name))).items:
            if subscription.execution_id in executions[7:]:
                await rig.subscriptions.unsubscribe(rig.who(name), subscription.execution_id)
    await rig.poll()
    await rig.later(times=2)
    assert rig.left_over() == []
    assert not list(rig.redis.scan_iter("*{brake*"))
