"""What people type after `/execution`, understood.

Lives here: `parse` and the sentences that show the right line. Does not live here: what is then done
(`handlers.commands`). Called by `handlers.commands`; pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from bot.domain.model import Level
from bot.errors import InvalidInput

COMMAND = "/execution"

_ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])", re.IGNORECASE)
"""An execution id. GCS's ids are not always RFC 4122 UUIDs (reference 1.1)."""

_LINK = re.compile(r"<[^<>]*>")
_NEARLY_AN_ID = re.compile(r"(?=.*\d)[0-9a-fx-]{12,}", re.IGNORECASE)
_WRAPPING = "\"'`“”„‘’‚«»()[]{}<>*_~.,;:!"
"""What surrounds a word when it was quoted, pasted or ended a sentence."""


class Verb(StrEnum):
    """What is asked for."""

    SUMMARY = "summary"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    LIST = "list"
    HELP = "help"


_VERBS: dict[str, Verb] = {verb.value: verb for verb in Verb} | {
    "status": Verb.SUMMARY,
    "show": Verb.SUMMARY,
    "follow": Verb.SUBSCRIBE,
    "unfollow": Verb.UNSUBSCRIBE,
    "?": Verb.HELP,
}
_LEVELS: dict[str, Level] = {level.value: level for level in Level}
_HERE, _ME = "here", "me"
_WORDS = [*_VERBS, *_LEVELS, _HERE, _ME]

_LINES: dict[Verb, str] = {
    Verb.SUMMARY: f"{COMMAND} <id>",
    Verb.SUBSCRIBE: f"{COMMAND} subscribe <id> [here] [progress|phase|final]",
    Verb.UNSUBSCRIBE: f"{COMMAND} unsubscribe <id> [here]",
    Verb.LIST: f"{COMMAND} list [here]",
    Verb.HELP: f"{COMMAND} help",
}
"""The right line for each verb."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command, understood. `execution_id` is empty for `list` and `help` only."""

    verb: Verb
    execution_id: str = ""
    is_here: bool = False
    """The channel it was typed in is meant, not the person."""
    level: Level | None = None


def parse(text: str) -> Asked:
    """What `text` asks for; words may stand in any order.

    Raises:
        InvalidInput: it cannot be understood; the sentence shows the right line.
    """
    ids = {found.casefold() for found in _ID.findall(text)}
    words = list(_words(text))
    unknown = [word for word in words if word not in _WORDS]
    if unknown:
        raise _unknown(unknown[0], words, next(iter(ids), ""))
    verb = _verb(words, has_id=bool(ids))
    if len(ids) > 1:
        raise InvalidInput(f"One execution at a time, please: {_line(verb)}.")
    return _checked(verb, next(iter(ids), ""), words)


def _words(text: str) -> Iterable[str]:
    """The words beside ids and links to ids, folded, without quotes around them."""
    without_links = _LINK.sub(lambda link: " " if _ID.search(link[0]) else link[0], text)
    for token in without_links.split():
        word = token.strip(_WRAPPING).casefold()
        if word and not _ID.search(token):
            yield word


def _verb(words: list[str], *, has_id: bool) -> Verb:
    verbs = {_VERBS[word] for word in words if word in _VERBS}
    if len(verbs) > 1:
        listed = " and ".join(f"`{verb}`" for verb in sorted(verbs))
        raise InvalidInput(f"I cannot do {listed} at once: one at a time, please.")
    if verbs:
        return verbs.pop()
    if has_id:
        return Verb.SUMMARY
    if words:
        raise InvalidInput(f"Say what to do, and with which execution: {_line(Verb.SUBSCRIBE)}.")
    return Verb.HELP


def _checked(verb: Verb, execution_id: str, words: list[str]) -> Asked:
    """The command, if what was said with the verb belongs to it."""
    levels = [_LEVELS[word] for word in words if word in _LEVELS]
    is_here = _HERE in words
    needs_id = verb in {Verb.SUMMARY, Verb.SUBSCRIBE, Verb.UNSUBSCRIBE}
    if needs_id and not execution_id:
        raise InvalidInput(f"Which execution? {_line(verb)}, with the id as GeneContainer Service shows it.")
    if execution_id and not needs_id:
        raise InvalidInput(f"`{verb}` takes no id: {_line(verb)}. To see one execution: {_line(Verb.SUMMARY)}.")
    if is_here and _ME in words:
        raise InvalidInput(f"Either `here`, for this channel, or `me`: {_line(verb)}.")
    if len(set(levels)) > 1:
        raise InvalidInput(f"One of `progress`, `phase` and `final`, please: {_line(verb)}.")
    if verb is Verb.SUMMARY and (levels or is_here or _ME in words):
        raise InvalidInput(f"Did you mean `{COMMAND} subscribe {' '.join([execution_id, *words])}`?")
    if levels and verb is not Verb.SUBSCRIBE:
        raise InvalidInput(f"`{levels[0]}` belongs to `subscribe`; here the line is {_line(verb)}.")
    return Asked(verb, execution_id, is_here, levels[0] if levels else None)


def _unknown(word: str, words: list[str], execution_id: str) -> InvalidInput:
    """The sentence for a word that is none of ours: the line that was probably meant, else help."""
    if _NEARLY_AN_ID.fullmatch(word):
        return InvalidInput(
            f"{_quoted(word)} is not a whole execution id: it looks like `e19d3faf-9f04-9685-e5c0-fbe8d40b96cd`."
        )
    nearest = get_close_matches(word, _WORDS, n=1, cutoff=0.6)
    if not nearest:
        return InvalidInput(f"I do not know {_quoted(word)}. `{COMMAND} help` shows what I know.")
    meant = [nearest[0] if each == word else each for each in words if each == word or each in _WORDS]
    verbs = [each for each in meant if each in _VERBS]
    others = [each for each in meant if each not in _VERBS]
    line = " ".join([COMMAND, *verbs, *([execution_id] if execution_id else []), *others])
    return InvalidInput(f"I do not know {_quoted(word)}. Did you mean `{line}`?")


def _line(verb: Verb) -> str:
    """The right line, as code."""
    return f"`{_LINES[verb]}`"


def _quoted(word: str) -> str:
    """A word that was typed, as code; `bot.blocks` escapes the sentence that it stands in, code spans excepted."""
    return f"`{word[:40].replace('`', '')}`"
