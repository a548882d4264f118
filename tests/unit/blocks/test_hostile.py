"""Promises for any value of GCS: Slack accepts the blocks, nobody is mentioned, and the plain text is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import blocks
from bot.blocks import Message, replies, text, words
from bot.domain.model import Change, Level, Snapshot, Subscription
from sandbox.slack import blockkit
from tests.unit.blocks.world import ID, NOW, hostile_changes, hostile_snapshots, shown, subscriptions

OURS = re.compile(r"<!date\^-?\d+\^[a-z_{} ]+\|[^<>|]+>|<[@#][A-Z0-9]+>")
CALLS = re.compile(r"@(here|channel|everyone|group)", re.IGNORECASE)
patiently = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def messages(seen: Snapshot, link: Subscription, change: Change) -> Iterator[Message]:
    """Every message."""
    execution = seen.execution
    yield blocks.execution_summary(seen, now=NOW, subscription=link)
    yield blocks.execution_summary(seen, now=NOW, subscription=None)
    yield blocks.shared_summary(seen, now=NOW, shared_by="U1")
    yield blocks.execution_card(seen, link, now=NOW)
    yield blocks.change_message([change, change], link, execution, now=NOW)
    yield blocks.outcome_message(change, link, seen)
    yield blocks.ended_message(change, execution)
    yield blocks.undeliverable_message(link, execution, change.reason)
    yield blocks.undeliverable_message(link, None, change.reason)
    yield replies.subscribed(link, seen, note=change.message)
    yield replies.already_subscribed(link, seen, note=change.message)
    yield replies.level_changed(link, seen, was=Level.FINAL, note=change.message)
    yield replies.unsubscribed(link.subscriber, execution.id, note=change.message)
    yield replies.not_subscribed(link.subscriber, execution.id, note=change.message)
    yield replies.nothing_to_follow(seen)
    yield replies.subscription_list([(link, seen), (link, None)] * 30, unreadable=[execution.id] * 30, now=NOW)
    yield replies.error_reply(change.message or "No.", change.reason)


def views(seen: Snapshot, link: Subscription, change: Change) -> Iterator[dict[str, Any]]:
    """Every view."""
    yield blocks.steps_modal(seen, page=change.revision, execution_id=seen.execution.id)
    yield blocks.steps_modal(None, execution_id=ID)
    yield blocks.loading_modal(seen.execution.id)
    yield blocks.error_modal(change.message)
    yield blocks.home_tab([(link, seen), (link, None)] * 60, unreadable=[seen.execution.id] * 60, now=NOW)


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
def test_nothing_is_mentioned_or_linked(seen: Snapshot, link: Subscription, change: Change) -> None:
    """Only our own dates and mentions have angle brackets; no word mentions a channel; all is valid UTF-8."""
    shown_texts = [shown(message.blocks) + message.text for message in messages(seen, link, change)]
    for everything in [*shown_texts, *(shown(view) for view in views(seen, link, change))]:
        assert not set(OURS.sub("", everything)) & set("<>\u202e\u200b\x00")
        assert not CALLS.search(everything)
        everything.encode()


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_every_message_has_plain_text(seen: Snapshot, link: Subscription, change: Change) -> None:
    """It is short enough for an edit."""
    for message in messages(seen, link, change):
        assert 0 < len(message.text) <= 3_900
        assert message.plain() == Message(blocks=(), text=message.text)


@patiently
@given(hostile_snapshots, subscriptions)
def test_plain_text_has_phase_and_counts(seen: Snapshot, link: Subscription) -> None:
    """A screen reader gets the phase and the number of finished steps."""
    execution = seen.execution
    plain = blocks.execution_card(seen, link, now=NOW).text
    assert words.phase_word(execution.phase) in plain
    assert words.counts(execution.steps_finished, execution.steps_total) in plain


@patiently
@given(hostile_snapshots, subscriptions, hostile_changes)
def test_equal_values_make_equal_messages(seen: Snapshot, link: Subscription, change: Change) -> None:
    """An edit without a difference can be left out."""
    again = deepcopy(seen)
    assert list(messages(seen, link, change)) == list(messages(again, link, change))


@given(st.text(), st.integers(2, 200))
def test_escaped_text_keeps_its_limit(foreign: str, limit: int) -> None:
    """The limit counts entities in full, as Slack does; only the marks around right-to-left text come on top."""
    assert len(text.escape(foreign, limit).strip("\u2068\u2069")) <= limit
    assert len(text.plain(foreign, limit).strip("\u2068\u2069")) <= limit
