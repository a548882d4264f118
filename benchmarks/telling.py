"""Notifier: how much of a core one message takes from the outbox to the wire, beside a bare post loop.

Lives here: the two contenders. The bot's is its real notifier with its real store; the other is the slack_sdk's client
posting the same card on the same session to the same server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import aiohttp
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from benchmarks import servers
from benchmarks.harness import (
    CLIENT_CORE,
    SERVER_CORE,
    Row,
    Stopwatch,
    a_snapshot,
    at_least,
    interleaved,
    looped,
    opened_store,
    pinned,
    quiet,
    ratios,
)
from bot.blocks import Message, Style, execution_card
from bot.domain.model import Subscriber, Subscription
from bot.slack.client import TIMEOUT, Mark, SlackClient
from bot.store import Store
from bot.store.snapshots import first_text, snapshot_of
from bot.workers.notifier import Notifier

AT_ONCE = 16
"""As the notifier does."""
AMPLE = 10_000_000
"""Of everything that Slack limits by the minute: asked for each time, never in the way."""
MESSAGES = 500
"""In one round."""
ROUNDS = 15
"""More than elsewhere: a round of the bot's takes a tenth of a second, and what the neighbours do shows in it."""


async def rows() -> list[Row]:
    """The notifier against the bare loop."""
    with pinned(CLIENT_CORE), quiet():
        async with (
            opened_store() as (store, url),
            servers.serving("slack", core=SERVER_CORE) as slack,
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            Redis.from_url(url) as redis,
        ):
            door = SlackClient("xoxb-1", base_url=f"{slack}/api/", session=session)
            found = await interleaved(
                {
                    "bot": _telling(store, redis, door),
                    "bare": _posting(AsyncWebClient("xoxb-1", base_url=f"{slack}/api/", session=session)),
                    "of the bot's, reading the snapshot": _reading(),
                    "of the bot's, drawing the card": _drawing(),
                    "of the bot's, the call": _calling(door),
                },
                rounds=ROUNDS,
            )
    row = at_least(
        0.75,
        ratios(found["bare"], found["bot"]),
        name="notifier: outbox entry to HTTP request sent",
        against="bare slack_sdk post loop",
        method=(
            f"{MESSAGES} subscriptions a round, each with its first card in the outbox, told by the real notifier: "
            "claim, render a card of 20 steps, ask the limits (never in the way here), post, record, give back. The "
            "bare loop posts the same card, rendered beforehand, with `AsyncWebClient.chat_postMessage` on the same "
            f"session to the same server, {AT_ONCE} at once like the notifier. CPU time of the client, on one core. "
            "Where the time goes: the bot's call goes past the SDK and aiohttp's session, so it costs a quarter of the "
            "bare loop's; what that saves, the rest uses. The snapshot has to be read and the card to be drawn; the "
            "figures say what these three cost by themselves, again and again in a warm cache. The rest is the store "
            "(what is ready, claim, turn, receipt: four scripts a message), a task a lane, and caches that are cold "
            "after each of the four waits in between."
        ),
        figures={f"{name}, µs CPU": median(times) for name, times in found.items()},
    )
    return [row]


def _subscription(number: int) -> Subscription:
    """A channel's: telling a person needs a call more the first time."""
    subscriber = Subscriber(team_id="T0123ABCD", id=f"C{number:08d}")
    snapshot = a_snapshot(number)
    return Subscription(
        execution_id=snapshot.execution.id, subscriber=subscriber, owner="U0123ABCD", created_at=datetime.now(UTC)
    )


def _telling(store: Store, redis: Redis, slack: SlackClient) -> Callable[[], Awaitable[float]]:
    """A round of the notifier: µs a message."""
    limits = store.slack_limits(calls=AMPLE, posts=AMPLE, channel_posts=AMPLE)
    notifier = Notifier(slack, store.outbox, limits)

    async def told() -> float:
        await redis.flushall()
        for number in range(MESSAGES):
            await store.subscribers.subscribe(_subscription(number), a_snapshot(number), first_poll=timedelta(hours=1))
        sent, watch = _sent(), Stopwatch()
        while await notifier.run_once():
            pass
        micros = watch.per(MESSAGES)
        if _sent() - sent != MESSAGES:
            raise RuntimeError(f"{_sent() - sent:.0f} messages instead of {MESSAGES}")
        return micros

    return told


def _sent() -> float:
    labels = {"kind": "card", "result": "sent"}
    return REGISTRY.get_sample_value("execution_bot_notifier_messages_total", labels) or 0


def _drawing() -> Callable[[], Awaitable[float]]:
    """A round of drawing cards: µs a card."""
    subscription, snapshot = _subscription(0), a_snapshot(0)

    async def drawn() -> float:
        watch = Stopwatch()
        for _ in range(MESSAGES):
            execution_card(snapshot, subscription, now=datetime.now(UTC), style=Style.RICH)
        return watch.per(MESSAGES)

    return drawn


def _reading() -> Callable[[], Awaitable[float]]:
    """A round of reading snapshots as they come from the store: µs each."""
    texts = [first_text(a_snapshot(number), None) for number in range(MESSAGES)]

    async def read() -> float:
        watch = Stopwatch()
        for text in texts:
            snapshot_of(text)
        return watch.per(MESSAGES)

    return read


def _a_card() -> tuple[Message, Mark]:
    """A card, and its mark."""
    snapshot = a_snapshot(0)
    card = execution_card(snapshot, _subscription(0), now=datetime.now(UTC), style=Style.RICH)
    return card, Mark(
        lane=f"T0123ABCD/{snapshot.execution.id}/C00000000/1732446671000", part="card", delivered_through=0
    )


def _calling(door: SlackClient) -> Callable[[], Awaitable[float]]:
    """A round of the bot's own call, with nothing around it: µs a message."""
    card, mark = _a_card()

    async def post(number: int) -> None:
        await door.post(f"C{number:08d}", text=card.text, blocks=card.blocks, mark=mark)

    return lambda: looped(post, concurrency=AT_ONCE)


def _posting(web: AsyncWebClient) -> Callable[[], Awaitable[float]]:
    """A round of the bare loop: µs a message."""
    card, mark = _a_card()

    async def post(number: int) -> None:
        await web.chat_postMessage(
            channel=f"C{number:08d}", text=card.text, blocks=list(card.blocks), metadata=mark.metadata()
        )

    return lambda: looped(post, concurrency=AT_ONCE)
