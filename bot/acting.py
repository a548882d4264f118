"""Cancel and retry: what an operator has GCS do to an execution, confirmed each time and done once.

Lives here: the order of things. The execution is read before anybody is asked to confirm, and again before anything is
done; the act is written before GCS is called; if GCS's reply is lost, the execution is read, and the call is never
repeated. Does not live here: who may (`bot.slack.access`), what GCS takes in which state (`bot.domain.acting`), the
call (`bot.gcs.client`), the record (`bot.store.acts`), modals (`handlers.acting`, the only caller).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from bot.audit import audit, current_request
from bot.domain.acting import Act, Question, Result, has_taken
from bot.domain.execution import Execution
from bot.domain.snapshot import Snapshot
from bot.errors import BotError, GCSError, StoreUnavailable
from bot.gcs.client import GCSClient
from bot.gcs.errors import may_have_acted
from bot.gcs.shared_reads import SharedReads
from bot.store.acts import Acts
from bot.store.patience import in_time
from bot.store.subscriptions import Subscribers

WITHIN = timedelta(seconds=15)
"""At most how long one call to GCS may take."""

READS = (1.0, 2.0, 3.0, 4.0)
"""How many seconds to wait before each reading of an execution after GCS's reply was lost."""

READS_WITHIN = timedelta(seconds=20)
"""At most how long all of them may take. Together with one call that is less than `acts.BUSY`."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Current:
    """An execution as GCS shows it now, and the last act on it."""

    execution: Execution
    at: datetime
    act: Act | None

    @property
    def snapshot(self) -> Snapshot:
        """The execution in the form that the modals show."""
        return Snapshot(execution=self.execution, revision=0, seen_at=self.at)


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of an act."""

    result: Result | None
    """None: nothing was done, because something has changed since the person was asked to confirm."""
    current: Current
    """What GCS shows afterwards, as far as it still answers."""
    refusal: BotError | None = None
    """Why it was refused."""


class Acting:
    """Has GCS cancel and retry executions."""

    def __init__(self, gcs: GCSClient, acts: Acts, subscribers: Subscribers, *, now: Callable[[], datetime]) -> None:
        self._gcs, self._acts, self._subscribers, self._now = gcs, acts, subscribers, now
        self._reads = SharedReads(gcs, within=WITHIN, now=now)

    async def current(self, team_id: str, execution_id: str) -> Current:
        """The execution as GCS shows it now, never as it was shown before.

        Raises:
            InvalidInput: `execution_id` is not an id.
            GCSError, StoreUnavailable: GCS or the store does not say.
        """
        known = await in_time(self._subscribers.snapshot(team_id, execution_id))
        name = known.execution.name if known else ""
        read = await self._reads.get(execution_id, newer_than=self._now(), name=lambda: name)
        return Current(read.execution, read.at, await in_time(self._acts.last(team_id, read.execution.id)))

    async def act(self, team_id: str, question: Question, by: str) -> Acted:
        """Do what a person was asked about and has confirmed, if nothing has changed since then.

        Raises:
            InvalidInput, GCSError, StoreUnavailable: as from `current`; then nothing was done.
        """
        current = await self.current(team_id, question.execution_id)
        execution_id = current.execution.id
        if not question.still_holds(current.execution, current.act, now=self._now()):
            return Acted(None, current)
        act = Act(token=_token(), action=question.action, by=by, began_at=self._now())
        begins = self._acts.begin(team_id, execution_id, token=act.token, known=question.act, action=act.action, by=by)
        if not await in_time(begins):
            return Acted(None, await self.current(team_id, execution_id))
        audit("action.began", execution=execution_id, action=act.action.value)
        return await self._sent(team_id, act, current)

    async def _sent(self, team_id: str, act: Act, current: Current) -> Acted:
        """Send an act that has begun, once, and find out how it ends."""
        execution_id = current.execution.id
        refusal: BotError | None = None
        try:
            await self._gcs.operate(execution_id, act.action, within=WITHIN)
            result = Result.DONE
        except StoreUnavailable as error:  # the store has the quota: GCS was not called, or it was and refused
            result, refusal = Result.REFUSED, error
        except GCSError as error:
            log.warning("acting.unanswered", kind=type(error).__name__, error=str(error))
            if may_have_acted(error):
                result, current = await self._found_out(team_id, act, current)
            else:
                result, refusal = Result.REFUSED, error
        await self._finish(team_id, execution_id, act, result)
        if refusal is None:
            with suppress(GCSError, StoreUnavailable):  # what is known is reported in any case
                current = await self.current(team_id, execution_id)
        return Acted(result, current, refusal)

    async def _found_out(self, team_id: str, act: Act, current: Current) -> tuple[Result, Current]:
        """Whether GCS, whose reply was lost, shows within a while that it accepted the act."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READS_WITHIN.total_seconds()):
                for seconds in READS:
                    await asyncio.sleep(seconds)
                    with suppress(GCSError, StoreUnavailable):
                        current = await self.current(team_id, current.execution.id)
                        if has_taken(act.action, current.execution):
                            return Result.DONE, current
        return Result.UNKNOWN, current

    async def _finish(self, team_id: str, execution_id: str, act: Act, result: Result) -> None:
        """Write how it ended. If the store does not accept that, the watcher finds out what GCS has done."""
        is_news = True
        try:
            is_news = await in_time(self._acts.finish(team_id, execution_id, act, result, now=self._now()))
        except StoreUnavailable as error:
            log.warning("acting.unrecorded", execution=execution_id, result=result.value, why=error.words)
        if is_news:
            audit("action.ended", execution=execution_id, action=act.action.value, result=result.value)


def _token() -> str:
    """The id of the request under way, which its lines in the log have, too."""
    return current_request() or uuid4().hex[:12]
