"""An execution with two subscribers, and the lines that they have read, which a test can compare literally."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from time import monotonic

from sandbox.slack.state import Message
from sandbox.story import Life
from tests.end_to_end.conftest import World
from tests.end_to_end.people import PATIENCE

END = "end: "
"""Stands for what is seen outside the thread, and for a success, which a channel reads in it."""

_LINK = re.compile(r"/archives/(\w+)/p(\d{10})(\d{6})")
_USUAL = re.compile(r" \(usually [^)]*\)")


@dataclass
class Following:
    """One execution, which a person and a channel follow."""

    world: World
    execution_id: str
    name: str

    @classmethod
    async def begin(cls, world: World, life: Life) -> Following:
        """Play `life` by hand, subscribe both, and wait for their cards."""
        execution_id = world.gcs.play(life, by_hand=True)
        body = world.gcs.body(execution_id)
        assert body is not None
        following = cls(world, execution_id, body["execution"]["name"])
        async with asyncio.timeout(2 * PATIENCE):
            while not following.has_cards:  # as a person does when the app did not respond
                await world.slack.command(world.alice, world.lab, f"subscribe {execution_id}")
                await world.slack.command(world.alice, world.lab, f"subscribe {execution_id} here")
                with contextlib.suppress(TimeoutError):
                    await world.slack.wait_for(lambda: following.has_cards, 4)
        return following

    @property
    def has_cards(self) -> bool:
        """Whether both see their card."""
        return all(self.transcript(channel) for channel in self.channels)

    async def step(self, line: str) -> None:
        """Let GCS show the next frame, and wait until both have read it, or, without a line, until it is polled."""
        seen = len(self._polls())
        before = {channel: len(self.transcript(channel)) for channel in self.channels}
        frame = self.world.gcs.step(self.execution_id)
        assert frame is not None
        if line:
            await self.world.slack.wait_for(
                lambda: all(len(self.transcript(channel)) > before[channel] for channel in self.channels), 2 * PATIENCE
            )
        else:
            await self.world.gcs.wait_for_calls(self.execution_id, seen + 3, PATIENCE)

    async def read(self, lines: list[str]) -> None:
        """Wait until both have read as many lines as these."""
        await self.world.slack.wait_for(
            lambda: all(len(self.transcript(channel)) >= len(lines) for channel in self.channels), PATIENCE
        )

    @property
    def channels(self) -> dict[str, str]:
        """Channel → what a message of its own is called there."""
        return {self.world.slack.dm(self.world.alice): "message: ", self.world.lab: "broadcast: "}

    def transcript(self, channel: str) -> list[str]:
        """The lines of one channel that are about this execution, in order."""
        ends = (self.channels[channel], "thread: Succeeded: ")
        lines = [self._line(message) for message in self.world.slack.messages(channel) if self._is_about(message)]
        return [END + line.partition(": ")[2] if line.startswith(ends) else line for line in lines]

    async def linked(self) -> set[tuple[str, str]]:
        """The messages that `log` links for both, as channel and timestamp; asked as a person does."""
        seen = len(self.world.slack.ephemerals(self.world.alice))
        await self.world.slack.command(self.world.alice, self.world.lab, f"log {self.execution_id}")
        await self.world.slack.wait_for(lambda: len(self.world.slack.ephemerals(self.world.alice)) > seen, PATIENCE)
        answer = str(self.world.slack.ephemerals(self.world.alice)[seen].blocks)
        return {(channel, f"{whole}.{part}") for channel, whole, part in _LINK.findall(answer)}

    async def linked_at_last(self) -> set[tuple[str, str]]:
        """The same once no send is in doubt: Slack shows a message before the bot has recorded that it did."""
        gives_up = monotonic() + PATIENCE
        while (links := await self.linked()) < self.reported and monotonic() < gives_up:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(2)
        return links

    @property
    def reported(self) -> set[tuple[str, str]]:
        """The messages of both that report a change."""
        messages = [each for channel in self.channels for each in self.world.slack.messages(channel)]
        own = [each for each in messages if self._is_about(each)]
        return {(each.channel, each.ts) for each in own if each.metadata["event_payload"]["part"] == "change"}

    def card(self, channel: str) -> str:
        """What the card says now."""
        return next(m.text for m in self.world.slack.messages(channel) if self._is_about(m) and m.thread_ts is None)

    def _is_about(self, message: Message) -> bool:
        return self.execution_id in str(message.metadata)

    def _line(self, message: Message) -> str:
        if message.thread_ts is None and message.metadata["event_payload"]["part"] == "card":
            return "card"
        place = "message" if message.thread_ts is None else "broadcast" if message.is_broadcast else "thread"
        first, *others = message.text.splitlines()
        head, _, rest = first.partition(self.name)
        if not rest and others:  # an end: its state, and why or how far; earlier lives teach what is usual
            return f"{place}: {head.partition(' ')[2]}{_USUAL.sub('', others[0])}"
        return f"{place}: {rest.lstrip(' ·:')}"

    def _polls(self) -> list[object]:
        return [call for call in self.world.gcs.calls if call.execution_id == self.execution_id]
