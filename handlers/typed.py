"""What somebody has typed, as words: ids, known words in any spelling, and everything else as it stands there.

Lives here: `read`, which forgives what phones and chat programs do to a text. Does not live here: what the words mean
(`handlers.parsing`, which calls it). Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])", re.IGNORECASE)
"""An execution id. GCS's ids are not always RFC 4122 UUIDs (reference 1.1)."""

_LINK = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
"""A mention, a channel or a link as Slack sends it: its kind, its target, and what is shown."""

_EMOJI = re.compile(r":[\w+-]+:")
_WRAPPING = "\"'`“”„‘’‚«»()[]{}<>*_~.,;:!，。；：！（）「」"
"""What may surround a word that was quoted, pasted or stands at the end of a sentence."""

_LOOKALIKES = str.maketrans({"\u2217": "*", "\u02cd": "_", "\u223c": "~", "\u02cb": "`", "\u2212": "-"})
"""What the bot shows in place of Slack's marks, and a minus."""


class Word(NamedTuple):
    """One word."""

    known: str
    """As it would be known: in small letters, without what surrounds it."""
    shown: str
    """As it was typed, without what surrounds it."""


class Typed(NamedTuple):
    """A line."""

    ids: tuple[str, ...]
    """Each id once, in small letters."""
    words: tuple[Word, ...]
    """All others, in their order."""


def read(text: str) -> Typed:
    """The words of a line. Invisible characters are left out, and any dash is a hyphen."""
    clean = _clean(text)
    ids = tuple(dict.fromkeys(found.casefold() for found in ID.findall(plain(clean))))
    tokens = [token for token in _LINK.sub(_as_shown, clean).split() if not _EMOJI.fullmatch(token)]
    words = [_word(token) for token in tokens if not ID.search(plain(token))]
    return Typed(ids, tuple(word for word in words if word.known == "?" or any(map(str.isalnum, word.known))))


def _as_shown(link: re.Match[str]) -> str:
    """What people see of a mention, a channel or a link; nothing of one with an id in it."""
    kind, target, shown = link[1], link[2], link[3]
    if ID.search(plain(link[0])):
        return " "
    mark = kind.replace("!", "@")
    return f" {mark}{(shown or target).removeprefix(mark)} " if mark else shown or target


def _clean(text: str) -> str:
    kept = (_character(character) for character in text.translate(_LOOKALIKES))
    return "".join(kept)


def _character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Pd":
        return "-"
    return "" if category in {"Cf", "Cs"} or (category == "Cc" and not character.isspace()) else character


def plain(text: str) -> str:
    """Wide letters and digits as plain ones."""
    return unicodedata.normalize("NFKC", text)


def _word(token: str) -> Word:
    bare = token.strip(_WRAPPING)
    shown = bare.rstrip(f"?？{_WRAPPING}") or bare  # a question mark alone asks for help
    return Word(plain(shown).casefold().strip(), shown)
