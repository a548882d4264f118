"""The page's text formats: mrkdwn, Markdown, emoji and dates, as pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sandbox.page import dates
from sandbox.page.mrkdwn import Viewer, markdown, mrkdwn, plain

NOW = datetime(2026, 11, 23, 14, 20, 5, tzinfo=UTC)
VIEWER = Viewer(id="U1", now=NOW, users={"U1": "You", "U2": "Lab <desk>"}, channels={"C1": "sequencing"})


@pytest.mark.parametrize(
    ("wire", "drawn"),
    [
        ("*bold* _it_ ~old~ `a*b*`", "<b>bold</b> <i>it</i> <s>old</s> <code>a*b*</code>"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("*bold _and_ more*", "<b>bold <i>and</i> more</b>"),
        ("one\ntwo", "one<br>two"),
        ("a\n&gt; q1\n> q2\nb", "a<blockquote>q1<br>q2</blockquote>b"),
        ("```\nx &lt; *y*\n```", "<pre>x &lt; *y*</pre>"),
        ("a &amp; b &lt;c&gt;", "a &amp; b &lt;c&gt;"),
        ("&amp;lt;", "&amp;lt;"),
        (
            "<@U2> in <#C1>",
            '<span class="mention">@Lab &lt;desk&gt;</span> in <span class="mention">#sequencing</span>',
        ),
        (":nobody_knows:", ":nobody_knows:"),
        ("at 10:30:45 sharp", "at 10:30:45 sharp"),
    ],
)
def test_mrkdwn_is_rendered_as_in_slack(wire: str, drawn: str) -> None:
    """Each mark of Slack's format becomes its element, and only where Slack would treat it as one."""
    assert mrkdwn(wire, VIEWER) == drawn


def test_link_opens_in_new_tab() -> None:
    """`<url|label>` is a link that gives the target no access to the page."""
    assert mrkdwn("<https://x.test/?a=1&amp;b=2|see>", VIEWER) == (
        '<a href="https://x.test/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">see</a>'
    )


@pytest.mark.parametrize(
    "wire",
    [
        "<script>alert(1)</script>",
        "<javascript:alert(1)|press>",
        '<https://x.test/" onclick="alert(1)|press>',
        "*<img src=x onerror=alert(1)>*",
        "<!date^1^{date}^javascript:alert(1)|<b>x>",
        "`<script>`",
        "```<script>```",
    ],
)
def test_foreign_text_is_inert(wire: str) -> None:
    """Foreign text never becomes an element, an attribute or a script address."""
    drawn = mrkdwn(wire, VIEWER) + plain(wire) + markdown(wire)
    assert not any(bad in drawn for bad in ("<script", "<img", 'href="javascript', '" onclick="', "<b>x"))


def test_mention_of_the_viewer_is_highlighted() -> None:
    """A mention of the viewer looks different from other mentions."""
    assert 'class="mention mention-me">@You<' in mrkdwn("<@U1>", VIEWER)


def test_known_emoji_has_picture_and_label() -> None:
    """Short names and characters of frequent emoji become the page's own picture with a label."""
    assert 'aria-label="white check mark"' in mrkdwn(":white_check_mark:", VIEWER)
    assert 'aria-label="warning"' in plain("⚠️ careful")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{date_num} {time_secs}", "2026-11-22 9:05:07 PM"),
        ("{date}", "November 22nd, 2026"),
        ("{date_short} at {time}", "Nov 22, 2026 at 9:05 PM"),
        ("{date_long}", "Sunday, November 22nd, 2026"),
        ("{date_short_pretty} at {time}", "yesterday at 9:05 PM"),
        ("since {date_pretty}", "since yesterday"),
        ("{ago}", "17 hours ago"),
        ("{no_such} {time}", "{no_such} 9:05 PM"),
    ],
)
def test_date_tokens(template: str, expected: str) -> None:
    """Each of Slack's tokens is written as Slack writes it."""
    assert dates.render(template, datetime(2026, 11, 22, 21, 5, 7, tzinfo=UTC), NOW) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{date_num} {time_secs}", "2026-11-22 21:05:07"),
        ("{date_short} {time}", "2026年11月22日 21:05"),
        ("{date_long}", "2026年11月22日星期日"),
        ("{date_short_pretty} {time}", "昨天 21:05"),
        ("开始于 {ago}", "开始于 17 小时前"),
    ],
)
def test_date_tokens_in_chinese(template: str, expected: str) -> None:
    """Slack fills them in for the reader, whatever language the text around them has."""
    assert dates.render(template, datetime(2026, 11, 22, 21, 5, 7, tzinfo=UTC), NOW, "zh-CN") == expected


def test_moment_is_in_the_viewers_zone() -> None:
    """The same text shows a different time to a reader in another zone."""
    elsewhere = Viewer(zone=ZoneInfo("Asia/Shanghai"), now=NOW)
    assert ">10:20 PM</time>" in mrkdwn("<!date^1795443600^{time}|soon>", elsewhere)


def test_invalid_moment_shows_its_fallback() -> None:
    """A date that cannot be parsed is shown as the sender's fallback text."""
    assert mrkdwn("<!date^never^{time}|some day>", VIEWER) == "some day"


def test_markdown_has_its_basic_marks() -> None:
    """Headings, lists, strong words, code and links of a `markdown` block are rendered."""
    drawn = markdown("# Top\n- **a**\n- `b`\n\n1. one\n\n[go](https://x.test)")
    assert drawn.startswith("<h3>Top</h3><ul><li><b>a</b></li><li><code>b</code></li></ul><ol><li>one</li></ol><p><a ")
