"""Promises of `bot.slack.inbound.refusals`: no request is accepted, and the reason is ours."""

from __future__ import annotations

import pytest

from bot.slack.inbound import refusals as module
from bot.slack.inbound.refusals import Refusals
from bot.slack.inbound.signatures import Refusal


def noted(*reasons: Refusal, is_accepted_first: bool = False) -> Refusals:
    """What was refused for these reasons, perhaps after a request that was accepted."""
    refusals = Refusals()
    if is_accepted_first:
        refusals.accept()
    for reason in reasons:
        refusals.note(reason, is_slacks=True)
    return refusals


@pytest.mark.parametrize(
    ("reason", "word"), [(Refusal.WRONG_SIGNATURE, "SLACK_SIGNING_SECRET"), (Refusal.STALE, "clock")]
)
def test_the_first_refusal_after_a_start_counts(reason: Refusal, word: str) -> None:
    """A wrong secret, or a wrong clock, is found with the first command."""
    assert word in str(noted(reason).problem)


@pytest.mark.parametrize("reason", sorted(set(Refusal) - {Refusal.WRONG_SIGNATURE, Refusal.STALE}))
def test_what_is_not_signed_never_counts(reason: Refusal) -> None:
    """Anybody can send that."""
    assert noted(*[reason] * 50).problem is None


@pytest.mark.parametrize("reason", list(Refusal))
def test_strangers_never_count(reason: Refusal) -> None:
    """However many requests they send, before and after one of Slack's."""
    refusals = Refusals()
    for _ in range(50):
        refusals.note(reason)
    assert refusals.problem is None
    refusals.accept()
    for _ in range(50):
        refusals.note(reason)
    assert refusals.problem is None


def test_later_refusals_count_in_numbers() -> None:
    """Three in a row; each request that is accepted starts the count again."""
    few = noted(*[Refusal.WRONG_SIGNATURE] * 2, is_accepted_first=True)
    assert few.problem is None
    few.accept()
    for _ in range(3):
        few.note(Refusal.WRONG_SIGNATURE, is_slacks=True)
    assert "signature" in str(few.problem)
    few.accept()
    assert not few.problem


def test_refusals_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that is not ready may get no requests that would prove the contrary."""
    refusals = noted(Refusal.STALE)
    monkeypatch.setattr(module, "COUNTED_SECONDS", -1.0)
    assert refusals.problem is None
