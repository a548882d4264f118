"""Acts: what people had GCS do to executions, so that nothing is done twice.

Lives here: `Acts`. Does not live here: the call to GCS and what follows from its answer (`bot.acting`), when GCS shows
that it took an act (`bot.domain.acting`). Called by `bot.acting` and by the watcher.

An act is written before GCS is called, and stays for `OPEN_KEPT` until its result is known, then for `KEPT`. One that
has no result after `BUSY` is of a bot that died: nobody knows whether GCS got the call, and only a person who is asked
again may send another one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.acting import Act, Action, Result
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from bot.store.engine.connection import Connection
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import execution_key
from bot.store.owner import Ownership
from bot.store.rows import at, change_entry, milliseconds
from bot.store.unreadable import Unreadable, reading

BUSY = timedelta(minutes=1)
"""How long an act without a result is under way: longer than a call to GCS and the looks after it may take."""

KEPT = timedelta(hours=1)
"""How long an act is remembered that GCS took or refused."""

OPEN_KEPT = timedelta(days=1)
"""How long one with an unknown result is remembered: GCS may be away for hours before it shows the effect."""


class Acts:
    """The last act on each execution of one GCS account, as the workspaces see it."""

    def __init__(self, connection: Connection, ownership: Ownership, *, polls: Wakeup, deliveries: Wakeup) -> None:
        self._connection, self._ownership = connection, ownership
        self._polls, self._deliveries = polls, deliveries

    async def last(self, team_id: str, execution_id: str) -> Act | None:
        """The last act on an execution; None if there was none for a while.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        execution = self._key(team_id, execution_id)
        async with self._connection.guarded() as redis:
            row = await redis.get(self._connection.keys.act_on(execution))
        try:
            return _act(str(row)) if row else None
        except Unreadable as error:
            error.report(execution)
            return None

    async def begin(self, team_id: str, execution_id: str, *, token: str, known: str, action: Action, by: str) -> bool:
        """Begin an act; False if it must not begin, since the person was not shown what others did meanwhile.

        `known`: token of the last act that they were shown; empty for none.

        Raises:
            StoreUnavailable: the store does not answer, or takes no writes. Nothing may be done then.
        """
        execution = self._key(team_id, execution_id)
        spans = milliseconds(BUSY), milliseconds(OPEN_KEPT)
        began, _ = await self._connection.keep(
            "acts/begin", self._home(execution), execution, token, known, action.value, by, *spans
        )
        return bool(began)

    async def finish(self, team_id: str, execution_id: str, act: Act, result: Result, *, now: datetime) -> bool:
        """Write how an act ended. If it is done, those who follow the execution read it, and it is polled now.

        Returns:
            Whether that was not known yet.

        Raises:
            StoreUnavailable: the store does not answer, or takes no writes.
        """
        execution, notice = self._key(team_id, execution_id), ""
        keep = OPEN_KEPT if result is Result.UNKNOWN else KEPT
        if result is Result.DONE:
            done = Change(kind=ChangeKind.ACTED, revision=0, at=now, by=act.by, action=act.action.value)
            notice = change_entry(done)
        is_news = await self._connection.run(
            "acts/finish", self._home(execution), execution, act.token, result.value, notice, milliseconds(keep)
        )
        if notice:
            self._deliveries.set()
            self._polls.set()
        return bool(is_news)

    async def noticed(self, team_id: str, execution: Execution, *, now: datetime) -> Act | None:
        """GCS shows a change: if it is the effect of an act whose answer was lost, that is written.

        Returns:
            That act; None where there is none.

        Raises:
            StoreUnavailable: as from `finish`.
        """
        act = await self.last(team_id, execution.id)
        if act is None or not act.is_open or not act.explains(execution, now=now):
            return None
        return act if await self.finish(team_id, execution.id, act, Result.DONE, now=now) else None

    def _key(self, team_id: str, execution_id: str) -> str:
        return execution_key(self._ownership.owner.account, team_id, execution_id)

    def _home(self, execution: str) -> str:
        return self._connection.keys.home_of(execution)


def _act(row: str) -> Act:
    """The act that `row` stands for; fields behind those that we know are ignored.

    Raises:
        Unreadable: it stands for none.
    """
    with reading("act"):
        token, action, by, began, result, *_ = row.split("|")
        return Act(token=token, action=Action(action), by=by, began_at=at(int(began)), result=Result(result))
