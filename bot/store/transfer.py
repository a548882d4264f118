"""All that people would miss of a store, as lines of JSON.

Lives here: `Transfer`, which writes subscriptions with receipts and pending changes, rules, boards, dead letters, what
people have chosen, and the history of workflows, and reads them into a store. Does not live here: files and sentences
(`bot.app.store_admin`). Called by `bot.app` for `execution-bot store export` and `import`. Lines hold no secret. They
name no GCS account: what is read belongs to the account of the store that reads it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from bot.domain.board import BoardRecord
from bot.domain.change import Change
from bot.domain.execution import Value
from bot.domain.following import Level, Rule, Subscriber, Subscription
from bot.domain.home import SHOWN_FOR, ended_at
from bot.domain.quiet import QuietHours
from bot.domain.snapshot import Board, Receipt, Snapshot
from bot.store.boards import Boards
from bot.store.contents import Contents
from bot.store.engine.connection import Connection
from bot.store.homes import Homes
from bot.store.keys import Lane, lane_of
from bot.store.languages import Languages
from bot.store.outbox import DeadLetter, Outbox
from bot.store.owner import Owner
from bot.store.quiet_hours import HoursKept
from bot.store.rows import (
    change_entry,
    change_of,
    receipt_of,
    receipt_row,
    subscription_of,
    subscription_row,
)
from bot.store.rules import Rules
from bot.store.schedule.history import History
from bot.store.schedule.history_rows import is_history
from bot.store.snapshots import first_text, snapshot_of
from bot.store.subscriptions.index import Index
from bot.store.unreadable import Unreadable


class Kept(Value, frozen=True, kw_only=True, tag_field="kind", tag="subscription"):
    """One subscription, and what it needs to go on."""

    subscription: Subscription
    snapshot: Snapshot
    receipt: Receipt | None = None
    changes: tuple[Change, ...] = ()
    """What is still to be delivered."""


class KeptLetter(Value, frozen=True, tag_field="kind", tag="dead_letter"):
    """A dead letter."""

    letter: DeadLetter


class KeptHistory(Value, frozen=True, tag_field="kind", tag="history"):
    """What is known of the runs of a workflow."""

    team: str
    workflow: str
    """What stands for it in keys."""
    fields: dict[str, str]
    """As they are stored (`history_rows`)."""


class KeptRule(Value, frozen=True, tag_field="kind", tag="rule"):
    """A rule that has not ended."""

    rule: Rule
    executions: tuple[str, ...] = ()
    """The ids of those that it follows."""


class KeptBoard(Value, frozen=True, tag_field="kind", tag="board"):
    """The board of a channel."""

    record: BoardRecord
    board: Board = Board()
    """What it shows."""
    receipt: Receipt | None = None
    """The message that shows it; None if there is none yet."""


class KeptHours(Value, frozen=True, tag_field="kind", tag="quiet_hours"):
    """When a person wants quiet."""

    team: str
    person: str
    """Their user id."""
    hours: QuietHours


class KeptChoices(Value, frozen=True, kw_only=True, tag_field="kind", tag="choices"):
    """What a person has chosen, or was chosen for a channel; and how what a person followed has ended lately."""

    team: str
    reader: str
    """Their id."""
    language: str = ""
    """Empty for none."""
    level: Level | None = None
    """Where no level is named; None for none."""
    ends: tuple[Snapshot, ...] = ()


class Imported(StrEnum):
    """What became of a line."""

    ADDED = "added"
    KNOWN = "known"
    """The store had it, and kept its own."""
    FOREIGN = "foreign"
    """It belongs to another workspace."""
    UNREADABLE = "unreadable"


_ID = re.compile(r"[!-.0-z~]{1,128}")
"""What may be an id in a key: ASCII that is seen, without the signs that keys and rows have of their own (/ | { })."""

_Line = Kept | KeptLetter | KeptHistory | KeptRule | KeptHours | KeptBoard | KeptChoices


class Transfer:
    """Writes what a store holds as lines, and reads lines into a store."""

    def __init__(  # noqa: PLR0913  # what the store has
        self,
        connection: Connection,
        outbox: Outbox,
        history: History,
        rules: Rules,
        *,
        hours: HoursKept,
        boards: Boards,
        homes: Homes,
        languages: Languages,
    ) -> None:
        self._connection, self._keys, self._outbox, self._history = connection, connection.keys, outbox, history
        self._rules, self._hours, self._boards = rules, hours, boards
        self._homes, self._languages = homes, languages
        self._contents, self._index = Contents(connection), Index(connection)

    async def lines(self, owner: Owner) -> AsyncIterator[bytes | None]:
        """A line for each subscription, rule, board, dead letter, workflow, and what was chosen; None: unreadable."""
        async for row in self._without_lane(owner):
            yield row
        async for lane in self._contents.lanes():
            if str(lane).startswith(owner.scope) and (line := await self._line(lane)) != b"":
                yield line

    async def _line(self, lane: Lane) -> bytes | None:
        """The line of a subscription: empty if it has ended meanwhile, None if it cannot be read."""
        try:
            kept = await self._kept(lane)
        except Unreadable as error:
            error.report(str(lane))
            return None
        return b"" if kept is None else msgspec.json.encode(kept)

    async def _kept_rules(self, owner: Owner) -> list[KeptRule]:
        rules = [rule for rule in (await self._rules.read(owner)).rules if rule.ended_by is None]
        return [KeptRule(rule, tuple(await self._rules.places(rule, owner))) for rule in rules]

    async def _without_lane(self, owner: Owner) -> AsyncIterator[bytes]:
        for _, letter in await self._outbox.letters.rows():
            if letter.lane.startswith(owner.scope):
                yield msgspec.json.encode(KeptLetter(letter))
        for workflow in await self._contents.workflows(owner.account, owner.team):
            if fields := await self._history.fields(owner.account, owner.team, workflow):
                yield msgspec.json.encode(KeptHistory(owner.team, workflow, dict(fields)))
        for kept_rule in await self._kept_rules(owner):
            yield msgspec.json.encode(kept_rule)
        for record in await self._boards.all(owner):
            post = await self._boards.find(record, owner=owner)
            shown = (post.board or Board(), post.receipt) if post else (Board(), None)
            yield msgspec.json.encode(KeptBoard(record, *shown))
        for person, hours in (await self._hours.all(owner.team)).items():
            yield msgspec.json.encode(KeptHours(owner.team, person, hours))
        for choices in await self._choices(owner):
            yield msgspec.json.encode(choices)

    async def _choices(self, owner: Owner) -> list[KeptChoices]:
        account, team, keys, found = owner.account, owner.team, self._keys, self._contents.kept_under
        begins = (keys.language_of(team, ""), keys.level_of(team, ""), keys.ends_of(account, team, ""))
        readers = {reader for begin in begins async for reader in found(begin)}
        return [
            KeptChoices(
                team=team,
                reader=reader,
                language=await self._languages.find(team, reader),
                level=await self._homes.level_of(Subscriber(team, reader)),
                ends=await self._homes.ended(Subscriber(team, reader), owner=owner),
            )
            for reader in sorted(readers)
        ]

    async def _kept(self, lane: Lane) -> Kept | None:
        """The subscription; None if it has ended meanwhile."""
        execution, home = lane.execution, self._keys.home_of(lane.execution)
        async with self._connection.guarded() as redis:
            row = await redis.hget(self._keys.subscriptions_of(execution), lane.subscriber_id)
            text = await redis.get(self._keys.snapshot_of(execution))
            receipt = await redis.hget(f"{home}receipts:{execution}", lane.subscriber_id)
            entries = await redis.lrange(f"{home}changes:{lane}", 0, -1)
        if not row or not text:
            return None
        snapshot = snapshot_of(str(text))
        if snapshot.rule_news is not None or snapshot.is_catch_up:  # on its way
            return None
        if snapshot.board is not None:  # kept with its record
            return None
        return Kept(
            subscription=subscription_of(lane, str(row)),
            snapshot=snapshot,
            receipt=receipt_of(str(receipt or "")),
            changes=tuple(change_of(str(entry).partition("|")[2]) for entry in entries),
        )

    async def read(self, line: str | bytes, owner: Owner) -> Imported:
        """Bring one line into the store of `owner`; a second time changes nothing.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        try:
            kept = msgspec.json.decode(line, type=_Line)
        except (msgspec.MsgspecError, ValueError):
            return Imported.UNREADABLE
        if not all(_ID.fullmatch(name) for name in _ids(kept)):
            return Imported.UNREADABLE
        match kept:
            case KeptLetter():
                read = self._read_letter(kept.letter, owner)
            case KeptHistory():
                read = self._read_history(kept, owner)
            case KeptRule():
                read = self._read_rule(kept, owner)
            case KeptBoard():
                read = self._read_board(kept, owner)
            case KeptHours():
                read = self._read_hours(kept, owner)
            case KeptChoices():
                read = self._read_choices(kept, owner)
            case _:
                read = self._read_subscription(kept, owner)
        return await read

    async def _read_board(self, kept: KeptBoard, owner: Owner) -> Imported:
        if kept.record.subscriber.team_id != owner.team:
            return Imported.FOREIGN
        is_added = await self._boards.restore(kept.record, kept.board, kept.receipt, owner)
        return Imported.ADDED if is_added else Imported.KNOWN

    async def _read_hours(self, kept: KeptHours, owner: Owner) -> Imported:
        if kept.team != owner.team:
            return Imported.FOREIGN
        is_added = await self._hours.add(kept.team, kept.person, kept.hours)
        return Imported.ADDED if is_added else Imported.KNOWN

    async def _read_choices(self, kept: KeptChoices, owner: Owner) -> Imported:
        if kept.team != owner.team:
            return Imported.FOREIGN
        person, is_added = Subscriber(kept.team, kept.reader), False
        if kept.language:
            is_added |= await self._languages.add(kept.team, kept.reader, kept.language)
        if kept.level is not None:
            is_added |= await self._homes.add_level(kept.team, kept.reader, kept.level)
        known = {end.execution.id for end in await self._homes.ended(person, owner=owner)} if kept.ends else set()
        for end in kept.ends:
            if end.execution.id not in known and ended_at(end) > datetime.now(UTC) - SHOWN_FOR:
                await self._homes.note_end(person, end, owner=owner)
                is_added = True
        return Imported.ADDED if is_added else Imported.KNOWN

    async def _read_subscription(self, kept: Kept, owner: Owner) -> Imported:
        subscription = kept.subscription
        if subscription.subscriber.team_id != owner.team:
            return Imported.FOREIGN
        if kept.snapshot.execution.id != subscription.execution_id:
            return Imported.UNREADABLE
        lane = lane_of(owner.account, subscription.subscriber, subscription.execution_id)
        await self._index.enter(lane, subscription.created_at, is_by_rule=subscription.is_by_rule_only)
        is_added = await self._connection.run(
            "subscriptions/restore",
            self._keys.home_of(lane.execution),
            str(lane),
            subscription_row(subscription),
            first_text(kept.snapshot, None),
            receipt_row(kept.receipt) if kept.receipt else "",
            *map(change_entry, kept.changes),
        )
        return Imported.ADDED if is_added else Imported.KNOWN

    async def _read_history(self, kept: KeptHistory, owner: Owner) -> Imported:
        if kept.team != owner.team:
            return Imported.FOREIGN
        if not kept.workflow or not is_history(kept.fields):
            return Imported.UNREADABLE
        is_added = await self._history.restore(owner.account, owner.team, kept.workflow, kept.fields)
        return Imported.ADDED if is_added else Imported.KNOWN

    async def _read_rule(self, kept: KeptRule, owner: Owner) -> Imported:
        if kept.rule.subscriber.team_id != owner.team:
            return Imported.FOREIGN
        is_added = await self._rules.restore(kept.rule, kept.executions, owner)
        return Imported.ADDED if is_added else Imported.KNOWN

    async def _read_letter(self, letter: DeadLetter, owner: Owner) -> Imported:
        try:
            lane = Lane.parse(letter.lane)
        except ValueError:
            return Imported.UNREADABLE
        if lane.team_id != owner.team:
            return Imported.FOREIGN
        lane = lane._replace(account=owner.account)
        row = msgspec.json.encode(replace(letter, lane=str(lane))).decode()
        is_added = await self._outbox.letters.add(row)
        if is_added is None:
            return Imported.UNREADABLE
        return Imported.ADDED if is_added else Imported.KNOWN


def _ids(kept: _Line) -> Iterator[str]:
    """What of a line becomes a part of keys."""
    match kept:
        case Kept():
            yield from (kept.subscription.execution_id, kept.subscription.subscriber.id)
        case KeptLetter():
            yield from kept.letter.lane.split("/")
        case KeptRule():
            yield from (kept.rule.subscriber.id, *kept.executions)
        case KeptBoard():
            yield kept.record.subscriber.id
        case KeptHours():
            yield kept.person
        case KeptChoices():
            yield from (kept.reader, *(end.execution.id for end in kept.ends))
        case _:
            return
