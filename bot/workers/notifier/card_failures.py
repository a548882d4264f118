"""What went wrong with lanes lately: edits that Slack refused, faults of Slack's, and cards that were posted again.

Lives here: `CardFailures`, which keeps it in this process only: a restart costs a few more tries, never a message. Does
not live here: what follows from it (`notifier`, `cards`). Called by those.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

EDIT_TRIES = 3
"""How often an edit is tried that Slack refuses: then the card stays as it is."""

ENDING_TRIES = 8
"""How often the last edit of an ended subscription is tried that Slack refuses with an unknown code: for two hours."""

FAULT_TRIES = 10
"""How often an edit is tried at which Slack has a fault each time: for almost an hour. A post is given up after as many
tries at least."""

ENDING_FAULT_TRIES = 8
"""The same once the subscription has ended: for six minutes, since a fault of Slack, or of a proxy, may last some."""

PLAINER_EVERY = 3
"""After how many faults in a row a plainer card is tried."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=3), timedelta(hours=1)
"""How long a lane pauses after its first fault, and at most: twice as long after each."""

ONE_REPOST = timedelta(hours=1)
"""How long a card that was posted again is not posted once more, even if Slack says that it does not exist."""

_SOONER = 5.0
"""By how many seconds a lane may be tried sooner than its pause ends, as clocks differ."""

MOST_LANES = 10_000
"""At most this many lanes are remembered; the oldest are forgotten first."""


class CardFailures:
    """The failures of lanes, and of their cards."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}
        self._edit_faults: dict[str, int] = {}
        self._post_faults: dict[str, int] = {}
        self._refused_posts: dict[str, int] = {}
        self._paused_until: dict[str, float] = {}
        self._reposted: dict[str, float] = {}

    def refused(self, lane: str) -> int:
        """How many edits Slack has refused in a row."""
        return self._refused.get(lane, 0)

    def note_refused(self, lane: str) -> int:
        """Slack refused an edit; returns how many that are in a row."""
        return _count(self._refused, lane)

    def edit_faults(self, lane: str) -> int:
        """At how many edits in a row Slack had a fault."""
        return self._edit_faults.get(lane, 0)

    def note_edit_fault(self, lane: str) -> int:
        """Slack had a fault at an edit; returns at how many in a row."""
        return _count(self._edit_faults, lane)

    def post_faults(self, lane: str) -> int:
        """At how many posts in a row Slack had a fault, or refused the destination."""
        return self._post_faults.get(lane, 0)

    def note_post_fault(self, lane: str) -> int:
        """The same happened again; returns how often in a row."""
        return _count(self._post_faults, lane)

    def refused_posts(self, lane: str) -> int:
        """How many posts Slack has refused in a row for a reason that may pass, each after the pause of the one before.

        A lane is tried sooner than that when something happens: what is refused then makes no pause longer.
        """
        return self._refused_posts.get(lane, 0) - (monotonic() < self._paused_until.get(lane, 0))

    def note_refused_post(self, lane: str, pause: timedelta) -> None:
        """It refused one more, and the lane pauses for it."""
        if monotonic() >= self._paused_until.get(lane, 0):
            _count(self._refused_posts, lane)
            self._paused_until[lane] = monotonic() + pause.total_seconds() - _SOONER
            _shorten(self._paused_until)

    def clear(self, lane: str) -> None:
        """Slack took an edit, or the subscription has ended."""
        self._refused.pop(lane, None)
        self._edit_faults.pop(lane, None)

    def clear_posts(self, lane: str) -> None:
        """Slack took a post."""
        self._post_faults.pop(lane, None)
        self._refused_posts.pop(lane, None)
        self._paused_until.pop(lane, None)

    def note_reposted(self, lane: str) -> None:
        """A card was posted again because Slack said that it does not exist."""
        self._reposted.pop(lane, None)
        self._reposted[lane] = monotonic()
        _shorten(self._reposted)

    def was_reposted(self, lane: str) -> bool:
        """Whether that was within `ONE_REPOST`."""
        at = self._reposted.get(lane)
        return at is not None and monotonic() - at < ONE_REPOST.total_seconds()


def fault_pause(faults: int) -> timedelta:
    """How long a lane pauses after so many faults in a row."""
    return min(FIRST_PAUSE * (1 << min(max(0, faults - 1), 16)), LONGEST_PAUSE)


def _count(kept: dict[str, int], lane: str) -> int:
    count = kept.pop(lane, 0) + 1
    kept[lane] = count
    _shorten(kept)
    return count


def _shorten(kept: dict[str, int] | dict[str, float]) -> None:
    if len(kept) > MOST_LANES:
        del kept[next(iter(kept))]
