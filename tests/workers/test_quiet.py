"""What people read who want quiet: nothing but failures, and afterwards everything, once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

import pytest

from bot.domain.following import Quiet
from bot.domain.quiet import MuteFor, QuietHours
from handlers.replies import muted_reply, unmuted_reply
from sandbox import story
from sandbox.story import Life
from tests.servers import expire_claims, let_quiet_end
from tests.workers.rig import Rig

HOUR, END = MuteFor.HOUR, MuteFor.END


async def muted(rig: Rig, name: str, span: MuteFor, *, life: Life | None = None, everything: bool = False) -> str:
    """Follow a life and mute it, with the card that says so."""
    execution = await rig.followed(name, life=life)
    await rig.subscriptions.quiet.mute(rig.who(name), execution, span, everything, by=rig.alice)
    await rig.deliver()
    return execution


async def silence(rig: Rig, name: str) -> list[str]:
    """What comes after a mute is over."""
    before = len(rig.read(name))
    let_quiet_end(rig.redis)
    await rig.deliver()
    return rig.read(name)[before:]


async def test_nothing_is_read_while_muted(rig: Rig) -> None:
    """Not a call to Slack either; then one line for all that was, the end, and the card."""
    execution = await muted(rig, rig.alice, HOUR)
    (card,) = rig.slack.messages(rig.place(rig.alice))
    assert "muted until" in card.text
    calls = len(rig.slack.calls)
    while rig.gcs.step(execution) is not None:
        await rig.poll()
        assert await rig.deliver() == 0
    assert len(rig.slack.calls) == calls
    assert [part.partition(" ")[0] for part in await silence(rig, rig.alice)] == ["change", "change"]
    card, _, end = rig.slack.messages(rig.place(rig.alice))
    assert "Succeeded" in end.text
    assert ("muted" in card.text, "Succeeded" in card.text) == (False, True)
    await rig.later(times=3)
    assert len(rig.read(rig.alice)) == 3
    assert rig.left_over() == []


async def test_until_it_ends_brings_the_end(rig: Rig) -> None:
    """With what was before it, and without anybody's doing."""
    execution = await muted(rig, rig.alice, END)
    assert "muted until it ends" in rig.cards(rig.alice)[0]
    await rig.step(execution)
    await rig.step(execution)
    await rig.later()
    assert rig.read(rig.alice) == ["card"]
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert len(rig.read(rig.alice)) == 3
    assert rig.left_over() == []


@pytest.mark.parametrize("is_in_doubt", [False, True])
async def test_word_of_a_mute_brings_no_more(rig: Rig, is_in_doubt: bool) -> None:
    """Slack took who muted the channel only after the next step was done: that step is kept all the same."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("drop_after" if is_in_doubt else "ratelimited", times=1, retry_after=30)
    await rig.subscriptions.quiet.mute(rig.who(rig.lab), execution, HOUR, by=rig.alice)
    await rig.deliver()
    await rig.step(execution)
    await rig.later(times=3)
    lines = [message.text for message in rig.slack.messages(rig.lab)][1:]
    assert ["muted" in line for line in lines] == [True]
    assert [part.partition(" ")[0] for part in await silence(rig, rig.lab)] == ["change"]


async def test_a_longer_mute_brings_nothing(rig: Rig) -> None:
    """Others mute for longer what is muted: the thread says so in that order, and what waits goes on waiting."""
    execution = await muted(rig, rig.lab, HOUR, life=story.happy(6))
    await rig.step(execution)
    await rig.step(execution)
    for span in (END, MuteFor.EIGHT_HOURS):
        await rig.subscriptions.quiet.mute(rig.who(rig.lab), execution, span, by=rig.alice)
    await rig.later(times=3)
    assert rig.read(rig.lab) == ["card", *["notice"] * 3]
    assert ["until it ends" in text for text in rig.texts(rig.lab)[2:]] == [True, False]
    await rig.step(execution)
    await rig.later(times=2)
    assert await silence(rig, rig.lab) == ["change 4"]


@pytest.mark.parametrize("everything", [False, True])
async def test_a_failure_comes_unless_it_is_muted(rig: Rig, everything: bool) -> None:
    """The run's own, at once, or with the end of the mute."""
    execution = await muted(rig, rig.lab, HOUR, life=story.failing(2), everything=everything)
    read = len(rig.read(rig.lab))
    await rig.step(execution, to="failed")
    await rig.deliver()
    assert (len(rig.read(rig.lab)) > read) is not everything
    if everything:
        assert await silence(rig, rig.lab)
    assert "Failed" in rig.slack.messages(rig.lab)[-1].text


async def test_unmuting_brings_what_waits(rig: Rig) -> None:
    """At once, in one line; the thread of a channel says who did both."""
    execution = await muted(rig, rig.lab, HOUR, life=story.happy(4))
    await rig.step(execution)
    await rig.step(execution)
    await rig.later()
    assert rig.read(rig.lab) == ["card", "notice"]
    await rig.subscriptions.quiet.unmute(rig.who(rig.lab), execution, by=rig.alice)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "notice", "change 3", "notice"]
    texts = [message.text for message in rig.slack.messages(rig.lab)]
    assert f"<@{rig.alice}> muted this execution here until" in texts[1]
    assert f"<@{rig.alice}> unmuted this execution here." in texts[3]


