"""New executions that rules match are found and followed once, whatever happens to the bot meanwhile.

Lives here: what the finder finds and what its scans survive. Does not live here: what rules do with each other and with
what people follow (`test_rules`), how rules end (`test_rule_ends`). Called by pytest.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.following import Level, RuleKind
from bot.errors import GCSError, StoreUnavailable
from bot.workers.sweeper import finder
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig
from tests.workers.rules_rig import RulesRig
from tests.workers.sweeper_rig import SweeperRig, running


async def test_a_new_run_has_its_card(rig: Rig, rules: RulesRig) -> None:
    """At a level that includes more than ends: the first poll fills it."""
    await rules.make(rig.lab, level=Level.MILESTONES)
    await rules.found(story.happy(3), to="running 1/3")
    await rig.deliver()
    assert "1 of 3 steps" in rig.cards(rig.lab)[0]


async def test_a_card_waits_for_no_poll(rig: Rig, rules: RulesRig) -> None:
    """GCS shows the list and no executions: the card comes all the same."""
    await rules.make(rig.lab, level=Level.STEPS)
    rig.gcs.play(story.happy(3), by_hand=True)
    await rules.scan()
    await rig.deliver()
    assert rig.read(rig.lab) == []
    await rig.later()
    assert rig.read(rig.lab) == ["card"]


@pytest.mark.parametrize(("level", "read"), [(Level.FAILURES, []), (Level.FINAL, ["card", "change"])])
async def test_a_silent_rule_says_what_its_level_includes(
    rig: Rig, rules: RulesRig, level: Level, read: list[str]
) -> None:
    """A run that goes well has no card at all, or one with its end; nothing of it stays in the store."""
    await rules.make(rig.lab, level=level)
    execution = await rules.found(story.happy(3), to="running 1/3")
    await rig.later()
    assert rig.read(rig.lab) == []
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.lab)] == read
    assert not [key for key in rig.left_over() if execution in key]


async def test_a_failure_has_a_card_and_a_message(rig: Rig, rules: RulesRig) -> None:
    """The default level: what fails is reported, and names what it is about."""
    await rules.make(rig.lab)
    execution = await rules.found(story.failing(3))
    await rig.step(execution, to="failed")
    await rig.deliver()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.lab)] == ["card", "change"]
    assert "ran out of memory" in rig.texts(rig.lab)[-1]


@pytest.mark.parametrize("level", [Level.FAILURES, Level.FINAL, Level.STEPS])
async def test_a_run_that_was_over_is_reported(rig: Rig, rules: RulesRig, level: Level) -> None:
    """It has failed before anybody saw it: its first poll reports that, once."""
    await rules.make(rig.alice, level=level)
    await rules.found(story.failing(3), to="failed")
    await rules.scan(rules.copy())
    await rig.deliver()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.alice)] == ["card", "change"]


async def test_a_list_alone_ends_nothing(rig: Rig, rules: RulesRig) -> None:
    """It says that a run has failed which has not: only the poll is believed."""
    await rules.make(rig.alice)
    execution = rig.gcs.play(story.failing(3), by_hand=True)
    rig.gcs.step(execution, to="failed")
    await rules.scan()
    body = rig.gcs.body(execution)
    assert body is not None
    for place in (body["execution"], body["object"]["status"]["objectStatus"]):
        place["status" if "status" in place else "phase"] = "Running"
    for report in body["object"]["status"]["subObjectStatuses"].values():
        report["phase"] = "Running"
    for node in body["status"]["actual_node_status"]:
        node["status"] = "Running"
    rig.gcs.set_body(execution, body)
    await rig.poll()
    await rig.later()
    assert rig.read(rig.alice) == []


async def test_what_ran_before_is_not_followed(rig: Rig, rules: RulesRig) -> None:
    """Neither what is old, nor what began a moment before the rule."""
    rig.gcs.play(story.failing(3), ago=3000)
    rig.gcs.play(story.failing(3, seconds=1), ago=5)
    await rules.make(rig.alice, level=Level.STEPS)
    await rules.scan()
    assert await rules.followed(rig.alice) == {}


async def test_other_runs_are_not_followed(rig: Rig, rules: RulesRig) -> None:
    """Of another workflow, or of none."""
    await rules.make(rig.alice, "rna-seq", level=Level.STEPS)
    await rules.found(story.happy(3))
    assert await rules.followed(rig.alice) == {}


async def test_labels_and_projects_are_followed(rig: Rig, rules: RulesRig) -> None:
    """By all labels of a rule, and by the name of an enterprise project."""
    probe = rig.gcs.body(rig.gcs.play(story.happy(3), by_hand=True))
    assert probe is not None
    labels = [f"{key}={value}" for key, value in probe["execution"]["label"].items()]
    project = probe["enterprise_project"]["name"]
    assert labels
    await rules.make(rig.alice, *labels, kind=RuleKind.LABEL)
    await rules.make(rig.lab, project, kind=RuleKind.PROJECT)
    await rules.make("U0OTHER", *labels, "batch=none", kind=RuleKind.LABEL)
    execution = await rules.found(story.happy(3))
    assert [set(await rules.followed(name)) for name in (rig.alice, rig.lab, "U0OTHER")] == [
        {execution},
        {execution},
        set(),
    ]


async def test_two_copies_follow_once(rig: Rig, rules: RulesRig) -> None:
    """Both find the same runs at the same time, and a third was started again."""
    await rules.make(rig.lab, level=Level.STEPS)
    executions = [rig.gcs.play(story.happy(3), by_hand=True) for _ in range(5)]
    await rules.scan()
    await asyncio.gather(*(rules.scan(rules.copy()) for _ in range(3)))
    await rig.poll()
    await rig.deliver()
    await rig.later()
    assert rig.read(rig.lab).count("card") == len(executions)


async def test_what_could_not_be_stored_is_found_again(
    rig: Rig, rules: RulesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store goes away in the middle of a scan, or the bot is killed there: another scan follows the rest."""
    await rules.make(rig.lab, level=Level.STEPS)
    executions = {rig.gcs.play(story.happy(3), by_hand=True) for _ in range(6)}
    enlist, calls = rig.store.enlisting.enlist, 0

    async def failing(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise StoreUnavailable
        return await enlist(*args, **more)

    monkeypatch.setattr(finder, "AT_ONCE", 1)
    monkeypatch.setattr(rig.store.enlisting, "enlist", failing)
    with pytest.raises(StoreUnavailable):
        await rules.scan()
    assert len(await rules.followed(rig.lab)) == 2
    await rules.scan(rules.copy())
    assert set(await rules.followed(rig.lab)) == executions


async def test_a_run_that_somebody_stopped_stays_stopped(rig: Rig, rules: RulesRig) -> None:
    """The next scan, and a bot that was started again, do not follow it once more."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = await rules.found(story.happy(3))
    await rig.deliver()
    await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution)
    await rules.scan()
    await rig.deliver()
    await rules.scan(rules.copy())
    assert await rules.followed(rig.alice) == {}
    await rig.later()
    assert rig.read(rig.alice) == ["card"]


@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_what_was_stopped_before_a_scan_stays_stopped(rig: Rig, rules: RulesRig, name: str) -> None:
    """It was followed by hand: no rule has seen it yet."""
    name = getattr(rig, name)
    await rules.make(name, level=Level.STEPS)
    execution = await rig.followed(name, life=story.happy(3))
    await rig.subscriptions.unsubscribe(rig.who(name), execution, by=rig.alice)
    await rig.later(times=2)  # its card has said so, and its subscription is forgotten
    for _ in range(2):
        await rules.scan(rules.copy())
        assert await rules.followed(name) == {}
    new = await rules.found(story.happy(3))
    assert set(await rules.followed(name)) == {new}


@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_what_ended_before_a_scan_is_reported_once(rig: Rig, rules: RulesRig, name: str) -> None:
    """It was followed by hand until it was over: no rule has seen it yet."""
    name = getattr(rig, name)
    await rules.make(name, level=Level.STEPS)
    execution = await rig.followed(name, life=story.happy(3))
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    read = rig.read(name)
    await rules.scan()
    await rig.poll()
    await rig.later(times=2)
    assert rig.read(name) == read


async def test_without_rules_a_stop_leaves_nothing(rig: Rig) -> None:
    """A rule that is made later matches new executions only."""
    execution = await rig.followed(rig.alice, life=story.happy(3))
    await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution, by=rig.alice)
    await rig.later(times=2)
    assert not [key for key in rig.left_over() if "passed" in key]


async def test_what_is_over_is_followed_once(rig: Rig, rules: RulesRig) -> None:
    """Its subscription is forgotten; lists still show it."""
    await rules.make(rig.alice, level=Level.FINAL)
    execution = await rules.found(story.happy(3))
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    read = rig.read(rig.alice)
    await rules.scan(rules.copy())
    await rig.poll()
    await rig.later(times=2)
    assert rig.read(rig.alice) == read
    assert len(read) == 2


async def test_what_came_while_no_bot_ran_is_reported(rig: Rig, rules: RulesRig) -> None:
    """Two hours long; the next scan goes back to the last one."""
    await rules.make(rig.alice)
    (key,) = rig.redis.scan_iter("*{rules*:rows")
    await rules.scan()
    await rules.change(rig.alice, created_at=(await rules.rules(rig.alice))[0].created_at - timedelta(hours=5))
    through = str(key).replace("rows", "through")
    rig.redis.set(through, int(float(str(rig.redis.get(through)))) - 7_200_000)
    old = rig.gcs.play(story.failing(3, seconds=60), ago=4 * 3600)
    missed = rig.gcs.play(story.failing(3, seconds=60), ago=3600)
    await rules.scan(rules.copy())
    assert set(await rules.followed(rig.alice)) == {missed}
    assert old
    await rig.poll()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.alice)] == ["card", "change"]


async def test_the_sweepers_pages_show_new_runs(rig: Rig, rules: RulesRig) -> None:
    """While lists are read, nothing waits for the next scan."""
    lists = SweeperRig(rig)
    lists.sweeper._finder = rules.finder
    await running(rig)
    await rules.make(rig.alice)
    await rules.scan()
    await lists.read_round()
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    rig.gcs.step(execution, to="running 1/3")
    await lists.read_round()
    await rules.finder.run_once()
    assert set(await rules.followed(rig.alice)) == {execution}


async def test_a_scan_that_fails_is_repeated(rig: Rig, rules: RulesRig) -> None:
    """What GCS did not show is found by the next one."""
    await rules.make(rig.alice)
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    rig.gcs.faults.add(Fault(kind="status", status=503, times=1))
    with pytest.raises(GCSError):
        await rules.scan()
    await rules.scan()
    assert set(await rules.followed(rig.alice)) == {execution}


async def failed_scan(rules: RulesRig) -> None:
    """A scan for which GCS shows nothing; then let five minutes pass."""
    rules.rig.gcs.faults.add(Fault(kind="status", status=503, times=1))
    with pytest.raises(GCSError) as raised:
        await rules.scan()
    rules.finder._failed(raised.value)
    rules.now += finder.FAILING_SECONDS


async def test_a_list_that_stays_away_is_a_problem(rig: Rig, rules: RulesRig) -> None:
    """After five minutes `/readyz` says so, until a scan succeeds; what came meanwhile is found."""
    await rules.make(rig.alice)
    for _ in range(2):
        await failed_scan(rules)
    assert "rules find no new ones" in (rules.finder.problem or "")
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    await rules.scan()
    assert rules.finder.problem is None
    assert set(await rules.followed(rig.alice)) == {execution}


async def test_without_rules_no_list_is_a_problem(rig: Rig, rules: RulesRig) -> None:
    """Nobody misses it; a rule that is made later gives GCS the same five minutes."""
    await rules.make(rig.alice)
    for _ in range(2):
        await failed_scan(rules)
    await rules.ended(rig.alice)
    await rules.finder.run_once()
    assert rules.finder.problem is None
    await rules.make(rig.alice)
    await failed_scan(rules)
    assert rules.finder.problem is None
