"""What people read while Slack refuses calls: each refusal has its meaning, and none loses anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import monotonic

import msgspec
import pytest
from structlog.testing import capture_logs

from bot.domain.change import Change
from bot.domain.following import Level
from bot.metrics import SLACK_FAILURES
from bot.store.keys import PARTITIONS
from bot.workers import pool
from bot.workers.notifier import Notifier, card_failures
from bot.workers.notifier.card_failures import EDIT_TRIES, ENDING_TRIES
from sandbox import story
from sandbox.slack.catalogue import all_scopes
from tests.servers import let_time_pass
from tests.workers.rig import Rig, ample_limits

UNDER_WAY = replace(story.happy(2), frames=story.happy(2).frames[1:])
"""A life whose first frame already has steps."""


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_retry_after_pauses_every_caller(rig: Rig, method: str) -> None:
    """Nobody calls that method, not for an outcome, a button or after a restart; then it is delivered once."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("ratelimited", method, retry_after=30)
    await rig.step(execution)
    await rig.deliver()
    refused = rig.times(method)
    await rig.step(execution, to="succeeded")
    await rig.store.subscribers.refresh(rig.who(rig.lab), execution)
    await rig.store.recover()
    await rig.deliver()
    assert rig.times(method) == refused
    assert [wait for wait in rig.waits() if wait > 0] == [pytest.approx(30, abs=1.5)] * 2
    await rig.later(times=2)
    assert rig.read(rig.lab)[-1] == rig.read(rig.alice)[-1] == "change 3"
    assert rig.left_over() == []


async def test_methods_are_limited_separately(rig: Rig) -> None:
    """While cards cannot be edited, thread lines are still posted."""
    execution = await rig.followed(rig.lab)
    rig.fault("ratelimited", "chat.update", retry_after=30)
    for _ in range(2):
        await rig.step(execution)
        await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
    assert rig.times("chat.update") == 1


async def test_a_card_without_blocks_is_better_than_none(rig: Rig) -> None:
    """If Slack refuses the blocks, the plain text is posted; other cards still try blocks."""
    rig.fault("error", error="invalid_blocks")
    await rig.followed(rig.lab)
    (card,) = rig.slack.messages(rig.lab)
    assert (card.blocks, "Pending" in card.text) == ([], True)
    await rig.followed(rig.lab, life=UNDER_WAY)
    assert rig.slack.messages(rig.lab)[1].blocks


async def test_a_refused_message_is_retried_rarely(rig: Rig) -> None:
    """It is retried after a minute, and delays no other lane."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("error", error="msg_too_long", channel=rig.lab, times=None)
    await rig.step(execution)
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=1)]
    assert rig.read(rig.alice) == ["card", "change 2"]


async def test_an_hour_of_refusals_is_given_up(rig: Rig) -> None:
    """It ends like an unreachable destination: its owner hears why, and there is a dead letter."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="msg_too_long", channel=rig.lab, times=None)
    await rig.step(execution)
    assert aged(rig, hours=2) == 1
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["dead"])
    (letter,) = await rig.store.outbox.dead_letters()
    assert (letter.reason, letter.undelivered) == ("msg_too_long", 1)


async def test_a_deleted_card_is_posted_again(rig: Rig) -> None:
    """Deleting the card does not end the subscription."""
    execution = await rig.followed(rig.lab, level=Level.FINAL)
    rig.delete_card()
    await rig.step(execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert "Running" in rig.cards(rig.lab)[0]


async def test_a_line_for_a_deleted_card_reposts_it(rig: Rig) -> None:
    """The thread starts again under the new card, and what was delivered before is not repeated."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution)
    await rig.deliver()
    rig.delete_card()
    await rig.step(execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["change 2", "card", "change 3"]


@pytest.mark.parametrize("code", ["cant_update_message", "edit_window_closed", "is_inactive"])
async def test_a_card_that_cannot_be_edited_stays(rig: Rig, code: str) -> None:
    """It is not posted again and soon no longer edited; its thread goes on to the outcome."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", "chat.update", error=code, times=None)
    for _ in range(5):
        await rig.step(execution)
        await rig.deliver()
        await rig.later()
    assert (rig.times("chat.update"), rig.waits()) == (EDIT_TRIES, [])
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    card, *lines = rig.slack.messages(rig.lab)
    assert [part for part in rig.read(rig.lab) if part != "left"] == [
        "card",
        *(f"change {revision}" for revision in range(2, 8)),
    ]
    assert rig.read(rig.lab).count("left") == 1
    assert {line.thread_ts for line in lines} == {card.ts}
    assert rig.left_over() == []


