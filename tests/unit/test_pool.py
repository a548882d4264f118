"""Conditions: what workers report about GCS and Slack on /readyz."""

from __future__ import annotations

from bot.domain import cadence
from bot.store.slack_limits import limits
from bot.workers import watcher
from bot.workers.notifier.messenger import REFUSED_PAUSE
from bot.workers.pool import REMEMBERED, Condition


def test_a_condition_outlasts_the_longest_interval() -> None:
    """While a problem lasts and there is work, readiness stays false between two attempts."""
    between_polls = cadence.LONGEST_FAILURE_INTERVAL + watcher.WITHIN
    between_calls = max(REFUSED_PAUSE, limits.LONGEST_PAUSE) + limits.PROBE
    assert max(between_polls, between_calls) < REMEMBERED


def test_success_clears_only_its_own_condition() -> None:
    """Success in another matter does not clear it."""
    condition = Condition()
    condition.set("no answer")
    condition.set("not allowed to post", about="post")
    assert condition.text == "no answer; not allowed to post"
    assert condition.clear()
    assert not condition.clear()
    assert condition.text == "not allowed to post"
    condition.clear(about="post")
    assert condition.text is None
