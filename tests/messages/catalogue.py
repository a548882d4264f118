"""All examples, by surface.

Lives here: the order of the page. Does not live here: the examples (the neighbours). Called by the page and the tests.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.messages.acting import ACTING
from tests.messages.boards import BOARD_REPLIES, BOARDS
from tests.messages.cards import CARDS, SHARED, SUMMARIES
from tests.messages.ends import AWAY, ENDS
from tests.messages.example import Example, Said, Surface, said
from tests.messages.logs import LOGS
from tests.messages.replies import REPLIES
from tests.messages.rules import RULE_NEWS, RULE_REPLIES
from tests.messages.thread import OWNERS, THREAD
from tests.messages.views import HOME, MODALS

CATALOGUE: tuple[Surface, ...] = (
    CARDS,
    ENDS,
    AWAY,
    THREAD,
    OWNERS,
    RULE_NEWS,
    BOARDS,
    SUMMARIES,
    SHARED,
    REPLIES,
    RULE_REPLIES,
    BOARD_REPLIES,
    LOGS,
    HOME,
    MODALS,
    ACTING,
)


def everything() -> Iterator[tuple[Surface, Example, list[Said]]]:
    """Each example with what is said in each language."""
    for surface in CATALOGUE:
        for example in surface.examples:
            yield surface, example, said(example, surface.place)
