"""New executions that rules match are followed once, told by their level, and let go when the rule ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.following import Level, RuleKind, Subscriber, Subscription
from bot.domain.rules import LASTS
from bot.errors import GCSError, StoreUnavailable, TooManyRules
from bot.store.rules import MOST_RULES
from bot.workers.sweeper import finder
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig
from tests.workers.rules_rig import RulesRig
from tests.workers.sweeper_rig import SweeperRig, running


@pytest.fixture
def rules(rig: Rig) -> RulesRig:
    """A finder that may follow many."""
    return RulesRig(rig)


def texts(rig: Rig, name: str) -> list[str]:
    """What `name` has read."""
    return [message.text for message in rig.slack.messages(rig.place(name))]


async def test_a_new_run_has_its_card(rig: Rig, rules: RulesRig) -> None:
    """At a level that tells of more than ends: the first poll fills it."""
    await rules.make(rig.lab, level=Level.MILESTONES)
    await rules.found(story.happy(3), to="running 1/3")
    await rig.deliver()
    assert "1 of 3 steps" in rig.cards(rig.lab)[0]


async def test_a_card_waits_for_no_poll(rig: Rig, rules: RulesRig) -> None:
    """GCS shows the list and no executions: the card comes all the same."""
    await rules.make(rig.lab, level=Level.STEPS)
    rig.gcs.play(story.happy(3), by_hand=True)
    await rules.look()
    await rig.deliver()
    assert rig.read(rig.lab) == []
    await rig.later()
    assert rig.read(rig.lab) == ["card"]


@pytest.mark.parametrize(("level", "read"), [(Level.FAILURES, []), (Level.FINAL, ["card", "change"])])
async def test_a_silent_rule_says_what_its_level_tells(
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
    """The default level: what fails is told, and names what it is about."""
    await rules.make(rig.lab)
    execution = await rules.found(story.failing(3))
    await rig.step(execution, to="failed")
    await rig.deliver()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.lab)] == ["card", "change"]
    assert "ran out of memory" in texts(rig, rig.lab)[-1]


@pytest.mark.parametrize("level", [Level.FAILURES, Level.FINAL, Level.STEPS])
async def test_a_run_that_was_over_is_told(rig: Rig, rules: RulesRig, level: Level) -> None:
    """It has failed before anybody saw it: its first poll tells that, once."""
    await rules.make(rig.alice, level=level)
    await rules.found(story.failing(3), to="failed")
    await rules.look(rules.copy())
    await rig.deliver()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.alice)] == ["card", "change"]


async def test_a_list_alone_ends_nothing(rig: Rig, rules: RulesRig) -> None:
    """It says that a run has failed which has not: nothing is told but by the poll."""
    await rules.make(rig.alice)
    execution = rig.gcs.play(story.failing(3), by_hand=True)
    rig.gcs.step(execution, to="failed")
    await rules.look()
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


async def test_what_ran_before_is_not_told(rig: Rig, rules: RulesRig) -> None:
    """Neither what is old, nor what began a moment before the rule."""
    rig.gcs.play(story.failing(3), ago=3000)
    rig.gcs.play(story.failing(3, seconds=1), ago=5)
    await rules.make(rig.alice, level=Level.STEPS)
    await rules.look()
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
    await rules.look()
    await asyncio.gather(*(rules.look(rules.copy()) for _ in range(3)))
    await rig.poll()
    await rig.deliver()
    await rig.later()
    assert rig.read(rig.lab).count("card") == len(executions)


async def test_what_could_not_be_stored_is_found_again(
    rig: Rig, rules: RulesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store goes away in the middle of a look, or the bot is killed there: another look follows the rest."""
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
        await rules.look()
    assert len(await rules.followed(rig.lab)) == 2
    await rules.look(rules.copy())
    assert set(await rules.followed(rig.lab)) == executions


