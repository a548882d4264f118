"""Operators who cancel and retry executions, and somebody who is none and tries that, too.

Lives here: `Operator`, who asks until they know what became of it. Does not live here: what they want (`wishes`),
whether it was done once (`verdict`). Called by `arena` and the outage tests.

They press each question once: without an answer they close the modal, and look again what it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.slack import Slack
from sandbox.slack.state import Block, Ephemeral, View
from tests.chaos.evidence import Press
from tests.chaos.people import ANSWER_SECONDS, PATIENCE
from tests.chaos.wishes import ActWish
from tests.end_to_end.people import button_of, labels, words

LABELS = {"cancel": ("Cancel …", "Cancel it"), "retry": ("Retry …", "Retry it")}
"""What asks, and what confirms."""

RESULT_SECONDS = 30.0
"""How long they look at the modal: after a lost answer the bot looks for ten seconds."""

TAKEN = "GCS accepted this"
NOT_KNOWN = "I do not know whether it accepted this"
NOT_YOURS = "You are not among the people who may cancel and retry executions"
ONGOING = ("Asking GeneContainer Service",)


class Scene(Protocol):
    """Where they act."""

    slack: Slack

    def now(self) -> float:
        """Seconds since it began."""

    async def until(self, at: float) -> None:
        """Return `at` seconds after it began."""

    def name_of(self, execution_id: str) -> str:
        """The name of an execution, which begins now if it has not."""


@dataclass
class Operator:
    """Somebody who may cancel and retry."""

    arena: Scene
    id: str
    bystander: str
    """Somebody who may not."""
    wishes: Sequence[ActWish]
    pause: float = 1.0
    """How many seconds they wait before they look again."""
    patience: float = PATIENCE
    """For how long they look what became of what they have confirmed."""
    presses: list[Press] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """All that the modal said some time after each press."""
    refused: int = 0
    """How often the bystander read that they may not."""
    unanswered: list[str] = field(default_factory=list)
    too_late: int = 0
    """What could not be done any more when it was to be done."""

    async def live(self) -> None:
        """Do everything at its time."""
        for wish in self.wishes:
            await self.arena.until(wish.at)
            await self._act(wish)

    async def _act(self, wish: ActWish) -> None:
        self.arena.name_of(wish.execution_id)
        pressed_at: float | None = None
        while self.arena.now() < (wish.until if pressed_at is None else pressed_at + self.patience):
            if shown := await self._summary(wish.execution_id):
                if pressed_at is not None and LABELS[wish.action][0] not in labels(shown):
                    return  # they see what it is now, and that there is nothing left to do
                if question := await self._question(wish, shown):
                    if pressed_at is None:
                        await self._forge(wish, question)
                    if self.arena.now() > wish.until:
                        self.too_late += 1
                        return  # they see that it has not been done, and do not press any more
                    if LABELS[wish.action][1] not in labels(question):  # it says something else by now: they look again
                        continue
                    pressed_at = self.arena.now()
                    self.presses.append(Press(execution_id=wish.execution_id, by=self.id, at=self._clock))
                    is_known = await self._confirmed(wish, question)
                    self.read.append(words(question))
                    if is_known:
                        return
            await asyncio.sleep(self.pause)
        if pressed_at is None:
            self.too_late += 1
        else:
            self.unanswered.append(f"{wish.action} {wish.execution_id} by {self.id}, who read last: {self.read[-1]!r}")

    async def _summary(self, execution_id: str) -> Ephemeral | None:
        seen = len(self._read(self.id))
        await self.arena.slack.command(self.id, self.arena.slack.dm(self.id), execution_id)
        await self._until(lambda: len(self._read(self.id)) > seen, ANSWER_SECONDS)
        return next((each for each in self._read(self.id)[seen:] if execution_id in str(each.blocks)), None)

    async def _question(self, wish: ActWish, shown: Ephemeral) -> View | None:
        """The modal that asks; None if there is none, since it is not possible now, or something failed."""
        asks, confirms = LABELS[wish.action]
        for view in self._views:
            await self.arena.slack.close(self.id, view.id)
        if asks not in labels(shown):
            return None
        button = button_of(shown, asks)
        where = {"channel": shown.channel, "ephemeral": shown.ts}
        await self.arena.slack.press(self.id, action_id=button["action_id"], value=button["value"], **where)
        await self._until(lambda: any(_is_done(view) for view in self._views), ANSWER_SECONDS)
        return next((view for view in self._views if confirms in labels(view)), None)

    async def _confirmed(self, wish: ActWish, question: View) -> bool:
        """Press the button below the question; whether they read that it was done."""
        button = button_of(question, LABELS[wish.action][1])
        pressing = self.arena.slack.press(
            self.id, action_id=button["action_id"], value=button["value"], view=question.id
        )
        if not (await pressing).acked:
            return False
        await self._until(lambda: _is_done(question) and LABELS[wish.action][1] not in labels(question), RESULT_SECONDS)
        return TAKEN in words(question)

    async def _forge(self, wish: ActWish, question: View) -> None:
        """The bystander presses the same button, as if it had been shown to them; they try until they are refused."""
        button = button_of(question, LABELS[wish.action][1])
        workspace, place = self.arena.slack.workspace, self.arena.slack.dm(self.bystander)
        block: Block = {"type": "actions", "block_id": "forged", "elements": [dict(button)]}
        ts = workspace.next_ts()
        forged = Ephemeral(channel=place, ts=ts, user=self.bystander, text="", blocks=[block])
        workspace.ephemerals.setdefault(self.bystander, []).append(forged)
        seen = len(self._read(self.bystander))
        where: dict[str, Any] = {"channel": place, "ephemeral": ts}
        await self.arena.slack.press(self.bystander, action_id=button["action_id"], value=button["value"], **where)
        await self._until(lambda: len(self._read(self.bystander)) > seen, ANSWER_SECONDS)
        self.refused += any(NOT_YOURS in each.text for each in self._read(self.bystander)[seen:])

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        gives_up = self.arena.now() + seconds
        while not condition() and self.arena.now() < gives_up:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.1)

    def _read(self, user: str) -> list[Ephemeral]:
        return self.arena.slack.ephemerals(user)

    @property
    def _views(self) -> list[View]:
        return list(self.arena.slack.views(self.id))

    @property
    def _clock(self) -> float:
        return self.arena.slack.workspace.now()


def _is_done(view: View) -> bool:
    """Whether a modal says more than that something is under way."""
    return not any(each in words(view) for each in ONGOING)
