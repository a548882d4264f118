"""A rule that ends says so once in its place, and lets go what only it follows.

Lives here: ends by people, by time and for a dead channel, and what waits for an approval. Does not live here: what
rules find (`test_finder`) and at which level (`test_rules`). Called by pytest.
"""

from __future__ import annotations

import asyncio
from datetime import time, timedelta

import pytest

from bot.domain.following import Level, Rule, RuleNews
from bot.domain.quiet import QuietHours
from bot.domain.rules import LASTS
from bot.store.rows import EPOCH
from sandbox import story
from tests.servers import let_night_pass
from tests.workers.rig import Rig
from tests.workers.rules_rig import RulesRig

WHOLE_DAY = QuietHours(begins=time(0), ends=time(0), zone="UTC")


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
    assert f"<@{rig.alice}> ended it" in rig.texts(rig.lab)[-1]
    assert "3 executions followed because of it" in rig.texts(rig.lab)[-1]
    assert await rules.followed(rig.lab) == {}
    assert not [
        key for key in rig.left_over() if ":announced:" not in key and "passed" not in key and "rules" not in key
    ]


async def test_nobody_is_notified_of_what_they_did(rig: Rig, rules: RulesRig) -> None:
    """A person who ended their own rule has read the reply."""
    await rules.make(rig.alice)
    await rules.found(story.happy(3))
    await rules.ended(rig.alice)
    assert rig.read(rig.alice) == []


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
    assert len(rig.texts(rig.lab)) == 1
    assert "that ends" in rig.texts(rig.lab)[0]
    kept = await rig.subscriptions.rules.keep(rule.subscriber, rule.id)
    assert kept.expires_at - rule.created_at >= LASTS
    await rules.copy().run_once()
    await rig.later()
    assert len(rig.texts(rig.lab)) == 1


async def announced_at_night(rig: Rig, rules: RulesRig) -> Rule:
    """A rule of Alice's, of which it is said in her quiet hours that it ends soon."""
    await rules.make(rig.alice)
    (rule,) = await rules.rules(rig.alice)
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), WHOLE_DAY)
    await rules.change(rig.alice, expires_at=rule.created_at + timedelta(days=6))
    await rules.finder.run_once()
    return rule


async def test_quiet_hours_hold_word_of_rules(rig: Rig, rules: RulesRig) -> None:
    """That one ends soon is said at the hour at which it was made, perhaps at night: it comes in the morning."""
    await announced_at_night(rig, rules)
    await rig.deliver()
    assert rig.texts(rig.alice) == []
    (wait,) = rig.waits()
    assert wait > 0
    let_night_pass(rig.redis)
    await rig.deliver()
    assert ["that ends" in text for text in rig.texts(rig.alice)] == [True]


async def test_what_quiet_held_is_not_overdue(rig: Rig, rules: RulesRig) -> None:
    """Slack refuses it once in the morning, hours after it was written: it is tried again."""
    rule = await announced_at_night(rig, rules)
    (key,) = rig.redis.scan_iter("*}:subs:*")
    level, owner, _, *rest = str(rig.redis.hget(str(key), rig.alice)).split("|")
    evening = (rule.created_at - timedelta(hours=8) - EPOCH) // timedelta(milliseconds=1)
    rig.redis.hset(str(key), rig.alice, "|".join([level, owner, str(evening), *rest]))
    let_night_pass(rig.redis)
    rig.fault("error", error="invalid_blocks", times=2)
    await rig.deliver()
    assert rig.redis.keys("*:dead") == []
    await rig.later()
    assert len(rig.texts(rig.alice)) == 1


async def test_a_rule_kept_meanwhile_is_kept(rig: Rig, rules: RulesRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody presses the button before it is noted that the end was announced."""
    await rules.make(rig.lab)
    (rule,) = await rules.rules(rig.lab)
    await rules.change(rig.lab, expires_at=rule.created_at + timedelta(days=6))
    announce = rig.store.enlisting.announce

    async def announced(news: RuleNews) -> None:
        await announce(news)
        await rig.subscriptions.rules.keep(rule.subscriber, rule.id)

    monkeypatch.setattr(rig.store.enlisting, "announce", announced)
    await rules.finder.run_once()
    (kept,) = await rules.rules(rig.lab)
    assert (kept.is_announced, kept.expires_at - rule.created_at >= LASTS) == (False, True)


async def test_no_rule_ends_without_notice(rig: Rig, rules: RulesRig) -> None:
    """No bot ran in the week before its end, or the clock was set forward: it is said now, and a week is left.

    Once, though two copies find that at the same time.
    """
    await rules.make(rig.alice, level=Level.STEPS)
    (rule,) = await rules.rules(rig.alice)
    await rules.change(rig.alice, expires_at=rule.created_at - timedelta(days=1))
    for _ in range(2):
        await asyncio.gather(*(rules.copy().run_once() for _ in range(2)))
        await rig.deliver()
    assert ["that ends" in line for line in rig.texts(rig.alice)] == [True]
    (kept,) = await rules.rules(rig.alice)
    assert kept.expires_at - rule.created_at > timedelta(days=7)
    assert await rules.found(story.happy(3)) in await rules.followed(rig.alice)


async def test_a_rule_ends_by_itself(rig: Rig, rules: RulesRig) -> None:
    """After 90 days, with a goodbye; nothing new is followed."""
    await rules.make(rig.alice, level=Level.STEPS)
    execution = await rules.found(story.happy(3))
    (rule,) = await rules.rules(rig.alice)
    await rules.change(rig.alice, expires_at=rule.created_at, is_announced=True)
    await rules.scan()
    await rig.deliver()
    assert "The 90 days are over" in rig.texts(rig.alice)[-1]
    assert execution not in await rules.followed(rig.alice)
    await rules.found(story.happy(3))
    assert await rules.followed(rig.alice) == {}


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
    assert "ended it" in rig.texts(rig.lab)[-1]


async def test_a_dead_channel_ends_its_rules(rig: Rig, rules: RulesRig) -> None:
    """The owner reads why, and not again for each new run."""
    await rules.make(rig.lab)
    rig.fault("error", error="is_archived", times=1)
    for _ in range(2):
        await rules.found(story.failing(3), to="failed")
        await rig.deliver()
    await rig.later(times=2)
    assert await rules.rules(rig.lab) == ()
    assert len(rig.texts(rig.alice)) == 2
    assert any(": the channel is archived" in text for text in rig.texts(rig.alice))


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
