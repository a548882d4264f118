"""People who follow executions by typing commands, and type again without a response.

Lives here: `Person`, who types one wish after another. Does not live here: which wishes (`wishes`), what operators do
(`operators`). Called by `arena`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sandbox.slack import Message
from sandbox.slack.state import Ephemeral
from tests.chaos.evidence import BoardPromise, Promise, Quiet, RulePromise
from tests.chaos.wishes import BoardWish, HoursWish, Mute, RuleWish, Wish

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

PATIENCE = 150.0
"""How long somebody repeats a command before they give up: Slack may refuse the token for a minute, and the bot asks
again a minute later."""

ANSWER_SECONDS = 6.0
"""How long they wait for a response before they repeat it."""

_UNSURE = "My memory has fewer copies right now than it should"
"""Part of the response where the bot does not promise to keep a subscription: people repeat the command, as it says."""

FOLLOWED = re.compile(
    r"(?:You (?:already )?follow|This channel (?:already )?follows|(?:Your|This channel's) notifications about) (\S+)"
    r"(?: now\.|: | are now: )"
)
LEFT = ("You no longer follow", "You do not follow", "This channel no longer follows", "This channel does not follow")
_OVER = ("nothing left to follow", "knows no such execution")
"""Responses to people who came too late: the execution has succeeded, or was deleted."""
RULED = ("You follow ", "You already follow ", "This channel follows ", "This channel already follows ")
UNRULED = ("no longer follow", "nothing to stop")
MUTED = ("No notifications until", "No notifications here until")
UNMUTED = (
    "You get notifications about this execution again",
    "This channel gets notifications about it again",
    "It is not muted",
)
NOT_FOLLOWED = "That execution is not followed"
BOARDED = ("This channel has a board now", "I am posting the board again")
UNBOARDED = ("The board has ended", "This channel has no such board")
HOURS, NO_HOURS = "Your quiet hours are", "You have no quiet hours"


Asked = Wish | RuleWish | BoardWish


@dataclass
class Person:
    """A person with their wishes."""

    arena: Arena
    id: str
    wishes: Sequence[Wish]
    rules: Sequence[RuleWish] = ()
    boards: Sequence[BoardWish] = ()
    hours: Sequence[HoursWish] = ()
    promises: dict[Wish, Promise] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Execution and subscriber of every command to follow one."""
    ruled: dict[RuleWish, RulePromise] = field(default_factory=dict)
    boarded: dict[BoardWish, BoardPromise] = field(default_factory=dict)
    quiet: list[Quiet] = field(default_factory=list)
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
        acts: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        for wish in self.wishes:
            acts.append((wish.at, partial(self._follow, wish)))
            if wish.leaves is not None:
                acts.append((wish.leaves, partial(self._leave, wish)))
        for rule in self.rules:
            acts.append((rule.at, partial(self._make_rule, rule)))
            if rule.ends is not None:
                acts.append((rule.ends, partial(self._end_rule, rule)))
        for board in self.boards:
            acts.append((board.at, partial(self._make_board, board)))
            if board.ends is not None:
                acts.append((board.ends, partial(self._end_board, board)))
        acts += [(hours.at, partial(self._choose_hours, hours)) for hours in self.hours]
        muting = [asyncio.create_task(self._mute(wish, wish.mute)) for wish in self.wishes if wish.mute is not None]
        for at, act in sorted(acts, key=lambda each: each[0]):
            await self.arena.until(at)
            await act()
        await asyncio.gather(*muting)

    async def press(self) -> None:
        """Press `Refresh` on the newest card."""
        cards = [card for wish in self.promises if (card := self._card(wish)) is not None]
        for card in cards[-1:]:
            self.presses += 1
            await self.arena.slack.press(self.id, action_id="refresh_card", channel=card.channel, ts=card.ts)

    async def _follow(self, wish: Wish) -> None:
        name = self.arena.name_of(wish.execution_id)
        self.asked.add((wish.execution_id, self._subscriber(wish)))
        text = f"subscribe {wish.execution_id} {wish.level}{_here(wish)}"
        answer = await self._type(wish, text, lambda said: is_about(said.text, name))
        if FOLLOWED.match(answer):
            self.promises[wish] = Promise(
                execution_id=wish.execution_id,
                subscriber=self._subscriber(wish),
                level=wish.level,
                promised_at=self._now,
            )
        elif answer:
            self.too_late += 1

    async def _leave(self, wish: Wish) -> None:
        text = f"unsubscribe {wish.execution_id}{_here(wish)}"
        answer = await self._type(
            wish, text, lambda said: said.text.startswith(LEFT) and wish.execution_id in said.text
        )
        if answer and wish in self.promises:
            self.promises[wish] = replace(self.promises[wish], left_at=self._now)

    async def _make_rule(self, wish: RuleWish) -> None:
        made = self.ruled[wish] = RulePromise(
            subscriber=self._subscriber(wish),
            kind=wish.kind,
            value=wish.value,
            level=wish.level or "failures",
            asked_at=self._now,
        )
        text = " ".join(filter(None, ("subscribe", wish.kind, wish.value, wish.level))) + _here(wish)
        if await self._type(wish, text, lambda said: is_about_rule(said.text, wish.value, RULED)):
            self.ruled[wish] = replace(made, promised_at=self._now)

    async def _end_rule(self, wish: RuleWish) -> None:
        ending = self.ruled[wish] = replace(self.ruled[wish], end_asked_at=self._now, ended_by=self.id)
        text = f"unsubscribe {wish.kind} {wish.value}{_here(wish)}"
        if await self._type(wish, text, lambda said: is_about_rule(said.text, wish.value, LEFT)):
            self.ruled[wish] = replace(ending, ended_at=self._now)

    async def _make_board(self, wish: BoardWish) -> None:
        if await self._type(wish, "board", lambda said: said.text.startswith(BOARDED)):
            self.boarded[wish] = BoardPromise(subscriber=self._subscriber(wish))

    async def _end_board(self, wish: BoardWish) -> None:
        if await self._type(wish, "board stop", lambda said: said.text.startswith(UNBOARDED)):
            self.boarded[wish] = BoardPromise(subscriber=self._subscriber(wish), ended_at=self._now)

    async def _mute(self, wish: Wish, mute: Mute) -> None:
        """Beside all that they do; only what they follow, and not before they know that."""
        await self.arena.until(mute.at)
        if wish not in self.promises:
            return
        span = "end" if mute.until is None else "1h"
        text = f"mute {wish.execution_id} {span}{' everything' if mute.is_for_everything else ''}{_here(wish)}"
        answer = await self._type(wish, text, lambda said: is_about_quiet(said, wish.execution_id, MUTED))
        if not answer.startswith(MUTED):
            return
        since = self._now
        if mute.until is not None:
            await self.arena.until(mute.until)
        quiet = Quiet(
            subscriber=self._subscriber(wish),
            execution_id=wish.execution_id,
            since=since,
            until=self._now if mute.until is not None else None,
            is_for_everything=mute.is_for_everything,
        )
        self.quiet.append(quiet)
        if mute.until is not None:
            text = f"unmute {wish.execution_id}{_here(wish)}"
            await self._type(wish, text, lambda said: is_about_quiet(said, wish.execution_id, UNMUTED))

    async def _choose_hours(self, wish: HoursWish) -> None:
        lasts = 3600 if wish.is_withdrawn else wish.until - wish.at
        begins, ends = datetime.now(UTC), datetime.now(UTC) + timedelta(seconds=60 + lasts)
        text = f"quiet {begins:%H:%M}-{ends:%H:%M} UTC{' everything' if wish.is_for_everything else ''}"
        answer = await self._type(None, text, lambda said: said.text.startswith(HOURS))
        if not answer:
            return
        since, until = self._now, ends.replace(second=0, microsecond=0).timestamp()
        if wish.is_withdrawn:
            await self.arena.until(wish.until)
            until = self._now
        self.quiet.append(Quiet(subscriber=self.id, since=since, until=until, is_for_everything=wish.is_for_everything))
        if wish.is_withdrawn:
            await self._type(None, "quiet off", lambda said: said.text.startswith(NO_HOURS))

    async def _type(self, wish: Asked | None, text: str, is_answer: Callable[[Ephemeral], bool]) -> str:
        """Type it until there is a response, even if to an earlier try; empty when there never is one."""
        channel = wish.channel if wish else None
        place = self.arena.slack.dm(self.id) if channel is None else self.arena.channels[channel]
        before, gives_up = len(self._read), self.arena.now() + PATIENCE
        while self.arena.now() < gives_up:
            self.commands += 1
            asked = len(self._read)
            if (await self.arena.slack.command(self.id, place, text)).acked:
                await self._wait_for_answer(asked)
            for said in self._read[before:]:
                if said.channel == place and is_answer(said) and _UNSURE not in said.text:
                    return said.text
            self.unsure += any(_UNSURE in said.text for said in self._read[asked:])
            await asyncio.sleep(1)
        self.unanswered.append(text)
        return ""

    @property
    def _now(self) -> float:
        """By Slack's clock, as all evidence."""
        return self.arena.slack.workspace.now()

    @property
    def _read(self) -> list[Ephemeral]:
        return self.arena.slack.ephemerals(self.id)

    async def _wait_for_answer(self, asked: int) -> None:
        gives_up = self.arena.now() + ANSWER_SECONDS
        while len(self._read) == asked and self.arena.now() < gives_up:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.1)

    def _subscriber(self, wish: Asked) -> str:
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
    if promised := FOLLOWED.match(said):
        return promised[1] == name
    return (f": {name} (" in said and _OVER[0] in said) or _OVER[1] in said


def is_about_rule(said: str, value: str, begins: tuple[str, ...]) -> bool:
    """Whether `said` is a response to making that rule, or to ending it."""
    return (
        said.startswith(begins) and f"`{value}`" in said and (begins != LEFT or any(each in said for each in UNRULED))
    )


def is_about_quiet(said: Ephemeral, execution_id: str, begins: tuple[str, ...]) -> bool:
    """Whether `said` is a response to muting that execution, or to unmuting it; also that it is not followed."""
    if said.text.startswith(begins):
        return execution_id in str(said.blocks)
    return said.text.startswith(NOT_FOLLOWED) and execution_id in said.text


def _here(wish: Wish | RuleWish) -> str:
    """The end of the command for a channel."""
    return "" if wish.channel is None else " here"
