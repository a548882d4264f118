"""Promises of the messages in the thread, and of the last one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.blocks import change_message, ended_message, notice_message, owner_notice_message, undeliverable_message
from bot.domain.model import Change, ChangeKind, EndReason, Step
from tests.unit.blocks.world import FAILED_STEP, ID, NOW, RUNNING, buttons_of, change, shown, subscription

PROGRESS = change(finished_before=3, finished=5, total=12, phase="Running", finished_steps=("bwa-mem", "mark-dup"))
STARTED = change(ChangeKind.PHASE, phase_before="Pending", phase="Running")
RETRIED = change(ChangeKind.REOPENED, phase_before="Failed", phase="Retrying")


def line(*changes: Change) -> str:
    """What the thread shows, as text."""
    return shown(change_message(changes, RUNNING, now=NOW).blocks)


def test_progress_is_one_small_line() -> None:
    """The count before and after, which steps, and the duration."""
    assert line(PROGRESS) == "▸ 3 → 5 of 12 steps · bwa-mem, mark-dup finished · after 11 min 41 s"
    assert [block["type"] for block in change_message([PROGRESS], RUNNING, now=NOW).blocks] == ["context"]


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
    assert line(RETRIED).startswith("♻️ Retried: Failed → Retrying")
    going = change(ChangeKind.PHASE, phase_before="Retrying", phase="Running")
    assert line(RETRIED, going).startswith("♻️ Retried: Failed → Retrying → Running")


def test_a_retry_reveals_a_missed_end() -> None:
    """Only an ended execution is retried, so the line mentions an end that no poll showed; a deletion needs none."""
    unseen = change(ChangeKind.REOPENED, phase_before="Running", phase="Retrying", finished=3, total=12)
    assert line(unseen).startswith(
        "♻️ Retried: Running → Retrying · so it had probably failed or been cancelled between two looks"
    )
    deleting = change(ChangeKind.REOPENED, phase_before="Deleting", phase="Retrying")
    assert not any("between two looks" in line(seen) for seen in (RETRIED, deleting, STARTED))


def test_a_failed_step_is_not_called_finished() -> None:
    """It has ended, but the line says that it failed."""
    broken = change(finished_before=3, finished=4, total=12, finished_steps=("call",), failed_steps=(FAILED_STEP,))
    assert line(broken).startswith("▸ 3 → 4 of 12 steps · ❌ 1 step failed: call")
    assert "call finished" not in line(broken)


def test_many_names_are_counted() -> None:
    """A line stays a line when hundreds of steps finish or fail at once."""
    names = tuple(f"scatter-{number}" for number in range(9))
    wide = change(finished=400, total=5000, finished_steps=names, failed_steps=(Step(name="x"),), failed_steps_total=30)
    assert "scatter-4, 4 more finished · ❌ 30 steps failed: x, 29 more" in line(wide)
    assert line(wide).startswith("▸ 400 of 5,000 steps")


def test_a_new_total_is_shown() -> None:
    """Steps that are added at run time change the total; the count is shown without an arrow."""
    assert line(change(finished_before=3, finished=3, total=14)).startswith("▸ 3 of 14 steps")


def test_a_late_change_shows_its_time() -> None:
    """A change that was delivered late says when it happened."""
    late = replace(PROGRESS, at=NOW - timedelta(minutes=20))
    assert "at <!date^1534746801^{time}|2018-08-20 06:33 UTC>" in line(late)


def test_plain_text_names_the_execution() -> None:
    """A notification shows no thread, so the text says which execution changed."""
    plain = change_message([PROGRESS], RUNNING, now=NOW).text
    assert plain.startswith("deepvariant execution gcs-exec-3-08-20-144951: 3 → 5 of 12 steps · bwa-mem, mark-dup")


SLOW = change(ChangeKind.SLOW, step="bwa-mem", taken=timedelta(hours=3), usual=timedelta(hours=1, minutes=40))
NEAR = change(ChangeKind.DEADLINE, deadline=NOW + timedelta(minutes=28))


@pytest.mark.parametrize(
    ("warnings", "headline", "cause"),
    [
        ([SLOW], "slower than usual", "*bwa-mem* has taken 3 h so far, usually at most 1 h 40 min."),
        ([replace(SLOW, step="")], "slower than usual", "It has taken 3 h so far, usually at most 1 h 40 min."),
        ([SLOW, NEAR], "stops soon", "2018-08-20 07:21 UTC>: its time limit is 1 d.\n*bwa-mem* has taken"),
    ],
)
def test_warnings_begin_with_state_and_name(warnings: list[Change], headline: str, cause: str) -> None:
    """The most urgent one is in the headline; each has its line; what else has changed comes last."""
    told = change_message([PROGRESS, *warnings], RUNNING, now=NOW)
    assert told.text.startswith(f"⚠️ Running, {headline}: gcs-exec-3-08-20-144951\n")
    assert cause in told.text
    assert cause in shown(told.blocks)
    assert shown(told.blocks).endswith("3 → 5 of 12 steps · bwa-mem, mark-dup finished")


def test_many_slow_steps_are_counted() -> None:
    """A message stays short when hundreds of steps are slow."""
    many = [replace(SLOW, step=f"scatter-{number}") for number in range(9)]
    assert shown(change_message(many, RUNNING, now=NOW).blocks).endswith("6 more steps slower than usual.")


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        (EndReason.NO_RETRY, "No retry came, so I stopped watching; it stays Failed."),
        (EndReason.DELETED, "It was deleted from GeneContainer Service, so I stopped watching."),
        (EndReason.OTHER, "The subscription was ended."),
        (None, "The subscription was ended."),
    ],
)
def test_the_last_message_says_why(why: EndReason | None, sentence: str) -> None:
    """No subscription ends without a reason that people can read."""
    message = ended_message(change(ChangeKind.ENDED, phase="Failed", why=why), RUNNING, now=NOW)
    assert shown(message.blocks).startswith(f"⏹ No longer following *gcs-exec-3-08-20-144951*.\n{sentence}")
    assert message.text == f"No longer following deepvariant execution gcs-exec-3-08-20-144951. {sentence}"


def test_the_owner_learns_of_a_dead_channel() -> None:
    """Which channel, why, what to do, and a button to follow in a direct message instead."""
    message = undeliverable_message(subscription("C123"), RUNNING, "is_archived")
    assert "I cannot tell <#C123> about gcs-exec-3-08-20-144951 any more: the channel is archived." in message.text
    assert buttons_of(message.blocks) == {"Follow it here": ID}


def test_a_dead_channel_without_snapshot_shows_the_id() -> None:
    """An execution that was never polled is named by its id."""
    assert ID in undeliverable_message(subscription("C123"), None, "is_archived").text


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (Change(kind=ChangeKind.STOPPED, revision=0, at=NOW, by="U7"), "<@U7> stopped following this execution"),
        (Change(kind=ChangeKind.LEVEL, revision=0, at=NOW, by="U7", level="final"), "told here: the outcome only"),
        (Change(kind=ChangeKind.LEVEL, revision=0, at=NOW, by="U7", level="<new>"), "told here: &lt;new&gt;"),
    ],
)
def test_notices_name_who_did_it(notice: Change, words: str) -> None:
    """In the thread, and to the owner with the channel; the level in words."""
    assert words in shown(notice_message(notice, RUNNING).blocks)
    told = owner_notice_message(notice, subscription("C1"), RUNNING)
    assert words in shown(told.blocks)
    assert "<#C1>" in told.text
    assert ("Follow it here" in str(told.blocks)) is (notice.kind is ChangeKind.STOPPED)