async def test_a_run_that_somebody_stopped_stays_stopped(rig: Rig, rules: RulesRig) -> None:
    """The next look, and a bot that was started again, do not follow it once more."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = await rules.found(story.happy(3))
    await rig.deliver()
    await rig.subscriptions.unsubscribe(rig.who(rig.alice), execution)
    await rules.look()
    await rig.deliver()
    await rules.look(rules.copy())
    assert await rules.followed(rig.alice) == {}
    await rig.later()
    assert rig.read(rig.alice) == ["card"]


@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_what_was_stopped_before_a_look_stays_stopped(rig: Rig, rules: RulesRig, name: str) -> None:
    """It was followed by hand: no rule has seen it yet."""
    name = getattr(rig, name)
    await rules.make(name, level=Level.STEPS)
    execution = await rig.followed(name, life=story.happy(3))
    await rig.subscriptions.unsubscribe(rig.who(name), execution, by=rig.alice)
    await rig.later(times=2)  # its card has said so, and its subscription is forgotten
    for _ in range(2):
        await rules.look(rules.copy())
        assert await rules.followed(name) == {}
    new = await rules.found(story.happy(3))
    assert set(await rules.followed(name)) == {new}


@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_what_ended_before_a_look_is_told_once(rig: Rig, rules: RulesRig, name: str) -> None:
    """It was followed by hand until it was over: no rule has seen it yet."""
    name = getattr(rig, name)
    await rules.make(name, level=Level.STEPS)
    execution = await rig.followed(name, life=story.happy(3))
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    read = rig.read(name)
    await rules.look()
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
    await rules.look(rules.copy())
    await rig.poll()
    await rig.later(times=2)
    assert rig.read(rig.alice) == read
    assert len(read) == 2


async def test_what_came_while_no_bot_ran_is_told(rig: Rig, rules: RulesRig) -> None:
    """Two hours long; the next look goes back to the last one."""
    await rules.make(rig.alice)
    (key,) = rig.redis.scan_iter("*{rules*:rows")
    await rules.look()
    await rules.change(rig.alice, created_at=(await rules.rules(rig.alice))[0].created_at - timedelta(hours=5))
    through = str(key).replace("rows", "through")
    rig.redis.set(through, int(float(str(rig.redis.get(through)))) - 7_200_000)
    old = rig.gcs.play(story.failing(3, seconds=60), ago=4 * 3600)
    missed = rig.gcs.play(story.failing(3, seconds=60), ago=3600)
    await rules.look(rules.copy())
    assert set(await rules.followed(rig.alice)) == {missed}
    assert old
    await rig.poll()
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.alice)] == ["card", "change"]


async def test_the_sweepers_pages_show_new_runs(rig: Rig, rules: RulesRig) -> None:
    """While lists are read, nothing waits for the next look."""
    lists = SweeperRig(rig)
    lists.sweeper._finder = rules.finder
    await running(rig)
    await rules.make(rig.alice)
    await rules.look()
    await lists.read_round()
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    rig.gcs.step(execution, to="running 1/3")
    await lists.read_round()
    await rules.finder.run_once()
    assert set(await rules.followed(rig.alice)) == {execution}


async def test_a_look_that_fails_is_repeated(rig: Rig, rules: RulesRig) -> None:
    """What GCS did not show is found by the next one."""
    await rules.make(rig.alice)
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    rig.gcs.faults.add(Fault(kind="status", status=503, times=1))
    with pytest.raises(GCSError):
        await rules.look()
    await rules.look()
    assert set(await rules.followed(rig.alice)) == {execution}


async def test_a_list_that_stays_away_is_a_problem(rig: Rig, rules: RulesRig) -> None:
    """After five minutes `/readyz` says so, until a look succeeds; what came meanwhile is found."""
    await rules.make(rig.alice)
    rig.gcs.faults.add(Fault(kind="status", status=503, times=2))
    for _ in range(2):
        with pytest.raises(GCSError) as raised:
            await rules.look()
        rules.finder._failed(raised.value)
        rules.now += finder.FAILING_SECONDS
    assert "rules find no new ones" in (rules.finder.problem or "")
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    await rules.look()
    assert rules.finder.problem is None
    assert set(await rules.followed(rig.alice)) == {execution}


async def test_a_louder_rule_raises_what_is_followed(rig: Rig, rules: RulesRig) -> None:
    """One card for both; when the rule ends, the level is the one that was chosen."""
    await rules.make(rig.lab, level=Level.STEPS)
    execution = await rig.followed(rig.lab, life=story.happy(3), level=Level.FAILURES)
    await rules.look()
    assert await rules.followed(rig.lab) == {execution: Level.STEPS}
    await rig.step(execution, to="running 1/3")
    await rig.later()
    assert [each.split()[0] for each in rig.read(rig.lab)] == ["card", "change"]
    await rules.ended(rig.lab)
    assert await rules.followed(rig.lab) == {execution: Level.FAILURES}


async def test_following_by_hand_outlives_the_rule(rig: Rig, rules: RulesRig) -> None:
    """A run without a card gets one, at the louder level; the rule's end leaves it alone."""
    await rules.make(rig.alice)
    execution = await rules.found(story.happy(3))
    await rig.later()
    assert rig.read(rig.alice) == []
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=Level.MILESTONES, owner=rig.alice)
    await rig.deliver()
    assert rig.read(rig.alice) == ["card"]
    await rules.ended(rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.MILESTONES}


