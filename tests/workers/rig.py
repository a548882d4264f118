"""The three workers of one bot between the sandbox's GCS and Slack, and what people read.

Called by the tests of this ring. A test drives them: `step` lets GCS show the next frame and polls it, `deliver` runs
the notifier once, `later` makes deferred lanes due and runs it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
from pydantic import SecretStr
from redis import Redis

from bot.acting import Acting
from bot.boards import BoardMaker, BoardRequests
from bot.domain.cadence import Cadence
from bot.domain.change import Change
from bot.domain.following import Level, Subscriber
from bot.errors import SlackError
from bot.gcs.auth import SignatureAuth
from bot.gcs.client import GCSClient
from bot.gcs.http import HTTPClient
from bot.slack.client import SlackClient
from bot.slack.languages import Languages
from bot.slack.messages import Messages
from bot.store import Store
from bot.store.gcs_quota import GCSQuota
from bot.store.slack_limits import SlackLimits
from bot.subscriptions import Allowance, Subscriptions
from bot.workers.notifier import Notifier
from bot.workers.watcher import Watcher
from sandbox import story
from sandbox.gcs import GCS
from sandbox.slack import Fault, Slack
from sandbox.story import Life
from tests.servers import expire_claims, let_polls_come, let_time_pass

CADENCE = Cadence(poll=timedelta(minutes=1), retry_grace=timedelta(hours=1), staleness=timedelta(hours=2))
PATIENCE = aiohttp.ClientTimeout(total=1.5)
"""How long the bot waits for Slack: short, since tests wait too, and enough for a busy machine to respond."""


def ample(store: Store) -> GCSQuota:
    """A quota that never defers a call."""
    return store.gcs_quota("AK", per_minute=100_000, reserve=0)


def ample_limits(store: Store) -> SlackLimits:
    """SlackLimits of Slack that are never in the way."""
    return store.slack_limits(calls=100_000, posts=100_000, channel_posts=100_000)


def board_maker(store: Store) -> BoardMaker:
    """What draws boards."""
    return BoardMaker(store.boards, store.subscribers, store.homes, now=lambda: datetime.now(UTC))


def watcher_of(client: GCSClient, store: Store, **settings: Any) -> Watcher:
    """A watcher, such as that of another copy of the bot; `settings` replace the usual ones."""
    usual: dict[str, Any] = {"cadence": CADENCE, "quota": ample(store), "has_operators": True}
    return Watcher(client, store, **(usual | settings))


class NoLocales:
    """Slack without the scope `users:read`: everybody reads what they chose, else the default."""

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """Slack refuses."""
        raise SlackError("missing_scope", user_id)


@dataclass
class Rig:
    """Everything that a test needs."""

    gcs: GCS
    slack: Slack
    store: Store
    redis: Redis
    watcher: Watcher
    notifier: Notifier
    subscriptions: Subscriptions
    acting: Acting
    client: GCSClient
    door: Messages
    alice: str
    lab: str

    def who(self, name: str) -> Subscriber:
        """A subscriber of the one workspace."""
        return Subscriber(team_id=self.slack.workspace.team_id, id=name)

    def place(self, name: str) -> str:
        """The channel id where `name` reads: a direct message for a person."""
        return self.slack.dm(name) if name.startswith("U") else name

    async def follow(self, *names: str, life: Life | None = None, level: Level | None = None) -> str:
        """Play `life` by hand and have each of `names` follow it; Alice asked for it."""
        execution_id = self.gcs.play(life or story.happy(2), by_hand=True)
        for name in names:
            await self.subscriptions.subscribe(self.who(name), execution_id, level=level, owner=self.alice)
        return execution_id

    async def followed(self, *names: str, life: Life | None = None, level: Level | None = None) -> str:
        """The same, with the cards posted."""
        execution_id = await self.follow(*names, life=life, level=level)
        await self.deliver()
        return execution_id

    async def step(self, execution_id: str, *, to: str | None = None) -> None:
        """Let GCS show the next frame, or the frame named `to`, and poll it."""
        self.gcs.step(execution_id, to=to)
        await self.poll()

    async def poll(self) -> None:
        """Make every execution due, and run the watcher once."""
        self.polls_come()
        await self.watcher.run_once()

    async def deliver(self) -> int:
        """Run the notifier once; returns how many lanes it served."""
        return await self.notifier.run_once()

    async def later(self, *, times: int = 1) -> None:
        """Make deferred lanes due, and run the notifier."""
        for _ in range(times):
            let_time_pass(self.redis)
            await self.deliver()

    async def after_a_crash(self, notifier: Notifier | None = None) -> None:
        """Let the leases of a dead worker expire, and run a notifier."""
        expire_claims(self.redis)
        await (notifier or self.notifier).run_once()

    def fault(self, kind: str, method: str | None = "chat.postMessage", **more: Any) -> None:
        """Add a fault to the sandbox's Slack."""
        self.slack.faults.add(Fault(kind=kind, method=method, **more))  # type: ignore[arg-type]  # a test names it

    def read(self, name: str) -> list[str]:
        """Messages that `name` reads, in order: `card`, or `change` and the revision that it delivers through."""
        payloads = [message.metadata["event_payload"] for message in self.slack.messages(self.place(name))]
        return [
            each["part"] if each["part"] != "change" else f"change {each['delivered_through']}" for each in payloads
        ]

    def texts(self, name: str) -> list[str]:
        """The texts of all messages that `name` reads."""
        return [message.text for message in self.slack.messages(self.place(name))]

    def cards(self, name: str) -> list[str]:
        """The texts of the cards that `name` sees."""
        messages = self.slack.messages(self.place(name))
        return [message.text for message in messages if message.metadata["event_payload"]["part"] == "card"]

    def times(self, method: str) -> int:
        """How often `method` of Slack was called."""
        return [call.method for call in self.slack.calls].count(method)

    def delete_card(self) -> None:
        """Delete the card from the channel, as an admin could."""
        messages = self.slack.workspace.messages[self.lab]
        messages.remove(next(each for each in messages if each.metadata["event_payload"]["part"] == "card"))

    def aged(self, *, hours: float) -> int:
        """Make each pending change older by `hours`; returns how many there were."""
        count = 0
        for key in self.redis.scan_iter("*:changes:*"):
            for place, row in enumerate(self.redis.lrange(str(key), 0, -1)):
                revision, _, text = str(row).partition("|")
                change = msgspec.json.decode(text, type=Change)
                older = msgspec.structs.replace(change, at=change.at - timedelta(hours=hours))
                self.redis.lset(str(key), place, f"{revision}|{msgspec.json.encode(older).decode()}")
                count += 1
        return count

    def polls_come(self, only: str = "") -> None:
        """Make every execution due, or `only` this one."""
        let_polls_come(self.redis, only)

    def waits(self, name: str = "outbox") -> list[float]:
        """Seconds until each lane is delivered, or with `due` until each execution is polled."""
        return list(self.waits_by_name(name).values())

    def waits_by_name(self, name: str) -> dict[str, float]:
        """The same, by lane or execution key."""
        now = time.time()
        found = [entry for key in self.redis.scan_iter(f"*:{name}*") for entry in self.redis.zscan_iter(key)]
        return {str(entry): round(float(score) / 1000 - now, 1) for entry, score in found}

    def left_over(self) -> list[str]:
        """All keys of the store except limits, brakes, durations, channels, dead letters, logs and people's ends."""
        lasting = {"ends", "{took", "channel", "{quota", "{slack", "{brake", "dead", "log"}
        return [key for key in map(str, self.redis.scan_iter()) if not lasting & set(key.split(":"))]


