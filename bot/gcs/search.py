"""People's searches in the list of executions: a few pages each, shared by equal searches.

Lives here: which pages are requested, and how long their result is reused. Does not live here: the calls
(`bot.gcs.client`), what fits a query (`bot.domain.search`). Called by `bot.search` and `bot.rules`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from bot.domain.search import Found, Match, begins_an_id, fits, newest_first
from bot.errors import GCSTooLate
from bot.gcs.client import GCSClient
from bot.gcs.search_page import SearchPage

MOST_PAGES = 3
"""At most this many pages are read for one search."""

PAGE_SIZE = 100
"""How many executions are on a page: the service's default (reference 5.1)."""

GOOD_FOR = timedelta(seconds=10)
"""How long a result is reused for the same search."""

MOST_KEPT = 50
"""At most this many results are kept."""


class SharedSearches:
    """Searches the list for people; equal searches at the same time are one."""

    def __init__(self, client: GCSClient, *, within: timedelta, now: Callable[[], datetime]) -> None:
        """`within`: at most how long a person waits for GCS."""
        self._client, self._within, self._now = client, within, now
        self._under_way: dict[tuple[str, str], asyncio.Task[Found]] = {}
        self._results: dict[tuple[str, str], tuple[datetime, Found]] = {}
        """The last results, each with when it came; the newest last."""

    async def named(self, query: str) -> Found:
        """The executions that `query` fits.

        Raises:
            GCSError: as from `GCSClient.find`.
        """
        return await self._shared(("name", query), partial(self._named, query))

    async def in_phase(self, phase: str) -> Found:
        """The newest executions in a phase that the list can be filtered by.

        Raises:
            GCSError: as from `GCSClient.find`.
        """
        return await self._shared(("status", phase), partial(self._pages, status=phase))

    async def of_workflow(self, name: str) -> Found:
        """The newest runs of a workflow, or of all if `name` is empty; never a result that is reused.

        What began a moment ago counts here, and an older result would miss it.

        Raises:
            GCSError: as from `GCSClient.find`.
        """
        return await self._in_time(partial(self._pages, workflow=name, most=2))

    async def _shared(self, key: tuple[str, str], search: Callable[[], Awaitable[Found]]) -> Found:
        now = self._now()
        good = [(kept, result) for kept, result in self._results.items() if abs(now - result[0]) < GOOD_FOR]
        self._results = dict(good[-MOST_KEPT:])
        if key in self._results:
            return self._results[key][1]
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._search(key, search))
        return await asyncio.shield(task)  # who gives up must not cancel it for the others

    async def _search(self, key: tuple[str, str], search: Callable[[], Awaitable[Found]]) -> Found:
        try:
            found = await self._in_time(search)
            self._results[key] = (self._now(), found)
            return found
        finally:
            del self._under_way[key]

    async def _in_time(self, search: Callable[[], Awaitable[Found]]) -> Found:
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                return await search()
        except TimeoutError:
            raise GCSTooLate("the list of executions does not come in time") from None

    async def _named(self, query: str) -> Found:
        """GCS filters by name, perhaps by case; the beginning of an id is compared with the newest executions only."""
        pages = 1 if begins_an_id(query) else MOST_PAGES
        found = _fitting(query, await self._pages(name=query, most=pages))
        if begins_an_id(query):
            more = _fitting(query, await self._pages(most=MOST_PAGES - pages))
            return Found(newest_first([*found.matches, *more.matches]), found.unread)  # an id is not found twice
        if not found.matches and query != query.casefold():
            return _fitting(query, await self._pages(name=query.casefold(), most=MOST_PAGES - 1))
        return found

    async def _pages(self, *, name: str = "", status: str = "", workflow: str = "", most: int = MOST_PAGES) -> Found:
        """The newest of a list, whether they come first or last in it: the order is not documented."""
        page = partial(
            self._client.find, name=name, status=status, workflow=workflow, limit=PAGE_SIZE, within=self._within
        )
        first = await page(offset=0)
        pages, size = [first], first.length
        is_from_end = first.total > size and _is_oldest_first(first)
        # A full page may be followed by others, whatever GCS says about how many there are.
        while size and len(pages) < most and (_read(pages) < first.total or pages[-1].length >= PAGE_SIZE):
            number = len(pages)
            offset = max(size, first.total - size * number) if is_from_end else size * number
            pages.append(await page(offset=offset))
        return Found(newest_first(match for page in pages for match in page.matches), first.total - _read(pages))


def _read(pages: list[SearchPage]) -> int:
    return min(sum(page.length or PAGE_SIZE for page in pages), pages[0].total)


def _is_oldest_first(page: SearchPage) -> bool:
    times = [match.created_at for match in page.matches if match.created_at is not None]
    return len(times) > 1 and times[0] < times[-1]


def _fitting(query: str, found: Found) -> Found:
    """The matches that fit, since GCS may have ignored the filter."""
    fitting: tuple[Match, ...] = tuple(match for match in found.matches if fits(query, match))
    return Found(fitting, found.unread if fitting else 0)