async def test_a_quieter_wish_does_not_silence_a_rule(rig: Rig, rules: RulesRig) -> None:
    """The louder level counts; the dialog sets exactly what is chosen there."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = await rules.found(story.happy(3))
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=Level.FAILURES, owner=rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.STEPS}
    await rig.subscriptions.change_level(rig.who(rig.alice), execution, Level.FINAL, by=rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.FINAL}


async def test_a_rule_in_between_is_not_lost(rig: Rig, rules: RulesRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the run while somebody follows it by hand, after the bot has looked whether they do already."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    find = rig.store.subscribers.find

    async def overtaken(subscriber: Subscriber, execution_id: str) -> Subscription | None:
        found = await find(subscriber, execution_id)
        monkeypatch.undo()
        await rules.look()
        return found

    monkeypatch.setattr(rig.store.subscribers, "find", overtaken)
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=Level.FAILURES, owner=rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.STEPS}
    await rules.ended(rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.FAILURES}


async def test_the_end_of_a_rule_is_said_once(rig: Rig, rules: RulesRig) -> None:
    """In the channel: who ended it; not for each run. The cards say that they are followed no longer."""
    await rules.make(rig.lab, level=Level.STEPS)
    for _ in range(3):
        await rules.found(story.happy(3))
    await rig.deliver()
    await rules.ended(rig.lab)
    await rules.finder.run_once()
    await rig.later()
    assert rig.read(rig.lab) == ["card"] * 4
    assert f"<@{rig.alice}> ended it" in texts(rig, rig.lab)[-1]
    assert "3 executions that were followed" in texts(rig, rig.lab)[-1]
    assert await rules.followed(rig.lab) == {}
    assert not [
        key for key in rig.left_over() if ":announced:" not in key and "passed" not in key and "rules" not in key
    ]


async def test_nobody_is_told_what_they_did(rig: Rig, rules: RulesRig) -> None:
    """A person who ended their own rule has read the reply."""
    await rules.make(rig.alice)
    await rules.found(story.happy(3))
    await rules.ended(rig.alice)
    assert rig.read(rig.alice) == []


async def test_another_rule_keeps_what_both_follow(rig: Rig, rules: RulesRig) -> None:
    """At its own level."""
    probe = rig.gcs.body(rig.gcs.play(story.happy(3), by_hand=True))
    assert probe is not None
    await rules.make(rig.lab, level=Level.STEPS)
    await rules.make(rig.lab, probe["enterprise_project"]["name"], kind=RuleKind.PROJECT, level=Level.FINAL)
    execution = await rules.found(story.happy(3))
    assert await rules.followed(rig.lab) == {execution: Level.STEPS}
    first, second = await rules.rules(rig.lab)
    await rig.subscriptions.rules.end(first.subscriber, first.id, by=rig.alice)
    assert await rules.followed(rig.lab) == {execution: Level.FINAL}
    await rig.subscriptions.rules.end(second.subscriber, second.id, by=rig.alice)
    assert await rules.followed(rig.lab) == {}


async def test_a_killed_end_is_finished(rig: Rig, rules: RulesRig) -> None:
    """The bot dies once it has noted the end: the finder says goodbye, and lets go."""
    await rules.make(rig.lab, level=Level.STEPS)
    await rules.found(story.happy(3))
    await rig.deliver()
    (rule,) = await rules.rules(rig.lab)
    await rig.store.rules.end(rule.subscriber, rule.id, by=rig.alice)
    for _ in range(2):
        await rules.copy().run_once()
    await rig.deliver()
    assert await rules.followed(rig.lab) == {}
    assert rig.read(rig.lab) == ["card", "card"]
    assert (await rig.store.rules.read()).rules == ()


async def test_a_rule_says_that_it_ends_soon(rig: Rig, rules: RulesRig) -> None:
    """A week before, once; a press of the button goes on for 90 days."""
    await rules.make(rig.lab)
    (rule,) = await rules.rules(rig.lab)
    await rules.change(rig.lab, expires_at=rule.created_at + timedelta(days=6))
    for _ in range(2):
        await rules.copy().run_once()
        await rig.deliver()
    assert len(texts(rig, rig.lab)) == 1
    assert "that ends" in texts(rig, rig.lab)[0]
    kept = await rig.subscriptions.rules.keep(rule.subscriber, rule.id)
    assert kept.expires_at - rule.created_at >= LASTS
    await rules.copy().run_once()
    await rig.later()
    assert len(texts(rig, rig.lab)) == 1


async def test_a_rule_ends_by_itself(rig: Rig, rules: RulesRig) -> None:
    """After 90 days, with a goodbye; nothing new is followed."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = await rules.found(story.happy(3))
    (rule,) = await rules.rules(rig.alice)
    await rules.change(rig.alice, expires_at=rule.created_at, is_announced=True)
    await rules.look()
    await rig.deliver()
    assert "The 90 days are over" in texts(rig, rig.alice)[-1]
    assert execution not in await rules.followed(rig.alice)
    await rules.found(story.happy(3))
    assert await rules.followed(rig.alice) == {}


