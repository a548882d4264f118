"""What one person sees at one moment, as a value and as HTML.

Lives here: the view model (`Screen` and its parts, plain values) and the page's regions rendered from it. Does not live
here: blocks (`render`), where the values come from (`binding`), routes (`server`). Reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from sandbox.page.markup import Html, icon, join, tag, text
from sandbox.page.message import Message, log
from sandbox.page.own import for_script, language, own

PRETENCE = "This Slack is pretend, the bot is real."


@dataclass(frozen=True)
class Person:
    """A person whom the page can act as."""

    id: str
    name: str


@dataclass(frozen=True)
class Conversation:
    """A channel or direct message in the side bar."""

    id: str
    name: str
    is_dm: bool = False
    is_private: bool = False
    unread: int = 0


@dataclass(frozen=True)
class Modal:
    """The open modal."""

    id: str
    title: str
    body: Html
    submit: str = ""
    close: str = ""


@dataclass(frozen=True)
class Hint:
    """Something to try: its subject, commands that fill the message box when pressed, and what the sandbox can do."""

    title: str
    note: str
    commands: tuple[tuple[str, str], ...] = ()
    """(label of the button, text for the message box)."""
    stages: tuple[tuple[str, str], ...] = ()
    """(label of the button, which of the page's stages it starts)."""


@dataclass(frozen=True)
class Screen:
    """Everything that the page shows."""

    workspace: str
    me: Person
    people: tuple[Person, ...]
    conversations: tuple[Conversation, ...]
    conversation: Conversation
    messages: tuple[Message, ...]
    now: datetime
    topic: str = ""
    tab: str = "messages"
    home: Html | None = None
    thread_ts: str = ""
    thread: tuple[Message, ...] = ()
    modal: Modal | None = None
    hints: tuple[Hint, ...] = ()
    alarm: str = ""
    version: str = ""
    first_unread: str = ""
    """The key of the message at which the conversation opens, as Slack does; empty: at the end."""
    shortcuts: tuple[tuple[str, str], ...] = ()
    """Name and callback id of what the app offers everywhere."""

    def address(self, conversation_id: str = "", **change: str) -> str:
        """The address of this screen, or of another conversation, with some parts changed."""
        kept = {"me": self.me.id} | {key: value for key, value in change.items() if value}
        return f"/c/{conversation_id or self.conversation.id}?{urlencode(kept)}"


def title(screen: Screen) -> str:
    """The title of the browser's tab."""
    unread = sum(conversation.unread for conversation in screen.conversations)
    return f"{f'({unread}) ' if unread else ''}{_conversation_name(screen.conversation)} · {screen.workspace}"


def regions(screen: Screen) -> dict[str, Html]:
    """Every part of the page that changes, by the id of its element."""
    return {
        "alarm": tag("p", screen.alarm) if screen.alarm else Html(""),
        "sidebar": _sidebar(screen),
        "head": _head(screen),
        "hints": _hints(screen),
        "log": _main(screen),
        "thread-log": _thread(screen),
        "modal-body": _modal(screen.modal) if screen.modal else Html(""),
    }


def page(screen: Screen) -> Html:
    """The whole document."""
    drawn = regions(screen)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title(screen)),
        tag("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="/static/page.css"),
        tag("link", rel="stylesheet", href="/static/blocks.css"),
        tag("script", src="/static/page.js", type="module"),
    )
    body = tag(
        "body",
        tag("a", own("Skip to the message box"), href="#say", class_="skip"),
        tag("div", drawn["alarm"], id="alarm", role="alert"),
        tag(
            "div",
            _drawer(drawn["sidebar"]),
            _middle(screen, drawn),
            _side_panel(screen, drawn["thread-log"]),
            id="app",
            **state(screen),
        ),
        tag("dialog", tag("form", drawn["modal-body"], id="modal-body", method="dialog"), id="modal"),
        tag("dialog", id="confirm"),
        tag("div", id="toast", role="status"),
        tag("noscript", own("This page needs its script.")),
    )
    return join(Html("<!doctype html>"), tag("html", head, body, lang=language()))


def state(screen: Screen) -> dict[str, object]:
    """What the script needs to know about the current screen."""
    return {
        "data_channel": screen.conversation.id,
        "data_me": screen.me.id,
        "data_thread": screen.thread_ts,
        "data_tab": screen.tab,
        "data_modal": screen.modal.id if screen.modal else "",
        "data_version": screen.version,
        "data_unread": screen.first_unread,
        "data_say": own("Message {place}", place=_conversation_name(screen.conversation)),
        "data_words": for_script(),
    }


def _conversation_name(conversation: Conversation) -> str:
    return conversation.name if conversation.is_dm else f"#{conversation.name}"


def _drawer(sidebar: Html) -> Html:
    return tag(
        "nav",
        tag("div", sidebar, id="sidebar"),
        tag("p", own(PRETENCE), " ", own("Nothing leaves this computer."), class_="simulated"),
        id="drawer",
        aria_label=own("Channels and direct messages"),
    )


def _sidebar(screen: Screen) -> Html:
    channels = [conversation for conversation in screen.conversations if not conversation.is_dm]
    direct = [conversation for conversation in screen.conversations if conversation.is_dm]
    people = (tag("option", one.name, value=one.id, selected=one.id == screen.me.id) for one in screen.people)
    return join(
        tag(
            "div",
            tag("strong", screen.workspace, class_="workspace"),
            tag(
                "button",
                icon("close", own("Close the list")),
                type="button",
                class_="plain drawer-close",
                data_drawer="close",
            ),
            class_="sidebar-top",
        ),
        tag("label", own("You are"), tag("select", *people, id="me"), class_="me"),
        tag("h2", own("Channels")),
        tag("ul", *(_conversation(conversation, screen) for conversation in channels)),
        tag("h2", own("Apps")),
        tag("ul", *(_conversation(conversation, screen) for conversation in direct)),
    )


