"""What a request to subscribe or to unsubscribe came to, in the reply that fits; called by the listeners for these."""

from __future__ import annotations

from datetime import datetime

from bot.blocks import Message, replies
from bot.blocks.sentences import UNSAFE_SUBSCRIBED, UNSAFE_UNSUBSCRIBED
from bot.domain.model import Subscriber
from bot.subscriptions import Subscribed, Unsubscribed


def told_of(done: Subscribed, *, now: datetime, note: str = "") -> Message:
    """The reply to whoever subscribed; `note` is a warning that goes with a new subscription."""
    if not done.followed:
        return replies.nothing_to_follow(done.snapshot, now=now)
    unsafe = "" if done.is_safe else UNSAFE_SUBSCRIBED
    if done.was is None:
        return replies.subscribed(done.subscription, done.snapshot, note=" ".join(filter(None, (note, unsafe))))
    if done.was.level is not done.subscription.level:
        return replies.level_changed(done.subscription, done.snapshot, was=done.was.level, note=unsafe)
    return replies.already_subscribed(done.subscription, done.snapshot, note=unsafe)


def ended_of(done: Unsubscribed, subscriber: Subscriber, execution_id: str) -> Message:
    """The reply to whoever unsubscribed."""
    reply = replies.unsubscribed if done.was_followed else replies.not_subscribed
    return reply(subscriber, execution_id, note="" if done.is_safe else UNSAFE_UNSUBSCRIBED)
