"""What the bot's messages in Slack are about, from their marks: executions, what operators did, rules, boards.

Lives here: `all_said`, `all_caught_up`, `all_notices`, `all_goodbyes`, `all_boards`. Does not live here: what their
texts mean (`reading`). Called by `arena` and the outage tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sandbox.slack.state import Message
from tests.chaos.acts_verdict import DONE
from tests.chaos.evidence import Notice, Said
from tests.chaos.reading import AWAY, Unreadable, read_catch_up

_ID = 36
"""How long an execution's id is; that of a message about a rule is shorter."""


def all_said(messages: Iterable[Message]) -> list[Said]:
    """The bot's messages about executions in a channel; those about subscriptions state nothing that GCS showed."""
    marked = [message for message in messages if message.metadata and _part(message) != "notice"]
    return [said for said in map(_said, marked) if len(said.execution_id) == _ID]


def all_caught_up(messages: Iterable[Message], names: Mapping[str, str]) -> tuple[list[Said], list[str]]:
    """What messages about all that has ended say of each; and those that are unreadable. `names`: id → name."""
    found, unreadable = list[Said](), list[str]()
    ids = {name: execution_id for execution_id, name in names.items()}
    for message in messages:
        if not message.metadata or not message.text.startswith(AWAY):
            continue
        try:
            ends = read_catch_up(message.text)
            found += [
                replace(
                    _said(message), execution_id=ids[name], is_caught_up=True, is_card=False, versions=((at, line),)
                )
                for at in (float(message.ts),)
                for name, line in ends
            ]
        except (Unreadable, KeyError):
            unreadable.append(message.text)
    return found, unreadable


def all_notices(messages: Iterable[Message]) -> list[Notice]:
    """Those that say what operators did."""
    found = [_noticed(message) for message in messages if message.metadata and _part(message) == "notice"]
    return [notice for notice in found if any(done in notice.text for done in DONE)]


def all_goodbyes(messages: Iterable[Message]) -> list[Notice]:
    """Those that say that a rule has ended."""
    found = [_noticed(message) for message in messages if message.metadata]
    return [notice for notice in found if len(notice.about) < _ID and "ended it" in notice.text]


def all_boards(messages: Iterable[Message]) -> list[Notice]:
    """Boards, and those that go on in another message, or have ended."""
    found = [_noticed(message) for message in messages if message.metadata and _part(message) == "card"]
    return [notice for notice in found if "-b-" in notice.about and len(notice.about) < _ID]


def _part(message: Message) -> str:
    return str(message.metadata["event_payload"]["part"])


def _about(message: Message) -> tuple[str, str]:
    """Execution, or rule, and subscriber."""
    _, _, execution_id, subscriber, _ = message.metadata["event_payload"]["lane"].split("/")
    return execution_id, subscriber


def _noticed(message: Message) -> Notice:
    about, subscriber = _about(message)
    edits = tuple(edit.at for edit in message.edits)
    return Notice(about=about, subscriber=subscriber, text=message.text, edits=edits)


def _said(message: Message) -> Said:
    payload = message.metadata["event_payload"]
    execution_id, subscriber = _about(message)
    since = [float(message.ts), *(edit.at for edit in message.edits)]
    texts = [*(edit.text for edit in message.edits), message.text]
    return Said(
        execution_id=execution_id,
        subscriber=subscriber,
        lane=payload["lane"],
        is_card=payload["part"] == "card",
        versions=tuple(zip(since, texts, strict=True)),
    )
