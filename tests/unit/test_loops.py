"""Promises of what a loop met outside."""

from __future__ import annotations

from bot import changes, watcher
from bot.loops import REMEMBERED, Condition
from bot.notifier.sending import REFUSED_PAUSE
from bot.store import limits


def test_trouble_is_remembered_from_one_try_to_the_next() -> None:
    """While it lasts and there is work, readiness does not say in between that all is well."""
    between_looks = changes.LONGEST_PAUSE + watcher.WITHIN
    between_calls = max(REFUSED_PAUSE, limits.LONGEST_PAUSE) + limits.PROBE
    assert max(between_looks, between_calls) < REMEMBERED


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
