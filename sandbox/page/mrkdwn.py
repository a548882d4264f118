"""Slack's text formats as HTML.

Lives here: `mrkdwn` (Slack's own: `*bold*`, `<url|label>`, `<@U…>`, `<!date^…>`), plain text with emoji, and basic
`markdown`. Does not live here: blocks (`render`). `Viewer` says for whom the text is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from sandbox.page import dates, emoji
from sandbox.page.markup import Html, join, tag, text

SAFE_LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<control>[^<>\n]+)>"
    r"|(?<![\w*])\*(?P<b>[^\s*](?:[^\n*]*[^\s*])?)\*(?![\w*])"
    r"|(?<!\w)_(?P<i>[^\s_](?:[^\n]*?\S)?)_(?!\w)"
    r"|(?<![\w~])~(?P<s>[^\s~](?:[^\n~]*[^\s~])?)~(?![\w~])"
    r"|:(?P<emoji>[a-z0-9_+\-]+):"
)
FENCE = re.compile(r"```\n?(.+?)\n?```\n?", re.DOTALL)
QUOTE = re.compile(r"(?:&gt;|>) ?")


@dataclass(frozen=True)
class Viewer:
    """The reader: id, language, time zone, current time, and the names for ids in a text."""

    id: str = ""
    locale: str = "en-US"
    zone: tzinfo = UTC
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    users: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)


def unescape(wire: str) -> str:
    """Decode Slack's three entities; it uses no others."""
    return wire.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def mrkdwn(wire: str, viewer: Viewer) -> Html:
    """A text in Slack's own format."""
    pieces = FENCE.split(wire)
    drawn = [
        tag("pre", _code(piece)) if index % 2 else _lines(piece, viewer)
        for index, piece in enumerate(pieces)
        if piece or index % 2
    ]
    return join(*drawn)


def plain(words: str, *, with_emoji: bool = True) -> Html:
    """A `plain_text` object: only emoji are rendered."""
    if not with_emoji:
        return text(words)
    pieces = re.split(r":([a-z0-9_+\-]+):", words)
    drawn = (emoji.named(piece) if index % 2 else _plain_line(piece) for index, piece in enumerate(pieces))
    return Html("".join(drawn))


def _plain_line(words: str) -> Html:
    return Html(emoji.in_text(words).replace("\n", "<br>"))


def link(url: str, label: Html) -> Html:
    """A link that opens in a new tab without referrer; other schemes than the web's become plain text."""
    if not SAFE_LINK.match(url):
        return label
    return tag("a", label, href=url, target="_blank", rel="noopener noreferrer")


def when(timestamp: str, template: str, fallback: str, viewer: Viewer) -> Html:
    """A moment in the viewer's zone, or the fallback if the timestamp is invalid."""
    try:
        moment = datetime.fromtimestamp(int(timestamp), viewer.zone)
    except (ValueError, OverflowError, OSError):
        return text(fallback)
    words = dates.render(template, moment, viewer.now.astimezone(viewer.zone), viewer.locale)
    return tag("time", words, datetime=moment.isoformat(), title=f"{moment:%Y-%m-%d %H:%M:%S %Z}")


def user(user_id: str, viewer: Viewer) -> Html:
    """`@Name`, highlighted if it is the viewer."""
    mine = " mention-me" if user_id == viewer.id else ""
    return tag("span", f"@{viewer.users.get(user_id, user_id)}", class_=f"mention{mine}")


def channel(channel_id: str, viewer: Viewer, label: str = "") -> Html:
    """`#name`."""
    return tag("span", f"#{viewer.channels.get(channel_id) or label or channel_id}", class_="mention")


def _lines(wire: str, viewer: Viewer) -> Html:
    drawn: list[Html] = []
    quoted: list[Html] = []
    lines = wire.split("\n")
    for index, line in enumerate(lines):
        mark = QUOTE.match(line)
        if mark:
            quoted.append(_inline(line[mark.end() :], viewer))
            continue
        if quoted:
            drawn.append(tag("blockquote", join(*quoted, between=Html("<br>"))))
            quoted = []
        drawn.append(_inline(line, viewer))
        if index < len(lines) - 1 and not QUOTE.match(lines[index + 1]):
            drawn.append(Html("<br>"))
    if quoted:
        drawn.append(tag("blockquote", join(*quoted, between=Html("<br>"))))
    return join(*drawn)


