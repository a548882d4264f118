"""The store, in which the workers meet: subscriptions, schedule, outbox and receipts, in Redis or Valkey.

Lives here: the `Store` that holds the parts together. The parts: `keys` (every key), `owner` (whose store it is),
`migrations` (bringing rows to this version's schema), `schedule`, `outbox`, `subscriptions`, `rules`, `homes`,
`boards`, `catch_ups`, `acts` (what people had GCS do), `log` (what became of changes), `channels`, `languages`,
`quiet_hours`, `requests`, `brake`, `gcs_quota` and `slack_limits` (with their Lua scripts beside them), `people`
(deleting what is kept about one), `contents` and `transfer` (all of it, for operators), `engine` (the server), and
`patience` (how long people wait for it). Called by the workers, by handlers and by `bot.app`. Only this package imports
redis.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from bot.errors import StoreUnavailable
from bot.store.acts import Acts
from bot.store.boards import Boards
from bot.store.brake import Brake
from bot.store.channels import Channels
from bot.store.clock import StoreClock
from bot.store.contents import Contents
from bot.store.engine.connection import Connection
from bot.store.engine.wakeup import Wakeup
from bot.store.gcs_quota import GCSQuota, PersonLimit
from bot.store.homes import Homes
from bot.store.inspection import Inspection
from bot.store.keys import PARTITIONS, PREFIX
from bot.store.languages import Languages
from bot.store.log import Logs
from bot.store.migrations import Migrations
from bot.store.outbox import IN_FLIGHT, Outbox
from bot.store.owner import Owner, Ownership
from bot.store.people import People
from bot.store.quiet_hours import HoursKept
from bot.store.requests import Requests
from bot.store.rows import milliseconds
from bot.store.rules import Enlisting, Rules
from bot.store.schedule import Schedule
from bot.store.schedule.history import History
from bot.store.slack_limits import SlackLimits
from bot.store.subscriptions import Subscribers
from bot.store.transfer import Transfer

__all__ = ["PARTITIONS", "Store"]


class Store:
    """Everything the bot remembers."""

    def __init__(
        self,
        url: str,
        *,
        coalesce: timedelta,
        staleness: timedelta,
        prefix: str = PREFIX,
        replicas: int | None = None,
        owner: Owner | None = None,
    ) -> None:
        """All keys begin with `prefix`. Without an `owner` that is known, nothing is claimed before `ownership.take`.

        `replicas` must hold a claim before anything is sent on it; by default one where the address implies some.
        """
        self._connection = Connection(url, prefix=prefix, replicas=replicas)
        self.ownership = Ownership(self._connection, owner)
        polls, deliveries = Wakeup(), Wakeup()
        self.subscribers = Subscribers(self._connection, self.ownership, polls=polls, deliveries=deliveries)
        self.homes = Homes(self._connection, self.ownership, self.subscribers)
        self.schedule = Schedule(
            self._connection,
            self.ownership,
            coalesce=coalesce,
            staleness=staleness,
            polls=polls,
            deliveries=deliveries,
        )
        self.rules = Rules(self._connection, self.ownership)
        self.enlisting = Enlisting(
            self._connection, self.ownership, self.rules, self.subscribers, polls=polls, deliveries=deliveries
        )
        self.boards = Boards(self._connection, self.ownership, deliveries=deliveries)
        self.acts = Acts(self._connection, self.ownership, polls=polls, deliveries=deliveries)
        self.channels = Channels(self._connection)
        self.languages = Languages(self._connection)
        self.quiet_hours = HoursKept(self._connection)
        self.outbox = Outbox(self._connection, self.ownership, deliveries=deliveries)
        self.people = People(self._connection, self.ownership, self.rules, self.boards, self.outbox.catch_ups)
        self.inspection = Inspection(self._connection)
        self.migrations = Migrations(self._connection, self.ownership)
        self.logs = Logs(self._connection, self.ownership)
        self.history = History(self._connection, self.ownership)
        self.contents = Contents(self._connection)
        self.transfer = Transfer(
            self._connection,
            self.outbox,
            self.history,
            self.rules,
            hours=self.quiet_hours,
            boards=self.boards,
            homes=self.homes,
            languages=self.languages,
        )
        self.brake = Brake(self._connection)
        self.clock = StoreClock(self._connection)
        self.requests = Requests(self._connection)
        self._process = uuid4().hex

    def gcs_quota(self, user: str, *, per_minute: int, reserve: int) -> GCSQuota:
        """The quota of one GCS user, shared with every other bot on this store."""
        return GCSQuota(self._connection, user=user, per_minute=per_minute, reserve=reserve, process=self._process)

    def person_limit(self, *, per_minute: int) -> PersonLimit:
        """How many requests each person may make, shared with every other bot on this store."""
        return PersonLimit(self._connection, per_minute=per_minute)

    def slack_limits(self, *, calls: int, posts: int, channel_posts: int) -> SlackLimits:
        """Slack's limits, each a minute, shared with every other bot on this store."""
        return SlackLimits(self._connection, calls=calls, posts=posts, channel_posts=channel_posts)

    async def problem(self) -> str | None:
        """What is wrong in detail, or None; see `verify`."""
        try:
            await self.verify()
        except StoreUnavailable as error:
            return str(error)
        return None

    async def verify(self) -> None:
        """Make sure that it is not another bot's, and takes writes in every partition, so that a full node shows too.

        Raises:
            StoreNotOurs: it is another bot's.
            StoreUnavailable: it takes no writes.
        """
        if self.ownership.refusal is not None:
            raise self.ownership.refusal
        for error in filter(_is_problem, await self._connection.run_everywhere("engine/probe")):
            raise error

    async def evicts(self) -> bool | None:
        """Whether it drops keys when it is full, by its settings, and would forget subscriptions that way.

        Policies that spare keys without an end drop dead letters, pauses and quotas, which all have one. None where the
        store does not say: its user may not ask, or a managed service hides it.

        Raises:
            StoreUnavailable: it does not answer.
        """
        servers = await self._connection.info("memory")
        if servers is None or not all("maxmemory_policy" in each for each in servers):
            return None
        return any(each["maxmemory"] and each["maxmemory_policy"] != "noeviction" for each in servers)

    async def lacks_replicas(self) -> bool:
        """Whether fewer replicas hold what is written than should.

        Raises:
            StoreUnavailable: it takes no writes.
        """
        for number in range(PARTITIONS):
            _, is_replicated = await self._connection.keep("engine/probe", self._connection.keys.partition(number))
            if not is_replicated:
                return True
        return False

    async def recover(self) -> int:
        """Take over what a dead predecessor had claimed; only where no other bot can be alive on this store.

        Returns:
            How many claims were taken over.

        Raises:
            StoreUnavailable: not all of them can be.
        """
        self._process = "the only one"  # a lease on reading lists goes on under the same name
        taken_over = await self._connection.run_everywhere("engine/recover", milliseconds(IN_FLIGHT))
        for error in filter(_is_problem, taken_over):
            raise error
        return sum(taken_over)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()


def _is_problem(answer: Any) -> bool:
    return isinstance(answer, StoreUnavailable)
