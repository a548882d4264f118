"""Promises for any value of GCS, in both languages: Slack accepts the blocks, nobody is mentioned, text is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import blocks
from bot.blocks import Evidence, Message, matches, quiet, replies, text, words
from bot.blocks.language import Language, speaking
from bot.domain.access import Readers
from bot.domain.acting import Action, Result
from bot.domain.catch_up import caught
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Phase
from bot.domain.fates import LaneState, Log
from bot.domain.following import Level, Subscription
from bot.domain.home import Home, InChannels
from bot.domain.quiet import MuteFor
from bot.domain.search import Found
from bot.domain.snapshot import Followed, Receipt, Snapshot
from bot.store.log.rows import change_row, entries_of
from sandbox.slack import blockkit
from tests.unit.blocks.world import (
    ID,
    NOW,
    buttons_of,
    hostile_changes,
    hostile_evidence,
    hostile_finds,
    hostile_readers,
    hostile_snapshots,
    shown,
    subscriptions,
)

OURS = re.compile(
    r"<https://lab\.slack\.com/archives/D1/p12\|[^<>|]+>|<!date\^-?\d+\^[a-z_{} ]+\|[^<>|]+>|<[@#][A-Z0-9]+>"
)
CALLS = re.compile(r"@(here|channel|everyone|group)", re.IGNORECASE)
patiently = settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
languages = st.sampled_from(Language)
NOTHING = Evidence()


class Case(NamedTuple):
    """What messages and views are made of."""

    seen: Snapshot
    link: Subscription
    change: Change
    evidence: Evidence = NOTHING
    found: Found = Found()
    readers: Readers = Readers()


cases = st.builds(
    Case, hostile_snapshots, subscriptions, hostile_changes, hostile_evidence, hostile_finds, hostile_readers
)


def messages(seen: Snapshot, link: Subscription, change: Change) -> Iterator[Message]:
    """Every message that cards, threads and replies have."""
    execution = seen.execution
    yield blocks.execution_summary(seen, now=NOW, subscription=link)
    yield blocks.execution_summary(seen, now=NOW, subscription=None)
    yield blocks.shared_summary(seen, now=NOW, shared_by="U1")
    yield blocks.execution_card(seen, link, now=NOW)
    yield blocks.change_message([change, change], link, execution, now=NOW)
    yield blocks.outcome_message(change, link, seen)
    yield blocks.ended_message(change, execution)
    yield blocks.card_left_message(execution)
    yield blocks.held_message(link, execution, change.reason)
    yield blocks.undeliverable_message(link, execution, change.reason)
    yield blocks.undeliverable_message(link, None, change.reason)
    if change.kind is ChangeKind.ACTED:
        yield blocks.acted_notice(change, execution)
    elif change.kind.is_notice:
        yield blocks.notice_message(change, execution)
        yield blocks.owner_notice_message(change, link, execution)
    yield replies.subscribed(link, seen, note=change.message)
    yield replies.already_subscribed(link, seen, note=change.message)
    yield replies.level_changed(link, seen, was=Level.FINAL, note=change.message)
    yield replies.unsubscribed(link.subscriber, execution.id, note=change.message)
    yield replies.not_subscribed(link.subscriber, execution.id, note=change.message)
    yield replies.nothing_to_follow(seen)
    yield replies.subscription_list([(link, seen), (link, None)] * 30, unreadable=[execution.id] * 30, now=NOW)
    yield replies.error_reply(change.message or "No.")


def logged(case: Case) -> tuple[Log, LaneState]:
    """The log of its change, as the store keeps it."""
    entries, _ = entries_of([change_row(case.change, 3)] * 50)
    lane = LaneState(subscriber_id=case.link.subscriber.id, subscription=case.link)
    return Log(now=NOW, snapshot=case.seen, entries=entries, dropped=case.change.revision), lane


def others(case: Case) -> Iterator[Message]:
    """Every message that shows more than one execution and a change of it."""
    seen, link, found, readers = case.seen, case.link, case.found, case.readers
    yield blocks.outcome_message(case.change, link, seen, past=case.evidence.past)
    yield replies.subscribed(link, seen, is_held=True, readers=readers)
    listed = replies.subscription_list([(link, seen)] * 3, now=NOW)
    yield replies.also_here(listed, [(link, seen), (link, None)] * 10, now=NOW)
    yield replies.channel_list(listed, "C123", approver="U1", readers=readers, has_grown=True)
    yield replies.channel_approved("C123", "U1", readers=readers)
    yield replies.channel_revoked("C123", readers=readers)
    yield matches.to_show(found)
    yield matches.to_follow(found, link.subscriber, level=link.level)
    yield matches.to_stop(found, link.subscriber, now=NOW)
    yield matches.in_phase(found, Phase.RUNNING)
    yield matches.overview([(link, seen), (link, None)] * 30, unreadable=[seen.execution.id] * 30, now=NOW)
    yield matches.to_mute(found, link.subscriber, MuteFor.END, is_silent=True)
    yield quiet.muted_reply(link, seen)
    yield quiet.unmuted_reply(link, seen, now=NOW)
    log, lane = logged(case)
    end = caught(case.change, seen, Receipt(channel="D1", ts="1.2", revision=1))
    yield blocks.catch_up_message([end] * 30, address="https://lab.slack.com/")
    yield blocks.log_message(log, [lane, lane], seen.execution.id, address="https://lab.slack.com/")


def views(seen: Snapshot, link: Subscription, change: Change, evidence: Evidence = NOTHING) -> Iterator[Any]:
    """Every view."""
    execution = seen.execution
    yield blocks.steps_modal(seen, page=change.revision, execution_id=execution.id)
    yield blocks.steps_modal(None, execution_id=ID)
    yield blocks.loading_modal("Steps")
    yield blocks.error_modal(change.message)
    yield blocks.details_modal(seen, now=NOW)
    for action in Action:
        yield blocks.question_modal(action, seen, None, now=NOW, has_changed=True)
        yield blocks.acted_modal(action, Result.REFUSED, seen, refusal=change.message)
    yield blocks.levels_modal(link, seen, now=NOW)
    yield blocks.levels_modal(link, None, now=NOW)
    yield blocks.share_modal(execution.id)
    yield blocks.why_modal(seen, evidence)
    followed = Followed(((link, seen), (link, None)) * 60, (execution.id,) * 60)
    channels = (InChannels(execution.id, seen, ("C123", "C2", "C3", "C4")),) * 20
    home = Home(followed, channels, are_channels_known=False, channels_left_out=3, ended=(seen,) * 20)
    yield from (blocks.home_tab(home, now=NOW, page=page) for page in (0, 8, 10))
    yield blocks.refusing_home(change.message)


def all_messages(case: Case) -> Iterator[Message]:
    """Every message."""
    yield from messages(case.seen, case.link, case.change)
    yield from others(case)


def all_views(case: Case) -> Iterator[Any]:
    """Every view."""
    yield from views(case.seen, case.link, case.change, case.evidence)
    log, lane = logged(case)
    yield blocks.log_modal(log, [lane], case.seen.execution.id, address="https://lab.slack.com/")


def is_safe(everything: str) -> bool:
    """Whether only our own dates and mentions have angle brackets, no word mentions a channel, and all is UTF-8."""
    everything.encode()
    return not set(OURS.sub("", everything)) & set("<>\u202e\u200b\x00") and not CALLS.search(everything)


@patiently
@given(cases, languages)
def test_any_message_is_valid_and_safe(case: Case, language: Language) -> None:
    """No value of GCS makes a message that Slack refuses or that mentions or links; its text fits an edit.

    Equal values make equal messages, so an edit without a difference can be left out.
    """
    with speaking(language):
        said, again = list(all_messages(case)), list(all_messages(deepcopy(case)))
    assert said == again
    for message in said:
        blocks_of = list(message.blocks)
        assert blocks_of
        assert blockkit.problems(blocks_of, "message") == []
        assert blockkit.text_size(blocks_of) <= 9_000
        assert 0 < len(message.text) <= 3_900
        assert message.plain() == Message(blocks=(), text=message.text)
        assert is_safe(shown(message.blocks) + message.text)


@patiently
@given(cases, languages)
def test_any_view_is_valid_and_safe(case: Case, language: Language) -> None:
    """No value of GCS makes a modal or a Home tab that Slack refuses, or that mentions or links."""
    with speaking(language):
        opened = list(all_views(case))
    for view in opened:
        assert blockkit.view_problems(view) == []
        assert len(str(view)) < 100_000
        assert is_safe(shown(view))


@patiently
@given(hostile_snapshots, subscriptions, languages)
def test_plain_text_has_phase_and_counts(seen: Snapshot, link: Subscription, language: Language) -> None:
    """A screen reader gets the phase and the number of finished steps."""
    execution = seen.execution
    with speaking(language):
        plain = blocks.execution_card(seen, link, now=NOW).text
        assert words.phase_word(execution.phase) in plain
        assert words.counts(execution.steps_finished, execution.steps_total) in plain


@patiently
@given(hostile_snapshots, subscriptions)
def test_a_followed_card_can_be_stopped(seen: Snapshot, link: Subscription) -> None:
    """A menu has five entries at most, and whatever else is in it, this one is not cut off."""
    values = buttons_of(list(blocks.execution_card(seen, link, now=NOW).blocks)).values()
    stops = [value for value in values if value.startswith(("unsubscribe_execution:", "ask_unsubscribe:"))]
    assert len(stops) == (not link.is_ending)


@given(st.text(), st.integers(2, 200))
def test_escaped_text_keeps_its_limit(foreign: str, limit: int) -> None:
    """The limit counts entities in full, as Slack does; only the marks around right-to-left text come on top."""
    assert len(text.escape(foreign, limit).strip("\u2068\u2069")) <= limit
    assert len(text.plain(foreign, limit).strip("\u2068\u2069")) <= limit