def _inline(wire: str, viewer: Viewer) -> Html:
    drawn: list[Html] = []
    end = 0
    for match in INLINE.finditer(wire):
        drawn.extend((_words(wire[end : match.start()]), _token(match, viewer)))
        end = match.end()
    return join(*drawn, _words(wire[end:]))


def _words(wire: str) -> Html:
    return emoji.in_text(unescape(wire))


def _token(match: re.Match[str], viewer: Viewer) -> Html:
    kind = match.lastgroup or ""
    inside = match[kind]
    if kind == "code":
        return tag("code", _code(inside))
    if kind == "control":
        return _control(inside, viewer)
    if kind == "emoji":
        return emoji.named(inside)
    return tag(kind, _inline(inside, viewer))


def _code(wire: str) -> Html:
    bare = re.sub(r"<(?:https?:[^|<>]*\|)?([^<>]+)>", r"\1", wire)
    return text(unescape(bare))


def _control(inside: str, viewer: Viewer) -> Html:
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return user(target[1:], viewer)
    if target.startswith("#"):
        return channel(target[1:], viewer, label)
    if target.startswith("!date^"):
        return _date(target, label, viewer)
    if target.startswith("!"):
        return tag("span", label or f"@{target[1:]}", class_="mention mention-me")
    if SAFE_LINK.match(target):
        return link(unescape(target), _words(label or target))
    return text(f"<{unescape(inside)}>")


def _date(target: str, fallback: str, viewer: Viewer) -> Html:
    _, timestamp, template, *rest = [*target.split("^", 3), ""]
    drawn = when(timestamp, template, unescape(fallback), viewer)
    return link(unescape(rest[0]), drawn) if rest and rest[0] else drawn


MARKDOWN_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\[(?P<label>[^\]\n]+)\]\((?P<url>[^)\s]+)\)"
    r"|\*\*(?P<b>[^\n]+?)\*\*"
    r"|(?<![\w*])\*(?P<i>[^\s*][^\n*]*)\*(?!\w)"
    r"|(?<!\w)_(?P<em>[^\s_][^\n_]*)_(?!\w)"
    r"|~~(?P<s>[^\n]+?)~~"
    r"|:(?P<emoji>[a-z0-9_+\-]+):"
)
MARKDOWN_LINE = re.compile(r"(?P<h>#{1,6}) +|(?P<ul>[-*+]) +|(?P<ol>\d+)[.)] +|(?P<quote>>) ?|(?P<hr>-{3,})$")


def markdown(source: str) -> Html:
    """Basic Markdown: headings, lists, quotes, fences and inline marks. Raw HTML stays text."""
    pieces = re.split(r"```\w*\n(.+?)\n?```", source, flags=re.DOTALL)
    return join(*(tag("pre", piece) if index % 2 else _markdown_lines(piece) for index, piece in enumerate(pieces)))


def _markdown_lines(source: str) -> Html:
    drawn: list[Html] = []
    items: list[Html] = []
    kind = ""
    for line in [*source.strip("\n").split("\n"), ""]:
        mark = MARKDOWN_LINE.match(line.strip())
        found = (mark.lastgroup or "") if mark else ""
        if items and found != kind:
            drawn.append(tag(kind, *items))
            items = []
        body = _markdown_inline(line.strip()[mark.end() :] if mark else line.strip())
        kind = found
        if found in {"ul", "ol"}:
            items.append(tag("li", body))
        elif found == "h" and mark:
            drawn.append(tag(f"h{min(len(mark['h']) + 2, 6)}", body))
        elif found == "quote":
            drawn.append(tag("blockquote", body))
        elif found == "hr":
            drawn.append(tag("hr"))
        elif body:
            drawn.append(tag("p", body))
    return join(*drawn)


def _markdown_inline(line: str) -> Html:
    drawn: list[Html] = []
    end = 0
    for match in MARKDOWN_INLINE.finditer(line):
        drawn.extend((emoji.in_text(line[end : match.start()]), _markdown_token(match)))
        end = match.end()
    return join(*drawn, emoji.in_text(line[end:]))


def _markdown_token(match: re.Match[str]) -> Html:
    kind = match.lastgroup or ""
    if kind == "url":
        return link(match["url"], _markdown_inline(match["label"]))
    if kind == "code":
        return tag("code", match["code"])
    if kind == "emoji":
        return emoji.named(match["emoji"])
    return tag(kind, _markdown_inline(match[kind]))
