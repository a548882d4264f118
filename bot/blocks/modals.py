"""What several modals have in common: how they begin and wait, how they show an error, and what they remember.

Lives here: `head`, `asking`, `loading_modal`, `error_modal`, a reply as a modal shows it (`without_buttons`), and
writing and reading what a modal, or the Home tab, carries from one request to the next (Slack's `private_metadata`).
Does not live here: the fields of modals that are submitted (`fields`), what each modal carries (the siblings). Called
by the siblings and by `handlers`.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from bot.blocks import text, words
from bot.blocks.language import Language, _, spoken
from bot.blocks.message import Block, Message, section, view
from bot.domain.execution import Value
from bot.domain.snapshot import Snapshot

ID_LIMIT = 240
"""At most this many characters of an id are carried: JSON may need six for one, and Slack takes 3,000 in all."""

T = TypeVar("T", bound=msgspec.Struct)


class Spoken(Value, frozen=True):
    """What a modal carries that only needs to know its language again."""

    language: Language


def spoken_metadata() -> str:
    """The language that is spoken now, as metadata."""
    return metadata(Spoken(spoken()))


def parse_language(private_metadata: str) -> Language | None:
    """The language of a modal; None where it is not known."""
    try:
        return parse_metadata(private_metadata, Spoken).language
    except ValueError:
        return None


def metadata(carried: msgspec.Struct) -> str:
    """What a view carries, as its `private_metadata`."""
    return json.dumps(msgspec.to_builtins(carried), ensure_ascii=False)  # msgspec's own JSON takes no half characters


def parse_metadata(private_metadata: str, kind: type[T]) -> T:
    """What a view carries.

    Raises:
        ValueError: it was not written as a `kind`.
    """
    try:
        return msgspec.convert(json.loads(private_metadata), kind)
    except (msgspec.ValidationError, RecursionError, ValueError) as error:
        raise ValueError(f"not the metadata of a {kind.__name__}") from error


def head(snapshot: Snapshot) -> Block | None:
    """Which execution a modal is about, and how far that is."""
    execution = snapshot.execution
    state = f"{words.snapshot_icon(snapshot)} {words.snapshot_word(snapshot)}"
    done = words.counts(execution.steps_finished, execution.steps_total)
    return section(text.bold(execution.title), " · ".join(filter(None, (state, done, words.time_words(snapshot)))))


def asking() -> Block | None:
    """The line that is shown while GCS is asked."""
    return section(_("⏳ Asking GeneContainer Service …"))


def without_buttons(reply: Message) -> list[Block]:
    """The blocks of a reply as a modal can show them."""
    blocks = [block for block in reply.blocks if block["type"] != "actions"]
    return [{key: value for key, value in block.items() if key != "accessory"} for block in blocks]


def loading_modal(title: str) -> Block:
    """Opens at once, since a trigger expires after three seconds; another modal replaces it."""
    return view(_(title), [asking()], callback_id="loading")


def error_modal(sentence: str) -> Block:
    """Why something cannot be shown or done; `sentence` is escaped here."""
    return view(_("That did not work"), [section(f"⚠️ {text.prose(sentence)}")], callback_id="error")
