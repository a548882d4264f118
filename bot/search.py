"""Finding executions for people, by what they remember of them or by phase: among what they follow, and in GCS's list.

Lives here: `Searches`. Does not live here: what fits a query (`bot.domain.search`), the pages of the list
(`bot.gcs.search`), how the matches look (`bot.blocks.matches`). Called by the handlers, through `Subscriptions.search`.
"""

from __future__ import annotations

from bot.domain.execution import Phase
from bot.domain.following import Subscriber, Subscription
from bot.domain.search import Found, Match, begins_an_id, fits, narrowed, newest_first
from bot.domain.snapshot import Snapshot
from bot.errors import GCSError
from bot.gcs.search import SharedSearches
from bot.store.patience import in_time
from bot.store.subscriptions import Subscribers


class Searches:
    """Searches for people."""

    def __init__(self, subscribers: Subscribers, searches: SharedSearches) -> None:
        self._subscribers, self._searches = subscribers, searches

    async def find(self, subscriber: Subscriber, query: str, *, is_followed: bool = False) -> Found:
        """The executions that `query` may mean: one, if only one can be meant.

        What `subscriber` follows is searched first. If `is_followed`, a match there is enough; while GCS is away, only
        that is searched.

        Raises:
            GCSError: GCS does not show its list, and nothing that is followed fits.
        """
        followed = (_match(*item) for item in (await in_time(self._subscribers.of(subscriber))).items)
        known = newest_first(match for match in followed if fits(query, match))
        by_id = tuple(
            match for match in known if begins_an_id(query) and match.execution_id.startswith(query.casefold())
        )
        if by_id or (is_followed and known):
            return Found(by_id or narrowed(query, known))
        try:
            listed = await self._searches.named(query)
        except GCSError:
            if not known:
                raise
            listed = Found()
        matches = newest_first([*listed.matches, *known])
        only = narrowed(query, matches)
        return Found(only, listed.unread if only == matches else 0)

    async def in_phase(self, phase: Phase) -> Found:
        """The newest executions in a phase that GCS's list can be filtered by."""
        return await self._searches.in_phase(phase)


def _match(subscription: Subscription, snapshot: Snapshot | None) -> Match:
    """What is followed, as a list would show it."""
    if snapshot is None:
        return Match(subscription.execution_id)
    execution = snapshot.execution
    phase, workflow = execution.phase, execution.workflow_name
    return Match(subscription.execution_id, execution.name, phase, workflow, execution.created_at)
