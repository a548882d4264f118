"""What went wrong with cards lately: edits that Slack refused, and cards that were posted again.

Lives here: `CardFailures`, which keeps it in this process only: a restart costs a few more tries, never a message. Does
not live here: what follows from it (`notifier`). Called by `notifier`.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

EDIT_TRIES = 3
"""How often an edit is tried that Slack refuses: then the card stays as it is."""

ENDING_TRIES = 8
"""How often the last edit of an ended subscription is tried that Slack refuses with an unknown code: for two hours."""

ONE_REPOST = timedelta(hours=1)
"""How long a card that was posted again is not posted once more, even if Slack says that it does not exist."""

MOST_LANES = 10_000
"""At most this many lanes are remembered; the oldest are forgotten first."""


class CardFailures:
    """The failures of cards, by lane."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}
        self._reposted: dict[str, float] = {}

    def refused(self, lane: str) -> int:
        """How many edits Slack has refused in a row."""
        return self._refused.get(lane, 0)

    def note_refused(self, lane: str) -> int:
        """Slack refused an edit; returns how many that are in a row."""
        count = self._refused.pop(lane, 0) + 1
        self._refused[lane] = count
        _shorten(self._refused)
        return count

    def clear(self, lane: str) -> None:
        """Slack took an edit, or the subscription has ended."""
        self._refused.pop(lane, None)

    def note_reposted(self, lane: str) -> None:
        """A card was posted again because Slack said that it does not exist."""
        self._reposted.pop(lane, None)
        self._reposted[lane] = monotonic()
        _shorten(self._reposted)

    def was_reposted(self, lane: str) -> bool:
        """Whether that was within `ONE_REPOST`."""
        at = self._reposted.get(lane)
        return at is not None and monotonic() - at < ONE_REPOST.total_seconds()


def _shorten(kept: dict[str, int] | dict[str, float]) -> None:
    if len(kept) > MOST_LANES:
        del kept[next(iter(kept))]
