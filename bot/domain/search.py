"""Finding executions by what people remember of them: a name, a part of one, the first digits of an id.

Lives here: `Match`, what fits a query, and which one is meant. Pure. Does not live here: where executions are looked
for (`bot.search`, `bot.gcs.search`), what people may type (`handlers.parsing`). Called by those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

_BEGINS_AN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{0,4}){0,3}(?:-[0-9a-f]{0,12})?")
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Match(NamedTuple):
    """An execution, as far as a list shows it."""

    execution_id: str
    name: str = ""
    phase: str = ""
    workflow_name: str = ""
    created_at: datetime | None = None
    workflow_id: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """Keys and values."""
    projects: tuple[str, ...] = ()
    """Name and id of its enterprise project."""


class Found(NamedTuple):
    """What a search has found."""

    matches: tuple[Match, ...] = ()
    """The newest first, each execution once."""
    unread: int = 0
    """How many executions more GCS has that were not read."""


def begins_an_id(query: str) -> bool:
    """Whether `query` is the beginning of an execution id: its first eight digits at least."""
    return _BEGINS_AN_ID.fullmatch(query.casefold()) is not None


def fits(query: str, match: Match) -> bool:
    """Whether `query` is a part of the name in any case, or the first digits of the id."""
    folded = query.casefold()
    return folded in match.name.casefold() or (begins_an_id(query) and match.execution_id.startswith(folded))


def newest_first(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Each execution once, as it was seen first; those without a time are the last."""
    once: dict[str, Match] = {}
    for match in matches:
        once.setdefault(match.execution_id, match)
    return tuple(sorted(once.values(), key=lambda match: match.created_at or _EARLIEST, reverse=True))


def narrowed(query: str, matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """The only one with exactly this name, whose name may be a part of others' names; else all of `matches`."""
    exact = tuple(match for match in matches if match.name.casefold() == query.casefold())
    return exact if len(exact) == 1 else matches
