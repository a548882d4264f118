"""A sweeper that reads as a test has it, and what it leads to."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.sweeper import Sweeper
from sandbox import story
from tests.rooms.room import PACE, Room

MANY = 24
"""More than a third of the quota below would be enough for, one by one."""


@dataclass
class Hand:
    """One sweeper with a quota of its own, and time that passes as it asks for."""

    room: Room
    per_minute: int = 60
    bytes_per_second: int = 10**9
    now: float = 0.0
    sweeper: Sweeper = field(init=False)

    def __post_init__(self) -> None:
        self.sweeper = Sweeper(
            self.room.client,
            self.room.store.schedule,
            budget=self.room.store.budget("lists", per_minute=self.per_minute, reserve=0),
            team_id=self.room.slack.workspace.team_id,
            pace=PACE,
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
        return sum(call.path == "/v1/executions" for call in self.room.gcs.calls)


async def running(room: Room, count: int = MANY) -> list[str]:
    """So many executions in the middle of their lives, followed."""
    executions = [room.gcs.play(story.happy(3), by_hand=True) for _ in range(count)]
    for execution in executions:
        room.gcs.step(execution, to="running 1/3")
        await room.subscriptions.subscribe(room.who(room.lab), execution, level=None, owner=room.alice)
    return executions


def due_in(room: Room) -> dict[str, float]:
    """Execution → seconds until it is looked at; news comes before what is merely due."""
    due, news = room.waits_by_name("due"), room.waits_by_name("expedited")
    return {key.partition("/")[2]: min(seconds, news.get(key, seconds)) for key, seconds in due.items()}


def due_now(room: Room) -> set[str]:
    """Executions whose look is due."""
    return {execution for execution, seconds in due_in(room).items() if seconds <= 0.1}
