"""One message with its header, badges and thread line, and a log of messages.

Lives here: `Message` (plain value) and its HTML. Does not live here: the blocks inside (`render`), the page around it
(`screen`). Called by `screen`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.page.markup import Html, icon, join, tag
from sandbox.page.own import clock, day, own, recently

RUN_GAP = timedelta(minutes=5)
"""Messages of one author that are closer together than this share one header."""


@dataclass(frozen=True)
class Message:
    """A message, a reply or an ephemeral, with its body as HTML."""

    key: str
    """Unique on the screen."""
    author: str
    at: datetime
    body: Html
    channel: str
    ts: str = ""
    ephemeral: str = ""
    """Id of an ephemeral message; empty for others."""
    view: str = ""
    is_bot: bool = False
    edits: int = 0
    is_marked: bool = False
    """Whether it says that it was edited: Slack says so of texts, not of blocks."""
    replies: int = 0
    last_reply: datetime | None = None
    thread_ts: str = ""
    """The ts of the message that it replies to."""
    shortcuts: tuple[tuple[str, str], ...] = ()
    """Name and callback id of what the app offers to do with it."""
    is_broken: bool = False
    """Whether it is Slack's own notice that something failed."""


Address = Callable[..., str]


def log(messages: Sequence[Message], now: datetime, address: Address, *, is_thread: bool = False) -> Html:
    """Messages in order, with a line between days and one header per run of one author."""
    drawn: list[Html] = []
    before: Message | None = None
    for one in messages:
        if before is None or before.at.date() != one.at.date():
            if not is_thread:
                drawn.append(_day(one.at, now))
            before = None
        drawn.append(
            message(one, now, address, continues=_continues(before, one, is_thread=is_thread), is_thread=is_thread)
        )
        before = one
    return join(*drawn)


def message(one: Message, now: datetime, address: Address, *, continues: bool = False, is_thread: bool = False) -> Html:
    """One message."""
    classes = [
        "message",
        "continues" if continues else "",
        "ephemeral" if one.ephemeral else "",
        "broken" if one.is_broken else "",
    ]
    return tag(
        "article",
        _avatar(one) if not continues else tag("span", clock(one.at), class_="gutter"),
        tag(
            "div",
            None if not one.ephemeral else tag("p", own("Only visible to you"), class_="private-mark"),
            _head(one) if not continues else None,
            None if is_thread or not one.thread_ts else _broadcast(one, address),
            tag("div", one.body, _edited(one), class_="body"),
            None if is_thread or not one.replies else _thread_line(one, now, address),
            class_="content",
        ),
        _tools(one, address, is_thread=is_thread),
        class_=" ".join(filter(None, classes)),
        data_key=one.key,
        data_channel=one.channel,
        data_ts=one.ts or None,
        data_ephemeral=one.ephemeral or None,
        data_edits=one.edits,
        aria_label=f"{one.author}, {clock(one.at)}",
    )


def _continues(before: Message | None, one: Message, *, is_thread: bool) -> bool:
    if before is None or before.author != one.author or bool(before.ephemeral) != bool(one.ephemeral):
        return False
    if not is_thread and (before.replies or one.thread_ts):
        return False
    return before.thread_ts == one.thread_ts and one.at - before.at < RUN_GAP


def _day(moment: datetime, now: datetime) -> Html:
    line = tag("span", day(moment, now))
    return tag("div", line, class_="day", role="separator", data_key=f"day-{moment:%Y%m%d}")


def _avatar(one: Message) -> Html:
    kind = "bot" if one.is_bot else f"person-{sum(map(ord, one.author)) % 5}"
    sign = icon("helix") if one.is_bot else one.author[:1].upper()
    return tag("span", sign, class_=f"avatar avatar-{kind}", aria_hidden="true")


def _head(one: Message) -> Html:
    badge = tag("span", own("APP"), class_="app-badge") if one.is_bot else None
    stamp = tag("time", clock(one.at), datetime=one.at.isoformat(), title=f"{one.at:%Y-%m-%d %H:%M:%S %Z}")
    return tag("header", tag("b", one.author, class_="author"), badge, stamp)


def _edited(one: Message) -> Html | None:
    return tag("span", own("(edited)"), class_="edited") if one.is_marked else None


def _broadcast(one: Message, address: Address) -> Html:
    whole = tag("a", own("a thread"), href=address(one.channel, thread=one.thread_ts), data_nav=True)
    return tag("p", own("replied to "), whole, class_="broadcast")


def _thread_line(one: Message, now: datetime, address: Address) -> Html:
    count = tag("b", own("{number} reply" if one.replies == 1 else "{number} replies", number=one.replies))
    last = (
        tag("span", own("Last reply {time}", time=recently(one.last_reply, now)), class_="last")
        if one.last_reply
        else None
    )
    return tag("a", count, last, href=address(one.channel, thread=one.ts), class_="thread-line", data_nav=True)


def _tools(one: Message, address: Address, *, is_thread: bool) -> Html | None:
    if one.ephemeral:
        dismiss = tag("button", own("Dismiss"), type="button", class_="tool", data_dismiss=one.ephemeral)
        return tag("div", dismiss, class_="tools")
    offered = [
        tag("button", own(name), type="button", class_="tool", data_shortcut=callback_id, data_ts=one.ts)
        for name, callback_id in one.shortcuts
    ]
    if is_thread or one.thread_ts:
        return tag("div", *offered, class_="tools") if offered else None
    reply = tag("a", own("Reply in thread"), href=address(one.channel, thread=one.ts), class_="tool", data_nav=True)
    return tag("div", reply, *offered, class_="tools")
