"""The header before each snapshot in the store: what scripts, and polls that see nothing new, need; at fixed places.

Lives here: `Header`, and the text of a watched execution (header and snapshot). `schedule/prelude.lua` has the same
places. Does not live here: what the values mean (`bot.domain.observing`, `bot.workers.sweeper`). Called by `schedule`,
`subscribers` and `outbox`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from bot.domain.snapshot import Snapshot
from bot.store.rows import EPOCH, at, milliseconds, packed, unpacked
from bot.store.unreadable import reading

NO_FINGERPRINT = "-" * 8
"""In the place of a fingerprint: there is none."""

GONE = "gone----"
"""In the place of a list's fingerprint: the execution is no longer in the list."""

_PAYLOAD = 56

Fingerprint = tuple[str, str, bool]
"""Of state and counts, and whether lists show the next change."""


class Header(NamedTuple):
    """56 characters: revision (8), three fingerprints (8 each), seen at in ms (13), expected at in s (10), kind (1)."""

    revision: int
    state: str = NO_FINGERPRINT
    """Fingerprint of what the last poll saw, as far as lists show it too."""
    counts: str = NO_FINGERPRINT
    """Fingerprint of the step counts that the last poll saw."""
    listed: str = NO_FINGERPRINT
    """Fingerprint of what a list showed last."""
    seen_at: datetime = EPOCH
    """When GCS last answered."""
    expected_at: datetime = EPOCH
    """About when the next change is expected; the epoch: unknown."""
    is_quiet: bool = False
    """Whether a poll that sees the same fingerprints means that nothing has happened."""
    is_covered: bool = False
    """Whether a list would show the next change."""

    def row(self) -> str:
        """The text. A script puts the stored `listed` in the place of this one."""
        seen, expected_at = (
            milliseconds(self.seen_at - EPOCH),
            min(milliseconds(self.expected_at - EPOCH) // 1000, 10**10 - 1),
        )
        kind = _KINDS[self.is_quiet, self.is_covered]
        return f"{self.revision:08d}{self.state}{self.counts}{self.listed}{seen:013d}{expected_at:010d}{kind}"


_KINDS = {(True, True): "Q", (True, False): "q", (False, True): "C", (False, False): "."}
"""What `is_quiet` and `is_covered` are in the row; `listed.lua` knows `Q`."""
_FLAGS = {kind: flags for flags, kind in _KINDS.items()}


def header_of(text: str) -> Header:
    """The header of a stored text.

    Raises:
        Unreadable: it has none.
    """
    with reading("snapshot"):
        is_quiet, is_covered = _FLAGS[text[55]]
        return Header(
            revision=int(text[:8]),
            state=text[8:16],
            counts=text[16:24],
            listed=text[24:32],
            seen_at=at(int(text[32:45])),
            expected_at=EPOCH + timedelta(seconds=int(text[45:55])),
            is_quiet=is_quiet,
            is_covered=is_covered,
        )


def snapshot_of(text: str) -> Snapshot:
    """The snapshot in a stored text, as fresh as its header says.

    Raises:
        Unreadable: there is none.
    """
    with reading("snapshot"):
        return _aged(unpacked(text[_PAYLOAD:]), at(int(text[32:45])))


def _aged(snapshot: Snapshot, seen_at: datetime) -> Snapshot:
    """The snapshot as polls until `seen_at` saw it again: what runs has run for longer by then."""
    execution, more = snapshot.execution, seen_at - snapshot.seen_at
    if more <= timedelta() or execution.is_terminal:
        return replace(snapshot, seen_at=seen_at)
    steps = tuple(
        replace(step, elapsed=step.elapsed + more) if step.elapsed and step.is_running else step
        for step in execution.steps
    )
    elapsed = execution.elapsed + more if execution.elapsed else execution.elapsed
    return replace(snapshot, seen_at=seen_at, execution=replace(execution, steps=steps, elapsed=elapsed))


def header_for(snapshot: Snapshot, fingerprint: Fingerprint | None, expected_at: datetime | None = None) -> Header:
    """The header of what a poll has seen; `fingerprint` is that of `bot.gcs.fingerprint`, None without one."""
    state, counts, is_covered = fingerprint or (NO_FINGERPRINT, NO_FINGERPRINT, False)
    return Header(
        revision=snapshot.revision,
        state=state,
        counts=counts,
        seen_at=snapshot.seen_at,
        expected_at=expected_at or EPOCH,
        is_quiet=snapshot.is_quiet and fingerprint is not None,
        is_covered=is_covered,
    )


def first_text(snapshot: Snapshot, fingerprint: Fingerprint | None) -> str:
    """Header and snapshot of an execution that is not watched yet."""
    return header_for(snapshot, fingerprint).row() + packed(snapshot)
