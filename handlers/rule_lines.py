"""Lines about rules and boards: what a rule is about, and what a board shows.

Lives here: the grammar of `subscribe workflow …` and `board …`. Does not live here: all other lines
(`handlers.parsing`), what rules and boards do (`handlers.commands`, `handlers.board`). Called by `handlers.parsing`,
and by the modal for a workflow; pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.blocks.board import COMMAND as BOARD
from bot.domain.following import RuleKind
from bot.domain.rules import SEPARATOR
from bot.errors import InputProblem, InvalidInput
from handlers.typed import ELSEWHERE, MAX_NAME, MAX_WORD, Typed, plain, read
from handlers.vocabulary import (
    BETWEEN,
    FILLERS,
    HERE,
    LEVELS,
    ME,
    RULES,
    STARTS,
    STOPS,
    VERBS,
    Command,
    RuleWords,
    Verb,
)

_BETWEEN_LABELS = re.compile(r"[,，、;；](?=[^,，、;；]*[=＝])")

_MAX_LABELS = 5
"""At most how many labels a rule names."""


def workflow_named(text: str) -> tuple[str, ...]:
    """What a rule is about, where only the name of a workflow or its id can stand.

    Raises:
        InvalidInput: it is none.
    """
    typed = read(text)
    values = _rule_values(RuleKind.WORKFLOW, [word.shown for word in typed.words], typed.ids)
    if not all(values):
        raise InvalidInput(InputProblem.MISSING_WORKFLOW)
    return values


def rule_line(typed: Typed) -> Command | None:
    """A command about a rule: `subscribe workflow …`; None for any other.

    Raises:
        InvalidInput: it names nothing, or its words do not fit.
    """
    words = list(typed.words)
    verb = VERBS.get(words[0].known) if words else None
    while len(words) > 1 and words[1].known in BETWEEN:
        del words[1]
    while len(words) > 3 and words[2].known in BETWEEN:  # noqa: PLR2004  # "workflow of x"
        del words[2]
    kind = RULES.get(words[1].known) if len(words) > 1 else None
    if kind is None or verb not in {Verb.SUBSCRIBE, Verb.UNSUBSCRIBE}:
        return None
    rest = words[2:]
    known = [word.known for word in rest if word.known in {*LEVELS, HERE, ME}]
    levels = [LEVELS[word] for word in known if word in LEVELS]
    if HERE in known and ME in known:
        raise InvalidInput(InputProblem.HERE_AND_ME, verb=verb)
    if len(set(levels)) > 1:
        raise InvalidInput(InputProblem.SEVERAL_LEVELS, verb=verb)
    if levels and verb is Verb.UNSUBSCRIBE:
        raise InvalidInput(InputProblem.UNWANTED_LEVEL, verb=verb, level=levels[0])
    values = _rule_values(kind, [word.shown for word in rest if word.known not in known], typed.ids)
    if not values or not all(values):
        raise InvalidInput(InputProblem.MISSING_RULE, kind=kind)
    level = levels[0] if levels else None
    return Command(verb, is_here=HERE in known, level=level, rule=RuleWords(kind, values))


def board_line(typed: Typed) -> Command | None:
    """A command about the board of a channel: `board [workflow <name>] [stop]`; None for any other.

    Raises:
        InvalidInput: its words do not fit.
    """
    words = [word for word in typed.words if word.known not in FILLERS]
    is_off = len(words) > 1 and VERBS.get(words[1].known) is Verb.BOARD and words[0].known in STOPS
    if words and words[0].known in {*STARTS, *STOPS}:
        words = words[1:]
    if not words or VERBS.get(words[0].known) is not Verb.BOARD:
        return None
    rest = [word for word in words[1:] if word.known != HERE]
    if any(word.known == ME for word in rest):
        raise InvalidInput(InputProblem.BOARD_NEEDS_CHANNEL, line=BOARD)
    is_off = is_off or any(word.known in STOPS for word in rest[:1] + rest[-1:])
    rest = [word for word in rest if word.known not in STOPS]
    if rest and RULES.get(rest[0].known) is RuleKind.WORKFLOW:
        rest = rest[1:]
        if not rest and not typed.ids:
            raise InvalidInput(InputProblem.MISSING_RULE, kind=RuleKind.WORKFLOW)
    names = [word.shown for word in rest]
    (workflow,) = _rule_values(RuleKind.WORKFLOW, names, typed.ids)
    return Command(Verb.BOARD, is_here=True, query=workflow, is_off=is_off)


def _rule_values(kind: RuleKind, words: Sequence[str], ids: Sequence[str]) -> tuple[str, ...]:
    """What a rule is about; a workflow may be named by its id.

    Raises:
        InvalidInput: a label is none, it is too much, or a channel or a person is named.
    """
    if kind is RuleKind.LABEL:
        pairs = (plain(pair) for word in words for pair in _BETWEEN_LABELS.split(word))
        words = [pair for pair in pairs if pair.casefold() not in FILLERS]
    if any(word.startswith(ELSEWHERE) for word in words):
        raise InvalidInput(InputProblem.ELSEWHERE)
    if len(" ".join(words)) > MAX_NAME or len(words) > _MAX_LABELS:
        raise InvalidInput(InputProblem.UNKNOWN_WORD, word=" ".join(words)[:MAX_WORD])
    if kind is not RuleKind.LABEL:
        name = " ".join(words)
        return (name or (ids[0] if kind is RuleKind.WORKFLOW and len(ids) == 1 else ""),)
    for word in words:
        key, separator, value = word.partition(SEPARATOR)
        if not (separator and key and value):
            raise InvalidInput(InputProblem.NOT_A_LABEL, word=word[:MAX_WORD])
    return tuple(dict.fromkeys(words))
