"""How subscriptions and receipts are written in the store: short texts, so that their hashes stay small.

Called by the sibling modules; the Lua scripts beside them know the same forms (`bot.store.keys` lists them).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.model import Level, Receipt, Subscriber, Subscription
from bot.store.keys import Lane

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def subscription_row(subscription: Subscription) -> str:
    """`level|owner|created ms`, with `|e` behind it once it is ending."""
    created = (subscription.created_at - EPOCH) // timedelta(milliseconds=1)
    ending = "|e" if subscription.is_ending else ""
    return f"{subscription.level.value}|{subscription.owner}|{created}{ending}"


def subscription_of(lane: Lane, row: str) -> Subscription:
    """The subscription that `row` stands for."""
    level, owner, created, *ending = row.split("|")
    return Subscription(
        execution_id=lane.execution_id,
        subscriber=Subscriber(team_id=lane.team_id, id=lane.subscriber_id),
        level=Level(level),
        owner=owner,
        created_at=at(int(created)),
        is_ending=bool(ending),
    )


def receipt_row(receipt: Receipt) -> str:
    """`channel|ts|revision|told`."""
    return f"{receipt.channel}|{receipt.ts}|{receipt.revision}|{receipt.told}"


def receipt_of(row: str) -> Receipt | None:
    """The receipt that `row` stands for; None for an empty one."""
    if not row:
        return None
    channel, ts, revision, told = row.split("|")
    return Receipt(channel=channel, ts=ts, revision=int(revision), told=int(told))


def at(milliseconds: int) -> datetime:
    """The moment that the store's clock means; exact to the millisecond."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(span: timedelta) -> int:
    """`span` in whole milliseconds, as the scripts take it."""
    return span // timedelta(milliseconds=1)