async def test_a_person_reads_who_muted_theirs(rig: Rig) -> None:
    """Somebody else in the channel did: the owner reads it in person, as with every change of it."""
    bob = rig.slack.add_user("bob")
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.quiet.mute(rig.who(rig.lab), execution, HOUR, by=bob)
    await rig.deliver()
    (notice,) = rig.slack.messages(rig.place(rig.alice))
    assert f"<@{bob}> muted this execution there until" in notice.text


async def test_a_refresh_edits_and_posts_nothing(rig: Rig) -> None:
    """Who looks at the card of what they muted sees how it is."""
    execution = await muted(rig, rig.alice, HOUR, life=story.happy(4))
    await rig.step(execution)
    await rig.subscriptions.refresh_card(rig.who(rig.alice), execution)
    await rig.deliver()
    assert rig.read(rig.alice) == ["card"]
    assert "Running" in rig.cards(rig.alice)[0]
    assert await rig.deliver() == 0


async def test_a_crash_while_muted_doubles_nothing(rig: Rig) -> None:
    """A send whose answer was lost before the mute is found when something is delivered again, and not before."""
    execution = await rig.followed(rig.alice, life=story.happy(4))
    rig.fault("drop_after")
    await rig.step(execution)
    await rig.deliver()
    read = rig.read(rig.alice)
    await rig.subscriptions.quiet.mute(rig.who(rig.alice), execution, HOUR, by=rig.alice)
    await rig.later(times=2)
    await rig.step(execution)
    expire_claims(rig.redis)
    await rig.later(times=2)
    assert rig.read(rig.alice) == read
    await silence(rig, rig.alice)
    await rig.later(times=2)
    parts = rig.read(rig.alice)
    assert len(parts) == len(set(parts)) == len(read) + 1


async def test_a_long_mute_is_no_long_wait(rig: Rig) -> None:
    """Slack refuses the first message after a night: it is tried again, not given up as overdue."""
    execution = await muted(rig, rig.alice, HOUR)
    await rig.step(execution)
    (item,) = list(rig.redis.scan_iter("*changes:*"))
    entry = str(rig.redis.lindex(str(item), 0))
    long_ago = re.sub('"at":"[^"]*"', '"at":"2026-01-01T00:00:00Z"', entry)
    rig.redis.lset(str(item), 0, long_ago)
    rig.fault("error", error="invalid_blocks", times=2)
    let_quiet_end(rig.redis)
    await rig.deliver()
    assert rig.redis.keys("*:dead") == []
    await rig.later(times=2)
    assert len(rig.read(rig.alice)) == 2


async def test_quiet_hours_hold_and_end_at_once(rig: Rig) -> None:
    """Of one person: the channel reads on; what is followed meanwhile has them; withdrawn, everything comes."""
    execution = await rig.followed(rig.alice, rig.lab, life=story.happy(4))
    whole_day = QuietHours(begins=time(0), ends=time(0), zone="UTC")
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), whole_day)
    other = await rig.followed(rig.alice, life=story.happy(4))
    assert rig.read(rig.alice) == ["card", "card"]
    for each in (execution, other):
        await rig.step(each)
        await rig.step(each)
    await rig.deliver()
    assert rig.read(rig.alice) == ["card", "card"]
    assert len(rig.read(rig.lab)) > 1
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), None)
    await rig.deliver()
    assert len(rig.read(rig.alice)) == 4
    await rig.later(times=2)
    assert len(rig.read(rig.alice)) == 4


@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_an_end_that_waits_may_be_stopped(rig: Rig, name: str) -> None:
    """Who stops following reads nothing of it afterwards, and a channel who did; a second time there is nothing."""
    who = getattr(rig, name)
    execution = await muted(rig, who, HOUR)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    before = rig.read(who)
    for was_followed in (True, False):
        done = await rig.subscriptions.unsubscribe(rig.who(who), execution, by=rig.alice)
        assert done.was_followed is was_followed
    await rig.deliver()
    assert rig.read(who)[len(before) :] == (["notice"] if who == rig.lab else [])
    assert await silence(rig, who) == []
    assert rig.left_over() == []


async def test_replies_know_quiet_hours(rig: Rig) -> None:
    """What ends in them, a mute or somebody's wish for one, brings nothing before they are over."""
    execution, who = await rig.followed(rig.alice), rig.who(rig.alice)
    now = datetime.now(UTC)
    hours = Quiet(since=now - timedelta(hours=1), until=now + timedelta(hours=7), holds_failures=True)
    await rig.store.subscribers.keep_hours(who, hours)
    muting = muted_reply(await rig.subscriptions.quiet.mute(who, execution, HOUR, by=rig.alice)).text
    assert "Your quiet hours last until" in muting
    assert "Failures wait too" in muting
    longer = muted_reply(await rig.subscriptions.quiet.mute(who, execution, MuteFor.EIGHT_HOURS, by=rig.alice)).text
    assert "What happens meanwhile comes then. Failures still come" in longer
    unmuting = unmuted_reply(await rig.subscriptions.quiet.unmute(who, execution, by=rig.alice)).text
    assert "what was waiting comes then" in unmuting


async def test_hours_know_the_zone_of_a_mute(rig: Rig) -> None:
    """Slack does not say where the person lives; their quiet hours do."""
    execution = await rig.followed(rig.alice)
    hours = QuietHours(begins=time(22), ends=time(7), zone="Asia/Shanghai")
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), hours)
    done = await rig.subscriptions.quiet.mute(rig.who(rig.alice), execution, MuteFor.TOMORROW, by=rig.alice)
    assert done.subscription.muted is not None
    assert done.subscription.muted.until is not None
    assert done.subscription.muted.until.astimezone(UTC).hour == 1
