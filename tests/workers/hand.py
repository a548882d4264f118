"""A sweeper that reads as a test has it, and what it leads to."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.workers.sweeper import Sweeper
from sandbox import story
from tests.workers.rig import CADENCE, Rig

MANY = 24
"""More than a third of the quota below would be enough for, one by one."""


@dataclass
class Hand:
    """One sweeper with a quota of its own, and time that passes as it asks for."""

    rig: Rig
    per_minute: int = 60
    bytes_per_second: int = 10**9
    now: float = 0.0
    sweeper: Sweeper = field(init=False)

    def __post_init__(self) -> None:
        self.sweeper = Sweeper(
            self.rig.client,
            self.rig.store.schedule,
            budget=self.rig.store.gcs_quota("lists", per_minute=self.per_minute, reserve=0),
            team_id=self.rig.slack.workspace.team_id,
            cadence=CADENCE,
            bytes_per_second=self.bytes_per_second,
            clock=lambda: self.now,
        )

    async def page(self) -> None:
        """Let it do the next thing."""
        self.now += await self.sweeper.run_once()

    async def round(self) -> None:
        """Let it read the whole list once, if it wants to at all."""
        before, ends = self.sweeper._last, self.now + 300
        while (self.sweeper._last is None or self.sweeper._last is before) and self.now < ends:
            await self.page()

    @property
    def pages(self) -> int:
        """How many lists it has asked for."""
        return sum(call.path == "/v1/executions" for call in self.rig.gcs.calls)


async def running(rig: Rig, count: int = MANY) -> list[str]:
    """So many executions in the middle of their lives, followed."""
    executions = [rig.gcs.play(story.happy(3), by_hand=True) for _ in range(count)]
    for execution in executions:
        rig.gcs.step(execution, to="running 1/3")
        await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=rig.alice)
    return executions


def due_in(rig: Rig) -> dict[str, float]:
    """Execution → seconds until it is looked at; news comes before what is merely due."""
    due, news = rig.waits_by_name("due"), rig.waits_by_name("expedited")
    return {key.partition("/")[2]: min(seconds, news.get(key, seconds)) for key, seconds in due.items()}


def due_now(rig: Rig) -> set[str]:
    """Executions whose look is due."""
    return {execution for execution, seconds in due_in(rig).items() if seconds <= 0.1}
