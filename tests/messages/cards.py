"""Examples of the card, of the summary that one person asks for, and of the one that is shared.

Lives here: the examples. Does not live here: what they show (`tests.messages.world`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bot.blocks import Message, execution_card, execution_summary, shared_summary
from bot.domain.acting import Action
from bot.domain.following import Quiet, Subscription
from bot.domain.snapshot import Snapshot, Unseen
from tests.messages import world
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import CHANNEL_SUBSCRIPTION, NOW, OWN_SUBSCRIPTION, snapshot

RUNNING_CARD = Goal("running card", wide=350, narrow=520, is_held=True)


def _card(shown: Snapshot, subscription: Subscription = CHANNEL_SUBSCRIPTION) -> Callable[[], Message]:
    return lambda: execution_card(shown, subscription, now=NOW)


def _ended(shown: Snapshot, **fields: Any) -> Callable[[], Message]:
    return _card(shown, replace(CHANNEL_SUBSCRIPTION, is_ending=True, **fields))


_AWAY: dict[str, Any] = {"unreachable_since": NOW - timedelta(minutes=12), "seen_at": NOW - timedelta(minutes=13)}
_RETRY_UNTIL = NOW + timedelta(hours=20)

CARDS = Surface(
    "Cards",
    "The first message of a thread, edited with every change.",
    Place.CHANNEL,
    (
        Example("Just submitted", "Followed within seconds of its start.", _card(snapshot(world.BARE)), RUNNING_CARD),
        Example("Pending", "It waits for its turn.", _card(world.running(phase="Pending", steps=())), RUNNING_CARD),
        Example("Pending for long", "Longer than usual.", _card(world.WAITING), RUNNING_CARD),
        Example("Running", "The usual case.", _card(snapshot()), RUNNING_CARD),
        Example(
            "Running, in person", "The same in a direct message.", _card(snapshot(), OWN_SUBSCRIPTION), RUNNING_CARD
        ),
        Example(
            "Running, usual time known", "When it is done, as likely as not.", _card(world.USUAL_KNOWN), RUNNING_CARD
        ),
        Example("Running, wide", "195 steps, 128 of them at once.", _card(snapshot(world.WIDE)), RUNNING_CARD),
        Example("Running, 1,000 steps", "Ten groups with long names.", _card(snapshot(world.WIDEST)), RUNNING_CARD),
        Example("Running, names without numbers", "Eighty long names.", _card(snapshot(world.UNLIKE)), RUNNING_CARD),
        Example("Running, long names", "Names as long as GCS allows.", _card(snapshot(world.LONG)), RUNNING_CARD),
        Example("Running, 1 step failed", "The others go on.", _card(snapshot(world.EARLY)), RUNNING_CARD),
        Example("Running, many steps failed", "The others go on.", _card(snapshot(world.EARLY_MANY)), RUNNING_CARD),
        Example("Running, failed and GCS away", "Both.", _card(snapshot(world.EARLY, **_AWAY)), RUNNING_CARD),
        Example(
            "Running, all at once",
            "A failed step, long names, GCS away.",
            _card(snapshot(world.WORST, **_AWAY)),
            RUNNING_CARD,
        ),
        Example("Running, a step is slow", "And the run may be.", _card(world.SLOW_STEP), RUNNING_CARD),
        Example("Running, slower than usual", "The run itself.", _card(world.SLOW_RUN), RUNNING_CARD),
        Example(
            "Running, close to its limit",
            "GCS stops it in 28 min.",
            _card(snapshot(world.CLOSE)),
            RUNNING_CARD,
        ),
        Example(
            "Running, past its limit",
            "GCS has not stopped it yet.",
            _card(world.running(timeout=timedelta(minutes=80))),
            RUNNING_CARD,
        ),
        Example(
            "Running, more steps than are kept",
            "Thousands of steps.",
            _card(world.running(steps_left_out=4_000)),
            RUNNING_CARD,
        ),
        Example("GCS does not answer", "For 12 minutes.", _card(snapshot(**_AWAY)), RUNNING_CARD),
        Example("GCS refuses", "It lets the bot no longer look.", _card(snapshot(unseen=Unseen.REFUSED, **_AWAY))),
        Example("GCS is unreadable", "Its answer makes no sense.", _card(snapshot(unseen=Unseen.UNREADABLE, **_AWAY))),
        Example("GCS says too much", "Its answer is too large.", _card(snapshot(unseen=Unseen.TOO_LARGE, **_AWAY))),
        Example("GCS does not show it", "A deletion, unproven.", _card(snapshot(unseen=Unseen.MISSING, **_AWAY))),
        Example(
            "Known from lists", "Its answer is too large, but a list has it.", _card(world.running(is_partial=True))
        ),
        Example("Retrying", "Somebody retried it.", _card(world.running(phase="Retrying"))),
        Example("Cancelling", "Somebody stopped it; it has not ended.", _card(world.running(phase="Cancelling"))),
        Example("Suspended", "It was suspended.", _card(world.running(phase="Suspended"))),
        Example("Not deleted", "Its deletion failed.", _card(world.running(action="delete", witness="Failed"))),
        Example("Unknown phase", "GCS invents a phase.", _card(world.running(phase="Hibernating"))),
        Example(
            "Muted",
            "For some hours.",
            _card(snapshot(), replace(CHANNEL_SUBSCRIPTION, muted=world.MUTED)),
            RUNNING_CARD,
        ),
        Example(
            "Muted, failures too",
            "In person.",
            _card(snapshot(), replace(OWN_SUBSCRIPTION, muted=world.MUTED_ALL)),
            RUNNING_CARD,
        ),
        Example(
            "Muted until it ends",
            "Failures still come through.",
            _card(snapshot(), replace(OWN_SUBSCRIPTION, muted=Quiet())),
            RUNNING_CARD,
        ),
        Example(
            "Muted until it ends, failures too",
            "Nothing is sent before.",
            _card(snapshot(), replace(OWN_SUBSCRIPTION, muted=Quiet(holds_failures=True))),
            RUNNING_CARD,
        ),
        Example("Succeeded", "All is done.", _card(snapshot(world.SUCCEEDED))),
        Example("Failed", "It may be retried.", _card(snapshot(world.FAILED, retry_until=_RETRY_UNTIL))),
        Example(
            "Failed, many steps", "29 steps at once.", _card(snapshot(world.MANY_FAILED, retry_until=_RETRY_UNTIL))
        ),
        Example(
            "Failed, many steps of two kinds",
            "29 and 4.",
            _card(snapshot(world.TWO_KINDS_FAILED, retry_until=_RETRY_UNTIL)),
        ),
        Example("Failed, Chinese names", "Names and texts in Chinese.", _card(snapshot(world.CHINESE))),
        Example("Running, Chinese names", "A step failed.", _card(snapshot(world.CHINESE_EARLY)), RUNNING_CARD),
        Example(
            "Failed, time limit",
            "GCS names no reason, but the time is up.",
            _card(snapshot(replace(world.FAILED, reason="", message="", message_zh="", timeout=timedelta(minutes=90)))),
        ),
        Example("Cancelled", "It was stopped.", _card(snapshot(replace(world.FAILED, phase="Cancelled", reason="")))),
        Example("Deleted", "GCS no longer knows it.", _card(snapshot(is_vanished=True))),
        Example(
            "Ended by somebody", "A member stopped the following.", _ended(snapshot(), ended_by=world.OTHER_PERSON)
        ),
        Example("Ended", "The following ended; nobody is named.", _ended(snapshot())),
        Example("Ended, failed", "No retry came.", _ended(snapshot(world.FAILED))),
        Example("Ended, deleted", "After a deletion.", _ended(snapshot(is_vanished=True))),
    ),
)


def _summary(
    shown: Snapshot, subscription: Subscription | None = None, offer: Action | None = None
) -> Callable[[], Message]:
    return lambda: execution_summary(shown, now=NOW, subscription=subscription, offer=offer)


def _shared(shown: Snapshot) -> Callable[[], Message]:
    return lambda: shared_summary(shown, now=NOW, shared_by=world.OTHER_PERSON)


SUMMARIES = Surface(
    "Summaries",
    "The answer to `/execution <id>`, which only the person who asked sees.",
    Place.PRIVATE,
    (
        Example("Summary", "Of an execution that the person does not follow.", _summary(snapshot())),
        Example("Summary, followed", "Of one that the person follows.", _summary(snapshot(), OWN_SUBSCRIPTION)),
        Example("Summary, failed", "Of a failed one.", _summary(snapshot(world.FAILED))),
        Example("Summary, for an operator", "It can be cancelled.", _summary(snapshot(), offer=Action.CANCEL)),
        Example("Summary, succeeded", "Nothing is left to follow.", _summary(snapshot(world.SUCCEEDED))),
    ),
)

SHARED = Surface(
    "Shared summaries",
    "A summary that one person showed to a channel.",
    Place.CHANNEL,
    (
        Example("Shared", "While it runs.", _shared(snapshot())),
        Example("Shared, over", "After it succeeded.", _shared(snapshot(world.SUCCEEDED))),
    ),
)
