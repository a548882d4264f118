"""What became of each change of an execution for one subscriber, judged by the log of the store.

Lives here: `Log` with its entries, and `fates_of`, which finds the fate of each change. Does not live here: who writes
the log (the scripts of `bot/store`), words for it (`bot.blocks.log`). Pure. Called by `bot.blocks.log` and
`bot.store.log`.

The log holds what rows lose: the level before it was changed, the card before it was posted again. So the rows of a
subscription say how it has been since its last entry, or from the start where it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.change import ChangeKind
from bot.domain.execution import Value
from bot.domain.following import Level, Subscription
from bot.domain.snapshot import Receipt, Snapshot


class Seen(Value, frozen=True, kw_only=True):
    """A change that was seen, or several that no subscriber's level included."""

    kind: ChangeKind
    revision: int
    at: datetime
    rank: int
    """Which levels include it: -1 none, 0 `steps`, 1 also `milestones`, 2 also `final`, 3 all."""
    phase: str = ""
    finished: int | None = None
    total: int | None = None
    step: str = ""
    """The first step that failed, or the one that is slow; shortened."""
    failed: int = 0
    """How many steps failed."""
    times: int = 1
    """How many changes these are; the other fields are those of the last one."""
    since: datetime | None = None
    """When the first of them was seen; None for one alone."""


class QuietTime(Value, frozen=True, kw_only=True):
    """A quiet time; a change waits for its end."""

    is_mute: bool
    """Whether it is a mute, not quiet hours."""
    until: datetime | None
    """None until the execution ends."""


class NoteKind(StrEnum):
    """What else happened, to one subscriber."""

    LEVEL = "level"
    """It begins to follow, or gets another level."""
    ENDED = "ended"
    DROPPED = "dropped"
    """What waited is not delivered any more."""
    QUIET = "quiet"
    """What comes from here on waits for the end of a quiet time."""
    REFUSED = "refused"
    """Slack refuses to take it for now."""
    SENT = "sent"
    CARD = "card"
    """Its card was another one until here."""


class Note(Value, frozen=True, kw_only=True):
    """An entry of the log about one subscriber."""

    kind: NoteKind
    subscriber_id: str
    at: datetime | None = None
    level_before: Level | None = None
    """With `LEVEL`: None where it begins. With `ENDED`: None where it had ended before."""
    level: Level | None = None
    code: str = ""
    """Slack's, with `REFUSED`, and with `ENDED` where the destination is dead."""
    quiet: QuietTime | None = None
    """With `QUIET`."""
    revision: int = 0
    """With `SENT`: the one through which it reports changes."""
    channel: str = ""
    """With `CARD`."""
    ts: str = ""
    """Of the message, or the card."""
    is_in_thread: bool = False


class LaneState(Value, frozen=True, kw_only=True):
    """The state of one subscriber now."""

    subscriber_id: str
    subscription: Subscription | None = None
    receipt: Receipt | None = None
    next_at: datetime | None = None
    """When its lane is delivered next; None where nothing is pending."""
    is_in_doubt: bool = False
    """Whether the outcome of its last send is unknown."""
    is_quiet: bool = False
    quiet_until: datetime | None = None
    """With `is_quiet`; None until the execution ends."""


class Log(Value, frozen=True, kw_only=True):
    """What is kept of an execution's changes, oldest first, and of some of its subscribers."""

    now: datetime
    snapshot: Snapshot | None
    entries: tuple[Seen | Note, ...] = ()
    lanes: tuple[LaneState, ...] = ()
    dropped: int = 0
    """How many changes before these are not kept."""

    def knows(self, lane: LaneState) -> bool:
        """Whether a subscriber follows it, or did while changes were seen."""
        is_noted = any(isinstance(each, Note) and each.subscriber_id == lane.subscriber_id for each in self.entries)
        return is_noted or lane.subscription is not None


class FateKind(StrEnum):
    """What became of a change."""

    SENT = "sent"
    MERGED = "merged"
    """It was delivered in the message of a later change."""
    DELIVERED = "delivered"
    """It was delivered; another version of the bot knows where."""
    BELOW = "below"
    """The level did not include it."""
    QUIET = "quiet"
    """It waits for the end of a mute or of quiet hours."""
    WAITING = "waiting"
    """It waits for its turn under Slack's limits."""
    IN_DOUBT = "in_doubt"
    """It may have been sent; Slack is asked."""
    REFUSED = "refused"
    """Slack refuses it, and it is tried again."""
    GIVEN_UP = "given_up"
    """Slack refused it for good."""
    DROPPED = "dropped"
    """The subscription ended before it was delivered."""
    NOT_FOLLOWED = "not_followed"


