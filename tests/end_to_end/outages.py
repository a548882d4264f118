"""Two days in an institute: on one GCS is unreachable for an hour, on the other Slack.

Lives here: `without_gcs` and `without_slack`, in which the whole service runs, and their `Evidence`. Does not live
here: how an hour passes in half a minute (`leaping`), what must be true (the tests). Called by `leaping`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.app import service
from bot.app.logs import set_up_logging
from bot.settings import Settings
from bot.workers import pool
from bot.workers.sweeper import sweeper
from sandbox import gcs, slack, story
from sandbox.gcs.ledger import Call as Poll
from sandbox.slack.web_api import Call
from sandbox.story import Life
from tests.chaos.evidence import Promise, Record, Truth
from tests.chaos.gathering import all_said
from tests.chaos.reading import moments
from tests.end_to_end.conftest import SCOPES, plain_settings

HOUR, MINUTE = 3600.0, 60.0
EXECUTIONS, PEOPLE, CHANNELS = 220, 30, 20
QUIET = 3 * MINUTE
"""How long after the last subscription the outage begins."""

AFTER = 8 * MINUTE
"""How long the day goes on after the outage."""

LEVELS = ("steps", "milestones", "final", "failures")

LIVES: Sequence[Callable[[float], Life]] = (
    *[lambda seconds: story.happy(8, seconds=seconds)] * 7,
    *[lambda seconds: story.failing(8, seconds=seconds)] * 2,
    lambda seconds: story.cancelled(8, seconds=seconds),
    lambda seconds: story.deleted(8, seconds=seconds),
)
"""None is retried: nobody can know of a failure that comes and goes while GCS is unreachable."""


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


@dataclass(kw_only=True)
class Institute:
    """A simulated GCS and Slack, and people who follow what runs."""

    gcs: gcs.GCS = field(default_factory=gcs.GCS)
    slack: slack.Slack = field(default_factory=lambda: slack.Slack(scopes=SCOPES))
    truths: dict[str, Truth] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)
    gone: float = 0.0
    back: float = 0.0

    async def begin(self) -> None:
        """Start executions of all ages that end from now on; people follow half of them, channels the others."""
        dice = random.Random(7)  # noqa: S311  # no secret
        people = [self.slack.add_user(f"person-{number}") for number in range(PEOPLE)]
        channels = [self.slack.add_channel(f"lab-{number}", members=people) for number in range(CHANNELS)]
        for number in range(EXECUTIONS):
            length, left = dice.uniform(2, 6) * HOUR, dice.uniform(QUIET, QUIET + HOUR + AFTER / 3)
            execution_id = self._play(dice.choice(LIVES)(length), ago=length - left)
            person, level = dice.choice(people), dice.choice(LEVELS)
            await self._follow(execution_id, person, level, "" if number % 2 else channels[number // 2 % CHANNELS])
            await asyncio.sleep(0.7)  # Slack allows fifty calls of conversations.info a minute
        await asyncio.sleep(QUIET)

    def _play(self, life: Life, *, ago: float) -> str:
        began = time.time() - ago
        execution_id = self.gcs.play(life, ago=ago)
        body = self.gcs.body(execution_id)
        assert body is not None
        truth = Truth(name=body["execution"]["name"], moments=moments(life, began))
        self.truths[execution_id] = truth
        return execution_id

    async def _follow(self, execution_id: str, person: str, level: str, channel: str) -> None:
        """Type the command, and read the response; on a busy machine Slack may have asked for another try."""
        place, here = (channel, " here") if channel else (self.slack.dm(person), "")
        answer = "operation_timeout"
        while "operation_timeout" in answer:
            heard = len(self.slack.ephemerals(person))
            await self.slack.command(person, place, f"subscribe {execution_id} {level}{here}")
            await self.slack.wait_for(lambda heard=heard: len(self.slack.ephemerals(person)) > heard)  # type: ignore[misc]
            answer = self.slack.ephemerals(person)[-1].text
        assert " this execution" in answer, answer
        promise = Promise(
            execution_id=execution_id, subscriber=channel or person, level=level, promised_at=self.slack.workspace.now()
        )
        self.promises.append(promise)

    def evidence(self) -> Evidence:
        """What both servers have seen so far."""
        apart = time.time() - time.monotonic()
        record = Record(
            truths=self.truths,
            promises=self.promises,
            said=[said for messages in self.slack.workspace.messages.values() for said in all_said(messages)],
            gcs_quota=600,
            gcs_worst_minute=self.gcs.worst_minute(),
            slack_calls=len(self.slack.calls),
            slack_over_limit=sum(call.error == "ratelimited" for call in self.slack.calls),
        )
        polls = [replace(call, at=call.at + apart) for call in self.gcs.calls]
        return Evidence(record=record, gone=self.gone, back=self.back, polls=polls, calls=self.slack.calls)


async def without_gcs(url: str, folder: Path) -> Evidence:
    """GCS responds 503, then not at all, then takes no connection, twenty minutes each."""
    async with _running(url, folder, POLL_INTERVAL="30") as institute:
        faults = (gcs.Fault(kind="status", status=503), gcs.Fault(kind="timeout"))
        return await _hour(institute, institute.gcs, faults)


async def without_slack(url: str, folder: Path) -> Evidence:
    """Sockets break; Slack responds 503, then not at all, then takes no connection, twenty minutes each."""
    async with _running(url, folder, POLL_INTERVAL="180") as institute:
        await institute.slack.disconnect_sockets("abrupt")
        faults = (slack.Fault(kind="status", times=None), slack.Fault(kind="silent", times=None, delay=MINUTE))
        return await _hour(institute, institute.slack, faults)


async def _hour(institute: Institute, server: Any, faults: Sequence[Any]) -> Evidence:
    """An hour: a third with each of two faults, and a third without the server."""
    institute.gone = time.time()
    for fault in faults:
        server.faults.add(fault)
        await asyncio.sleep(HOUR / 3)
        server.faults.remove(fault)
    await server.stop()
    await asyncio.sleep(HOUR / 3)
    await server.start()
    institute.back = time.time()
    await asyncio.sleep(AFTER)
    return institute.evidence()


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
