"""Promises of `bot.blocks.text`: foreign text is harmless, and values are readable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import text
from bot.blocks.language import Language, speaking
from bot.blocks.message import message, section
from sandbox.page.mrkdwn import Viewer, mrkdwn

NOW = datetime(2018, 8, 20, 6, 53, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("foreign", "safe"),
    [
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        ("@here", "@\u2060here"),
        ("@Channel and @everyone", "@\u2060Channel and @\u2060everyone"),
        ("a`b", "aˋb"),
        ("one\ntwo\r\n\tthree", "one two three"),
        ("\x1b[31mred\x00", "[31mred"),
        ("evil\u202egnp.exe\u2066", "evilgnp.exe"),
        ("@\u200bhere <\u200b!channel>", "@\u2060here &lt;!channel&gt;"),
        ("half \ud83d emoji", "half emoji"),
        ("\u200b\u2060", ""),
    ],
)
def test_nothing_foreign_is_markup(foreign: str, safe: str) -> None:
    """Markup, mentions and invisible characters come out as harmless text."""
    assert text.escape(foreign) == safe


@pytest.mark.parametrize(
    ("foreign", "safe"),
    [
        ("*x*", "∗x∗"),
        ("~a~", "∼a∼"),
        ("_b_ and __init__", "ˍbˍ and ˍˍinitˍˍ"),
        (":white_check_mark:", ":\u2060white_check_mark:"),
        ("_*:100:*_", "ˍ∗:\u2060100:∗ˍ"),
        ("> quoted", "\u2060&gt; quoted"),
        ("deep_variant_2*3 at 10:41:03", "deep_variant_2*3 at 10:41:03"),
    ],
)
def test_marks_are_shown_as_typed(foreign: str, safe: str) -> None:
    """What would be bold, struck, an emoji or a quotation looks as it was typed; within words nothing changes."""
    assert text.escape(foreign) == safe


def test_code_and_plain_text_keep_marks() -> None:
    """They show no bold; plain text would show an emoji."""
    assert (text.code("*x* :on:"), text.plain("*x* :on:")) == ("`*x* :on:`", "*x* :\u2060on:")
    assert text.prose("Grant `gcs:executions:get`.") == "Grant `gcs:executions:get`."


@given(st.text("ab1 *_~`:>&<+-.", max_size=25))
def test_slack_formats_nothing_foreign(foreign: str) -> None:
    """Drawn as Slack draws it, only the characters themselves are left."""
    assert "<" not in mrkdwn(text.escape(foreign), Viewer())


def test_a_backtick_cannot_leave_its_code_span() -> None:
    """A code span contains all of its text."""
    assert text.code("x` <!here> `y") == "`xˋ &lt;!here&gt; ˋy`"


def test_an_asterisk_cannot_leave_bold() -> None:
    """Bold ends after the whole text."""
    assert text.bold("a*b") == "*a∗b*"


def test_nothing_makes_no_markup() -> None:
    """Text that is empty after cleaning leaves no empty markup."""
    assert (text.code("\x00"), text.bold("\u200b")) == ("", "")


def test_plain_text_has_no_brackets() -> None:
    """Entities would be visible there, so brackets are replaced; an ampersand stays."""
    assert text.plain("<!channel> & co") == "‹!channel› & co"


def test_right_to_left_text_stays_in_its_place() -> None:
    """Hebrew is isolated, so that the words around it keep their order."""
    assert text.escape("שלום") == "\u2068שלום\u2069"


def test_our_sentences_keep_their_code_spans() -> None:
    """The sentence for an error may show a command; quoted text is still escaped."""
    assert text.prose("Grant `gcs:executions:get` to <you>.") == "Grant `gcs:executions:get` to &lt;you&gt;."


@pytest.mark.parametrize(
    ("whole", "limit", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abcd efgh", 6, "abcd…"),
        ("abcde\u0301fg", 6, "abcd…"),
        ("abc👍🏽defg", 5, "abc…"),
        ("ab👩\u200d👧cdef", 5, "ab…"),
        ("abc🇩🇪defg", 5, "abc…"),
    ],
)
def test_cuts_fall_between_visible_characters(whole: str, limit: int, short: str) -> None:
    """Accents, skin tones, families and flags are kept whole or left out."""
    assert text.cut(whole, limit) == short


def test_escapes_count() -> None:
    """The limit counts entities in full, and no entity is cut in two."""
    assert text.escape("&" * 100, 21) == "&amp;" * 4 + "…"


@given(st.one_of(st.text(max_size=30), st.text("aZ09 _.:/+-@`*~&", max_size=30)), st.sampled_from([1, 10, 80]))
def test_the_short_cut_changes_nothing(foreign: str, limit: int) -> None:
    """Most names need no cleaning; cleaning them has the same result."""
    short = text.escape(foreign, limit), text.clean(foreign, limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_is_harmless", lambda _text: None)
        assert short == (text.escape(foreign, limit), text.clean(foreign, limit))


@pytest.mark.parametrize(
    ("duration", "shown_as"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=45.9), "45 s"),
        (timedelta(minutes=11, seconds=41), "11 min 41 s"),
        (timedelta(hours=1, minutes=12, seconds=9), "1 h 12 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=2, hours=3), "2 d 3 h"),
        (timedelta(days=1, minutes=5), "1 d"),
        (timedelta(seconds=-3), "0 s"),
        (timedelta(days=4000), "4,000 d"),
    ],
)
def test_durations_have_two_units(duration: timedelta, shown_as: str) -> None:
    """The two largest units, none of them zero."""
    assert text.span(duration) == shown_as.replace(" ", text.UNBROKEN)


@pytest.mark.parametrize(
    ("duration", "shown_as"),
    [
        (timedelta(seconds=45), "45 秒"),
        (timedelta(minutes=40), "40 分钟"),
        (timedelta(minutes=11, seconds=41), "11 分 41 秒"),
        (timedelta(hours=2), "2 小时"),
        (timedelta(hours=1, minutes=12), "1 小时 12 分"),
        (timedelta(days=2, hours=3), "2 天 3 小时"),
        (timedelta(days=4000), "4,000 天"),
    ],
)
def test_durations_are_in_chinese_too(duration: timedelta, shown_as: str) -> None:
    """With the units that Chinese pages use."""
    with speaking(Language.CHINESE):
        assert text.span(duration) == shown_as.replace(" ", text.UNBROKEN)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (Language.ENGLISH, ["33\u00a0%", "a", "a and b", "a, b and c", "a, b"]),
        (Language.CHINESE, ["33%", "a", "a和b", "a、b和c", "a、b"]),
    ],
)
def test_percents_and_lists_follow_the_language(language: Language, expected: list[str]) -> None:
    """An empty list has no words; a series leaves out what is empty."""
    with speaking(language):
        lists = [text.listed(items) for items in ("a", "ab", "abc")]
        assert [text.percent(33), *lists, text.series(["a", "", "b"])] == expected
        assert text.listed([]) == text.series([]) == ""


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("value", [0, 7, 1200, 1_234_567, 3.1, 92.0, 24.85])
def test_numbers_are_as_readers_write_them(language: Language, value: float) -> None:
    """As Unicode's tables have them, for both languages."""
    assert text.number(value) == format_decimal(value, "#,##0.##", locale=language)


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [
        (0, 12, "▱▱▱▱▱▱▱▱▱▱"),
        (1, 5000, "▰▱▱▱▱▱▱▱▱▱"),
        (3, 6, "▰▰▰▰▰▱▱▱▱▱"),
        (4999, 5000, "▰▰▰▰▰▰▰▰▰▱"),
        (12, 12, "▰▰▰▰▰▰▰▰▰▰"),
        (13, 12, "▰▰▰▰▰▰▰▰▰▰"),
        (0, 0, "▱▱▱▱▱▱▱▱▱▱"),
    ],
)
def test_the_bar_is_full_only_at_the_end(done: int, total: int, expected: str) -> None:
    """A bar is full only when all is done, and empty only when nothing is."""
    assert text.bar(done, total) == expected


