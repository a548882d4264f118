"""The rules of an account: written one by one, each in place of what was read, so that no change is lost.

Lives here: `Rules`, the places of executions that a rule follows at once, and how far lists were scanned. Does
not live here: the subscriptions that rules make (`enlisting`), what matches a rule (`bot.domain.rules`). Called by
`bot.rules`, the sweeper and the notifier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from bot.domain.following import Level, Rule, Subscriber
from bot.errors import TooManyRules
from bot.store.engine.connection import Connection
from bot.store.owner import Owner, Ownership
from bot.store.rows import EPOCH, at, milliseconds
from bot.store.unreadable import Unreadable, reading

MOST_RULES = 20
"""At most how many rules a person or channel has."""

_TOO_MANY = -1
"""What the script answers then."""

_rule = msgspec.json.Decoder(Rule).decode


class RulesRead(NamedTuple):
    """All rules at one moment."""

    now: datetime
    """By the store's clock."""
    through: datetime
    """Executions that were created before that have been scanned; now, where no scan has been yet."""
    rules: tuple[Rule, ...]


class Rules:
    """The rules of this bot's account."""

    def __init__(self, connection: Connection, ownership: Ownership) -> None:
        self._connection, self._ownership = connection, ownership

    async def read(self, owner: Owner | None = None) -> RulesRead:
        """All of them, or of another `owner`; those that have just ended as well, without those that cannot be read.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        now, through, rows = await self._connection.run("rules/read", self._home(owner))
        read = [_readable(str(field), str(row)) for field, row in zip(rows[::2], rows[1::2], strict=True)]
        # A rule that is yet to begin was made before the clock was set back: nothing would be new to it until then.
        found = [replace(rule, created_at=min(rule.created_at, at(now))) for rule in read if rule is not None]
        ordered = sorted(found, key=lambda rule: (rule.created_at, rule.id))
        return RulesRead(at(now), at(through), tuple(ordered))

    async def of(self, subscriber: Subscriber) -> tuple[Rule, ...]:
        """Those of a subscriber that have not ended, the oldest first."""
        rules = (await self.read()).rules
        return tuple(rule for rule in rules if rule.subscriber == subscriber and rule.ended_by is None)

    async def put(self, rule: Rule, *, level: Level | None) -> tuple[Rule, Rule | None, bool]:
        """Write a rule; one that exists keeps its beginning and its owner, unless it has ended.

        Without a `level`, one that exists keeps that, too.

        Returns:
            The rule as it is now; as it was before, None if there was none; and whether replicas hold it.

        Raises:
            TooManyRules: its subscriber has `MOST_RULES` already.
        """
        text = ""
        while True:
            known = _readable(_field(rule), text) if text else None
            was = known if known is not None and known.ended_by is None else None
            wanted = rule
            if was is not None:
                owner = was.owner or rule.owner
                wanted = replace(was, owner=owner, expires_at=rule.expires_at, is_announced=False)
            wanted = replace(wanted, level=level or wanted.level)
            (done, text), is_safe = await self._swap(_field(rule), text, wanted)
            if done == _TOO_MANY:
                raise TooManyRules(MOST_RULES, is_person=rule.subscriber.is_person)
            if done:
                return wanted, was, is_safe

    async def change(
        self, subscriber: Subscriber, rule_id: str, change: Callable[[Rule], Rule | None]
    ) -> tuple[Rule | None, bool]:
        """Write what `change` makes of a rule that has not ended; where it makes nothing of it, the rule stays.

        Returns:
            The rule as it was written, None where nothing was; and whether replicas hold it.
        """
        field = f"{subscriber.id}/{rule_id}"
        async with self._connection.guarded() as redis:
            text = str(await redis.hget(f"{self._home()}rows", field) or "")
        while text:
            known = _readable(field, text)
            wanted = change(known) if known is not None and known.ended_by is None else None
            if wanted is None:
                break
            (done, text), is_safe = await self._swap(field, text, wanted)
            if done:
                return wanted, is_safe
        return None, True

    async def end(
        self, subscriber: Subscriber, rule_id: str, *, by: str = "", code: str = ""
    ) -> tuple[Rule | None, bool]:
        """Note that a rule has ended: nothing new is followed. `Enlisting.finish` does the rest.

        Returns:
            The rule, None if there is none; and whether replicas hold its end.
        """
        return await self.change(subscriber, rule_id, lambda rule: replace(rule, ended_by=by, code=code))

    async def delete(self, rule: Rule) -> None:
        """Delete a rule that has ended, unless it was made again."""
        field = _field(rule)
        async with self._connection.guarded() as redis:
            text = str(await redis.hget(f"{self._home()}rows", field) or "")
        known = _readable(field, text) if text else None
        if known is not None and known.ended_by is not None:
            await self._connection.run("rules/swap", self._home(), field, text, "", MOST_RULES)

    async def restore(self, rule: Rule, execution_ids: Sequence[str], owner: Owner) -> bool:
        """Bring a rule into the store of `owner`, and what it follows; False where it has one for the same."""
        home, field = self._home(owner), _field(rule)
        done, _ = await self._connection.run("rules/swap", home, field, "", _row(rule), MOST_RULES)
        for execution_id in execution_ids if done == 1 else ():
            await self._connection.run("rules/take_place", home, field, execution_id, "")
        return bool(done == 1)

    async def forget_person(self, user_id: str, *, owner: Owner) -> tuple[int, int]:
        """Delete the rules of a person, and their name in those of channels, which go on.

        Returns:
            How many were deleted, and how many have no owner any more.
        """
        deleted, owned, home = 0, 0, self._home(owner)
        async with self._connection.guarded() as redis:
            rows = await redis.hgetall(f"{home}rows")
        for field, first in rows.items():
            row, is_own = str(first), str(field).startswith(f"{user_id}/")
            while row:
                rule = None if is_own else _readable(str(field), row)
                if not is_own and (rule is None or user_id not in {rule.owner, rule.ended_by}):
                    break
                wanted = _row(_without(rule, user_id)) if rule else ""
                done, row = await self._connection.run("rules/swap", home, str(field), row, wanted, MOST_RULES)
                if done:
                    deleted, owned = deleted + is_own, owned + (not is_own)
        return deleted, owned

    async def alive(self, rules: Sequence[Rule]) -> list[Rule]:
        """Those of `rules` that have not ended, as they are now."""
        if not rules:
            return []
        async with self._connection.guarded() as redis:
            rows = await redis.hmget(f"{self._home()}rows", [_field(rule) for rule in rules])
        found = [_readable(_field(rule), str(row)) for rule, row in zip(rules, rows, strict=True) if row]
        return [rule for rule in found if rule is not None and rule.ended_by is None]

    async def take_places(self, rules: Sequence[Rule], execution_id: str, *, most: int | None) -> list[Rule]:
        """Those of `rules` that may follow one more execution, each `most` at once; None for any number."""
        home = self._home()
        # Replicas hold them, too: a place that a fail-over took back would hide what the rule follows.
        taken = [
            self._connection.keep("rules/take_place", home, _field(rule), execution_id, most or "") for rule in rules
        ]
        return [rule for rule, (has_place, _) in zip(rules, await asyncio.gather(*taken), strict=True) if has_place]

    async def places(self, rule: Rule, owner: Owner | None = None) -> dict[str, timedelta]:
        """The ids of the executions that a rule follows, and how long ago it took the place; some have ended.

        By the store's clock: that of this machine may differ from it.
        """
        now, found = await self._connection.run("rules/places", self._home(owner), -1, _field(rule))
        return {str(each): at(int(now)) - at(int(taken)) for each, taken in zip(found[::2], found[1::2], strict=True)}

    async def leave_places(self, rule: Rule, execution_ids: Sequence[str]) -> None:
        """These executions have ended, or somebody does not follow them any more."""
        if execution_ids:
            async with self._connection.guarded() as redis:
                await redis.zrem(f"{self._home()}of:{_field(rule)}", *execution_ids)

    async def begin_scan(self, *, every: timedelta) -> bool:
        """Whether this process scans the newest executions now: one of all copies does, once in `every`."""
        return bool(await self._connection.run("rules/begin_scan", self._home(), milliseconds(every)))

    async def end_scan(self, began: datetime) -> None:
        """A scan is done that `began` then: it has covered everything that was created before."""
        await self._connection.run("rules/end_scan", self._home(), milliseconds(began - EPOCH))

    async def _swap(self, field: str, expected: str, wanted: Rule) -> tuple[tuple[int, str], bool]:
        (done, text), is_safe = await self._connection.keep(
            "rules/swap", self._home(), field, expected, _row(wanted), MOST_RULES
        )
        return (int(done), str(text)), is_safe

    def _home(self, owner: Owner | None = None) -> str:
        owner = owner or self._ownership.owner
        return self._connection.keys.rules_of(owner.account, owner.team)


def _without(rule: Rule, user_id: str) -> Rule:
    """A rule that does not name a person any more."""
    kept = replace(rule, owner="" if rule.owner == user_id else rule.owner)
    return replace(kept, ended_by="") if kept.ended_by == user_id else kept


def _field(rule: Rule) -> str:
    return f"{rule.subscriber.id}/{rule.id}"


def _row(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()


def _readable(field: str, row: str) -> Rule | None:
    """The rule; None for one that cannot be read, which stays as it is."""
    try:
        with reading("rule"):
            return _rule(row)
    except Unreadable as error:
        error.report(field)
        return None
