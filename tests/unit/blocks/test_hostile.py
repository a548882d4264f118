"""Whatever GCS sends, Slack takes what is drawn, nobody is called, and the words say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import blocks
from bot.blocks import Message, Style, replies, text, words
from bot.domain.model import Change, Level, Snapshot, Subscription
from sandbox.slack import blockkit
from tests.unit.blocks.world import ID, NOW, hostile_changes, hostile_snapshots, shown, subscriptions

OURS = re.compile(r"<!date\^-?\d+\^[a-z_{} ]+\|[^<>|]+>|<[@#][A-Z0-9]+>")
CALLS = re.compile(r"@(here|channel|everyone|group)", re.IGNORECASE)
patiently = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def messages(seen: Snapshot, link: Subscription, change: Change) -> Iterator[Message]:
    """Every message that there is."""
    execution = seen.execution
    yield blocks.execution_summary(seen, now=NOW, subscription=link)
    yield blocks.execution_summary(seen, now=NOW, subscription=None)
    yield blocks.shared_summary(seen, now=NOW, shared_by="U1")
    yield blocks.execution_card(seen, link, now=NOW, style=Style.RICH)
    yield blocks.execution_card(seen, link, now=NOW, style=Style.CLASSIC)
    yield blocks.change_message([change, change], execution, now=NOW)
    yield blocks.outcome_message(change, link, execution, now=NOW)
    yield blocks.ended_message(change, execution, now=NOW)
    yield blocks.undeliverable_message(link, execution, change.reason)
    yield blocks.undeliverable_message(link, None, change.reason)
    yield replies.subscribed(link, seen, note=change.message)
    yield replies.already_subscribed(link, seen, note=change.message)
    yield replies.level_changed(link, seen, was=Level.FINAL, note=change.message)
    yield replies.unsubscribed(link.subscriber, execution.id, note=change.message)
    yield replies.not_subscribed(link.subscriber, execution.id, note=change.message)
    yield replies.nothing_to_follow(seen, now=NOW)
    yield replies.refreshed(seen)
    yield replies.subscription_list([(link, seen), (link, None)] * 30, now=NOW)
    yield replies.error_reply(change.message or "No.", change.reason)


def views(seen: Snapshot, link: Subscription, change: Change) -> Iterator[dict[str, Any]]:
    """Every view that there is."""
    yield blocks.steps_modal(seen, page=change.revision, now=NOW, execution_id=seen.execution.id)
    yield blocks.steps_modal(None, now=NOW, execution_id=ID)
    yield blocks.loading_modal(seen.execution.id)
    yield blocks.error_modal(change.message)
    yield blocks.home_tab([(link, seen), (link, None)] * 60, now=NOW)


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_slack_takes_every_message(seen: Snapshot, link: Subscription, change: Change) -> None:
    """No value of GCS makes a message that Slack refuses: blocks are valid, and short in all."""
    for message in messages(seen, link, change):
        assert blockkit.problems(list(message.blocks), "message") == []
        assert blockkit.text_size(list(message.blocks)) <= 9_000
        assert message.blocks


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_slack_takes_every_view(seen: Snapshot, link: Subscription, change: Change) -> None:
    """No value of GCS makes a modal or a Home tab that Slack refuses."""
    for view in views(seen, link, change):
        assert blockkit.view_problems(view) == []
        assert len(str(view)) < 100_000


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_nobody_is_called_and_nothing_is_linked(seen: Snapshot, link: Subscription, change: Change) -> None:
    """The only angle brackets are our own dates and mentions; no word calls a channel; all of it is valid UTF-8."""
    drawn = [shown(message.blocks) + message.text for message in messages(seen, link, change)]
    for everything in [*drawn, *(shown(view) for view in views(seen, link, change))]:
        assert not set(OURS.sub("", everything)) & set("<>\u202e\u200b\x00")
        assert not CALLS.search(everything)
        everything.encode()


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_the_words_stand_alone(seen: Snapshot, link: Subscription, change: Change) -> None:
    """Every message has words that Slack takes in an edit."""
    for message in messages(seen, link, change):
        assert 0 < len(message.text) <= 3_900
        assert message.plain() == Message(blocks=(), text=message.text)


@patiently
@given(hostile_snapshots, subscriptions)
def test_the_words_carry_phase_and_counts(seen: Snapshot, link: Subscription) -> None:
    """Who only hears the card learns the phase and how many steps are done."""
    execution = seen.execution
    heard = blocks.execution_card(seen, link, now=NOW, style=Style.RICH).text
    assert words.phase_word(execution.phase) in heard
    assert words.counts(execution.steps_finished, execution.steps_total) in heard


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_the_same_is_drawn_the_same(seen: Snapshot, link: Subscription, change: Change) -> None:
    """Equal values make equal messages, so that an edit without a difference can be left out."""
    again = deepcopy(seen)
    assert list(messages(seen, link, change)) == list(messages(again, link, change))


@given(st.text(), st.integers(2, 200))
def test_escaped_text_keeps_its_limit(foreign: str, limit: int) -> None:
    """The limit counts what Slack counts: entities in full; only the marks around right-to-left text come on top."""
    assert len(text.escape(foreign, limit).strip("\u2068\u2069")) <= limit
    assert len(text.plain(foreign, limit).strip("\u2068\u2069")) <= limit
