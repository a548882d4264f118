"""How long a person waits for the store: its own retries would take longer.

Lives here: `in_time`. Called by `bot.subscriptions` and the modules beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from bot.errors import StoreUnavailable

STORE_WITHIN = timedelta(seconds=5)
"""At most how long a person waits for each call to the store."""

T = TypeVar("T")


async def in_time(answer: Awaitable[T], *, within: timedelta = STORE_WITHIN) -> T:
    """The store's answer, in time for the person who waits.

    Raises:
        StoreUnavailable: it did not come `within` that time.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await answer
    except TimeoutError:
        raise StoreUnavailable(f"no answer within {within.total_seconds():g} s") from None
