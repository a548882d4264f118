"""One example of a message, and the surfaces that examples are grouped by.

Lives here: `Example`, `Surface`, `Goal`, and the languages in which each example is said. Does not live here: the
examples (`cards` and its neighbours). Called by every module of this folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bot.blocks import Message
from bot.blocks.language import Language, speaking
from bot.blocks.message import Block

LANGUAGES = {Language.ENGLISH: "English", Language.CHINESE: "简体中文"}
"""What the page calls each language."""


class Place(StrEnum):
    """Where an example is drawn when its height is measured."""

    CHANNEL = "channel"
    """A message with its author above it."""
    PRIVATE = "private"
    """The same, with the line that only one person sees it."""
    MODAL = "modal"
    """A modal with its head and foot."""
    HOME = "home"
    """The Home tab."""


class Goal(NamedTuple):
    """How high examples of one class may be, in pixels."""

    name: str
    wide: int
    """At 1280 pixels."""
    narrow: int
    """At 390 pixels."""
    is_held: bool
    """Whether a test holds it; else the page only shows what is above it."""


@dataclass(frozen=True)
class Example:
    """One message that the bot can say."""

    name: str
    when: str
    """When it is said: a sentence without a subject's repetition, for the page."""
    say: Callable[[], Message | Block]
    """Renders it in the language that is spoken at the time: everything in a language is made inside."""
    goal: Goal | None = None


@dataclass(frozen=True)
class Surface:
    """Where people meet a group of examples."""

    title: str
    about: str
    place: Place
    examples: Sequence[Example]


@dataclass(frozen=True)
class Said:
    """An example in one language."""

    language: Language
    text: str
    """The top-level text, which notifications show; empty for views, which have none."""
    title: str
    """The title of a modal, else empty."""
    blocks: tuple[Block, ...]
    buttons: tuple[str, ...] = ()
    """The labels of a modal's own buttons."""
    place: Place = Place.CHANNEL

    @property
    def size(self) -> int:
        """How many bytes Slack receives: blocks and text as JSON."""
        return len(self._wire())

    @property
    def digest(self) -> str:
        """Of everything that its height depends on."""
        return hashlib.sha256(f"{self.place}\n".encode() + self._wire()).hexdigest()[:16]

    def _wire(self) -> bytes:
        parts = [self.text, self.title, *self.buttons, list(self.blocks)]
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


def said(example: Example, place: Place) -> list[Said]:
    """The example in each language."""
    return [_said(example, place, language) for language in LANGUAGES]


def _said(example: Example, place: Place, language: Language) -> Said:
    with speaking(language):
        shown = example.say()
    if isinstance(shown, Message):
        return Said(language, shown.text, "", shown.blocks, place=place)
    buttons = tuple(shown[key]["text"] for key in ("close", "submit") if key in shown)
    title = shown["title"]["text"] if "title" in shown else ""
    return Said(language, "", title, tuple(shown["blocks"]), buttons, place)
