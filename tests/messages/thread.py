"""Examples of lines in a thread, and of messages to the owner of a subscription.

Lives here: the examples. Does not live here: what they show (`tests.messages.world`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bot.blocks import (
    Message,
    acted_notice,
    card_left_message,
    change_message,
    ended_message,
    held_message,
    notice_message,
    owner_notice_message,
    undeliverable_message,
)
from bot.domain.acting import Action
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.execution import Step
from bot.domain.following import Level
from tests.messages import world
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import CHANNEL_SUBSCRIPTION, NOW, RUNNING, change

LINE = Goal("line in a thread", wide=110, narrow=150, is_held=True)
WARNING = Goal("warning in a thread", wide=140, narrow=240, is_held=True)
PERSONAL = Goal("message to an owner", wide=200, narrow=300, is_held=True)
_COUNTED = {"total": 6, "elapsed": timedelta(minutes=90)}


def _line(*changes: Change, level: Level = Level.STEPS) -> Callable[[], Message]:
    subscription = replace(CHANNEL_SUBSCRIPTION, level=level)
    return lambda: change_message(changes, subscription, world.CLOSE, now=NOW)


def _moved(before: str, after: str, kind: ChangeKind = ChangeKind.PHASE, **fields: Any) -> Change:
    return change(kind, phase_before=before, phase=after, finished=2, **_COUNTED, **fields)


def _done(before: int, after: int, *names: str, **fields: Any) -> Change:
    counted = {"finished_before": before, "finished": after, "finished_steps": names}
    return change(ChangeKind.PROGRESS, **_COUNTED, **counted, **fields)


def _slow(step: str) -> Change:
    return change(ChangeKind.SLOW, step=step, taken=timedelta(minutes=180), usual=timedelta(minutes=100))


_DEADLINE = change(ChangeKind.DEADLINE, deadline=NOW + timedelta(minutes=28))


def _failed(*steps: Step, total: int, **fields: Any) -> Change:
    """Steps failed; before them, so did the others of `total`."""
    failed = {"newly_failed": steps, "newly_failed_total": len(steps), "failed_steps_total": total}
    return change(ChangeKind.STEP_FAILED, **_COUNTED, **failed, **fields)


_CALLERS = [replace(world.MARK_FAILED, name=f"haplotype-caller-chr{number}", reason="") for number in range(1, 6)]


def _ended(why: EndReason) -> Callable[[], Message]:
    return lambda: ended_message(change(ChangeKind.ENDED, phase="Failed", why=why), world.FAILED)


_STOPPED = change(ChangeKind.STOPPED, by=world.OTHER_PERSON)
_LEVEL = change(ChangeKind.LEVEL, by=world.OTHER_PERSON, level=Level.FINAL.value)
_MUTED = change(ChangeKind.MUTED, by=world.OTHER_PERSON, until=NOW + timedelta(hours=8))


def _acted(action: Action, by: str = world.OTHER_PERSON) -> Callable[[], Message]:
    return lambda: acted_notice(change(ChangeKind.ACTED, by=by, action=action.value), RUNNING)


def _undeliverable(code: str) -> Callable[[], Message]:
    return lambda: undeliverable_message(CHANNEL_SUBSCRIPTION, RUNNING, code)


def _held(code: str) -> Callable[[], Message]:
    return lambda: held_message(CHANNEL_SUBSCRIPTION, RUNNING, code)


THREAD = Surface(
    "Lines in the thread",
    "Changes while an execution runs, below its card.",
    Place.CHANNEL,
    (
        Example("It starts", "The phase changed.", _line(_moved("Pending", "Running")), LINE),
        Example("A step is done", "One step finished.", _line(_done(1, 2, "bwa-mem")), LINE),
        Example(
            "Half of it", "At the level `milestones`.", _line(_done(2, 3, "bwa-mem"), level=Level.MILESTONES), LINE
        ),
        Example(
            "A step failed",
            "The others go on; the first failure for a while mentions the owner.",
            _line(_failed(world.MARK_FAILED, total=1, is_alert=True)),
            WARNING,
        ),
        Example(
            "A step failed, Chinese names",
            "GCS says why in both languages.",
            _line(_failed(world.CHINESE.steps[1], total=1, is_alert=True)),
            WARNING,
        ),
        Example("Another step failed", "Soon after the first one.", _line(_failed(_CALLERS[0], total=2)), WARNING),
        Example(
            "Many steps failed",
            "At once, while others finished.",
            _line(_done(1, 2, "bwa-mem"), _failed(*_CALLERS, total=6, is_alert=True, finished_before=2, finished=2)),
        ),
        Example(
            "Several at once",
            "Changes that waited for Slack become one message.",
            _line(
                _moved("Pending", "Running", at=NOW - timedelta(minutes=9)),
                _done(0, 1, "fastq-split"),
                _done(1, 3, "bwa-mem", "mark-duplicates"),
            ),
            LINE,
        ),
        Example(
            "Late", "Sent long after it was seen.", _line(_done(1, 2, "bwa-mem", at=NOW - timedelta(hours=8))), LINE
        ),
        Example(
            "A gap", "Changes in between are missing.", _line(_done(0, 1, "fastq-split"), _done(4, 5, "merge-vcf"))
        ),
        Example("Only an update", "Nothing that has a word of its own.", _line(change(ChangeKind.PROGRESS))),
        Example("Retried", "After a failure.", _line(_moved("Failed", "Retrying", ChangeKind.REOPENED)), LINE),
        Example(
            "Retried, end missed",
            "A retry proves an end that no poll saw.",
            _line(_moved("Running", "Retrying", ChangeKind.REOPENED)),
            LINE,
        ),
        Example("Close to its limit", "GCS will stop it soon.", _line(_DEADLINE)),
        Example("A step is slow", "It is taking longer than usual.", _line(_slow("bwa-mem")), WARNING),
        Example("Slow and close to its limit", "Sent with other news.", _line(_slow(""), _done(1, 2), _DEADLINE)),
        Example("Given up waiting", "No retry came in time.", _ended(EndReason.NO_RETRY)),
        Example("Deleted after its end", "Somebody deleted it in GCS.", _ended(EndReason.DELETED)),
        Example("Ended otherwise", "For a reason of another version.", _ended(EndReason.OTHER)),
        Example("Somebody stopped it", "In a channel.", lambda: notice_message(_STOPPED, RUNNING), LINE),
        Example("Somebody changed the level", "In a channel.", lambda: notice_message(_LEVEL, RUNNING), LINE),
        Example("Somebody muted it", "In a channel.", lambda: notice_message(_MUTED, RUNNING), LINE),
        Example(
            "Somebody muted it until it ends",
            "In a channel.",
            lambda: notice_message(replace(_MUTED, until=None), RUNNING),
            LINE,
        ),
        Example(
            "Somebody unmuted it",
            "In a channel.",
            lambda: notice_message(replace(_MUTED, kind=ChangeKind.UNMUTED), RUNNING),
            LINE,
        ),
        Example(
            "Nobody is named",
            "The person's data was deleted meanwhile.",
            lambda: notice_message(change(ChangeKind.STOPPED), RUNNING),
            LINE,
        ),
        Example("Somebody cancelled it", "From Slack.", _acted(Action.CANCEL), LINE),
        Example("Somebody retried it", "From Slack.", _acted(Action.RETRY), LINE),
        Example("The card is left", "Slack does not let the bot edit it.", lambda: card_left_message(RUNNING), LINE),
    ),
)

OWNERS = Surface(
    "To the owner, in person",
    "What becomes of a channel's subscription, sent to the person who made it.",
    Place.CHANNEL,
    (
        Example(
            "Stopped by somebody",
            "Another member stopped the following.",
            lambda: owner_notice_message(_STOPPED, CHANNEL_SUBSCRIPTION, RUNNING),
            PERSONAL,
        ),
        Example(
            "Level changed by somebody",
            "Another member changed it.",
            lambda: owner_notice_message(_LEVEL, CHANNEL_SUBSCRIPTION, RUNNING),
            PERSONAL,
        ),
        Example("Cannot be delivered", "The channel is gone.", _undeliverable("is_archived"), PERSONAL),
        Example("Cannot be delivered, unknown code", "Slack invents a code.", _undeliverable("next_year"), PERSONAL),
        Example("Held back", "Another organisation shares the channel.", _held("channel_not_approved"), PERSONAL),
        Example("Held back by the list", "The operator's list lacks it.", _held("channel_not_listed"), PERSONAL),
    ),
)
