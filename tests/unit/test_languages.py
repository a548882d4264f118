"""Whose language is which: the own choice, else that of Slack, else the default; nobody waits, and nothing fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bot.blocks.language import Language
from bot.errors import SlackError, StoreUnavailable
from bot.slack import languages
from bot.slack.languages import Languages


class Slack:
    """Says the locale that a test sets, and counts how often it is asked."""

    def __init__(self, locale: str = "") -> None:
        self.locale, self.asked = locale, 0
        self.error: Exception | None = None
        self.seconds = 0.0

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """What Slack says about a person."""
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return {"id": user_id, "locale": self.locale, "tz": "Asia/Shanghai"}


class Choices(dict[str, str]):
    """What was chosen."""

    error: Exception | None = None

    async def find(self, team_id: str, reader_id: str) -> str:
        """What a reader chose."""
        if self.error is not None:
            raise self.error
        return self.get(f"{team_id}/{reader_id}", "")

    async def choose(self, team_id: str, reader_id: str, language: str) -> None:
        """A reader chooses."""
        self[f"{team_id}/{reader_id}"] = language


async def test_slack_says_the_zone_as_well() -> None:
    """In the same answer; where it says nothing, the zone is empty."""
    slack = Slack("zh-CN")
    known = Languages(slack, Choices())
    assert await known.of("T1", "U1") is Language.CHINESE
    assert await known.zone("U1") == "Asia/Shanghai"
    assert slack.asked == 1
    slack.error = SlackError("missing_scope")
    assert await known.zone("U2") == ""


async def test_a_choice_beats_the_locale_of_slack() -> None:
    """And withdrawing it brings the locale back."""
    known = Languages(Slack("zh-CN"), Choices())
    assert await known.of("T1", "U1") is Language.CHINESE
    assert await known.choose("T1", "U1", Language.ENGLISH) is Language.ENGLISH
    assert await known.choose("T1", "U1", None) is Language.CHINESE


@pytest.mark.parametrize("locale", ["de-DE", ""])
async def test_a_foreign_locale_reads_the_default(locale: str) -> None:
    """So does a person about whom Slack says none."""
    assert await Languages(Slack(locale), Choices(), default=Language.CHINESE).of("T1", "U1") is Language.CHINESE


async def test_channels_have_no_locale() -> None:
    """They read the default, or what was chosen there; Slack is not asked."""
    slack = Slack("zh-CN")
    known = Languages(slack, Choices())
    assert await known.of("T1", "C1") is Language.ENGLISH
    assert await known.choose("T1", "C1", Language.CHINESE) is Language.CHINESE
    assert slack.asked == 0


async def test_slack_is_asked_once() -> None:
    """Also for many messages, and not at all for a person whom it has described before."""
    slack = Slack("zh-CN")
    known = Languages(slack, Choices())
    assert {await known.of("T1", "U1") for _ in range(3)} == {Language.CHINESE}
    known.note("U2", {"locale": "zh-CN"})
    assert await known.of("T1", "U2") is Language.CHINESE
    assert slack.asked == 1


async def test_a_missing_scope_is_no_error() -> None:
    """Slack is then left alone for a while."""
    slack = Slack()
    slack.error = SlackError("missing_scope")
    known = Languages(slack, Choices(), default=Language.CHINESE)
    assert [await known.of("T1", user) for user in ("U1", "U2")] == [Language.CHINESE] * 2
    assert slack.asked == 1


async def test_nobody_waits_for_a_slow_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is in the default language, the next one in that of the reader."""
    monkeypatch.setattr(languages, "WITHIN_SECONDS", 0.01)
    slack = Slack("zh-CN")
    slack.seconds = 0.05
    known = Languages(slack, Choices())
    assert await known.of("T1", "U1") is Language.ENGLISH
    await asyncio.sleep(0.1)
    assert await known.of("T1", "U1") is Language.CHINESE


async def test_a_store_that_is_away_is_no_error() -> None:
    """What Slack says counts then."""
    choices = Choices()
    choices.error = StoreUnavailable("away")
    assert await Languages(Slack("zh-CN"), choices).of("T1", "U1") is Language.CHINESE
