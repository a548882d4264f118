"""What somebody has typed, as words: ids, known words in any spelling, and everything else as it stands there.

Lives here: `read`, which forgives what phones and chat programs do to a text, and `line_words`, which does the same for
a whole command. Does not live here: what the words mean (`handlers.parsing` and its siblings, which call them). Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from handlers.vocabulary import COMMAND, MEANT, PLACES, RULES, STOPS, VERBS

ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])", re.IGNORECASE)
"""An execution id. GCS's ids are not always RFC 4122 UUIDs (reference 1.1)."""

_LINK = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
"""A mention, a channel or a link as Slack sends it: its kind, its target, and what is shown."""

_EMOJI = re.compile(r":[\w+-]+:")
_WRAPPING = "\"'`“”„‘’‚«»()[]{}<>*_~.,;:!，。；：！（）「」"
"""What may surround a word that was quoted, pasted or stands at the end of a sentence."""

_LOOKALIKES = str.maketrans({"\u2217": "*", "\u02cd": "_", "\u223c": "~", "\u02cb": "`", "\u2212": "-"})
"""What the bot shows in place of Slack's marks, and a minus."""

MAX_WORD = 40
"""How much of an unknown word an error repeats, in characters."""

MAX_NAME = 200
"""At most how long a name may be, in characters: several times as long as GCS's."""

ELSEWHERE = ("#", "@")
"""How the name of a channel or a person begins."""

_COMMAND = re.compile(rf"[\s`]*{COMMAND}\b", re.IGNORECASE)
"""The command typed a second time, as by somebody who pastes a line that was shown."""

_GLUED = re.compile(
    r"\s*(?:([a-z-]+)\s*[:：,，、;；]\s*|(?:请帮我|请|帮我)?([\u4e00-\u9fff]+)[:：,，、;；\s]*)(?=\S|$)", re.IGNORECASE
)
"""A first word that nothing but punctuation, or in Chinese nothing at all, separates from the next."""

_SPAN = re.compile(r"(?<!\S)(\d+)\s*(?:h|hours?|hrs?|小时)(?!\S)", re.IGNORECASE)

_FIRST = {*VERBS, *MEANT, *STOPS}
"""What a line may begin with."""


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


def line_words(text: str) -> Typed:
    """The words of a line, whatever separates the first one from the next."""
    line = _COMMAND.sub("", text, count=1) if _COMMAND.match(text) else text
    glued = _GLUED.match(line)
    first = plain(glued[1] or glued[2]).casefold() if glued else ""
    cut = next((cut for cut in range(len(first), 0, -1) if first[:cut] in _FIRST), 0)
    if glued and cut and (cut == len(first) or first[cut:] in {*RULES, *VERBS}):
        line = f"{first[:cut]} {first[cut:]} {line[glued.end() :]}"
    typed = read(_SPAN.sub(r"\1h", line))
    words = tuple(Word(PLACES.get(word.known, word.known), word.shown) for word in typed.words)
    return typed._replace(words=words)


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
