"""People who follow executions by typing commands, and type again when nobody answers.

Lives here: `Person`: one wish after another. Does not live here: which wishes (`plan`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.plan import Wish
from tests.chaos.verdict import Promise

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

PATIENCE = 90.0
"""So long somebody types the same again before they give up."""

ANSWER_SECONDS = 6.0
"""So long they wait for an answer before that."""

_PROMISES = ("You follow this execution", "This channel follows this execution")
_OVER = "nothing left to follow"


@dataclass
class Person:
    """Somebody with their wishes."""

    arena: Arena
    id: str
    wishes: Sequence[Wish]
    promises: list[Promise] = field(default_factory=list)
    unheard: list[Wish] = field(default_factory=list)
    """What they gave up."""
    too_late: int = 0
    """Wishes for what had ended before they were understood."""
    commands: int = 0

    async def live(self) -> None:
        """Have every wish, in order."""
        for wish in self.wishes:
            await self.arena.until(wish.at)
            await self._have(wish)

    async def _have(self, wish: Wish) -> None:
        slack, name = self.arena.slack, self.arena.name_of(wish.execution_id)
        place = slack.dm(self.id) if wish.channel is None else self.arena.channels[wish.channel]
        text = f"subscribe {wish.execution_id} {wish.level}{'' if wish.channel is None else ' here'}"
        before, gives_up = len(self._read), self.arena.now() + PATIENCE
        while self.arena.now() < gives_up:
            self.commands += 1
            asked = len(self._read)
            if (await slack.command(self.id, place, text)).acked:
                await self._wait_for_answer(asked)
            answers = self._read[before:]
            if any(each.startswith(_PROMISES) and f" {name}:" in each for each in answers):
                self._promised(wish)
                return
            if any(f"{name} is " in each and _OVER in each for each in answers):
                self.too_late += 1
                return
            await asyncio.sleep(1)
        self.unheard.append(wish)

    @property
    def _read(self) -> list[str]:
        return [each.text for each in self.arena.slack.ephemerals(self.id)]

    async def _wait_for_answer(self, asked: int) -> None:
        gives_up = self.arena.now() + ANSWER_SECONDS
        while len(self._read) == asked and self.arena.now() < gives_up:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.1)

    def _promised(self, wish: Wish) -> None:
        subscriber = self.id if wish.channel is None else self.arena.channels[wish.channel]
        told_at = self.arena.slack.workspace.now()
        self.promises.append(
            Promise(execution_id=wish.execution_id, subscriber=subscriber, level=wish.level, told_at=told_at)
        )
