"""Examples of the log of an execution.

Lives here: the examples, and the log that they show. Does not live here: the words for Slack's refusals
(`tests.messages.errors`). Called by `tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from bot.blocks import Message, log_message, log_modal, matches
from bot.domain.change import ChangeKind
from bot.domain.fates import LaneState, Log, Note, NoteKind, QuietTime, Seen
from bot.domain.following import Level, Quiet
from bot.domain.search import Found, Match
from bot.domain.snapshot import Receipt
from tests.messages import world
from tests.messages.example import Example, Place, Surface
from tests.messages.world import CHANNEL, CHANNEL_SUBSCRIPTION, ID, NOW, OWN_SUBSCRIPTION, PERSON, snapshot

ADDRESS = "https://lab.slack.com/"


def _seen(ago: float, revision: int, kind: ChangeKind, rank: int, **more: object) -> Seen:
    seen = Seen(kind=kind, revision=revision, at=NOW - timedelta(minutes=ago), rank=rank)
    return replace(seen, **more)


def _sent(subscriber_id: str, ago: float, revision: int) -> Note:
    at = NOW - timedelta(minutes=ago)
    ts = f"{at.timestamp():.0f}.000100"
    return Note(kind=NoteKind.SENT, subscriber_id=subscriber_id, revision=revision, ts=ts, at=at, is_in_thread=True)


def _note(kind: NoteKind, subscriber_id: str, **more: object) -> Note:
    return replace(Note(kind=kind, subscriber_id=subscriber_id), **more)


RUNS = _seen(80, 2, ChangeKind.PHASE, 1, phase="Running")
STEPS = _seen(60, 12, ChangeKind.PROGRESS, 0, finished=9, total=40, times=10, since=NOW - timedelta(minutes=78))
QUARTER, HALF = (
    _seen(at, n, ChangeKind.PROGRESS, 1, finished=done, total=40) for at, n, done in ((50, 13, 10), (30, 14, 20))
)
FAILED = _seen(20, 15, ChangeKind.STEP_FAILED, 3, step="mark-duplicates", failed=2)
SLOW = _seen(12, 16, ChangeKind.SLOW, 3, step="haplotype-caller")
DEADLINE = _seen(6, 17, ChangeKind.DEADLINE, 3)
REOPENED = _seen(4, 18, ChangeKind.REOPENED, 3, phase="Retrying")
SUCCEEDED = _seen(2, 19, ChangeKind.OUTCOME, 2, phase="Succeeded")
MUTED = QuietTime(is_mute=True, until=NOW - timedelta(minutes=15))
OVER = NOW - timedelta(minutes=1)
EVENING = QuietTime(is_mute=False, until=OVER)
NIGHT = QuietTime(is_mute=False, until=NOW + timedelta(hours=8))

ENTRIES = (
    RUNS,
    _sent(CHANNEL, 80, 2),
    STEPS,
    QUARTER,
    HALF,
    _sent(CHANNEL, 30, 14),
    _note(NoteKind.LEVEL, PERSON, level_before=Level.FAILURES, level=Level.FINAL),
    _note(NoteKind.QUIET, PERSON, quiet=MUTED),
    FAILED,
    SLOW,
    _sent(PERSON, 11, 16),
    _note(NoteKind.REFUSED, CHANNEL, code="not_in_channel"),
    DEADLINE,
    _sent(PERSON, 6, 17),
    _note(NoteKind.ENDED, PERSON, level_before=Level.FINAL),
    REOPENED,
    SUCCEEDED,
)
LOG = Log(now=NOW, snapshot=snapshot(), entries=ENTRIES)
MINE = LaneState(subscriber_id=PERSON, receipt=Receipt(channel="D0READER", ts="1773300000.000100", revision=1))
HERE = LaneState(
    subscriber_id=CHANNEL,
    subscription=CHANNEL_SUBSCRIPTION,
    receipt=Receipt(channel=CHANNEL, ts="1773300000.000200", revision=1),
    next_at=NOW + timedelta(minutes=4),
)
PENDING = Log(now=NOW, snapshot=snapshot(), entries=(RUNS, SUCCEEDED))
TWO = Found((Match(ID, "germline-wgs-14", "Running"), Match(world.OTHER_ID, "germline-wgs-13", "Failed")))
ALONE = LaneState(subscriber_id=PERSON, subscription=OWN_SUBSCRIPTION)


def _shown(log: Log, *lanes: LaneState) -> Callable[[], Message]:
    return lambda: log_message(log, lanes, ID, address=ADDRESS)


def _given_up() -> Message:
    given_up = _note(NoteKind.ENDED, PERSON, level_before=Level.STEPS, code="user_disabled")
    log = replace(PENDING, entries=(*PENDING.entries, given_up), snapshot=None)
    return log_message(log, [LaneState(subscriber_id=PERSON)], ID, address=ADDRESS)


def _dropped() -> Message:
    notes = (_note(NoteKind.DROPPED, PERSON), _note(NoteKind.ENDED, PERSON, level_before=Level.STEPS))
    log = replace(PENDING, entries=(RUNS, *notes, SUCCEEDED, _seen(1, 20, ChangeKind.VANISHED, 3)))
    return log_message(log, [LaneState(subscriber_id=PERSON)], ID, address=ADDRESS)


LOGS = Surface(
    "Log",
    "What was seen of an execution, and what became of it for the person who asks and for the channel where they do.",
    Place.PRIVATE,
    (
        Example("Log", "Asked in a channel that follows it, too.", _shown(LOG, MINE, HERE)),
        Example("Log, on its way", "What waits is sent in a moment.", _shown(PENDING, ALONE)),
        Example(
            "Log, waiting",
            "Slack's limits leave no room now.",
            _shown(PENDING, replace(ALONE, next_at=NOW + timedelta(minutes=3))),
        ),
        Example(
            "Log, quiet hours",
            "Nothing is sent before morning.",
            _shown(PENDING, replace(ALONE, is_quiet=True, quiet_until=NIGHT.until)),
        ),
        Example(
            "Log, quiet hours are over",
            "It is sent in a moment, with what else has ended in them.",
            _shown(
                replace(PENDING, entries=(RUNS, _note(NoteKind.QUIET, PERSON, quiet=EVENING), SUCCEEDED)),
                replace(ALONE, subscription=replace(OWN_SUBSCRIPTION, hours=Quiet(until=OVER))),
            ),
        ),
        Example(
            "Log, muted",
            "Until it ends.",
            _shown(PENDING, replace(ALONE, is_quiet=True)),
        ),
        Example("Log, in doubt", "Slack did not answer.", _shown(PENDING, replace(ALONE, is_in_doubt=True))),
        Example(
            "Log, of the version before",
            "It noted no message.",
            _shown(PENDING, replace(ALONE, receipt=Receipt(channel="D1", ts="1.2", revision=19, delivered_through=19))),
        ),
        Example("Log, given up", "Slack refused it for good.", _given_up),
        Example("Log, no longer followed", "It ended before everything was sent.", _dropped),
        Example("Log, nothing seen", "It was followed a moment ago.", _shown(replace(PENDING, entries=()), ALONE)),
        Example("Log, not followed", "Neither here nor by them.", _shown(PENDING)),
        Example(
            "Log, long",
            "Most of it is not kept, or not shown.",
            _shown(replace(LOG, entries=(RUNS,) * 99, dropped=300), ALONE),
        ),
        Example("Log, which", "Several have that in their name.", lambda: matches.to_log(TWO)),
        Example("Log, modal", "From the details.", lambda: log_modal(LOG, [MINE, HERE], ID, address=ADDRESS)),
    ),
)
