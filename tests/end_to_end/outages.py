"""Two days in an institute: on one GCS is unreachable for an hour, on the other Slack.

Lives here: `without_gcs` and `without_slack`, in which the whole service runs, and their `Evidence`. Does not live
here: what begins and what people type (`institute`), how an hour passes in half a minute (`leaping`), what must be true
(the tests). Called by `leaping`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.app import service
from bot.app.logs import set_up_logging
from bot.settings import Settings
from bot.workers import pool
from bot.workers.sweeper import sweeper
from sandbox import gcs, slack
from sandbox.gcs.ledger import Call as Poll
from sandbox.slack.web_api import Call
from tests.chaos.evidence import Record
from tests.chaos.gathering import all_boards, all_caught_up, all_notices, all_said
from tests.chaos.operators import Operator
from tests.end_to_end.bot_process import logged
from tests.end_to_end.conftest import plain_settings
from tests.end_to_end.institute import AFTER, HOUR, MINUTE, Institute
from tests.end_to_end.leaping import LOG

FOLLOWED, OUTLASTING = 140, 40
"""How many executions are followed: more than GCS's quota allows at once, and more messages than Slack does. Beside
them, on the day without Slack, how many that outlast it: what they report waits behind outcomes."""


@dataclass(frozen=True, kw_only=True)
class Operated:
    """What somebody has had GCS do."""

    execution_id: str
    by: str
    sent: tuple[int, ...]
    """The status of each call that reached GCS; 0 where no answer left it."""
    read: tuple[str, ...]
    """The modal after each press."""
    audited: tuple[tuple[str, str], ...]
    """Person and result of each line of the audit trail; `began` where it was not known yet."""


@dataclass(kw_only=True)
class Evidence:
    """What both servers saw; all times are wall time."""

    record: Record
    executions: int
    """How many were followed by hand, and never muted."""
    gone: float
    """When the outage began."""
    back: float
    """When it ended."""
    polls: list[Poll]
    """Each call to GCS that reached it."""
    calls: list[Call]
    """Each call to Slack that reached it."""
    operated: dict[str, Operated]
    """By `institute.ACTS`."""


async def without_gcs(url: str, folder: Path) -> Evidence:
    """GCS responds 503, then not at all, then takes no connection, twenty minutes each."""
    unanswered = gcs.Fault(kind="reset")
    async with _running(url, folder, Institute(executions=FOLLOWED), unanswered, POLL_INTERVAL="30") as institute:
        faults = (gcs.Fault(kind="status", status=503), gcs.Fault(kind="timeout"))
        return await _hour(institute, folder, institute.gcs, faults)


async def without_slack(url: str, folder: Path) -> Evidence:
    """Sockets break; Slack responds 503, then not at all, then takes no connection, twenty minutes each."""
    answered_late = gcs.Fault(kind="slow", delay=5.0)
    busy = Institute(executions=FOLLOWED, lasting=OUTLASTING)
    async with _running(url, folder, busy, answered_late, POLL_INTERVAL="180") as institute:
        await institute.slack.disconnect_sockets("abrupt")
        faults = (slack.Fault(kind="status", times=None), slack.Fault(kind="silent", times=None, delay=MINUTE))
        return await _hour(institute, folder, institute.slack, faults)


async def _hour(institute: Institute, folder: Path, server: Any, faults: Sequence[Any]) -> Evidence:
    """An hour: a third with each of two faults, and a third without the server."""
    returned, gone = asyncio.Event(), time.time()
    going_on = asyncio.create_task(institute.go_on(returned=returned, has_slack=server is not institute.slack))
    for fault in faults:
        server.faults.add(fault)
        await asyncio.sleep(HOUR / 3)
        server.faults.remove(fault)
    await server.stop()
    await asyncio.sleep(HOUR / 3)
    await server.start()
    back = time.time()
    returned.set()
    await asyncio.sleep(AFTER)
    await going_on
    return _evidence(institute, (folder / LOG).read_text().splitlines(), gone, back)


def _evidence(institute: Institute, log: Sequence[str], gone: float, back: float) -> Evidence:
    """What both servers have seen so far, and the audit trail."""
    apart = time.time() - time.monotonic()
    at_slack, operators = institute.slack, institute.operators.values()
    messages = [message for each in at_slack.workspace.messages.values() for message in each]
    names = {execution_id: truth.name for execution_id, truth in institute.truths.items()}
    caught_up, unreadable = all_caught_up(messages, names)
    polls = [replace(call, at=call.at + apart) for call in institute.gcs.calls]
    record = Record(
        truths={execution_id: institute.seen(execution_id) for execution_id in names},
        promises=institute.promises,
        rules=institute.rules,
        quiet=institute.quiet,
        said=[*all_said(messages), *caught_up],
        unreadable=unreadable,
        presses=[press for operator in operators for press in operator.presses],
        acted=[(call.execution_id, call.at) for call in polls if call.method == "PUT"],
        operated={each for each in names if institute.is_operated(each)},
        acts=all_notices(messages),
        boards=institute.boards,
        board_posts=all_boards(messages),
        unanswered=[text for operator in operators for text in operator.unanswered],
        gcs_quota=600,
        gcs_worst_minute=institute.gcs.worst_minute(),
        slack_calls=len(at_slack.calls),
        slack_over_limit=sum(call.error == "ratelimited" for call in at_slack.calls),
    )
    audited = [line for event in ("action.began", "action.ended") for line in logged(log, event)]
    operated = {act: _operated(operator, polls, audited) for act, operator in institute.operators.items()}
    return Evidence(
        record=record,
        executions=institute.executions,
        gone=gone,
        back=back,
        polls=polls,
        calls=at_slack.calls,
        operated=operated,
    )


def _operated(operator: Operator, polls: Sequence[Poll], audited: Sequence[dict[str, Any]]) -> Operated:
    (execution_id,) = {wish.execution_id for wish in operator.wishes}
    lines = sorted((line for line in audited if line["execution"] == execution_id), key=lambda line: line["timestamp"])
    return Operated(
        execution_id=execution_id,
        by=operator.id,
        sent=tuple(call.status for call in polls if call.method == "PUT" and call.execution_id == execution_id),
        read=tuple(operator.read),
        audited=tuple((line["actor"], line.get("result", "began")) for line in lines),
    )


@asynccontextmanager
async def _running(
    url: str, folder: Path, institute: Institute, unanswered: gcs.Fault, **settings: str
) -> AsyncIterator[Institute]:
    """The whole bot at work in an institute, before the outage, which begins with an action that is `unanswered`."""
    async with institute.gcs, institute.slack:
        usual = plain_settings(institute.gcs, institute.slack, folder, "socket")
        operators = ",".join(operator.id for operator in institute.operators.values())
        os.environ.update({**usual, "REDIS_URL": url, "COALESCE": "3", "OPERATORS": operators, **settings})
        loaded = Settings.load()
        set_up_logging(loaded)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "IDLE_SECONDS", 2.0)  # each pause costs a leap, and an hour has many
            patch.setattr(sweeper, "IDLE_SECONDS", 1.0)
            async with service.running(loaded, asyncio.Event()):
                await institute.begin(unanswered)
                yield institute
