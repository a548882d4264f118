"""Promises of `bot.blocks.sentences`: every error has a sentence that a person can act on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.blocks.language import Language, speaking
from bot.blocks.sentences import sentence, undeliverable_reason
from bot.errors import (
    BotError,
    ExecutionGone,
    ExecutionNotFound,
    InputProblem,
    InvalidInput,
    OutcomeUnknown,
    RateLimited,
    SlackError,
    StoreFull,
    Undeliverable,
    UnknownRefusal,
)
from bot.slack.errors import KNOWN_CODES, slack_error
from handlers.vocabulary import Verb

EVERY_VALUE: dict[str, str | tuple[str, ...]] = {
    "word": "wrod",
    "line": "/execution list",
    "verbs": ("list", "help"),
    "level": "final",
    "code": "x",
}


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (BotError(), "Try again in a minute."),
        (ExecutionNotFound(), "knows no such execution: check the id"),
        (ExecutionGone(), "That execution was deleted"),
        (StoreFull("OOM"), "My own memory is full"),
        (StoreFull("OOM"), "Nothing that you follow is lost"),
        (OutcomeUnknown("no_answer"), "Slack did not accept that."),
        (UnknownRefusal("next_year"), "for a reason I do not know"),
        (SlackError("expired_trigger_id"), "Press the button again."),
        (RateLimited(timedelta(seconds=2.5)), "Try again in 3 s."),
        (RateLimited(timedelta(0)), "Try again in 1 s."),
        (InvalidInput(InputProblem.CHANNEL_REFUSED, code="is_archived"), "this channel: the channel is archived."),
        (InvalidInput(InputProblem.CARD_ENDED, execution_id="e1"), "Use `/execution e1` to see"),
    ],
    ids=str,
)
def test_an_error_has_its_sentence(error: BotError, part: str) -> None:
    """The one of its class, or of the class above, with the values of the error."""
    assert part in sentence(error)


@pytest.mark.parametrize("problem", InputProblem)
def test_every_problem_has_a_sentence(problem: InputProblem) -> None:
    """It needs no other values than those that are documented, and all verbs have their line."""
    for verb in Verb:
        shown = sentence(InvalidInput(problem, verb=verb, **EVERY_VALUE))
        assert shown.endswith((".", "?"))
        assert "{" not in shown


@pytest.mark.parametrize("problem", InputProblem)
def test_every_problem_has_a_chinese_sentence(problem: InputProblem) -> None:
    """With Chinese punctuation around the same values."""
    with speaking(Language.CHINESE):
        shown = sentence(InvalidInput(problem, verb=Verb.LIST, **EVERY_VALUE))
    assert shown.endswith(("。", "？"))
    assert "{" not in shown


def test_several_values_are_listed() -> None:
    """With the "and" of the language, and in Chinese with the spaces that stand beside code everywhere."""
    error = InvalidInput(InputProblem.SEVERAL_VERBS, verbs=("list", "help"))
    assert "`list` and `help`" in sentence(error)
    with speaking(Language.CHINESE):
        assert "`list` 和 `help`" in sentence(error)


def test_a_value_cannot_end_its_code() -> None:
    """A backtick in a word does not let the rest of it out of the code span."""
    assert "`ab`" in sentence(InvalidInput(InputProblem.UNKNOWN_WORD, word="a`b"))


def test_an_unknown_code_is_shown() -> None:
    """Slack may invent codes; the owner of the subscription can look them up."""
    assert undeliverable_reason("next_year") == "Slack refuses it (`next_year`)"


def test_every_dead_destination_has_its_clause() -> None:
    """A code that ends a subscription says to its owner why."""
    dead = {code for code in KNOWN_CODES if isinstance(slack_error(code), Undeliverable)}
    assert dead
    assert {code for code in dead if "Slack refuses it" in undeliverable_reason(code)} == set()


@pytest.mark.parametrize("code", ["channel_not_approved", "channel_has_grown", "team_access_not_granted"])
def test_a_clause_names_what_it_is_about(code: str) -> None:
    """It stands behind a sentence about a message, which is not what another organisation shares."""
    assert " the channel " in f" {undeliverable_reason(code)} "
    with speaking(Language.CHINESE):
        assert "频道" in undeliverable_reason(code)
