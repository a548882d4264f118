"""Names of the levels of a subscription.

Lives here: `level_words`. Does not live here: what a level means (`bot.domain.model.Level`). Called by the other
modules of `bot.blocks`.
"""

from __future__ import annotations

from bot.blocks.language import N_, _
from bot.domain.model import Level

_LEVELS = {
    Level.PROGRESS: N_("every step"),
    Level.PHASE: N_("every change of phase"),
    Level.FINAL: N_("the outcome only"),
}


def level_words(level: Level) -> str:
    """Which changes a level includes, in a few words; that of another version includes everything."""
    return _(_LEVELS.get(level, _LEVELS[Level.PROGRESS]))
