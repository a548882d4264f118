"""When to poll next: how often an execution is polled, and when its next change is expected.

Lives here: `Cadence` (the configured intervals) and pure functions that turn a snapshot into a time to wait. Does not
live here: what a poll means (`bot.domain.observing`), when the lists of GCS are read (`bot.workers.sweeper.pacing`).
Called by `observing`, the watcher, the sweeper, `bot.subscriptions` and `bot.reads`; time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.domain.execution import Value
from bot.domain.snapshot import Snapshot

CONFIRM_WITHIN = timedelta(seconds=5)
"""At most how long until something is polled again that must be confirmed."""

LONGEST_FAILURE_INTERVAL = timedelta(minutes=5)
"""At most how long failures in a row delay the next poll."""

SHORTEST_GRACE_INTERVAL = timedelta(seconds=1)
"""At least how long between two polls of an execution that may be retried, also when its grace time is about to end."""


class Cadence(Value, frozen=True):
    """How often to poll, and for how long after a failed or cancelled end."""

    poll: timedelta
    """The usual interval between two polls of a running execution."""
    retry_grace: timedelta
    """How long a failed or cancelled execution is polled in case it is retried."""
    staleness: timedelta
    """At most how long between two polls of an execution that lists show, or that may be retried."""

    @property
    def soon(self) -> timedelta:
        """The interval for what must be confirmed: a third of the usual one, at most `CONFIRM_WITHIN`."""
        return min(self.poll / 3, CONFIRM_WITHIN)


def expected_at(snapshot: Snapshot, typical: Mapping[str, timedelta]) -> datetime | None:
    """About when the next change is expected; None if unknown.

    `typical` maps the name of a step of this workflow to its usual duration. A step that has been running for longer
    than usual gives a moment in the past.
    """
    moments = [
        snapshot.seen_at + typical[step.name] - step.elapsed
        for step in snapshot.execution.steps
        if step.is_running and step.elapsed is not None and step.name in typical
    ]
    if snapshot.execution.deadline is not None:
        moments.append(snapshot.execution.deadline)
    return min(moments, key=lambda moment: abs(moment - snapshot.seen_at), default=None)


def running_interval(expected_at: datetime | None, *, now: datetime, cadence: Cadence) -> timedelta:
    """How long until the next poll of a running execution: the usual interval, shorter around `expected_at`."""
    if expected_at is None:
        return cadence.poll
    return min(max(abs(expected_at - now) / 4, cadence.soon), cadence.poll)


def grace_interval(retry_until: datetime, *, now: datetime, cadence: Cadence) -> timedelta:
    """How long until the next poll of an execution that may be retried until `retry_until`."""
    return max(min(cadence.poll * 2, cadence.staleness, retry_until - now), SHORTEST_GRACE_INTERVAL)


def failure_interval(
    misses: int, *, cadence: Cadence, others_answered: bool, retry_after: timedelta | None
) -> timedelta:
    """How long until the next poll after `misses` failures in a row; at least `retry_after`, which GCS asked for.

    It doubles with each failure. Where GCS `others_answered` just now, the next try is as likely to succeed as any
    other, so that it never grows beyond the usual interval.
    """
    longest = cadence.poll if others_answered else LONGEST_FAILURE_INTERVAL
    interval = min(cadence.soon * 2.0 ** min(misses - 1, 8), longest)
    return max(interval, retry_after or interval)
