"""Every button: its action id, what it carries, and when it is shown.

Lives here: the `verb_noun` constants that `handlers.actions` listens to, `action_value`/`parse_action_value`, and one
builder per button. Does not live here: what pressing does (`handlers.actions`). Called by `bot.blocks` and `handlers`.
"""

from __future__ import annotations

from typing import NamedTuple

from bot.blocks.message import Block, button, confirm
from bot.domain.model import Subscriber, Subscription

SUBSCRIBE_EXECUTION = "subscribe_execution"
UNSUBSCRIBE_EXECUTION = "unsubscribe_execution"
SHOW_STEPS = "show_steps"
REFRESH_SUMMARY = "refresh_summary"
REFRESH_CARD = "refresh_card"
SHARE_EXECUTION = "share_execution"
TURN_PAGE_BACK = "turn_page_back"
TURN_PAGE_ON = "turn_page_on"
REFRESH_STEPS = "refresh_steps"

_SEPARATOR = "|"
_ID_LIMIT = 255
"""An id has 36 characters; a longer one is none, and must not keep a message from being posted."""


class ActionValue(NamedTuple):
    """What a button carries: the execution and, where the button belongs to a subscription, its subscriber."""

    execution_id: str
    subscriber_id: str = ""
    """Empty: the person who presses."""


def action_value(execution_id: str, subscriber: Subscriber | None = None) -> str:
    """The `value` of a button: `execution_id`, or `execution_id|subscriber_id`."""
    execution_id = execution_id[:_ID_LIMIT]
    return execution_id if subscriber is None else f"{execution_id}{_SEPARATOR}{subscriber.id}"


def parse_action_value(value: str) -> ActionValue:
    """What `action_value` wrote."""
    execution_id, _, subscriber_id = value.partition(_SEPARATOR)
    return ActionValue(execution_id, subscriber_id)


def subscribe(execution_id: str, label: str = "Subscribe") -> Block:
    """Subscribes the person who presses."""
    return button(label, SUBSCRIBE_EXECUTION, action_value(execution_id), style="primary")


def follow_again(subscription: Subscription) -> Block:
    """Subscribes the same subscriber once more, be it a person or a channel."""
    return button("Follow again", SUBSCRIBE_EXECUTION, _bound(subscription))


def unsubscribe(subscription: Subscription) -> Block:
    """Ends the subscription; where it is a channel's, asks first, since that is for everybody there."""
    if subscription.subscriber.is_person:
        return button("Unsubscribe", UNSUBSCRIBE_EXECUTION, _bound(subscription))
    question = confirm(
        "Stop following here?",
        "Nobody in this channel will be told about this execution any more.",
        "Stop following",
        "Keep following",
    )
    return button("Stop following here", UNSUBSCRIBE_EXECUTION, _bound(subscription), confirm=question)


def steps(execution_id: str) -> Block:
    """Opens the list of all steps."""
    return button("Steps", SHOW_STEPS, action_value(execution_id))


def refresh_summary(execution_id: str) -> Block:
    """Draws an ephemeral answer anew."""
    return button("Refresh", REFRESH_SUMMARY, action_value(execution_id))


def refresh_card(subscription: Subscription) -> Block:
    """Has the card looked up and drawn anew."""
    return button("Refresh", REFRESH_CARD, _bound(subscription))


def share(execution_id: str) -> Block:
    """Posts an ephemeral answer for all to see."""
    return button("Share to channel", SHARE_EXECUTION, action_value(execution_id))


def page_back(page: int) -> Block:
    """Turns the list of steps to the page before; the value of the three page buttons is the page to show."""
    return button("◀ Previous", TURN_PAGE_BACK, str(page - 1))


def page_on(page: int) -> Block:
    """Turns the list of steps to the next page."""
    return button("Next ▶", TURN_PAGE_ON, str(page + 1))


def page_again(page: int) -> Block:
    """Reads the list of steps anew."""
    return button("Refresh", REFRESH_STEPS, str(page))


def _bound(subscription: Subscription) -> str:
    return action_value(subscription.execution_id, subscription.subscriber)