def _conversation(conversation: Conversation, screen: Screen) -> Html:
    here = conversation.id == screen.conversation.id
    mark = tag("span", icon("helix"), class_="avatar avatar-small avatar-bot") if conversation.is_dm else None
    sign = mark or icon("lock" if conversation.is_private else "hash")
    badge = (
        tag("span", conversation.unread, class_="badge", aria_label=own("{number} unread", number=conversation.unread))
        if conversation.unread
        else None
    )
    classes = "conversation" + (" here" if here else "") + (" unread" if conversation.unread else "")
    current = "page" if here else None
    line = tag(
        "a",
        sign,
        tag("span", conversation.name),
        badge,
        href=screen.address(conversation.id),
        class_=classes,
        aria_current=current,
        data_nav=True,
    )
    return tag("li", line, data_key=conversation.id)


def _head(screen: Screen) -> Html:
    conversation = screen.conversation
    opener = tag("button", icon("menu", own("Channels")), type="button", class_="plain drawer-open", data_drawer="open")
    heading = tag("h1", _conversation_name(conversation))
    return join(
        opener, heading, tag("span", screen.topic, class_="topic"), _tabs(screen) if conversation.is_dm else None
    )


def _tabs(screen: Screen) -> Html:
    links = (
        tag(
            "a",
            own(word),
            href=screen.address(tab=key),
            class_="tab",
            aria_current="page" if screen.tab == key else None,
            data_nav=True,
        )
        for key, word in (("home", "Home"), ("messages", "Messages"))
    )
    return tag("div", *links, class_="tabs")


def _hints(screen: Screen) -> Html:
    if not screen.hints or screen.tab == "home":  # a Home tab has no message box
        return Html("")
    rows = (
        tag(
            "li",
            tag("span", tag("b", own(hint.title)), tag("span", own(hint.note), class_="note"), class_="about"),
            tag(
                "span",
                *(_chip(own(word), data_fill=fill, title=fill) for word, fill in hint.commands),
                *(_chip(own(word), data_stage=stage) for word, stage in hint.stages),
                class_="chips",
            ),
        )
        for hint in screen.hints
    )
    summary = tag(
        "summary",
        icon("bulb"),
        tag("span", own("Things to try")),
        tag("span", own(PRETENCE), class_="note pretence"),
        tag("span", class_="chevron", aria_hidden="true"),
    )
    return tag("details", summary, tag("ul", *rows), data_keep="hints")


def _chip(word: str, **does: object) -> Html:
    return tag("button", word, type="button", class_="chip", **does)


def _main(screen: Screen) -> Html:
    if screen.tab == "home":
        return tag(
            "div",
            screen.home or tag("p", own("This Home is empty."), class_="empty"),
            class_="home",
            data_key="home",
            data_home="1",
        )
    if not screen.messages:
        return tag(
            "p",
            own("This is the very beginning of {place}.", place=_conversation_name(screen.conversation)),
            class_="empty",
            data_key="empty",
        )
    return log(screen.messages, screen.now, screen.address)


def _thread(screen: Screen) -> Html:
    return log(screen.thread, screen.now, screen.address, is_thread=True) if screen.thread else Html("")


def _middle(screen: Screen, drawn: dict[str, Html]) -> Html:
    return tag(
        "main",
        tag("header", drawn["head"], id="head"),
        tag("div", drawn["hints"], id="hints"),
        tag("div", drawn["log"], id="log", role="log", aria_live="polite", aria_label=own("Messages"), tabindex="0"),
        _composer(
            "say", own("Message {place}", place=_conversation_name(screen.conversation)), "/say", screen.shortcuts
        ),
        id="main",
    )


def _side_panel(screen: Screen, drawn: Html) -> Html:
    return tag(
        "aside",
        tag(
            "header",
            tag("h2", own("Thread")),
            tag(
                "button", icon("close", own("Close the thread")), type="button", class_="plain", data_close_thread=True
            ),
        ),
        tag("div", drawn, id="thread-log", role="log", aria_live="polite", aria_label=own("Thread"), tabindex="0"),
        _composer("reply", own("Reply…"), "/say"),
        id="thread",
        aria_label=own("Thread"),
        hidden=not screen.thread_ts,
    )


def _composer(name: str, label: str, action: str, shortcuts: tuple[tuple[str, str], ...] = ()) -> Html:
    offered = (
        tag(
            "button",
            "⚡",
            type="button",
            class_="plain",
            data_shortcut=callback_id,
            title=own(word),
            aria_label=own(word),
        )
        for word, callback_id in shortcuts
    )
    box = tag("textarea", id=name, name="text", rows="1", placeholder=label, aria_label=label, autocomplete="off")
    send = tag("button", icon("send", own("Send")), class_="send", type="submit")
    return tag("form", *offered, box, send, class_="composer", action=action, method="post", data_composer=name)


def _modal(modal: Modal) -> Html:
    submit = tag("button", modal.submit, type="submit", class_="button button-primary") if modal.submit else None
    return join(
        tag(
            "header",
            tag("h2", text(modal.title), id="modal-title"),
            tag("button", icon("close", own("Close")), type="button", class_="plain", data_close_modal=True),
            data_key="modal-head",
        ),
        tag("div", modal.body, class_="modal-blocks", data_key=f"modal-{modal.id}", data_view=modal.id),
        tag(
            "footer",
            tag(
                "button",
                modal.close or own("Close"),
                type="button",
                class_="button button-default",
                data_close_modal=True,
            ),
            submit,
            data_key="modal-foot",
        ),
    )
