"""What a request to subscribe came to, in the reply that fits; called by the listeners that subscribe."""

from __future__ import annotations

from datetime import datetime

from bot.blocks import Message, replies
from bot.subscriptions import Subscribed

_UNSAFE = (
    "Only one server of my memory has that so far, and if it fails now, I forget it. "
    "Subscribe once more in a minute to be sure."
)


def told_of(done: Subscribed, *, now: datetime, note: str = "") -> Message:
    """The reply to whoever subscribed; `note` is a warning that goes with a new subscription."""
    if not done.followed:
        return replies.nothing_to_follow(done.snapshot, now=now)
    unsafe = "" if done.is_safe else _UNSAFE
    if done.was is None:
        return replies.subscribed(done.subscription, done.snapshot, note=" ".join(filter(None, (note, unsafe))))
    if done.was.level is not done.subscription.level:
        return replies.level_changed(done.subscription, done.snapshot, was=done.was.level, note=unsafe)
    return replies.already_subscribed(done.subscription, done.snapshot, note=unsafe)
