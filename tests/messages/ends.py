"""Examples of the message that says how an execution ended, and of the one about many.

Lives here: the examples. Does not live here: what they show (`tests.messages.world`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bot.blocks import Message, catch_up_message, outcome_message
from bot.domain.catch_up import Caught, caught
from bot.domain.change import ChangeKind
from bot.domain.execution import Execution, Step
from bot.domain.past import Past
from bot.domain.snapshot import Receipt
from tests.messages import world
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import (
    CHANNEL_SUBSCRIPTION,
    NOW,
    OWN_SUBSCRIPTION,
    PAST,
    PERSON,
    RUNNING,
    USUAL,
    end,
    snapshot,
)

END = Goal("end", wide=170, narrow=260, is_held=True)
MANY = Goal("all that has ended", wide=330, narrow=520, is_held=True)
MOST = Goal("as much as fits of it", wide=1050, narrow=1950, is_held=True)
_RETRY = {"retry_until": NOW + timedelta(hours=20)}


def _end(execution: Execution, **fields: Any) -> Callable[[], Message]:
    past, seen = fields.pop("past", Past()), snapshot(execution, usual=fields.pop("usual", None))
    return lambda: outcome_message(end(execution, **fields), CHANNEL_SUBSCRIPTION, seen, past=past)


def _in_person(execution: Execution, **fields: Any) -> Callable[[], Message]:
    return lambda: outcome_message(end(execution, **fields), OWN_SUBSCRIPTION, snapshot(execution))


def _ended(execution: Execution, **fields: Any) -> Caught:
    change = end(execution, **fields)
    return caught(change, snapshot(execution), Receipt(channel=PERSON, ts="1773307800.000100", revision=1))


def _away(*ends: Caught) -> Callable[[], Message]:
    return lambda: catch_up_message(ends, address="https://lab.slack.com/")


_TIMED_OUT = replace(RUNNING, phase="Failed", elapsed=timedelta(minutes=90), timeout=timedelta(minutes=90))
_TIMED_OUT_TOO = replace(world.FAILED, timeout=timedelta(minutes=90))
_STOPPED = replace(RUNNING, phase="Cancelled", elapsed=timedelta(minutes=48), updated_at=NOW)
_SAY_NOTHING = replace(RUNNING, phase="Failed", steps=())
_NO_STEPS = replace(world.FAILED, steps=())
_PLUGIN = "plugin panicked: index out of range [3] with length 3, see the trace in the log of the driver"
_UNKNOWN = Step(name="annotate-variants", phase="Failed", reason="PluginPanic", message=_PLUGIN)
_RETRIED = replace(world.MARK_FAILED, message=f"{world.KILLED}, retried 3 times")
_TWO = replace(world.FAILED, steps=(_UNKNOWN, world.MARK_FAILED, replace(_UNKNOWN, name="merge-vcf")))
_LONG = replace(
    world.LONG,
    name="somatic-tumour-normal-pair-with-contamination-03-12-080000-12345",
    phase="Failed",
    steps=(replace(world.MARK_FAILED, name="contamination-check-and-copy-number-call"),),
    elapsed=timedelta(hours=3),
)

_NIGHT = [replace(world.SUCCEEDED, name=f"germline-wgs-03-12-020000-{number}") for number in range(1, 61)]
_LOST = [replace(world.FAILED, name=f"germline-wgs-03-12-030000-{number}") for number in range(1, 13)]
_ALL = [*_NIGHT, *_LOST, _STOPPED]

ENDS = Surface(
    "Ends",
    "A new message when an execution ends; in a channel it answers the card.",
    Place.CHANNEL,
    (
        Example("Succeeded", "All steps are done.", _end(world.SUCCEEDED), END),
        Example("Succeeded, as usual", "Earlier runs are known.", _end(world.SUCCEEDED, usual=USUAL), END),
        Example("Failed", "One step failed; a retry may follow.", _end(world.FAILED, **_RETRY), END),
        Example("Failed in person", "The same to a person.", _in_person(world.FAILED, **_RETRY), END),
        Example("Failed for good", "The same without a retry to wait for.", _end(world.FAILED), END),
        Example("Failed again", "As earlier runs did.", _end(world.FAILED, past=PAST, **_RETRY), END),
        Example(
            "Failed once more",
            "Only one earlier run is known.",
            _end(world.FAILED, past=Past(PAST.ends[:1]), **_RETRY),
            END,
        ),
        Example("Failed after retries", "GCS has tried again.", _end(replace(world.FAILED, steps=(_RETRIED,))), END),
        Example("Failed, several steps", "For a reason without words.", _end(_TWO, **_RETRY), END),
        Example("Failed, many steps", "29 steps failed.", _end(world.MANY_FAILED, **_RETRY), END),
        Example("Failed, long names", "As long as GCS lets them get.", _end(_LONG, **_RETRY), END),
        Example("Failed, Chinese names", "Names and texts in Chinese.", _end(world.CHINESE, **_RETRY), END),
        Example("Failed, in Chinese only", "GCS says why in Chinese only.", _end(world.CHINESE_ONLY, **_RETRY), END),
        Example("Failed, time limit", "GCS names no reason, but the time is up.", _end(_TIMED_OUT), END),
        Example("Failed at its time limit", "The same, and a step failed.", _end(_TIMED_OUT_TOO), END),
        Example("Failed, no steps", "GCS lists none, but says why.", _end(_NO_STEPS), END),
        Example("Failed, no reason", "GCS says nothing at all.", _end(_SAY_NOTHING), END),
        Example("Error", "The phase of a mistake in GCS.", _end(replace(world.FAILED, phase="Error")), END),
        Example("Cancelled", "Somebody stopped it; it may be retried.", _end(_STOPPED, **_RETRY), END),
        Example("Aborted", "The same word of another engine.", _end(replace(_STOPPED, phase="Aborted")), END),
        Example("Deleted", "GCS no longer knows it.", _end(RUNNING, kind=ChangeKind.VANISHED), END),
    ),
)

AWAY = Surface(
    "After quiet hours",
    "One message to a person about all that has ended while they wanted to read nothing, if it is more than one run.",
    Place.CHANNEL,
    (
        Example("All went well", "Three runs have succeeded.", _away(*map(_ended, _NIGHT[:3])), MANY),
        Example(
            "Some failed",
            "Each of those with its cause.",
            _away(*map(_ended, [*_NIGHT[:5], world.FAILED, world.CHINESE])),
            MANY,
        ),
        Example(
            "Stopped and deleted",
            "Nothing else has happened.",
            _away(_ended(_STOPPED), _ended(RUNNING, kind=ChangeKind.VANISHED)),
            MANY,
        ),
        Example("Many", "More than one message has room for.", _away(*map(_ended, _ALL)), MOST),
    ),
)