async def test_a_restart_does_not_edit_a_left_card(rig: Rig) -> None:
    """The receipt says that the card stays; a press of its button asks Slack once more."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", "chat.update", error="cant_update_message", times=EDIT_TRIES)
    await rig.step(execution)
    await rig.deliver()
    await rig.later(times=EDIT_TRIES)
    other = Notifier(rig.door, rig.store.outbox, ample_limits(rig.store), rig.store.channels, rig.store.brake)
    await rig.step(execution)
    await other.run_once()
    assert (rig.times("chat.update"), rig.read(rig.lab)) == (EDIT_TRIES, ["card", "change 2", "left", "change 3"])
    await rig.store.subscribers.refresh(rig.who(rig.lab), execution)
    await rig.poll()
    await other.run_once()
    assert rig.times("chat.update") == EDIT_TRIES + 1
    assert "1 of 2" in rig.cards(rig.lab)[0]


async def test_a_card_that_vanishes_is_reposted_once(rig: Rig) -> None:
    """Slack says of the new card, too, that it does not exist: no third one follows."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", "chat.update", error="message_not_found", times=None)
    for _ in range(5):
        await rig.step(execution)
        await rig.deliver()
        await rig.later()
    assert len(rig.cards(rig.lab)) == 2
    assert rig.read(rig.lab)[-1] == "change 6"


async def test_a_thread_that_vanishes_ends_nothing(rig: Rig) -> None:
    """The card is deleted, and the new one as well: changes then come without a thread."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    for _ in range(2):
        rig.delete_card()
        await rig.step(execution)
        await rig.deliver()
    assert rig.read(rig.lab) == ["change 2", "change 3"]
    assert rig.slack.messages(rig.lab)[-1].thread_ts is None
    assert await rig.store.outbox.dead_letters() == []
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution)


async def test_an_ended_subscription_needs_no_edit(rig: Rig) -> None:
    """What ended is forgotten at once when its card cannot be edited, and in the end with an unknown code too."""
    execution = await rig.followed(rig.lab, rig.alice)
    rig.fault("error", "chat.update", error="cant_update_message", channel=rig.lab)
    rig.fault("error", "chat.update", error="a_code_of_next_year", times=None)
    for name in (rig.lab, rig.alice):
        await rig.subscriptions.unsubscribe(rig.who(name), execution)
    await rig.deliver()
    assert [await rig.store.subscribers.find(rig.who(rig.lab), execution), bool(rig.left_over())] == [None, True]
    await rig.later(times=ENDING_TRIES)
    assert rig.left_over() == []


async def test_suspended_messages_come_once_allowed(rig: Rig) -> None:
    """The admins of the organisation suspended them: nothing ends, and nobody has to ask again."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", None, error="ekm_access_denied", channel=rig.lab, times=None)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=2)]
    await rig.later(times=3)
    assert (rig.read(rig.lab), await rig.store.outbox.dead_letters()) == (["card"], [])
    rig.slack.faults.clear()
    await rig.later()
    assert (rig.read(rig.lab), rig.left_over()) == (["card", "change 2"], [])


EDIT_REFUSALS = ["ekm_access_denied", "access_denied", "is_archived", "msg_too_long", "a_code_of_next_year"]
"""Codes that say much about a channel when it refuses a post, and nothing when it refuses an edit."""


@pytest.mark.parametrize("code", EDIT_REFUSALS)
async def test_a_refused_edit_holds_no_outcome(rig: Rig, code: str) -> None:
    """Nothing ends for it; lines and the outcome come at once, and the card is edited again when Slack allows that."""
    execution = await rig.followed(rig.lab, rig.alice, life=story.happy(6))
    rig.fault("error", "chat.update", error=code, channel=rig.lab, times=None)
    await rig.step(execution)
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=2)]
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab)[-1] == rig.read(rig.alice)[-1] == "change 3"
    assert await rig.store.outbox.dead_letters() == []
    assert not await rig.store.brake.owners()


