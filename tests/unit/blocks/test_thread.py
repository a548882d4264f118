"""Promises of the messages in the thread, and of the last one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.blocks import (
    Message,
    change_message,
    ended_message,
    notice_message,
    owner_notice_message,
    undeliverable_message,
)
from bot.blocks.language import Language, speaking
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.execution import Step
from bot.domain.following import Level
from tests.unit.blocks.world import FAILED_STEP, ID, NOW, RUNNING, buttons_of, change, shown, subscription

PROGRESS = change(finished_before=3, finished=5, total=12, phase="Running", finished_steps=("bwa-mem", "mark-dup"))
STARTED = change(ChangeKind.PHASE, phase_before="Pending", phase="Running")
RETRIED = change(ChangeKind.REOPENED, phase_before="Failed", phase="Retrying")


def rendered(*changes: Change, to: str = "C123") -> Message:
    """The message for a channel, or for the person given."""
    return change_message(changes, subscription(to, level=Level.STEPS), RUNNING, now=NOW)


def line(*changes: Change) -> str:
    """What the thread shows, as text."""
    return shown(rendered(*changes).blocks)


def test_progress_is_one_small_line() -> None:
    """The count before and after, which steps, and the duration."""
    assert line(PROGRESS) == "▸ 3 → 5 of 12 steps · bwa-mem, mark-dup finished · after 11 min 41 s"
    assert [block["type"] for block in rendered(PROGRESS).blocks] == ["context"]


def test_a_duration_is_not_that_of_the_step() -> None:
    """It is how long the execution had taken by then; in Chinese, "took" behind a step would say something else."""
    with speaking(Language.CHINESE):
        assert line(PROGRESS).endswith("bwa-mem、mark-dup 已完成 · 开始后 11 分 41 秒")


def test_a_burst_is_one_line() -> None:
    """Merged changes show the counts before and after, and every finished step once."""
    more = change(finished_before=5, finished=6, total=12, finished_steps=("mark-dup", "sort"))
    assert line(PROGRESS, more).startswith("▸ 3 → 6 of 12 steps · bwa-mem, mark-dup, sort finished")


def test_a_new_phase_shows_the_old_one() -> None:
    """The phases in order, then the progress in between."""
    assert line(STARTED).startswith("🔄 Pending → Running")
    assert line(STARTED, PROGRESS).startswith("🔄 Pending → Running · 3 → 5 of 12 steps")


def test_a_retry_is_called_a_retry() -> None:
    """An execution that starts again after its end does not read like progress."""
    assert line(RETRIED).startswith("♻️ *Retrying: gcs-exec-3-08-20-144951*\nRetried: Failed → Retrying")
    going = change(ChangeKind.PHASE, phase_before="Retrying", phase="Running")
    assert "Retried: Failed → Retrying → Running" in line(RETRIED, going)


def test_a_retry_reveals_a_missed_end() -> None:
    """Only an ended execution is retried, so the line mentions an end that no poll showed; a deletion needs none."""
    unseen = change(ChangeKind.REOPENED, phase_before="Running", phase="Retrying", finished=3, total=12)
    assert line(unseen).startswith(
        "♻️ Retried: Running → Retrying · so it had probably failed or been cancelled between two polls"
    )
    deleting = change(ChangeKind.REOPENED, phase_before="Deleting", phase="Retrying")
    assert not any("between two polls" in line(seen) for seen in (RETRIED, deleting, STARTED))


BROKEN = change(
    ChangeKind.STEP_FAILED,
    phase="Running",
    failed_steps=(FAILED_STEP,),
    failed_steps_total=1,
    newly_failed=(FAILED_STEP,),
    newly_failed_total=1,
    is_alert=True,
)


def test_a_failed_step_begins_with_state_and_name() -> None:
    """Then which step and why; the owner is mentioned in a channel, a person needs no mention."""
    title, cause = "Running, 1 step failed: gcs-exec-3-08-20-144951", "call ran out of memory ({}); 1 other goes on."
    message = rendered(BROKEN)
    assert shown(message.blocks).splitlines()[:2] == [f"⚠️ *{title}*", f"*call*{cause.format('`OOMKilled`')[4:]}"]
    assert message.text.splitlines()[0] == f"⚠️ {title}"
    assert message.text.index("OOMKilled") < 110
    assert "<@U1>" in message.text
    assert "<@U1>" in shown(message.blocks)
    assert "<@" not in rendered(BROKEN, to="U1").text


@pytest.mark.parametrize("to", ["C123", "U1"])
def test_a_failed_step_offers_why(to: str) -> None:
    """As its card does; what only takes long has no cause to look for."""
    assert buttons_of(rendered(BROKEN, to=to).blocks) == {"Why": ID}
    assert buttons_of(rendered(change(), BROKEN, to=to).blocks) == {"Why": ID}
    for kind in (ChangeKind.SLOW, ChangeKind.DEADLINE, ChangeKind.PROGRESS):
        assert buttons_of(rendered(change(kind), to=to).blocks) == {}


def test_later_failures_of_a_burst_mention_nobody() -> None:
    """They are lines in the thread, with state and name as well."""
    later = replace(BROKEN, is_alert=False, failed_steps_total=3, newly_failed_total=1)
    assert line(later).startswith("⚠️ *Running, 3 steps failed: gcs-exec-3-08-20-144951*")
    assert "<@" not in rendered(later).text


def test_merged_failures_are_listed_once() -> None:
    """Of each message only what failed since the one before: three with their reasons, the others as a count."""
    second = replace(
        BROKEN,
        failed_steps_total=6,
        newly_failed=tuple(Step(name=f"scatter-{n}") for n in range(5)),
        newly_failed_total=5,
    )
    assert line(BROKEN, second).splitlines()[:4] == [
        "⚠️ *Running, 6 steps failed: gcs-exec-3-08-20-144951*",
        "5 × *scatter*: no reason given.",
        "*call* ran out of memory (`OOMKilled`).",
        "1 other goes on.",
    ]


def test_different_failures_have_a_line_each() -> None:
    """Three of them; the others are a count, as are those that the change does not name."""
    names = ("align", "call", "merge", "sort", "split")
    many = replace(BROKEN, newly_failed=tuple(Step(name=name) for name in names), newly_failed_total=7)
    assert line(many).splitlines()[1:6] == [
        "*align* failed.",
        "*call* failed.",
        "*merge* failed.",
        "4 more steps failed.",
        "1 other goes on.",
    ]
    assert "2 steps failed." in line(replace(BROKEN, newly_failed=(), newly_failed_total=2))


def test_after_the_end_none_goes_on() -> None:
    """The run has ended meanwhile, so none goes on."""
    message = change_message([BROKEN], subscription(), replace(RUNNING, phase="Failed"), now=NOW)
    assert shown(message.blocks).splitlines()[1] == "*call* ran out of memory (`OOMKilled`)."


def test_progress_after_a_failure_repeats_nothing() -> None:
    """The failed steps stand on the card."""
    after = replace(PROGRESS, failed_steps=(FAILED_STEP,), failed_steps_total=1)
    assert "call" not in line(after)


def test_the_state_is_that_of_the_change() -> None:
    """A message that comes late does not show an end that has its own message."""
    late = change_message([BROKEN], subscription(), replace(RUNNING, phase="Failed"), now=NOW)
    assert late.text.startswith("⚠️ Running, 1 step failed: ")


def test_many_names_are_counted() -> None:
    """A line stays a line when many steps finish at once."""
    names = tuple(f"scatter-{number}" for number in range(9))
    assert "scatter-4 and 4 more finished" in line(change(finished=9, total=12, finished_steps=names))


@pytest.mark.parametrize(
    ("level", "total", "text"),
    [
        (Level.STEPS, 30, "▸ 14 → 15 of 30 steps · sort finished"),
        (Level.STEPS, 31, "▸ 15 of 31 steps · 48 %"),
        (Level.MILESTONES, 30, "▸ 15 of 30 steps · 50 %"),
    ],
)
def test_a_share_of_steps_names_none(level: Level, total: int, text: str) -> None:
    """Where not each step has a line, the one before it is unknown to its reader."""
    reached = change(finished_before=14, finished=15, total=total, finished_steps=("sort",), share_before=45, share=50)
    assert shown(change_message([reached], subscription(level=level), RUNNING, now=NOW).blocks).startswith(text)


def test_a_new_total_is_shown() -> None:
    """Steps that are added at run time change the total; the count is shown without an arrow."""
    assert line(change(finished_before=3, finished=3, total=14)).startswith("▸ 3 of 14 steps")


def test_a_late_change_shows_its_time() -> None:
    """A change that was delivered late says when it happened."""
    late = replace(PROGRESS, at=NOW - timedelta(minutes=20))
    assert " · <!date^1534746801^{date_short_pretty} {time}|2018-08-20 06:33 UTC>" in line(late)


def test_plain_text_names_the_execution() -> None:
    """A notification shows no thread, so the text says which execution changed."""
    plain = rendered(PROGRESS).text
    assert plain.startswith("Running: gcs-exec-3-08-20-144951 · 3 → 5 of 12 steps · bwa-mem, mark-dup finished")


SLOW = change(ChangeKind.SLOW, step="bwa-mem", taken=timedelta(hours=3), usual=timedelta(hours=1, minutes=40))
NEAR = change(ChangeKind.DEADLINE, deadline=NOW + timedelta(minutes=28))


@pytest.mark.parametrize(
    ("warnings", "headline", "cause"),
    [
        ([SLOW], "slower than usual", "*bwa-mem* has taken 3 h so far, usually at most 1 h 40 min."),
        ([replace(SLOW, step="")], "slower than usual", "It has taken 3 h so far, usually at most 1 h 40 min."),
        ([SLOW, NEAR], "stops soon", "its time limit is 1 d.\n*bwa-mem* has taken"),
    ],
)
def test_warnings_begin_with_state_and_name(warnings: list[Change], headline: str, cause: str) -> None:
    """The most urgent one is in the headline; each has its line; what else has changed comes last."""
    warned = rendered(PROGRESS, *warnings)
    assert warned.text.startswith(f"⚠️ Running, {headline}: gcs-exec-3-08-20-144951\n")
    assert cause in warned.text
    assert cause in shown(warned.blocks)
    assert shown(warned.blocks).endswith("3 → 5 of 12 steps · bwa-mem, mark-dup finished · after 11 min 41 s")


def test_many_slow_steps_are_counted() -> None:
    """A message stays short when hundreds of steps are slow."""
    many = [replace(SLOW, step=f"scatter-{number}") for number in range(9)]
    assert line(*many).splitlines()[4] == "6 more steps slower than usual."


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        (EndReason.NO_RETRY, "It was not retried, so I stopped following it. State: Failed."),
        (EndReason.DELETED, "It was deleted from GeneContainer Service, so I stopped following it."),
        (EndReason.OTHER, "The subscription has ended."),
        (None, "The subscription has ended."),
    ],
)
def test_the_last_message_says_why(why: EndReason | None, sentence: str) -> None:
    """No subscription ends without a reason that people can read."""
    message = ended_message(change(ChangeKind.ENDED, phase="Failed", why=why), RUNNING)
    assert shown(message.blocks).startswith(f"⏹ No longer following *gcs-exec-3-08-20-144951*.\n{sentence}")
    assert message.text == f"No longer following gcs-exec-3-08-20-144951. {sentence}"


def test_the_owner_learns_of_a_dead_channel() -> None:
    """Which channel, why, what to do, and a button to follow in a direct message instead."""
    message = undeliverable_message(subscription("C123"), RUNNING, "is_archived")
    assert "I can no longer notify <#C123> about gcs-exec-3-08-20-144951: the channel is archived." in message.text
    assert buttons_of(message.blocks) == {"Follow it here": ID}


def test_a_dead_channel_without_snapshot_shows_the_id() -> None:
    """An execution that was never polled is named by its id."""
    assert ID in undeliverable_message(subscription("C123"), None, "is_archived").text


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (Change(kind=ChangeKind.STOPPED, revision=0, at=NOW, by="U7"), "<@U7> stopped following this execution"),
        (
            Change(kind=ChangeKind.LEVEL, revision=0, at=NOW, by="U7", level="final"),
            "the notifications here: failures and the end",
        ),
        (
            Change(kind=ChangeKind.LEVEL, revision=0, at=NOW, by="U7", level="<new>"),
            "the notifications here: &lt;new&gt;",
        ),
    ],
)
def test_notices_name_who_did_it(notice: Change, words: str) -> None:
    """In the thread, and to the owner with the channel; the level in words."""
    assert words in shown(notice_message(notice, RUNNING).blocks)
    personal = owner_notice_message(notice, subscription("C1"), RUNNING)
    assert words.replace("here", "there") in shown(personal.blocks)
    assert " here" not in personal.text
    assert "<#C1>" in personal.text
    assert ("Follow it here" in str(personal.blocks)) is (notice.kind is ChangeKind.STOPPED)
