"""The tables of sentences: every error, every problem of an input, every reason why something cannot be delivered.

Lives here: one row per code, made from the code itself, so that none is missing. Does not live here: how a reply with a
sentence looks (`tests.messages.replies`). Called by `tests.messages.page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.blocks.sentences import sentence, undeliverable_reason
from bot.errors import (
    BotError,
    GCSActionRefused,
    GCSThrottled,
    GCSTooLarge,
    InputProblem,
    InvalidInput,
    NotAllowed,
    PortUnavailable,
    RateLimited,
    SettingsInvalid,
    SlackError,
    StoreNotOurs,
    TooManyRequests,
    TooManyRules,
    TooManySubscriptions,
    Undeliverable,
)
from bot.slack.errors import KNOWN_CODES, slack_error
from tests.messages.world import ID

OWN_CODES = ("channel_not_approved", "channel_not_listed", "person_not_allowed")
"""Why the bot itself delivers nothing somewhere."""
WITHOUT_SENTENCE = (InvalidInput, NotAllowed, SettingsInvalid, PortUnavailable)
"""Errors without a sentence of their own: problems have the next table, and operators read the others."""
_MADE: dict[type[BotError], Callable[[], BotError]] = {
    TooManyRequests: lambda: TooManyRequests(timedelta(seconds=20)),
    TooManySubscriptions: lambda: TooManySubscriptions(50, is_person=True),
    TooManyRules: lambda: TooManyRules(20, is_person=True),
    StoreNotOurs: lambda: StoreNotOurs({}),
    GCSThrottled: lambda: GCSThrottled(retry_after=timedelta(seconds=20)),
    GCSActionRefused: lambda: GCSActionRefused(code="GCS.4000003"),
    GCSTooLarge: lambda: GCSTooLarge(8 << 20),
    RateLimited: lambda: RateLimited(timedelta(seconds=20)),
}
"""How errors are made that need values."""
_VALUES: dict[str, str | tuple[str, ...]] = {
    "word": "wrod",
    "line": "/execution list",
    "verb": "subscribe",
    "verbs": ("list", "help"),
    "level": "final",
    "code": "is_archived",
}
_OWN_VALUES: dict[InputProblem, dict[str, Any]] = {InputProblem.CARD_ENDED: {"execution_id": ID}}


@dataclass(frozen=True)
class Sentence:
    """One row: the code, and what is read for it in the language that is spoken at the time."""

    code: str
    say: Callable[[], str]


def errors() -> list[Sentence]:
    """Every error that a person may meet, by its class."""
    rows = [Sentence(kind.__name__, _sentence(_made(kind))) for kind in _kinds(BotError)]
    channel = TooManySubscriptions(50, is_person=False)
    trigger = SlackError("expired_trigger_id")
    return [
        *rows,
        Sentence("TooManySubscriptions, channel", _sentence(channel)),
        Sentence("TooManyRules, channel", _sentence(TooManyRules(20, is_person=False))),
        Sentence("SlackError, trigger", _sentence(trigger)),
    ]


def problems() -> list[Sentence]:
    """Every problem of what was typed or pressed, by its code."""
    return [
        Sentence(problem.value, _sentence(InvalidInput(problem, **(_VALUES | _OWN_VALUES.get(problem, {})))))
        for problem in InputProblem
    ]


def undeliverable() -> list[Sentence]:
    """Every reason why a destination cannot be reached, by Slack's code or the bot's own."""
    dead = sorted(code for code in KNOWN_CODES if isinstance(slack_error(code), Undeliverable))
    return [Sentence(code, _clause(code)) for code in (*dead, *OWN_CODES, "any other code")]


def grouped(rows: Sequence[Sentence]) -> list[Sentence]:
    """The rows with equal sentences as one, with all their codes."""
    codes: dict[str, list[Sentence]] = {}
    for row in rows:
        codes.setdefault(row.say(), []).append(row)
    return [Sentence(", ".join(row.code for row in same), same[0].say) for same in codes.values()]


def _sentence(error: BotError) -> Callable[[], str]:
    return lambda: sentence(error)


def _clause(code: str) -> Callable[[], str]:
    return lambda: undeliverable_reason(code.replace(" ", "_"))


def _made(kind: type[BotError]) -> BotError:
    return _MADE[kind]() if kind in _MADE else kind()


def _kinds(kind: type[BotError]) -> Iterator[type[BotError]]:
    """`kind` and what is derived from it in `bot.errors`, top down."""
    if issubclass(kind, WITHOUT_SENTENCE) or kind.__module__ != BotError.__module__:
        return
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds(derived)