async def test_a_card_is_edited_after_a_refusal(rig: Rig) -> None:
    """Admins suspended the channel for a while: pauses grow meanwhile, and the card is not left."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", "chat.update", error="ekm_access_denied", times=5)
    await rig.step(execution)
    await rig.deliver()
    pauses = rig.waits()
    for _ in range(4):
        await rig.later()
        pauses += rig.waits()
    assert pauses == [pytest.approx(60 * minutes, abs=3) for minutes in (1, 2, 4, 8, 16)]
    await rig.later()
    assert (rig.read(rig.lab), rig.waits()) == (["card", "change 2"], [])
    assert "Running" in rig.cards(rig.lab)[0]


@pytest.mark.parametrize("code", EDIT_REFUSALS)
async def test_a_refused_edit_after_a_crash_holds_nothing(rig: Rig, code: str) -> None:
    """The worker died while it edited the card: that doubt does not keep the outcome for the pause of the edit."""
    execution = await rig.followed(rig.lab, life=story.happy(6), level=Level.FINAL)
    await rig.step(execution)
    claims = [await rig.store.outbox.claim(number, 1) for number in range(PARTITIONS)]
    assert sum(map(len, claims)) == 1
    rig.fault("error", "chat.update", error=code, times=None)
    await rig.after_a_crash()
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab)[-1].startswith("change")


@pytest.mark.parametrize("hours", [0, 48])
async def test_pauses_after_an_unknown_code_grow(rig: Rig, hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as long each time, an hour at most; that the message had waited for something else makes them no longer."""
    passed = [0.0]
    monkeypatch.setattr(card_failures, "monotonic", lambda: monotonic() + sum(passed))
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="workspace_under_maintenance", times=8)
    await rig.step(execution)
    aged(rig, hours=hours)
    await rig.deliver()
    pauses = rig.waits()
    for _ in range(7):
        passed.append(pauses[-1])
        await rig.later()
        pauses += rig.waits()
    assert pauses == [pytest.approx(60 * minutes, abs=5) for minutes in (1, 2, 4, 8, 16, 32, 60, 60)]
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    rig.fault("error", error="workspace_under_maintenance")
    await rig.step(execution)
    await rig.deliver()
    assert rig.waits() == [pytest.approx(60, abs=5)]


async def test_news_makes_no_pause_longer(rig: Rig) -> None:
    """A lane that is refused is tried again when something happens, and then pauses as long as before."""
    execution = await rig.followed(rig.lab, life=story.happy(6))
    rig.fault("error", error="workspace_under_maintenance", times=4)
    for _ in range(4):
        await rig.step(execution)
        await rig.deliver()
        assert rig.waits() == [pytest.approx(60, abs=5)]
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 5"]


async def test_readiness_names_an_unknown_code(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the next try at least, and no longer than it lasts; a metric counts it."""
    counter = SLACK_FAILURES.labels("chat.postMessage", "unknown")
    before = counter._value.get()
    execution = await rig.followed(rig.lab)
    rig.fault("error", error="external_channel_migrating")
    await rig.step(execution)
    await rig.deliver()
    monkeypatch.setattr(pool, "monotonic", lambda: monotonic() + 59)
    assert "chat.postMessage" in str(rig.notifier.problem)
    assert "external_channel_migrating" in str(rig.notifier.problem)
    assert counter._value.get() == before + 1
    await rig.later()
    assert (rig.read(rig.lab), rig.notifier.problem) == (["card", "change 2"], None)


async def test_an_unknown_code_delays_nobody_else(rig: Rig) -> None:
    """One channel migrates: all others are delivered at once, and the bot is ready."""
    bob = rig.slack.add_user("bob")
    await rig.follow(rig.lab)
    rig.fault("error", error="external_channel_migrating", channel=rig.lab, times=None)
    await rig.deliver()
    await rig.follow(bob)
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(bob), rig.notifier.problem) == ([], ["card"], None)


async def test_a_revoked_token_loses_nothing(rig: Rig) -> None:
    """Lanes wait, readiness has a reason, and with a good token everything is delivered."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", None, error="token_revoked", times=None)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert str(rig.notifier.problem) == "Slack refuses the token: token_revoked"
    rig.slack.faults.clear()
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert not rig.notifier.problem


TOKEN_CODES = ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "accesslimited"]


@pytest.mark.parametrize("code", TOKEN_CODES)
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_one_call_says_nothing_about_the_token(rig: Rig, method: str, code: str) -> None:
    """`auth.test` accepts the token: one lane waits ever longer, all others are told, and nothing ends."""
    execution = await rig.followed(rig.lab, rig.alice, life=story.happy(8))
    rig.fault("error", method, error=code, channel=rig.lab, times=3)
    await rig.step(execution)
    await rig.deliver()
    pauses = rig.waits()
    assert rig.read(rig.alice) == ["card", "change 2"]
    for _ in range(2):
        aged(rig, hours=0.05)
        await rig.later()
        pauses += rig.waits()
    assert (len(pauses), pauses == sorted(pauses)) == (3, True)
    assert pauses[0] == pytest.approx(60, abs=3)
    assert rig.times("auth.test") == 1
    assert not await ample_limits(rig.store).paused(rig.slack.workspace.team_id, "*")
    await rig.later()
    assert (rig.read(rig.lab), rig.waits(), rig.notifier.problem) == (["card", "change 2"], [], None)


async def test_readiness_names_a_call_that_is_refused(rig: Rig) -> None:
    """Until that method succeeds again; it does not say that the token is refused."""
    await rig.follow(rig.lab)
    rig.fault("error", error="token_revoked")
    await rig.deliver()
    assert rig.notifier.problem == "Slack refuses chat.postMessage with token_revoked, and accepts the token"