async def test_the_same_rule_twice_changes_its_level(rig: Rig, rules: RulesRig) -> None:
    """Nothing is doubled, whatever the case; without a level it keeps its own."""
    first = await rules.make(rig.lab)
    again = await rules.make(rig.lab, "Germline-WGS", level=Level.FINAL)
    third = await rules.make(rig.lab)
    assert [each.rule.level for each in (first, again, third)] == [Level.FAILURES, Level.FINAL, Level.FINAL]
    assert again.was is not None
    assert len(await rules.rules(rig.lab)) == 1


async def test_a_place_has_so_many_rules(rig: Rig, rules: RulesRig) -> None:
    """One more is refused; others have their own."""
    for number in range(MOST_RULES):
        await rules.make(rig.lab, f"w{number}")
    with pytest.raises(TooManyRules):
        await rules.make(rig.lab, "one-more")
    await rules.make(rig.lab, "w3", level=Level.STEPS)
    await rules.make(rig.alice, "one-more")


async def test_a_full_rule_says_so_once(rig: Rig) -> None:
    """What is too much is not followed, until another run has ended."""
    rules = RulesRig(rig, most=2)
    await rules.make(rig.lab)
    executions = [await rules.found(story.happy(3)) for _ in range(4)]
    await rig.deliver()
    assert set(await rules.followed(rig.lab)) == set(executions[:2])
    assert len(texts(rig, rig.lab)) == 1
    assert "2 of them now" in texts(rig, rig.lab)[0]
    await rig.step(executions[0], to="succeeded")
    await rig.later()
    rules.now += finder.TIDY_SECONDS
    await rules.look()
    assert set(await rules.followed(rig.lab)) == {executions[1], executions[2]}, "it is still new"
    await rig.later()
    assert len(texts(rig, rig.lab)) == 1


async def test_rules_leave_room_for_what_people_choose(rig: Rig, rules: RulesRig) -> None:
    """What a rule has found does not count against what one person may follow."""
    await rules.make(rig.alice)
    for _ in range(3):
        await rules.found(story.happy(3))
    store = rig.store.subscribers
    execution = rig.gcs.play(story.happy(2), by_hand=True)
    snapshot = (await rig.subscriptions.summary(rig.slack.workspace.team_id, execution, rig.alice)).snapshot
    (subscription, _), *_ = (await store.of(rig.who(rig.alice))).items
    own = replace(subscription, execution_id=execution, is_by_rule=False)
    await store.subscribe(own, snapshot, first_poll=timedelta(0), most=1)
    assert len(await rules.followed(rig.alice)) == 4


async def test_a_channel_that_others_read_gets_nothing(rig: Rig, rules: RulesRig) -> None:
    """Failures and the goodbye wait for its approval; what is found is followed all the same."""
    await rules.make(rig.lab)
    team = rig.slack.workspace.team_id
    await rig.store.channels.note(team, rig.lab, is_shared=True, organisations=["T0THEM"])
    await rules.found(story.failing(3), to="failed")
    await rig.deliver()
    await rules.ended(rig.lab)
    assert rig.read(rig.lab) == []
    await rig.store.channels.approve(team, rig.lab, rig.alice, organisations=["T0THEM"])
    await rig.subscriptions.resume(rig.who(rig.lab))
    await rig.later(times=2)
    assert "ended it" in texts(rig, rig.lab)[-1]


async def test_a_dead_channel_ends_its_rules(rig: Rig, rules: RulesRig) -> None:
    """The owner reads why, and not again for each new run."""
    await rules.make(rig.lab)
    rig.fault("error", error="is_archived", times=1)
    for _ in range(2):
        await rules.found(story.failing(3), to="failed")
        await rig.deliver()
    await rig.later(times=2)
    assert await rules.rules(rig.lab) == ()
    assert len(texts(rig, rig.alice)) == 2
    assert any("any more: the channel is archived" in text for text in texts(rig, rig.alice))


async def test_a_persons_rules_are_forgotten(rig: Rig, rules: RulesRig) -> None:
    """Channels keep theirs, without the name."""
    await rules.make(rig.alice)
    await rules.make(rig.lab)
    await rules.found(story.happy(3))
    forgotten = await rig.subscriptions.forget(rig.who(rig.alice))
    assert (forgotten.subscriptions, forgotten.owned) == (2, 2)
    assert await rules.rules(rig.alice) == ()
    (kept,) = await rules.rules(rig.lab)
    assert kept.owner == ""
    await rules.found(story.happy(3))
    assert len(await rules.followed(rig.lab)) == 2
    assert await rules.followed(rig.alice) == {}