class Fate(Value, frozen=True, kw_only=True):
    """What became of a change for one subscriber."""

    kind: FateKind
    channel: str = ""
    """With `SENT` and `MERGED`: of the message."""
    ts: str = ""
    thread_ts: str = ""
    """Of the card in whose thread it is; empty for a message of its own."""
    revision: int = 0
    """With `MERGED`: of the change whose message it is."""
    code: str = ""
    """With `REFUSED` and `GIVEN_UP`: Slack's."""
    level: Level | None = None
    """With `BELOW`: the one that includes it; None where no level does."""
    next_at: datetime | None = None
    """When it is tried next."""
    at: datetime | None = None
    """When it was delivered."""
    quiet: QuietTime | None = None
    """The quiet time whose end it waits for, or has waited for."""


_NARROWEST = {0: Level.STEPS, 1: Level.MILESTONES, 2: Level.FINAL}
"""The narrowest level that includes a change, by its rank. Every level includes rank 3, none includes rank -1."""
_LOWEST = {Level.FAILURES: 3, Level.FINAL: 2, Level.MILESTONES: 1}
"""The lowest rank that a level includes; the others include what any level does."""

_SENT_ANYWAY = frozenset({FateKind.NOT_FOLLOWED, FateKind.DROPPED})


def fates_of(log: Log, lane: LaneState) -> list[tuple[Seen, Fate]]:
    """Each change with its fate for one subscriber, oldest first."""
    reading = _Reading(log, lane)
    for entry in log.entries:
        if isinstance(entry, Seen):
            reading.see(entry)
        elif entry.subscriber_id == lane.subscriber_id:
            reading.note(entry)
    return [(item.seen, item.fate or reading.pending(item)) for item in reading.items]


@dataclass(slots=True)
class _Item:
    """A change, and what is known of it so far."""

    seen: Seen
    fate: Fate | None = None
    """None while it is to be delivered."""
    quiet: QuietTime | None = None