@pytest.mark.parametrize("fault", [("error", {"error": "internal_error"}), ("status", {}), ("ratelimited", {})])
async def test_no_word_on_the_token_pauses_nobody(rig: Rig, fault: tuple[str, dict[str, str]]) -> None:
    """Only a refusal by `auth.test` itself does."""
    await rig.follow(rig.lab, rig.alice)
    rig.fault("error", error="token_revoked", channel=rig.lab)
    rig.fault(fault[0], "auth.test", **fault[1])
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == ([], ["card"])


async def test_many_refused_calls_ask_once(rig: Rig) -> None:
    """It is known then that the token is refused, and nobody calls for a minute."""
    for number in range(6):
        await rig.follow(rig.slack.add_channel(f"lab{number}", members=[rig.alice]))
    rig.fault("error", None, error="token_revoked", times=None)
    await rig.deliver()
    assert rig.times("auth.test") == 1
    assert await ample_limits(rig.store).paused(rig.slack.workspace.team_id, "*")


async def test_a_refused_token_settles_no_doubt(rig: Rig) -> None:
    """The channel cannot be read back for it, and the token is fine: nothing is sent twice."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_after", "chat.postMessage")
    await rig.step(execution)
    await rig.deliver()
    rig.fault("error", "conversations.replies", error="invalid_auth")
    await rig.later(times=2)
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_a_missing_dm_scope_loses_nothing(rig: Rig) -> None:
    """Readiness and the log name it while channels are served; nobody retries for a minute; then people are served."""
    rig.slack.grant(all_scopes() - {"im:write"})
    await rig.follow(rig.alice)
    with capture_logs() as logs:
        await rig.deliver()
    (line,) = [line for line in logs if line["event"] == "notifier.paused"]
    assert (line["why"], line["what"], line["wait_s"]) == ("refused", "conversations.open", 60)
    await rig.follow(rig.lab, rig.slack.add_user("bob"))
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(rig.alice), rig.times("conversations.open")) == (["card"], [], 1)
    assert str(rig.notifier.problem) == "Slack refuses conversations.open: missing_scope: im:write"
    rig.slack.grant(all_scopes())
    await rig.later()
    assert (rig.read(rig.alice), rig.notifier.problem) == (["card"], None)


@pytest.mark.parametrize(
    ("level", "method", "read"),
    [(Level.STEPS, "chat.postMessage", ["card", "change 2"]), (Level.FINAL, "chat.update", ["card"])],
)
async def test_a_missing_post_scope_loses_nothing(rig: Rig, level: Level, method: str, read: list[str]) -> None:
    """Lines and edits wait alike, and readiness says why."""
    execution = await rig.followed(rig.lab, level=level)
    rig.slack.grant(all_scopes() - {"chat:write"})
    await rig.step(execution)
    await rig.deliver()
    assert str(rig.notifier.problem) == f"Slack refuses {method}: missing_scope: chat:write"
    assert rig.waits() == [pytest.approx(60, abs=1)]
    rig.slack.grant(all_scopes())
    await rig.later(times=2)
    assert (rig.read(rig.lab), rig.notifier.problem) == (read, None)
    assert "Running" in rig.cards(rig.lab)[0]


@pytest.mark.parametrize("code", ["accesslimited", "method_deprecated"])
async def test_a_refusal_of_the_app_ends_no_subscription(rig: Rig, code: str) -> None:
    """What Slack answers to every call is not about one destination: all lanes wait, and readiness says why."""
    await rig.follow(rig.lab, rig.alice)
    rig.fault("error", None, error=code, times=None)
    await rig.deliver()
    assert str(rig.notifier.problem) == f"Slack refuses the token: {code}"
    rig.slack.faults.clear()
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["card"])


async def test_a_problem_solved_elsewhere_expires(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One copy fails once, the other delivers: the first does not stay unready through a quiet night."""
    await rig.follow(rig.lab)
    rig.fault("status")
    await rig.deliver()
    assert rig.notifier.problem
    other = Notifier(rig.door, rig.store.outbox, ample_limits(rig.store), rig.store.channels, rig.store.brake)
    let_time_pass(rig.redis)
    await other.run_once()
    assert (rig.read(rig.lab), other.problem) == (["card"], None)
    monkeypatch.setattr(pool, "monotonic", lambda: monotonic() + 6.5 * 60)
    assert not rig.notifier.problem


def aged(rig: Rig, *, hours: float) -> int:
    """Make each pending change older by `hours`; returns how many there were."""
    count = 0
    for key in rig.redis.scan_iter("*:changes:*"):
        for place, row in enumerate(rig.redis.lrange(str(key), 0, -1)):
            revision, _, text = str(row).partition("|")
            change = msgspec.json.decode(text, type=Change)
            older = msgspec.structs.replace(change, at=change.at - timedelta(hours=hours))
            rig.redis.lset(str(key), place, f"{revision}|{msgspec.json.encode(older).decode()}")
            count += 1
    return count
