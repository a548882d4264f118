"""Which executions a message of Slack's speaks of: ids, and words that look like names.

Lives here: `named_in`. Does not live here: what people type to the bot (`handlers.typed`), whether such executions
exist (`bot.search`). Called by `handlers.follow`; pure. The message is anybody's: nothing in it is trusted or
kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from bot.domain.search import begins_an_id
from handlers.typed import ID, plain

MOST_IDS, MOST_NAMES = 10, 3
"""At most this many are taken of a message: each name is a search of GCS's list."""

_MOST_CHARACTERS, _DEPTH = 100_000, 12
_SAID = frozenset({"text", "fallback", "title", "pretext", "footer", "alt_text", "name"})
"""Fields in which people read something. Ids may stand in addresses and in buttons as well."""

_MARKUP = re.compile(r"<[!@#][^<>]*>|<(?:https?|mailto):[^<>|]*\|?|https?://\S+", re.IGNORECASE)
_WORD = re.compile(r"\w(?:[\w.-]*\w)?")
_WORD_IN_WORD = re.compile(_WORD.pattern, re.ASCII)
_SHORTEST, _LONGEST = 4, 80


class Named(NamedTuple):
    """What a message names."""

    ids: tuple[str, ...] = ()
    """In small letters, each once, in their order."""
    names: tuple[str, ...] = ()
    """Words that may be names, or the first digits of ids; the longest first."""


def named_in(message: Any) -> Named:
    """The executions that `message` names: its text, blocks and attachments, as Slack sends them."""
    left, ids, names = _MOST_CHARACTERS, dict[str, None](), dict[str, None]()
    for key, said in _strings(message, _DEPTH):
        part = plain(said[: max(0, left)])
        left -= len(part)
        ids |= dict.fromkeys(found.casefold() for found in ID.findall(part))
        if key in _SAID:
            words = _WORD.findall(_MARKUP.sub(" ", ID.sub(" ", part)))
            names |= dict.fromkeys(filter(_may_be_a_name, [each for word in words for each in (word, *_parts(word))]))
    longest = sorted(names, key=len, reverse=True)
    return Named(tuple(ids)[:MOST_IDS], tuple(longest[:MOST_NAMES]))


def _parts(word: str) -> list[str]:
    """What a word may be in which text without spaces stands around a name: "germline-14怎么还没跑完"."""
    return [] if word.isascii() else _WORD_IN_WORD.findall(word)


def _may_be_a_name(word: str) -> bool:
    """Names of executions have digits and hyphens; so have dates and versions, which begin with a digit."""
    if begins_an_id(word):
        return True
    has_parts = re.search(r"[_-]", word) is not None and re.search(r"\d", word) is not None
    return _SHORTEST <= len(word) <= _LONGEST and has_parts and not word[0].isdecimal()


def _strings(value: Any, depth: int, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif depth and isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, depth - 1, str(name))
    elif depth and isinstance(value, list):
        for inner in value:
            yield from _strings(inner, depth - 1, key)