class _Reading:
    """Reads the log from its beginning, for one subscriber."""

    def __init__(self, log: Log, lane: LaneState) -> None:
        self.items: list[_Item] = []
        self._lane, self._now = lane, log.now
        notes = [each for each in log.entries if isinstance(each, Note) and each.subscriber_id == lane.subscriber_id]
        self._cards = [(each.channel, each.ts) for each in notes if each.kind is NoteKind.CARD]
        """The card at this point of the log, and those that come after it."""
        if lane.receipt:
            self._cards.append((lane.receipt.channel, lane.receipt.ts))
        self._level = self._first_level(notes)
        self._quiet: QuietTime | None = None
        self._code = ""
        """Why Slack refuses what is to be delivered."""
        self._begin = 0
        """How many of the items come from before revisions began again."""
        self._dropped: list[_Item] = []
        """What was dropped last; a message that was under way then may still deliver it."""

    def _first_level(self, notes: list[Note]) -> Level | None:
        """The level at the beginning of the log; None for one that did not follow then."""
        for note in notes:
            if note.kind in {NoteKind.LEVEL, NoteKind.ENDED}:
                return note.level_before
        subscription = self._lane.subscription
        return None if subscription is None or subscription.is_ending else subscription.level

    def see(self, seen: Seen) -> None:
        """A change: to be delivered, or not."""
        if self.items and self._is_earlier(seen, self.items[-1].seen):
            self._begin_again()
        item = _Item(seen, quiet=self._quiet)
        if self._level is None:
            item.fate = Fate(kind=FateKind.NOT_FOLLOWED)
        elif seen.rank < _LOWEST.get(self._level, 0):
            item.fate = Fate(kind=FateKind.BELOW, level=_NARROWEST.get(seen.rank))
        self.items.append(item)

    @staticmethod
    def _is_earlier(seen: Seen, last: Seen) -> bool:
        """Whether its revision does not follow the last one. Changes of one poll share a revision and a moment."""
        return seen.revision < last.revision or (seen.revision == last.revision and seen.at != last.at)

    def _begin_again(self) -> None:
        """Nobody followed the execution any more, and then somebody did: revisions begin again."""
        self._close(Fate(kind=FateKind.GIVEN_UP if self._code else FateKind.DROPPED, code=self._code))
        self._begin, self._dropped = len(self.items), []

    def note(self, note: Note) -> None:
        """What happened next to the subscriber."""
        match note.kind:
            case NoteKind.LEVEL:
                self._follow(note)
            case NoteKind.ENDED:
                self._level, self._code = None, note.code or self._code
            case NoteKind.DROPPED:
                self._dropped = self._open()
                self._close(Fate(kind=FateKind.DROPPED))
            case NoteKind.QUIET:
                self._quiet = note.quiet
                for item in self._open():
                    item.quiet = note.quiet
            case NoteKind.REFUSED:
                self._code = note.code
            case NoteKind.SENT:
                self._sent(note)
            case NoteKind.CARD:
                self._cards.pop(0)

    def _follow(self, note: Note) -> None:
        if note.level_before is None and self._code:  # what Slack refused is not delivered to those who follow it again
            self._close(Fate(kind=FateKind.GIVEN_UP, code=self._code))
        if self._level is None:  # or it goes on where it was given up
            self._code = ""
            self._dropped = []
        if note.level_before is None:  # nor is the end of polling
            for item in self._open():
                if item.seen.kind is ChangeKind.ENDED:
                    item.fate = Fate(kind=FateKind.DROPPED)
        self._level = note.level

    def _open(self) -> list[_Item]:
        return [item for item in self.items if item.fate is None]

    def _close(self, fate: Fate) -> None:
        for item in self._open():
            item.fate = fate
        self._quiet, self._code = None, ""

    def _sent(self, note: Note) -> None:
        channel, card = self._cards[0] if self._cards else ("", "")
        for item in self.items[self._begin :]:
            is_own, is_through = item.seen.revision == note.revision, item.seen.revision <= note.revision
            # Delivered as missed, or on its way to Slack when it was dropped.
            is_sent_anyway = is_own and item.fate is not None and item.fate.kind in _SENT_ANYWAY
            if is_sent_anyway or (is_through and (item.fate is None or item in self._dropped)):
                item.fate = Fate(
                    kind=FateKind.SENT if is_own else FateKind.MERGED,
                    channel=channel,
                    ts=note.ts,
                    thread_ts=card if note.is_in_thread else "",
                    revision=note.revision,
                    at=note.at,
                    quiet=item.quiet,
                )
        self._quiet, self._code, self._dropped = None, "", []

    def pending(self, item: _Item) -> Fate:
        """What becomes of a change that no entry closes: as the store has it now."""
        lane = self._lane
        if lane.receipt is not None and item.seen.revision <= lane.receipt.delivered_through:
            return Fate(kind=FateKind.DELIVERED)
        if lane.subscription is None:
            return Fate(kind=FateKind.GIVEN_UP if self._code else FateKind.DROPPED, code=self._code)
        if lane.is_in_doubt:
            return Fate(kind=FateKind.IN_DOUBT)
        if self._code:
            return Fate(kind=FateKind.REFUSED, code=self._code, next_at=lane.next_at)
        if lane.is_quiet:
            quiet = QuietTime(is_mute=self._is_muted(), until=lane.quiet_until)
            return Fate(kind=FateKind.QUIET, quiet=quiet)
        waited_for = item.quiet if self._has_waited(item.seen, lane.subscription) else None
        return Fate(kind=FateKind.WAITING, next_at=lane.next_at, quiet=waited_for)

    def _has_waited(self, seen: Seen, subscription: Subscription) -> bool:
        """Whether a change was seen during a quiet time that is over; what breaks quiet is delivered before its end."""
        ended = subscription.quiet_ended_at(self._now)
        is_on = any(wish.is_on(self._now) for wish in (subscription.muted, subscription.hours) if wish)
        return ended is not None and seen.at < ended and not is_on

    def _is_muted(self) -> bool:
        """Whether it is a mute that lasts until the end of quiet, not quiet hours."""
        muted = self._lane.subscription.muted if self._lane.subscription else None
        return muted is not None and muted.is_on(self._now) and muted.until == self._lane.quiet_until
