"""People who follow executions by typing commands, and type again without a response.

Lives here: `Person`, who types one wish after another. Does not live here: which wishes (`plan`). Called by `arena`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sandbox.slack import Message
from tests.chaos.evidence import Promise
from tests.chaos.plan import Wish

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

PATIENCE = 150.0
"""How long somebody repeats a command before they give up: Slack may refuse the token for a minute, and the bot asks
again a minute later."""

ANSWER_SECONDS = 6.0
"""How long they wait for a response before they repeat it."""

_UNSURE = "My memory has fewer copies right now than it should"
"""Part of the response where the bot does not promise to keep a subscription: people repeat the command, as it says."""

FOLLOWED = ("You follow this execution", "This channel follows this execution")
LEFT = ("You do not follow", "This channel does not follow")
_OVER = ("nothing left to follow", "knows no such execution")
"""Responses to people who came too late: the execution has succeeded, or was deleted."""


@dataclass
class Person:
    """A person with their wishes."""

    arena: Arena
    id: str
    wishes: Sequence[Wish]
    promises: dict[Wish, Promise] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    """Commands that never got a response."""
    too_late: int = 0
    """Wishes for executions that had ended before the command was handled."""
    commands: int = 0
    presses: int = 0
    unsure: int = 0
    """Responses that promised nothing."""

    async def live(self) -> None:
        """Type every wish at its time."""
        begins = [(wish.at, self._follow, wish) for wish in self.wishes]
        ends = [(wish.leaves, self._leave, wish) for wish in self.wishes if wish.leaves is not None]
        for at, act, wish in sorted([*begins, *ends], key=lambda each: each[0]):
            await self.arena.until(at)
            await act(wish)

    async def press(self) -> None:
        """Press `Refresh` on the newest card."""
        cards = [card for wish in self.promises if (card := self._card(wish)) is not None]
        for card in cards[-1:]:
            self.presses += 1
            await self.arena.slack.press(self.id, action_id="refresh_card", channel=card.channel, ts=card.ts)

    async def _follow(self, wish: Wish) -> None:
        name = self.arena.name_of(wish.execution_id)
        text = f"subscribe {wish.execution_id} {wish.level}{_here(wish)}"
        answer = await self._type(wish, text, lambda said: is_about(said, name) and _UNSURE not in said)
        if answer.startswith(FOLLOWED):
            self.promises[wish] = Promise(
                execution_id=wish.execution_id,
                subscriber=self._subscriber(wish),
                level=wish.level,
                promised_at=self.arena.slack.workspace.now(),
            )
        elif answer:
            self.too_late += 1

    async def _leave(self, wish: Wish) -> None:
        text = f"unsubscribe {wish.execution_id}{_here(wish)}"
        answer = await self._type(
            wish, text, lambda said: said.startswith(LEFT) and wish.execution_id in said and _UNSURE not in said
        )
        if answer and wish in self.promises:
            self.promises[wish] = replace(self.promises[wish], left_at=self.arena.slack.workspace.now())

    async def _type(self, wish: Wish, text: str, is_answer: Callable[[str], bool]) -> str:
        """Type it until there is a response, even if to an earlier try; empty when there never is one."""
        place = self.arena.slack.dm(self.id) if wish.channel is None else self.arena.channels[wish.channel]
        before, gives_up = len(self._read), self.arena.now() + PATIENCE
        while self.arena.now() < gives_up:
            self.commands += 1
            asked = len(self._read)
            if (await self.arena.slack.command(self.id, place, text)).acked:
                await self._wait_for_answer(asked)
            for said in filter(is_answer, self._read[before:]):
                return said
            self.unsure += any(_UNSURE in said for said in self._read[asked:])
            await asyncio.sleep(1)
        self.unanswered.append(text)
        return ""

    @property
    def _read(self) -> list[str]:
        return [each.text for each in self.arena.slack.ephemerals(self.id)]

    async def _wait_for_answer(self, asked: int) -> None:
        gives_up = self.arena.now() + ANSWER_SECONDS
        while len(self._read) == asked and self.arena.now() < gives_up:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.1)

    def _subscriber(self, wish: Wish) -> str:
        return self.id if wish.channel is None else self.arena.channels[wish.channel]

    def _card(self, wish: Wish) -> Message | None:
        """The card of a wish, while it has a `Refresh` button."""
        place = self.arena.slack.dm(self.id) if wish.channel is None else self.arena.channels[wish.channel]
        for message in self.arena.slack.messages(place):
            if wish.execution_id in str(message.metadata) and "'refresh_card'" in str(message.blocks):
                return message
        return None


def is_about(said: str, name: str) -> bool:
    """Whether `said` is a response to subscribing to that execution."""
    if said.startswith(FOLLOWED):
        return f" {name}:" in said
    return (f": {name} (" in said and _OVER[0] in said) or _OVER[1] in said


def _here(wish: Wish) -> str:
    """The end of the command for a channel."""
    return "" if wish.channel is None else " here"
