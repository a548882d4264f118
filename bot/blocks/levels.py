"""How the levels of a subscription are called. Called by the other modules of `bot.blocks`."""

from __future__ import annotations

from bot.domain.model import Level

_LEVELS = {
    Level.PROGRESS: "every step",
    Level.PHASE: "every change of phase",
    Level.FINAL: "the outcome only",
}


def level_words(level: Level) -> str:
    """What is told at a level."""
    return _LEVELS[level]