def test_dates_are_the_readers_own() -> None:
    """Every time has its day, since it is read later; all have a fallback in UTC."""
    moment = datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)
    assert text.date(moment) == "<!date^1534747300^{date_short_pretty} {time}|2018-08-20 06:41 UTC>"
    assert text.ago(moment) == "<!date^1534747300^{ago}|2018-08-20 06:41 UTC>"
    assert text.date_secs(NOW) == "<!date^1534748001^{date_short_pretty} {time_secs}|2018-08-20 06:53:21 UTC>"


@pytest.mark.parametrize(("line", "count"), [("", 0), ("a" * 40, 1), ("a" * 41, 2), ("步" * 40, 2)])
def test_rows_on_a_phone_are_guessed(line: str, count: int) -> None:
    """Chinese characters are twice as wide; a date counts as what is read, not as its token."""
    assert text.rows(line) == count
    assert text.rows(line + text.ago(NOW)) <= count + 1


def test_numbers_have_no_needless_digits() -> None:
    """Counts have separators, amounts at most two decimals, and one step is singular."""
    assert [text.number(3.10), text.number(92.0), text.number(1200)] == ["3.1", "92", "1,200"]
    assert (text.count(1, "step"), text.count(5000, "step")) == ("1 step", "5,000 steps")
    assert [text.plural("{number} step", "{number} steps", number) for number in (1, 5000)] == [
        "1\u00a0step",
        "5,000\u00a0steps",
    ]


def test_no_line_ends_within_an_amount() -> None:
    """Of blocks; the plain text, in which people search, has ordinary spaces."""
    assert text.unbroken("65 of 195 steps, 3 × call") == "65\u00a0of 195\u00a0steps, 3 × call"
    shown = message([section(text.span(timedelta(hours=2, minutes=10)))], text.span(timedelta(hours=2, minutes=10)))
    assert (shown.text, shown.blocks[0]["text"]["text"]) == ("2 h 10 min", "2\u00a0h\u00a010\u00a0min")


def test_lines_are_kept_whole() -> None:
    """A text that is too long loses whole lines at its end."""
    assert text.within(["abc", "def", "ghi"], 8) == "abc\ndef"
    assert text.within(["abc", "def"], 7) == "abc"


def test_an_entity_is_whole_or_left_out() -> None:
    """A character whose entity does not fit is not shown."""
    assert text.escape("<", 2) == "…"
    assert text.escape("a<b", 4) == "a…"


@pytest.mark.parametrize(
    ("line", "tight"),
    [
        ("有人 已取消关注", "有人已取消关注"),
        ("<@U1> 已取消关注", "<@U1> 已取消关注"),
        ("Somebody did 2 h", "Somebody did 2 h"),
    ],
)
def test_chinese_words_stand_together(line: str, tight: str) -> None:
    """Where a name would stand apart from them."""
    assert text.tight(line) == tight