@asynccontextmanager
async def made(store: Store, redis: Redis, *, scopes: Collection[str] | None = None) -> AsyncIterator[Rig]:
    """A rig with Alice and a channel."""
    async with (
        GCS() as gcs,
        Slack(scopes=scopes) as slack,
        HTTPClient() as http,
        aiohttp.ClientSession(timeout=PATIENCE) as session,
    ):
        slack.limits.is_on = False
        auth = SignatureAuth(gcs.access_key, SecretStr(gcs.secret_key), project_id=gcs.project_id)
        client = GCSClient(http, endpoint=gcs.url, auth=auth)
        door = Messages(SlackClient(slack.bot_token, base_url=slack.api_url, session=session))
        alice = slack.add_user("alice")
        lab = slack.add_channel("lab", members=[alice])
        await store.channels.note(slack.workspace.team_id, lab, is_shared=False)  # as `here` does before it subscribes
        yield Rig(
            gcs=gcs,
            slack=slack,
            store=store,
            redis=redis,
            watcher=watcher_of(client, store),
            notifier=Notifier(
                door,
                store,
                ample_limits(store),
                languages=Languages(NoLocales(), store.languages),
            ),
            subscriptions=Subscriptions(
                client,
                store,
                boards=BoardRequests(board_maker(store), store.rules),
                allowance=Allowance(store.person_limit(per_minute=100_000), per_person=1_000, per_channel=1_000),
                cadence=CADENCE,
                now=lambda: datetime.now(UTC),
                default_level=Level.STEPS,
            ),
            acting=Acting(client, store.acts, store.subscribers, now=lambda: datetime.now(UTC)),
            client=client,
            door=door,
            alice=alice,
            lab=lab,
        )


def age_outage(rig: Rig, *, seconds: int) -> None:
    """Move the first failure back by `seconds`."""
    (key,) = rig.redis.scan_iter("*:away")
    rig.redis.set(str(key), int((time.time() - seconds) * 1e6), keepttl=True)


async def run_until(rig: Rig, until: Callable[[], bool], *notifiers: Notifier) -> None:
    """Run `notifiers` until the condition holds."""
    stop = asyncio.Event()
    running = [asyncio.create_task(notifier.run(stop)) for notifier in notifiers]
    try:
        await rig.slack.wait_for(until, timeout=30)
    finally:
        stop.set()
        await asyncio.gather(*running)
