"""`rich_text` blocks as HTML: sections, lists, quotes, preformatted text, and their elements.

Does not live here: where they are used (blocks, tasks of a plan, cells of a table: `render`, the caller).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.page import emoji
from sandbox.page.markup import Html, join, tag, text
from sandbox.page.mrkdwn import Viewer, channel, link, user, when

STYLES = {"bold": "b", "italic": "i", "strike": "s", "code": "code", "underline": "u"}


def rich_text(item: Mapping[str, Any], viewer: Viewer) -> Html:
    """A whole `rich_text` object."""
    return join(*(_part(part, viewer) for part in item.get("elements", [])))


def _part(part: Mapping[str, Any], viewer: Viewer) -> Html:
    kind = part.get("type")
    children = part.get("elements", [])
    if kind == "rich_text_list":
        listed = (tag("li", _inside(one.get("elements", []), viewer)) for one in children)
        ordered = part.get("style") == "ordered"
        return tag("ol" if ordered else "ul", *listed, class_=f"indent-{min(int(part.get('indent', 0)), 4)}")
    inside = _inside(children, viewer)
    if kind == "rich_text_quote":
        return tag("blockquote", inside)
    if kind == "rich_text_preformatted":
        return tag("pre", inside)
    return tag("div", inside, class_="rich-section")


def _inside(children: list[Mapping[str, Any]], viewer: Viewer) -> Html:
    return join(*(_element(child, viewer) for child in children))


def _element(child: Mapping[str, Any], viewer: Viewer) -> Html:
    drawn = _bare(child, viewer)
    for style, name in STYLES.items():
        if (child.get("style") or {}).get(style):
            drawn = tag(name, drawn)
    return drawn


def _bare(child: Mapping[str, Any], viewer: Viewer) -> Html:
    draw = DRAW.get(str(child.get("type")), _text)
    return draw(child, viewer)


def _text(child: Mapping[str, Any], _viewer: Viewer) -> Html:
    return Html(emoji.in_text(str(child.get("text", ""))).replace("\n", "<br>"))


def _link(child: Mapping[str, Any], _viewer: Viewer) -> Html:
    url = str(child.get("url", ""))
    return link(url, text(child.get("text") or url))


def _date(child: Mapping[str, Any], viewer: Viewer) -> Html:
    stamp = str(child.get("timestamp", ""))
    return when(stamp, str(child.get("format", "")), str(child.get("fallback", stamp)), viewer)


DRAW: dict[str, Callable[[Mapping[str, Any], Viewer], Html]] = {
    "text": _text,
    "link": _link,
    "date": _date,
    "emoji": lambda child, _viewer: emoji.named(str(child.get("name", ""))),
    "user": lambda child, viewer: user(str(child.get("user_id", "")), viewer),
    "channel": lambda child, viewer: channel(str(child.get("channel_id", "")), viewer),
    "broadcast": lambda child, _viewer: tag("span", f"@{child.get('range', '')}", class_="mention mention-me"),
}
