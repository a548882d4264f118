"""Rules: which new executions each of them follows, and from when on.

Lives here: whether an execution, as a list shows it, matches a rule, and `RuleBook`, which asks that of all rules at
once. Pure. Does not live here: reading lists (`bot.workers.sweeper.finder`), keeping rules (`bot.store.rules`), what
people may type (`handlers.parsing`). Called by those.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.domain.following import Rule, RuleKind, Subscriber
from bot.domain.search import Match

LASTS = timedelta(days=90)
"""How long a rule lasts from its beginning, or from the last time that somebody kept it."""

ANNOUNCED = timedelta(days=7)
"""How long before the end of a rule its subscriber is notified."""

CLOCKS_APART = timedelta(minutes=2)
"""How far apart GCS's clock and the store's may be: an execution that seems so much older than a rule may be new."""

MOST_BEFORE = 50
"""At most how many executions a rule knows that existed when it began."""

SEPARATOR = "="
"""Between the key of a label and its value."""


def normal(text: str) -> str:
    """`text` as it is compared: in any case, with wide letters as plain ones."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def matches(kind: RuleKind, values: Iterable[str], match: Match) -> bool:
    """Whether a rule of this kind is about an execution, however old that is."""
    wanted = {normal(value) for value in values} - {"", SEPARATOR}
    return bool(wanted) and wanted <= _marks(kind, match)


def is_new(rule: Rule, match: Match) -> bool:
    """Whether an execution was created after a rule; one whose creation is unknown was not, as far as is known."""
    if match.created_at is None or match.execution_id in rule.before:
        return False
    if rule.newest is not None and match.created_at < rule.newest:
        return False
    return match.created_at > rule.created_at - CLOCKS_APART


def existing(found: Iterable[Match], *, now: datetime) -> tuple[str, ...]:
    """The ids that a rule which begins `now` must know: these executions exist, and may seem no older than the rule."""
    since = now - CLOCKS_APART
    recent = [match for match in found if match.created_at is not None and match.created_at > since]
    latest = sorted(recent, key=lambda match: match.created_at or since, reverse=True)
    return tuple(match.execution_id for match in latest[:MOST_BEFORE])


def newest(found: Iterable[Match], *, now: datetime) -> datetime | None:
    """When the newest of all executions was created; None without one. A date that can only be wrong does not count."""
    created = [match.created_at for match in found if match.created_at is not None]
    return max((each for each in created if each < now + CLOCKS_APART), default=None)


class RuleBook:
    """Rules that have not ended, found by what an execution shows: most executions match none of them."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = tuple(rule for rule in rules if rule.ended_by is None)
        self._by_mark: defaultdict[tuple[RuleKind, str], list[Rule]] = defaultdict(list)
        for rule in self.rules:
            if rule.values:
                self._by_mark[rule.kind, normal(rule.values[0])].append(rule)

    def matching(self, match: Match) -> dict[Subscriber, Sequence[Rule]]:
        """The rules that follow an execution which is new to them, by subscriber."""
        found: defaultdict[Subscriber, list[Rule]] = defaultdict(list)
        for kind in RuleKind:
            for mark in _marks(kind, match):
                for rule in self._by_mark.get((kind, mark), ()):
                    if matches(rule.kind, rule.values, match) and is_new(rule, match):
                        found[rule.subscriber].append(rule)
        return dict(found)

    @property
    def since(self) -> datetime | None:
        """When the oldest rule began; None without rules. Nothing that is clearly older can match."""
        return min((rule.created_at for rule in self.rules), default=None)


def _marks(kind: RuleKind, shown: Match) -> set[str]:
    """What an execution shows that a rule of this kind may want."""
    found: Iterable[str] = ()
    if kind is RuleKind.WORKFLOW:
        found = (shown.workflow_name, shown.workflow_id)
    elif kind is RuleKind.LABEL:
        found = (f"{key.strip()}{SEPARATOR}{value.strip()}" for key, value in shown.labels)
    elif kind is RuleKind.PROJECT:
        found = shown.projects
    return {normal(text) for text in found} - {""}
