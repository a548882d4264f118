"""Rules beside what people follow themselves and beside each other: levels, and how many there may be.

Lives here: the level that counts, what one rule may follow and one place may have. Does not live here: what is found
(`test_finder`), how rules end (`test_rule_ends`). Called by pytest.
"""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from msgspec.structs import replace

from bot.domain.following import Level, RuleKind, Subscriber, Subscription
from bot.domain.quiet import QuietHours
from bot.errors import TooManyRules
from bot.store.rules import MOST_RULES
from bot.workers.sweeper import finder
from sandbox import story
from tests.servers import age_places
from tests.workers.rig import Rig
from tests.workers.rules_rig import RulesRig


async def test_a_louder_rule_raises_what_is_followed(rig: Rig, rules: RulesRig) -> None:
    """One card for both; when the rule ends, the level is the one that was chosen."""
    await rules.make(rig.lab, level=Level.STEPS)
    execution = await rig.followed(rig.lab, life=story.happy(3), level=Level.FAILURES)
    await rules.scan()
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
    """The louder level counts; the modal sets exactly what is chosen there."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = await rules.found(story.happy(3))
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=Level.FAILURES, owner=rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.STEPS}
    await rig.subscriptions.change_level(rig.who(rig.alice), execution, Level.FINAL, by=rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.FINAL}


async def test_a_rule_in_between_is_not_lost(rig: Rig, rules: RulesRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the run while somebody follows it by hand, after the bot has checked whether they do already."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = rig.gcs.play(story.happy(3), by_hand=True)
    find = rig.store.subscribers.find

    async def overtaken(subscriber: Subscriber, execution_id: str) -> Subscription | None:
        found = await find(subscriber, execution_id)
        monkeypatch.undo()
        await rules.scan()
        return found

    monkeypatch.setattr(rig.store.subscribers, "find", overtaken)
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=Level.FAILURES, owner=rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.STEPS}
    await rules.ended(rig.alice)
    assert await rules.followed(rig.alice) == {execution: Level.FAILURES}


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
    assert len(rig.texts(rig.lab)) == 1
    assert "I now follow 2 of them" in rig.texts(rig.lab)[0]
    await rig.step(executions[0], to="succeeded")
    await rig.later()
    rules.now += finder.TIDY_SECONDS
    await rules.scan()
    assert set(await rules.followed(rig.lab)) == {executions[1], executions[2]}, "it is still new"
    await rig.later()
    assert len(rig.texts(rig.lab)) == 1


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


@pytest.mark.parametrize("level", [Level.FINAL, Level.MILESTONES])
@pytest.mark.parametrize("is_tidied", [False, True])
async def test_withdrawn_hours_bring_what_rules_follow(
    rig: Rig, rules: RulesRig, level: Level, *, is_tidied: bool
) -> None:
    """What has ended by then and what still runs, however often the lists were scanned meanwhile."""
    whole_day = QuietHours(begins=time(0), ends=time(0), zone="UTC")
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), whole_day)
    await rules.make(rig.alice, level=level)
    ended, running = await rules.found(story.happy(2)), await rules.found(story.happy(3))
    await rig.step(ended, to="succeeded")
    await rig.deliver()
    for _ in range(2):
        if is_tidied:
            for rule in await rules.rules(rig.alice):
                age_places(rig.redis, rule)
                await rig.store.enlisting.tidy(rule)
        await rules.scan(rules.copy())
        await rig.deliver()
    assert rig.read(rig.alice) == []
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), None)
    await rig.deliver()
    has_two_cards = level is Level.MILESTONES  # what still runs has one at that level
    assert rig.read(rig.alice) == ["card", *["card"] * has_two_cards, "change 3"]
    await rig.step(running, to="succeeded")
    await rig.deliver()
    assert sorted(rig.read(rig.alice)) == ["card", "card", "change 3", "change 3"]
    await rig.later(times=2)
    assert await rig.store.subscribers.that_follow(rig.who(rig.alice).team_id, [rig.alice]) == []
