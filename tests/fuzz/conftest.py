"""One bot for the whole ring, which takes request after request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from bot.store.engine.process import engine_binary
from tests.fuzz.bot_in_process import Bot, Scene, bot_in_process
from tests.servers import served


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine that was started for this session."""
    yield from served(engine_binary(), tmp_path_factory.mktemp("fuzz"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(server_url: str) -> AsyncIterator[tuple[Bot, Scene]]:
    """The bot, and who is there."""
    async with bot_in_process(server_url) as world:
        yield world
