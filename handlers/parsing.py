"""The grammar of what people type after `/execution`.

Lives here: `parse`, and which problem a command has that does not fit. Does not live here: what a command does
(`handlers.commands`), the sentence for a problem (`bot.blocks.sentences`). Called by `handlers.commands`; pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from bot.blocks.language import Language
from bot.domain.model import Level
from bot.errors import InputProblem, InvalidInput

COMMAND = "/execution"

_ID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])", re.IGNORECASE)
"""An execution id. GCS's ids are not always RFC 4122 UUIDs (reference 1.1)."""

_LINK = re.compile(r"<[^<>]*>")
_NEARLY_AN_ID = re.compile(r"(?=.*\d)[0-9a-fx-]{12,}", re.IGNORECASE)
_WRAPPING = "\"'`“”„‘’‚«»()[]{}<>*_~.,;:!"
"""What may surround a word that was quoted, pasted or stands at the end of a sentence."""

_MAX_WORD = 40
"""How much of an unknown word an error repeats, in characters."""


class Verb(StrEnum):
    """What a command asks for."""

    SUMMARY = "summary"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    LIST = "list"
    FORGET = "forget-me"
    LANGUAGE = "language"
    HELP = "help"


_LANGUAGES: dict[str, Language | None] = {
    "en": Language.ENGLISH,
    "english": Language.ENGLISH,
    "zh": Language.CHINESE,
    "chinese": Language.CHINESE,
    "中文": Language.CHINESE,
    "auto": None,
}
"""The word for each language; `auto` for that of the person's Slack."""

_VERBS: dict[str, Verb] = {verb.value: verb for verb in Verb} | {
    "status": Verb.SUMMARY,
    "show": Verb.SUMMARY,
    "follow": Verb.SUBSCRIBE,
    "unfollow": Verb.UNSUBSCRIBE,
    "forget": Verb.FORGET,
    "?": Verb.HELP,
    "语言": Verb.LANGUAGE,
}
_LEVELS: dict[str, Level] = {level.value: level for level in Level} | {
    "failure": Level.FAILURES,
    "milestone": Level.MILESTONES,
    "step": Level.STEPS,
    "phase": Level.MILESTONES,
    "progress": Level.STEPS,
}
"""The last two are former words."""
_HERE, _ME = "here", "me"
_WORDS = [*_VERBS, *_LEVELS, _HERE, _ME]
_KNOWN = {*_WORDS, *_LANGUAGES}


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed command. `execution_id` is empty for verbs that are not about one execution."""

    verb: Verb
    execution_id: str = ""
    is_here: bool = False
    """Whether it is about the channel that it was typed in, not about the person."""
    level: Level | None = None
    language: Language | None = None
    """For `language`; None for that of the person's Slack."""


def parse(text: str) -> Command:
    """What `text` asks for; words may stand in any order.

    Raises:
        InvalidInput: it is no command; the problem is one of the first in `InputProblem`.
    """
    ids = {found.casefold() for found in _ID.findall(text)}
    words = list(_words(text))
    unknown = [word for word in words if word not in _KNOWN]
    if unknown:
        raise _unknown(unknown[0], words, next(iter(ids), ""))
    verb = _verb(words, has_id=bool(ids))
    if len(ids) > 1:
        raise InvalidInput(InputProblem.SEVERAL_IDS, verb=verb)
    return _checked(verb, next(iter(ids), ""), words)


def _words(text: str) -> Iterable[str]:
    """The words other than ids and links to ids, in lower case, without quotes around them."""
    without_links = _LINK.sub(lambda link: " " if _ID.search(link[0]) else link[0], text)
    for token in without_links.split():
        word = token.strip(_WRAPPING).casefold()
        if word and not _ID.search(token):
            yield word


def _verb(words: list[str], *, has_id: bool) -> Verb:
    verbs = {_VERBS[word] for word in words if word in _VERBS}
    if any(word in _LANGUAGES for word in words):  # says what is wanted without its verb, too
        verbs.add(Verb.LANGUAGE)
    if len(verbs) > 1:
        raise InvalidInput(InputProblem.SEVERAL_VERBS, verbs=tuple(sorted(verb.value for verb in verbs)))
    if verbs:
        return verbs.pop()
    if has_id:
        return Verb.SUMMARY
    if words:
        raise InvalidInput(InputProblem.MISSING_VERB, verb=Verb.SUBSCRIBE)
    return Verb.HELP


def _checked(verb: Verb, execution_id: str, words: list[str]) -> Command:
    """The command, if all words fit its verb."""
    levels = [_LEVELS[word] for word in words if word in _LEVELS]
    is_here = _HERE in words
    needs_id = verb in {Verb.SUMMARY, Verb.SUBSCRIBE, Verb.UNSUBSCRIBE}
    if needs_id and not execution_id:
        raise InvalidInput(InputProblem.MISSING_ID, verb=verb)
    if execution_id and not needs_id:
        raise InvalidInput(InputProblem.UNWANTED_ID, verb=verb)
    if is_here and (_ME in words or verb is Verb.FORGET):  # a channel is not forgotten
        raise InvalidInput(InputProblem.HERE_AND_ME, verb=verb)
    if len(set(levels)) > 1:
        raise InvalidInput(InputProblem.SEVERAL_LEVELS, verb=verb)
    if verb is Verb.SUMMARY and (levels or is_here or _ME in words):
        line = " ".join([COMMAND, Verb.SUBSCRIBE, execution_id, *words])
        raise InvalidInput(InputProblem.SUBSCRIBE_MEANT, line=line)
    languages = [_LANGUAGES[word] for word in words if word in _LANGUAGES]
    if verb is Verb.LANGUAGE and len(set(languages)) != 1:
        raise InvalidInput(InputProblem.WHICH_LANGUAGE, verb=verb)
    if levels and verb is not Verb.SUBSCRIBE:
        raise InvalidInput(InputProblem.UNWANTED_LEVEL, verb=verb, level=levels[0])
    return Command(verb, execution_id, is_here, levels[0] if levels else None, languages[0] if languages else None)


def _unknown(word: str, words: list[str], execution_id: str) -> InvalidInput:
    """The problem with an unknown word: part of an id, misspelled, or neither."""
    shown = word[:_MAX_WORD]
    if _NEARLY_AN_ID.fullmatch(word):
        return InvalidInput(InputProblem.INCOMPLETE_ID, word=shown)
    nearest = get_close_matches(word, _WORDS, n=1, cutoff=0.6)
    if not nearest:
        return InvalidInput(InputProblem.UNKNOWN_WORD, word=shown)
    meant = [nearest[0] if each == word else each for each in words if each == word or each in _WORDS]
    verbs = [each for each in meant if each in _VERBS]
    others = [each for each in meant if each not in _VERBS]
    line = " ".join([COMMAND, *verbs, *([execution_id] if execution_id else []), *others])
    return InvalidInput(InputProblem.MISSPELLED_WORD, word=shown, line=line)
