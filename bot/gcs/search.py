"""People's searches in the list of executions: few pages, and those who ask the same share them.

Lives here: which pages are asked for, and for how long their answer is good. Does not live here: the calls
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
from bot.gcs.found import FoundPage

PAGES = 3
"""At most how many calls one search makes."""

PAGE = 100
"""How many executions are on a page: what the service answers with where nobody asks for more (reference 5.1)."""

GOOD_FOR = timedelta(seconds=10)
"""How long an answer is given to others who ask the same."""

MOST_KEPT = 50
"""At most how many answers are kept."""


class SharedSearches:
    """Searches the list for people, each thing at most once at a time."""

    def __init__(self, client: GCSClient, *, within: timedelta, now: Callable[[], datetime]) -> None:
        """`within`: at most how long a person waits for GCS."""
        self._client, self._within, self._now = client, within, now
        self._under_way: dict[tuple[str, str], asyncio.Task[Found]] = {}
        self._answers: dict[tuple[str, str], tuple[datetime, Found]] = {}
        """The last answers, each with when it came; the newest last."""

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
        """The newest runs of a workflow, or of all where `name` is empty; shared with nobody.

        What has begun a moment ago counts here, and would be missing in an answer that somebody else was given.

        Raises:
            GCSError: as from `GCSClient.find`.
        """
        return await self._in_time(partial(self._pages, workflow=name, most=2))

    async def _shared(self, key: tuple[str, str], search: Callable[[], Awaitable[Found]]) -> Found:
        now = self._now()
        good = [(kept, answer) for kept, answer in self._answers.items() if now - answer[0] < GOOD_FOR]
        self._answers = dict(good[-MOST_KEPT:])
        if key in self._answers:
            return self._answers[key][1]
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._search(key, search))
        return await asyncio.shield(task)  # one who gives up takes the answer from nobody

    async def _search(self, key: tuple[str, str], search: Callable[[], Awaitable[Found]]) -> Found:
        try:
            found = await self._in_time(search)
            self._answers[key] = (self._now(), found)
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
        """GCS finds names, in what case is not documented; the newest are compared with the beginning of an id."""
        pages = 1 if begins_an_id(query) else PAGES
        found = _fitting(query, await self._pages(name=query, most=pages))
        if begins_an_id(query):
            more = _fitting(query, await self._pages(most=PAGES - pages))
            return Found(newest_first([*found.matches, *more.matches]), found.unread)  # an id is not found twice
        if not found.matches and query != query.casefold():
            return _fitting(query, await self._pages(name=query.casefold(), most=PAGES - 1))
        return found

    async def _pages(self, *, name: str = "", status: str = "", workflow: str = "", most: int = PAGES) -> Found:
        """The newest of a list, whether it begins or ends with them: the order is not documented."""
        page = partial(self._client.find, name=name, status=status, workflow=workflow, limit=PAGE, within=self._within)
        first = await page(offset=0)
        pages, size = [first], first.length
        while size and len(pages) < most and _read(pages) < first.total:
            number = len(pages)
            offset = max(size, first.total - size * number) if _is_oldest_first(first) else size * number
            pages.append(await page(offset=offset))
        return Found(newest_first(match for page in pages for match in page.matches), first.total - _read(pages))


def _read(pages: list[FoundPage]) -> int:
    return min(sum(page.length or PAGE for page in pages), pages[0].total)


def _is_oldest_first(page: FoundPage) -> bool:
    times = [match.created_at for match in page.matches if match.created_at is not None]
    return len(times) > 1 and times[0] < times[-1]


def _fitting(query: str, found: Found) -> Found:
    """What fits, whether or not GCS has looked at the name."""
    fitting: tuple[Match, ...] = tuple(match for match in found.matches if fits(query, match))
    return Found(fitting, found.unread if fitting else 0)
