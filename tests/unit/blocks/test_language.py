"""Texts are in the language of the reader."""

from __future__ import annotations

import asyncio

import pytest

from bot.blocks import words
from bot.blocks.language import N_, Language, _, ngettext, speaking, spoken


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("zh-CN", Language.CHINESE),
        ("zh_CN", Language.CHINESE),
        ("zh-TW", Language.CHINESE),
        ("en-US", Language.ENGLISH),
        ("en-GB", Language.ENGLISH),
        ("de-DE", None),
        ("ja-JP", None),
        ("", None),
    ],
)
def test_locales_of_slack_have_a_language(locale: str, language: Language | None) -> None:
    """Slack writes them with a hyphen; one that the bot does not write has none."""
    assert Language.of_locale(locale) is language


def test_english_is_the_default() -> None:
    """Without a reader, texts are as they stand in the code."""
    assert spoken() is Language.ENGLISH
    assert _("Running") == "Running"


def test_a_text_is_translated_inside() -> None:
    """And not outside."""
    marked = N_("Running")
    with speaking(Language.CHINESE):
        assert _(marked) == "执行中"
    assert _(marked) == "Running"


def test_a_failed_rendering_leaves_no_language() -> None:
    """The next message is not in the language of the one before."""
    with pytest.raises(ZeroDivisionError), speaking(Language.CHINESE):
        raise ZeroDivisionError
    assert spoken() is Language.ENGLISH


def test_an_unknown_text_stays_english() -> None:
    """A text without a translation is shown rather than nothing; an empty one stays empty."""
    with speaking(Language.CHINESE):
        assert _("no such text") == "no such text"
        assert _("") == ""
        assert ngettext("{n} cat", "{n} cats", 2) == "{n} cats"


async def test_tasks_speak_their_own_language() -> None:
    """Two messages that are rendered at the same time do not mix."""

    async def render(language: Language) -> str:
        with speaking(language):
            await asyncio.sleep(0)
            return _("Failed")

    assert await asyncio.gather(*map(render, Language)) == ["Failed", "执行失败"]


def test_unknown_phases_stay_as_sent() -> None:
    """GCS may send others than it documents."""
    with speaking(Language.CHINESE):
        assert words.phase_word("Running") == "执行中"
        assert words.phase_word("Hibernating") == "Hibernating"
        assert words.phase_word("") == "状态尚未上报"
