"""Promises of the connection to the store."""

from __future__ import annotations

import asyncio

from bot.store import Store


async def test_more_callers_than_connections_wait_for_their_turn(store: Store) -> None:
    """A burst of looks, messages and commands is served one after another, not refused."""
    await asyncio.gather(*(store.schedule.claim(number % 16, 1) for number in range(500)))
