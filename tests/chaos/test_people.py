"""Chaos' people understand what the bot replies: a text that changes here must change there."""

from __future__ import annotations

import pytest

from bot.blocks import replies
from bot.blocks.message import Message
from bot.blocks.sentences import sentence
from bot.domain.following import Level, Subscription
from bot.errors import ExecutionNotFound
from tests.chaos.people import FOLLOWED, LEFT, is_about
from tests.messages import world

MINE, OURS = world.OWN_SUBSCRIPTION, world.CHANNEL_SUBSCRIPTION
RUNNING = world.snapshot()


@pytest.mark.parametrize(
    "reply",
    [
        *(replies.subscribed(each, RUNNING) for each in (MINE, OURS)),
        *(replies.already_subscribed(each, RUNNING) for each in (MINE, OURS)),
        *(replies.level_changed(each, RUNNING, was=Level.FINAL) for each in (MINE, OURS)),
    ],
)
def test_people_know_that_they_follow(reply: Message) -> None:
    """A promise has been made to them."""
    assert is_about(reply.text, world.NAME)
    assert reply.text.startswith(FOLLOWED)


@pytest.mark.parametrize(
    "said",
    [replies.nothing_to_follow(world.snapshot(world.SUCCEEDED)).text, sentence(ExecutionNotFound("404"))],
)
def test_people_know_that_they_are_late(said: str) -> None:
    """There is nothing to wait for, and nothing was promised."""
    assert is_about(said, world.NAME)
    assert not said.startswith(FOLLOWED)


@pytest.mark.parametrize("subscription", [MINE, OURS])
def test_people_know_that_they_have_left(subscription: Subscription) -> None:
    """Whether they followed it or not."""
    for reply in (replies.unsubscribed, replies.not_subscribed):
        said = reply(subscription.subscriber, world.ID).text
        assert said.startswith(LEFT)
        assert world.ID in said
