"""A sweeper that reads lists step by step, and what that leads to."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.workers.sweeper import Sweeper
from sandbox import story
from tests.workers.rig import CADENCE, Rig

MANY = 24
"""Executions: more than a third of the quota below can poll one by one."""


@dataclass
class SweeperRig:
    """One sweeper with a quota of its own; its clock moves by the pauses that it asks for."""

    rig: Rig
    per_minute: int = 60
    bytes_per_second: int = 10**9
    now: float = 0.0
    sweeper: Sweeper = field(init=False)

    def __post_init__(self) -> None:
        self.sweeper = Sweeper(
            self.rig.client,
            self.rig.store.schedule,
            quota=self.rig.store.gcs_quota("lists", per_minute=self.per_minute, reserve=0),
            team_id=self.rig.slack.workspace.team_id,
            cadence=CADENCE,
            bytes_per_second=self.bytes_per_second,
            clock=lambda: self.now,
        )

    async def step(self) -> None:
        """Let it do the next thing: read a page, begin a round, or decide not to."""
        self.now += await self.sweeper.run_once()

    async def read_round(self) -> None:
        """Let it read the whole list once, if it reads lists at all."""
        before, ends = self.sweeper._last, self.now + 300
        while (self.sweeper._last is None or self.sweeper._last is before) and self.now < ends:
            await self.step()

    @property
    def requests(self) -> int:
        """How many pages were requested from GCS."""
        return sum(call.path == "/v1/executions" for call in self.rig.gcs.calls)


async def running(rig: Rig, count: int = MANY) -> list[str]:
    """Follow `count` executions that run the first of three steps."""
    executions = [rig.gcs.play(story.happy(3), by_hand=True) for _ in range(count)]
    for execution in executions:
        rig.gcs.step(execution, to="running 1/3")
        await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=rig.alice)
    return executions


def due_in(rig: Rig) -> dict[str, float]:
    """Execution → seconds until it is polled; an expedited poll comes before one that is merely due."""
    due, expedited = rig.waits_by_name("due"), rig.waits_by_name("gone") | rig.waits_by_name("expedited")
    return {key.rpartition("/")[2]: min(seconds, expedited.get(key, seconds)) for key, seconds in due.items()}


def due_now(rig: Rig) -> set[str]:
    """Executions whose poll is due."""
    return {execution for execution, seconds in due_in(rig).items() if seconds <= 0.1}
