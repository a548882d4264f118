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
from tests.chaos.gathering import all_caught_up, all_said
from tests.end_to_end.conftest import plain_settings
from tests.end_to_end.institute import AFTER, HOUR, MINUTE, Institute


@dataclass(kw_only=True)
class Evidence:
    """What both servers saw; all times are wall time."""

    record: Record
    gone: float
    """When the outage began."""
    back: float
    """When it ended."""
    polls: list[Poll]
    """Each call to GCS that reached it."""
    calls: list[Call]
    """Each call to Slack that reached it."""


async def without_gcs(url: str, folder: Path) -> Evidence:
    """GCS responds 503, then not at all, then takes no connection, twenty minutes each."""
    async with _running(url, folder, POLL_INTERVAL="30") as institute:
        faults = (gcs.Fault(kind="status", status=503), gcs.Fault(kind="timeout"))
        return await _hour(institute, institute.gcs, faults, has_slack=True)


async def without_slack(url: str, folder: Path) -> Evidence:
    """Sockets break; Slack responds 503, then not at all, then takes no connection, twenty minutes each."""
    async with _running(url, folder, POLL_INTERVAL="180") as institute:
        await institute.slack.disconnect_sockets("abrupt")
        faults = (slack.Fault(kind="status", times=None), slack.Fault(kind="silent", times=None, delay=MINUTE))
        return await _hour(institute, institute.slack, faults, has_slack=False)


async def _hour(institute: Institute, server: Any, faults: Sequence[Any], *, has_slack: bool) -> Evidence:
    """An hour: a third with each of two faults, and a third without the server."""
    returned, gone = asyncio.Event(), time.time()
    going_on = asyncio.create_task(institute.go_on(returned=returned, has_slack=has_slack))
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
    return _evidence(institute, gone, back)


def _evidence(institute: Institute, gone: float, back: float) -> Evidence:
    """What both servers have seen so far."""
    apart = time.time() - time.monotonic()
    at_slack = institute.slack
    messages = [message for each in at_slack.workspace.messages.values() for message in each]
    names = {execution_id: truth.name for execution_id, truth in institute.truths.items()}
    caught_up, unreadable = all_caught_up(messages, names)
    record = Record(
        truths=institute.truths,
        promises=institute.promises,
        rules=institute.rules,
        quiet=institute.quiet,
        said=[*all_said(messages), *caught_up],
        unreadable=unreadable,
        gcs_quota=600,
        gcs_worst_minute=institute.gcs.worst_minute(),
        slack_calls=len(at_slack.calls),
        slack_over_limit=sum(call.error == "ratelimited" for call in at_slack.calls),
    )
    polls = [replace(call, at=call.at + apart) for call in institute.gcs.calls]
    return Evidence(record=record, gone=gone, back=back, polls=polls, calls=at_slack.calls)


@asynccontextmanager
async def _running(url: str, folder: Path, **settings: str) -> AsyncIterator[Institute]:
    """The whole bot at work in an institute, before the outage."""
    institute = Institute()
    async with institute.gcs, institute.slack:
        usual = plain_settings(institute.gcs, institute.slack, folder, "socket")
        os.environ.update({**usual, "REDIS_URL": url, "COALESCE": "3", **settings})
        loaded = Settings.load()
        set_up_logging(loaded)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "IDLE_SECONDS", 2.0)  # each pause costs a leap, and an hour has many
            patch.setattr(sweeper, "IDLE_SECONDS", 1.0)
            async with service.running(loaded, asyncio.Event()):
                await institute.begin()
                yield institute
