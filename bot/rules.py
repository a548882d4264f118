"""What people ask for about rules: to follow all new executions of a kind, to stop that, to keep it for longer.

Lives here: `RuleRequests`. Does not live here: finding what matches (`bot.workers.sweeper.finder`), parsing and
replying (`handlers`). Called by the handlers, through `Subscriptions.rules`.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from msgspec.structs import replace

from bot.audit import audit
from bot.domain.following import Level, Rule, RuleKind, Subscriber
from bot.domain.rules import LASTS, existing, matches, newest
from bot.domain.search import Match
from bot.errors import GCSListForbidden, InputProblem, InvalidInput, StoreUnavailable
from bot.gcs.search import SharedSearches
from bot.store.patience import in_time
from bot.store.rules import Enlisting, Rules

FINISHED_WITHIN = timedelta(seconds=10)
"""How long a person waits while what a rule follows ends; the rest is done without them."""


@dataclass(frozen=True, slots=True)
class RuleMade:
    """The result of making a rule."""

    rule: Rule
    was: Rule | None
    """The rule before that, for the same."""
    has_run: bool
    """Whether something that it would follow is among the newest executions."""
    is_safe: bool = True
    """False if fewer replicas of the store hold it than configured."""
    workflows: int = 1
    """How many workflows with the name that it follows have run lately."""


@dataclass(frozen=True, slots=True)
class RuleEnded:
    """The result of ending a rule."""

    rule: Rule | None
    """None if there was none."""
    executions: int = 0
    """How many are not followed any more."""
    is_safe: bool = True


class RuleRequests:
    """Serves what people ask for about rules."""

    def __init__(self, rules: Rules, enlisting: Enlisting, searches: SharedSearches) -> None:
        self._rules, self._enlisting, self._searches = rules, enlisting, searches

    async def make(
        self, subscriber: Subscriber, kind: RuleKind, values: tuple[str, ...], *, level: Level | None, owner: str
    ) -> RuleMade:
        """Have `subscriber` follow all new executions of a kind; `owner` is the person who asks.

        A rule that exists gets another level, and lasts as long as a new one.

        Raises:
            TooManyRules: the subscriber has as many as it may.
            InvalidInput: GCS refuses its list, without which no rule finds anything.
            GCSError: GCS does not show its list now.
        """
        try:
            listed = await self._listed(kind, values)
        except GCSListForbidden:
            raise InvalidInput(InputProblem.LISTS_REFUSED) from None
        found = [match for match in listed if matches(kind, values, match)]
        now = (await in_time(self._rules.read())).now
        new = Rule(
            subscriber=subscriber,
            kind=kind,
            values=values,
            owner=owner,
            created_at=now,
            expires_at=now + LASTS,
            before=existing(found, now=now),
            newest=newest(listed, now=now),
        )
        rule, was, is_safe = await in_time(self._rules.put(new, level=level))
        _audit("rule.changed" if was else "rule.created", rule)
        workflows = len({match.workflow_id for match in found}) if kind is RuleKind.WORKFLOW else 1
        return RuleMade(rule, was, bool(found), is_safe, workflows)

    async def end(self, subscriber: Subscriber, rule_id: str, *, by: str) -> RuleEnded:
        """End a rule, and what only it follows; a channel reads that `by` did it."""
        rule, is_safe = await in_time(self._rules.end(subscriber, rule_id, by=by))
        if rule is None:
            return RuleEnded(None)
        _audit("rule.ended", rule, why="unsubscribed")
        executions = 0
        with suppress(StoreUnavailable):  # then the sweeper does it
            executions = await in_time(self._enlisting.finish(rule), within=FINISHED_WITHIN)
        return RuleEnded(rule, executions, is_safe)

    async def keep(self, subscriber: Subscriber, rule_id: str) -> Rule:
        """Have a rule last as long as a new one.

        Raises:
            InvalidInput: it has ended.
        """
        now = (await in_time(self._rules.read())).now
        change = self._rules.change(
            subscriber, rule_id, lambda rule: replace(rule, expires_at=now + LASTS, is_announced=False)
        )
        rule, _ = await in_time(change)
        if rule is None:
            raise InvalidInput(InputProblem.RULE_ENDED)
        _audit("rule.kept", rule)
        return rule

    async def mine(self, person: Subscriber, channels: Collection[str]) -> tuple[Rule, ...]:
        """A person's own rules, and those that they made for the `channels` that they are in; the oldest first."""
        rules = (await in_time(self._rules.read())).rules
        return tuple(
            rule
            for rule in rules
            if rule.ended_by is None
            and (rule.subscriber == person or (rule.owner == person.id and rule.subscriber.id in channels))
        )

    async def has(self, subscriber: Subscriber) -> bool:
        """Whether a subscriber has rules."""
        return bool(await in_time(self._rules.of(subscriber)))

    async def of(self, subscriber: Subscriber) -> tuple[tuple[Rule, int], ...]:
        """The rules of a subscriber, and how many executions each follows now."""
        rules = await in_time(self._rules.of(subscriber))
        return tuple([(rule, await in_time(self._enlisting.tidy(rule))) for rule in rules])

    async def _listed(self, kind: RuleKind, values: tuple[str, ...]) -> tuple[Match, ...]:
        """The newest executions, of what a rule would follow or of all."""
        name = values[0] if kind is RuleKind.WORKFLOW else ""
        found = (await self._searches.of_workflow(name)).matches
        if name and not any(matches(kind, values, match) for match in found):  # an id, or spelled in another way
            return (await self._searches.of_workflow("")).matches
        return found


def _audit(event: str, rule: Rule, *, why: str = "") -> None:
    audit(
        event,
        why=why,
        team=rule.subscriber.team_id,
        subscriber=rule.subscriber.id,
        rule=rule.id,
        owner=rule.owner,
        changes=rule.level.value,
    )
