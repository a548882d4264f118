"""Promises of what a loop met outside."""

from __future__ import annotations

from bot.domain import cadence
from bot.store.slack_limits import limits
from bot.workers import watcher
from bot.workers.notifier.messenger import REFUSED_PAUSE
from bot.workers.pool import REMEMBERED, Condition


def test_trouble_is_remembered_from_one_try_to_the_next() -> None:
    """While it lasts and there is work, readiness does not say in between that all is well."""
    between_polls = cadence.LONGEST_FAILURE_INTERVAL + watcher.WITHIN
    between_calls = max(REFUSED_PAUSE, limits.LONGEST_PAUSE) + limits.PROBE
    assert max(between_polls, between_calls) < REMEMBERED


def test_trouble_about_one_thing_is_over_when_that_goes_well() -> None:
    """What goes well beside it says nothing about it."""
    trouble = Condition()
    trouble.set("no answer")
    trouble.set("not allowed to post", about="post")
    assert trouble.text == "no answer; not allowed to post"
    assert trouble.clear()
    assert not trouble.clear()
    assert trouble.text == "not allowed to post"
    trouble.clear(about="post")
    assert trouble.text is None
