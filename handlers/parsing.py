"""The grammar of what people type after `/execution`.

Lives here: `parse`, and which problem a command has that does not fit. Does not live here: lines about rules, boards
and quiet hours (`handlers.rule_lines`, `handlers.hours_lines`), what each word stands for (`handlers.vocabulary`), how
a line becomes words (`handlers.typed`), what a command does (`handlers.commands`), the sentence for a problem
(`bot.blocks.sentences`). Called by `handlers.commands`; pure.

A word that is not known is a name, or a part of one. Each suggestion is parsed before it is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from bot.domain.following import Level
from bot.errors import InputProblem, InvalidInput
from handlers.hours_lines import hours_line
from handlers.rule_lines import board_line, rule_line
from handlers.typed import ELSEWHERE, MAX_NAME, MAX_WORD, Typed, Word, line_words, read
from handlers.vocabulary import (
    ABOUT_ONE,
    ALL_OF_THEM,
    COMMAND,
    EVERYTHING,
    FILLERS,
    HERE,
    IN_PHASE,
    KNOWN,
    LANGUAGES,
    LEVEL_MEANT,
    LEVELS,
    LISTING,
    ME,
    MEANT,
    SPANS,
    VERBS,
    WITH_MUTE,
    Command,
    Verb,
)

_NEARLY_AN_ID = re.compile(r"(?=.*\d)[0-9a-fx-]{32,}", re.IGNORECASE)
"""As long as an id, and none: something is missing, or is too much."""

_LOOKS_NAMED = re.compile(r"\w[._-]\w|\d")

_NEAR_MUCH = {"board"}
"""Words that other short words are near to."""

_MAX_SLIPS = 3
"""At most how many words are tried for being misspelled: a longer text is a name, or prose."""

_MAX_LINE = 200
"""At most how long a suggestion is, in characters."""

_VERBS = VERBS | dict.fromkeys(LANGUAGES, Verb.LANGUAGE)
"""A language says what is wanted without its verb, too."""


def parse(text: str) -> Command:
    """What `text` asks for; words may stand in any order.

    Raises:
        InvalidInput: it is no command; the problem is one of the first in `InputProblem`.
    """
    typed = line_words(text)
    if (special := board_line(typed) or rule_line(typed)) is not None:
        return special
    known, unknown = _sorted(typed.words)
    if {VERBS[word] for word in known if word in VERBS} == {Verb.QUIET}:
        return hours_line(typed)
    if any(word.known.startswith(ELSEWHERE) for word in unknown):
        raise InvalidInput(InputProblem.ELSEWHERE)
    unknown = _without_fillers(known, unknown, typed)
    if typed.ids and {VERBS[word] for word in known if word in VERBS} <= IN_PHASE:  # "is it running?"
        known = [word for word in known if word not in VERBS]
    verb = _verb(known, is_about_one=bool(typed.ids or unknown))
    is_span = verb is Verb.MUTE and len(unknown) > (not typed.ids)  # names have no spaces
    if is_span and not _corrected(typed, known, unknown):
        raise InvalidInput(InputProblem.WHICH_SPAN, verb=verb)
    if unknown and (typed.ids or verb not in ABOUT_ONE or _slip(typed, known, unknown)):
        raise _not_understood(typed, known, unknown, verb)
    if any(_NEARLY_AN_ID.fullmatch(word.known) for word in unknown):
        raise InvalidInput(InputProblem.INCOMPLETE_ID, word=unknown[0].shown[:MAX_WORD])
    query = " ".join(word.shown for word in unknown)
    if len(query) > MAX_NAME:
        raise InvalidInput(InputProblem.UNKNOWN_WORD, word=query[:MAX_WORD])
    if len(typed.ids) > 1:
        raise InvalidInput(InputProblem.SEVERAL_IDS, verb=verb)
    return _checked(verb, typed.ids[0] if typed.ids else "", query, known)


def _without_fillers(known: Sequence[str], unknown: list[Word], typed: Typed) -> list[Word]:
    """Without `to`, `of` and the like, where something else says which execution is meant, or none is."""
    verbs = {VERBS[word] for word in known if word in VERBS}
    is_about_one = not verbs or verbs & ABOUT_ONE
    others = [word for word in unknown if word.known not in (FILLERS if is_about_one else ALL_OF_THEM)]
    return others if typed.ids or others or not is_about_one else unknown


def named(text: str) -> Command:
    """What a text means that stands where only a name, a part of one, or an id can: in a field of a modal.

    Raises:
        InvalidInput: it is none.
    """
    typed = read(text)
    query = " ".join(word.shown for word in typed.words)
    if len(typed.ids) > 1:
        raise InvalidInput(InputProblem.SEVERAL_IDS, verb=Verb.SUBSCRIBE)
    if typed.ids:
        return Command(Verb.SUBSCRIBE, typed.ids[0])
    if not query:
        raise InvalidInput(InputProblem.MISSING_ID, verb=Verb.SUBSCRIBE)
    if any(_NEARLY_AN_ID.fullmatch(word.known) for word in typed.words):
        raise InvalidInput(InputProblem.INCOMPLETE_ID, word=query[:MAX_WORD])
    if len(query) > MAX_NAME:
        raise InvalidInput(InputProblem.NOT_NAMED, word=query[:MAX_WORD])
    return Command(Verb.SUBSCRIBE, query=query)


def is_prose(text: str) -> bool:
    """Whether a line is several words of which none is ours, or an emoji: names of executions have no spaces."""
    typed = read(text)
    known, unknown = _sorted(typed.words)
    is_sign = bool(text.strip()) and not typed.words
    return (len(unknown) > 1 or is_sign) and not (typed.ids or known)


def is_attempt(text: str) -> bool:
    """Whether a line that did not work was meant for the bot: it begins with a verb, or has an id or a name in it.

    A single word with a digit, a dot or a hyphen counts as a name, as those of executions have.
    """
    typed = read(text)
    if typed.ids or not typed.words:
        return bool(typed.ids) or not text.strip()
    first = typed.words[0]
    if first.known in VERBS or first.known in MEANT:
        return True
    return len(typed.words) == 1 and _LOOKS_NAMED.search(first.known) is not None


def _sorted(words: Iterable[Word]) -> tuple[list[str], list[Word]]:
    """The words that are known, and the others."""
    words = list(words)
    verbs = {VERBS.get(word.known) for word in words}
    ours = KNOWN if verbs & ABOUT_ONE else {*KNOWN, *LANGUAGES}  # a run may be called `en`
    if Verb.MUTE in verbs:
        ours = ours | WITH_MUTE
    return [word.known for word in words if word.known in ours], [word for word in words if word.known not in ours]


def _verb(known: Sequence[str], *, is_about_one: bool) -> Verb:
    typed = {_VERBS[word]: word for word in known if word in _VERBS}
    verbs = set(typed)
    if Verb.HELP in verbs:  # "help subscribe"
        return Verb.HELP
    if verbs & IN_PHASE and verbs <= LISTING:  # "list running"
        verbs -= {Verb.LIST, Verb.SUMMARY}
    if len(verbs) > 1 and verbs <= {Verb.SUMMARY, Verb.LIST, Verb.LOG}:  # "show log"
        verbs.discard(Verb.SUMMARY)
    if verbs == {Verb.SUBSCRIBE, Verb.FAILED}:  # then it is a level
        return Verb.SUBSCRIBE
    if len(verbs) > 1:
        raise InvalidInput(InputProblem.SEVERAL_VERBS, verbs=tuple(typed[verb] for verb in sorted(verbs)))
    if verbs:
        return verbs.pop()
    if is_about_one:
        return Verb.SUMMARY
    if known:
        raise InvalidInput(InputProblem.MISSING_VERB, verb=Verb.SUBSCRIBE)
    return Verb.OVERVIEW


def _checked(verb: Verb, execution_id: str, query: str, known: Sequence[str]) -> Command:
    """The command, if all words fit its verb."""
    levels = _levels(verb, known)
    is_here, with_place = HERE in known, Verb.SUBSCRIBE if verb is Verb.SUMMARY else verb
    if verb in ABOUT_ONE and not (execution_id or query):
        raise InvalidInput(InputProblem.MISSING_ID, verb=verb)
    if execution_id and verb not in ABOUT_ONE:
        raise InvalidInput(InputProblem.UNWANTED_ID, verb=verb)
    if is_here and (ME in known or verb is Verb.FORGET):  # a channel is not forgotten
        raise InvalidInput(InputProblem.HERE_AND_ME, verb=with_place)
    if len(set(levels)) > 1:
        raise InvalidInput(InputProblem.SEVERAL_LEVELS, verb=with_place)
    is_for_me = ME in known and not any(VERBS.get(word) is verb for word in known)  # but "show me" is no level
    if verb is Verb.SUMMARY and (levels or is_here or is_for_me):
        others = [word for word in known if word not in VERBS]
        if line := _suggested([Verb.SUBSCRIBE.value, execution_id or query, *others]):
            raise InvalidInput(InputProblem.SUBSCRIBE_MEANT, line=line)
        raise InvalidInput(InputProblem.MISSING_VERB, verb=Verb.SUBSCRIBE)
    languages = [LANGUAGES[word] for word in known if word in LANGUAGES]
    if verb is Verb.LANGUAGE and len(set(languages)) != 1:
        raise InvalidInput(InputProblem.WHICH_LANGUAGE, verb=verb)
    if levels and verb is not Verb.SUBSCRIBE:
        raise InvalidInput(InputProblem.UNWANTED_LEVEL, verb=verb, level=levels[0])
    spans = {SPANS[word] for word in known if word in SPANS}
    if len(spans) > 1:
        raise InvalidInput(InputProblem.WHICH_SPAN, verb=verb)
    return Command(
        verb,
        execution_id,
        is_here,
        levels[0] if levels else None,
        languages[0] if languages else None,
        query,
        span=spans.pop() if spans else None,
        is_for_everything=EVERYTHING in known,
    )


def _levels(verb: Verb, known: Sequence[str]) -> list[Level]:
    """The levels that are named; beside `subscribe`, `failed` is one."""
    is_failures = verb is Verb.SUBSCRIBE and any(VERBS.get(word) is Verb.FAILED for word in known)
    return [LEVELS[word] for word in known if word in LEVELS] + [Level.FAILURES] * is_failures


def _slip(typed: Typed, known: Sequence[str], unknown: Sequence[Word]) -> bool:
    """Whether a word that could be a name is rather one of ours, misspelled."""
    return bool(_corrected(typed, known, unknown)) or (
        len(unknown) == 1 and not (typed.ids or known) and _verb_alone(unknown[0]) is not None
    )


def _not_understood(typed: Typed, known: Sequence[str], unknown: Sequence[Word], verb: Verb) -> InvalidInput:
    """The problem with an unknown word: misspelled, part of an id, out of place, or neither."""
    if corrected := _corrected(typed, known, unknown):
        word, line = corrected
        return InvalidInput(InputProblem.MISSPELLED_WORD, word=word.shown[:MAX_WORD], line=line)
    if any(_NEARLY_AN_ID.fullmatch(word.known) for word in unknown):
        return InvalidInput(InputProblem.INCOMPLETE_ID, word=unknown[0].shown[:MAX_WORD])
    if not (typed.ids or known) and (meant := _verb_alone(unknown[0])) is not None:
        return InvalidInput(InputProblem.MISSING_ID, verb=meant)
    if verb is Verb.LANGUAGE:
        return InvalidInput(InputProblem.WHICH_LANGUAGE, verb=verb)
    if not typed.ids and verb not in ABOUT_ONE:
        return InvalidInput(InputProblem.UNWANTED_ID, verb=verb)
    return InvalidInput(InputProblem.UNKNOWN_WORD, word=unknown[0].shown[:MAX_WORD])


def _corrected(typed: Typed, known: Sequence[str], unknown: Sequence[Word]) -> tuple[Word, str] | None:
    """The first word that was misspelled, and the line with the right ones; None if no such line parses."""
    found = {word: meant for word in unknown if (meant := _meant(word, typed, known, unknown))}
    if len(unknown) > _MAX_SLIPS:
        return None
    for words in ([*found], *([word] for word in found)):
        right = [each for word in words for each in found[word]]
        others = [each.shown for each in unknown if each not in words]
        if words and (line := _suggested(_in_order([*known, *right], [*typed.ids, *others]))):
            return words[0], line
    return None


def _meant(word: Word, typed: Typed, known: Sequence[str], unknown: Sequence[Word]) -> tuple[str, ...]:
    """What a word was probably meant for; empty if it may well be a name."""
    verbs, is_name_alone = [VERBS[each] for each in known if each in VERBS], len(unknown) == 1 and not typed.ids
    if is_name_alone and verbs and verbs[0] in ABOUT_ONE:
        return ()  # what follows such a verb is a name
    if Verb.SUBSCRIBE in verbs and word.known in LEVEL_MEANT:
        return (LEVEL_MEANT[word.known],)
    if not verbs and word.known in MEANT:
        return MEANT[word.known]
    words = (KNOWN - set(VERBS) if verbs else VERBS.keys() if is_name_alone else KNOWN) - _NEAR_MUCH
    nearest = _nearest(word, sorted(words))
    if nearest in VERBS and not nearest.isascii():
        nearest = VERBS[nearest].value
    return (str(LEVELS.get(nearest, nearest)),) if nearest else ()


def _verb_alone(word: Word) -> Verb | None:
    """The verb that a word alone is meant for, rather than for a name; None if it may well be one."""
    nearest = _nearest(word, sorted({*VERBS, *MEANT}), cutoff=0.85)
    return VERBS[MEANT.get(nearest, (nearest,))[0]] if nearest else None


def _nearest(word: Word, words: Sequence[str], cutoff: float = 0.7) -> str:
    """The word of `words` that was probably meant; empty for none."""
    return next(iter(get_close_matches(word.known, words, n=1, cutoff=cutoff)), "")


def _in_order(known: Sequence[str], about: Sequence[str]) -> list[str]:
    """Verb, what it is about, and the rest."""
    verbs = [word for word in known if word in VERBS]
    return [*verbs, *about, *(word for word in known if word not in VERBS)]


def _suggested(words: Sequence[str]) -> str:
    """The line with `words`; empty if it does not parse, or cannot be shown as it is."""
    line = " ".join(words)
    if len(line) > _MAX_LINE or "`" in line:
        return ""
    try:
        parse(line)
    except InvalidInput:
        return ""
    return f"{COMMAND} {line}"
