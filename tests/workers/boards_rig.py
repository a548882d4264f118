"""A worker for boards beside the rig's, and what people ask of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unittest.mock import AsyncMock

import pytest

from bot.boards import BoardMade, BoardMaker, BoardRequests, BoardWorker
from tests.workers.rig import Rig


@dataclass
class BoardsRig:
    """A worker for boards beside the rig's, on a clock that a test moves."""

    rig: Rig
    passed: timedelta = timedelta()
    worker: BoardWorker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = self.copy()

    @property
    def maker(self) -> BoardMaker:
        """What draws boards for any copy of the bot."""
        store = self.rig.store
        return BoardMaker(store.boards, store.subscribers, store.homes, now=lambda: datetime.now(UTC) + self.passed)

    def copy(self) -> BoardWorker:
        """The worker of another copy of the bot, or of one that was started again."""
        return BoardWorker(self.maker)

    async def make(self, workflow: str = "") -> BoardMade:
        """Alice asks for a board in the channel."""
        requests = BoardRequests(self.maker, self.rig.store.rules)
        return await requests.make(self.rig.who(self.rig.lab), workflow, owner=self.rig.alice)

    async def begin(self) -> None:
        """Alice asks for a board, and the copy of the bot that takes it is killed before it asks for the message."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.rig.store.boards, "post", AsyncMock(side_effect=asyncio.CancelledError))
            with pytest.raises(asyncio.CancelledError):
                await self.make()

    async def stop(self) -> bool:
        """Alice ends it."""
        requests = BoardRequests(self.maker, self.rig.store.rules)
        ended, _ = await requests.end_named(self.rig.who(self.rig.lab), "", by=self.rig.alice)
        return ended is not None

    async def round(self, *workers: BoardWorker) -> None:
        """Let half a minute pass, and each of `workers` draw at the same time; then deliver what that made."""
        for worker in workers or (self.worker,):
            for key in self.rig.redis.scan_iter("*boards:*:round"):
                self.rig.redis.delete(key)
            await worker.run_once()
        await self.rig.deliver()

    def posts(self) -> list[str]:
        """The texts of the board's messages, in order."""
        return [
            message.text
            for message in self.rig.slack.messages(self.rig.lab)
            if "-b-" in message.metadata["event_payload"]["lane"]
        ]

    def blocks(self) -> str:
        """All that the newest of them shows, with ordinary spaces between numbers and their units."""
        newest = [each.blocks for each in self.rig.slack.messages(self.rig.lab) if "-b-" in str(each.metadata)][-1]
        return json.dumps(newest, ensure_ascii=False).replace("\N{NO-BREAK SPACE}", " ")
