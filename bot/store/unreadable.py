"""Rows of the store that this version of the bot cannot read, because another one wrote them or they are damaged.

Lives here: `Unreadable`, how it is reported, and how long such rows are left alone. Does not live here: the rows
(`rows`, `snapshots`), what goes on without them (the callers). Called by `bot.store` and the watcher.

Such a row is never deleted and never hides another one: a newer version of the bot may read it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from bot import metrics

log = structlog.get_logger()

ASIDE = timedelta(minutes=10)
"""How long an execution or a lane with such a row is left alone before it is tried again."""


class Unreadable(ValueError):
    """A row of the store that cannot be read."""

    def __init__(self, record: str) -> None:
        super().__init__(f"unreadable {record}")
        self.record = record
        """What it holds: `snapshot`, `change`, `subscription`, `receipt` or `dead_letter`."""

    def report(self, about: str) -> None:
        """Log and count it; `about` is the execution or the lane that it belongs to."""
        metrics.STORE_UNREADABLE.labels(self.record).inc()
        log.warning("store.unreadable", record=self.record, about=about, error=type(self.__cause__).__name__)


@contextmanager
def reading(record: str) -> Iterator[None]:
    """Turn what is raised by a row that stands for nothing into `Unreadable`."""
    try:
        yield
    except Unreadable:
        raise
    except (ValueError, LookupError, OverflowError, RecursionError, zlib.error) as error:
        raise Unreadable(record) from error
