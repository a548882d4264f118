"""Catch-up messages: the ends that each of them reports, and the lane by which it is posted, once.

Lives here: `CatchUps`. Does not live here: which ends it reports (`bot.domain.catch_up`), posting
(`bot.workers.notifier.catch_up`), deletion with everything else about a person (`bot.store.people`). Called by the
notifier, as a part of `Outbox`.

An end stays in its own lane until that has read here that the message was posted, or is without it. So what is kept
here is needed for the message only, and losing it loses no end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from bot.domain.catch_up import Caught, catch_up_id, catch_up_ids
from bot.domain.execution import Execution
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.snapshot import Snapshot
from bot.store.engine.connection import Connection
from bot.store.engine.wakeup import Wakeup
from bot.store.keys import Lane
from bot.store.log.rows import code_field
from bot.store.rows import EPOCH, milliseconds, subscription_row
from bot.store.snapshots import first_text
from bot.store.unreadable import Unreadable, reading

REST, MOST = timedelta(seconds=2), timedelta(seconds=15)
"""How long after the last end that joined it a message is due, and at most how long after the first."""

KEPT = timedelta(days=4)
"""How long it is remembered which ends a message reported: a bot may be stopped for a long weekend just then."""

_WAITS, _POSTED = "waits", "posted"

_caught = msgspec.json.Decoder(Caught, strict=False).decode


@dataclass(frozen=True, slots=True)
class Entered:
    """How an end is reported: by a message (`channel` and `ts`), not yet (`wait`), or by its own lane."""

    wait: timedelta | None = None
    """Until the message is due; None where it was posted, or is without this end."""
    code: str = ""
    """With `wait`: why Slack has refused the message, if it has."""
    channel: str = ""
    ts: str = ""
    """Empty while there is none."""


class CatchUps:
    """The catch-up messages of this bot."""

    def __init__(self, connection: Connection, *, deliveries: Wakeup) -> None:
        self._connection, self._keys, self._deliveries = connection, connection.keys, deliveries

    async def enter(self, lane: Lane, end: Caught, *, until: datetime) -> Entered:
        """Have the message for the quiet time that lasted `until` report the end of a person's `lane`.

        A second time adds nothing, and says how it is.
        """
        message = lane._replace(execution_id=catch_up_id(lane.subscriber_id, until))
        state, *more = await self._connection.run(
            "catch_ups/enter",
            self._keys.home_of(message.execution),
            str(message),
            subscription_row(_subscription(message)),
            first_text(Snapshot(Execution(id=message.execution_id), 1, EPOCH, is_catch_up=True), None),
            f"{lane.execution_id}/{milliseconds(end.change.at - EPOCH)}",
            msgspec.json.encode(end).decode(),
            milliseconds(REST),
            milliseconds(MOST),
        )
        if state == _POSTED:
            channel, ts = map(str, more)
            return Entered(channel=channel, ts=ts)
        if state != _WAITS:
            return Entered()
        wait = timedelta(milliseconds=int(more[0]))
        self._deliveries.set(after=wait.total_seconds())
        return Entered(wait, code=str(more[1]))

    async def close(self, lane: Lane, token: str) -> Sequence[Caught] | None:
        """The ends of a message that is about to be posted, after which none joins it. None: the claim was lost.

        Empty where it had a single end, which its own lane reports: then the lane of the message is gone.
        """
        rows = await self._connection.run(
            "catch_ups/close", self._keys.home_of(lane.execution), str(lane), token, milliseconds(KEPT), patient=True
        )
        if rows is None:
            return None
        try:
            with reading("catch-up"):
                return [_caught(row) for row in map(str, rows)]
        except Unreadable as error:  # another version wrote it; the end's lane still has it
            error.report(str(lane))
            return () if await self.let_go(lane, token) else None

    async def refused(self, lane: Lane, token: str, code: str) -> None:
        """Slack does not take a message for now: reports of its ends then say why."""
        home, why = self._keys.home_of(lane.execution), code_field(code)
        await self._connection.run("catch_ups/refused", home, str(lane), token, why, patient=True)

    async def posted(self, lane: Lane, token: str, *, channel: str, ts: str) -> bool:
        """The message was posted, and its lane is gone; False when the claim was lost."""
        return await self._finish(lane, token, f"{_POSTED}|{channel}|{ts}")

    async def let_go(self, lane: Lane, token: str) -> bool:
        """The message cannot be posted: each end is reported by its own lane. False when the claim was lost."""
        return await self._finish(lane, token, "own")

    async def forget_person(self, scope: str, user_id: str) -> None:
        """Delete what is kept for a person's messages in the store of an owner with this `scope`."""
        about = f"{self._keys.prefix}:{{p*}}:caught:{scope}{catch_up_ids(user_id)}*"
        async with self._connection.guarded() as redis:
            for key in [str(key) async for key in redis.scan_iter(match=about, count=500)]:
                await redis.delete(key)

    async def _finish(self, lane: Lane, token: str, state: str) -> bool:
        done = await self._connection.run(
            "catch_ups/finish",
            self._keys.home_of(lane.execution),
            str(lane),
            token,
            state,
            milliseconds(KEPT),
            patient=True,
        )
        return bool(done)


def _subscription(lane: Lane) -> Subscription:
    """Of the message's lane; the script writes when it began."""
    reader = Subscriber(lane.team_id, lane.subscriber_id)
    return Subscription(
        execution_id=lane.execution_id,
        subscriber=reader,
        level=Level.FINAL,
        owner=reader.id,
        created_at=EPOCH,
        is_ending=True,
    )
