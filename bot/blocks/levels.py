"""Names of the levels of a subscription.

Lives here: `level_words`, `subscription_words`. Does not live here: what a level means (`bot.domain.following.Level`).
Called by the other modules of `bot.blocks`.
"""

from __future__ import annotations

from bot.blocks.language import N_, _
from bot.domain.following import Level

_LEVELS = {
    Level.FAILURES: N_("failures only"),
    Level.FINAL: N_("failures and the end"),
    Level.MILESTONES: N_("phases and every quarter"),
    Level.STEPS: N_("every step"),
}


def level_words(level: Level) -> str:
    """Which changes a level includes, in a few words; that of another version includes everything."""
    return _(_LEVELS.get(level, _LEVELS[Level.STEPS]))


def subscription_words(level: Level, *, announces_success: bool) -> str:
    """The same of a subscription, which may post successes outside the thread of a channel, too."""
    words = level_words(level)
    if not announces_success or level is Level.FAILURES:
        return words
    return _("{level}; successes also in the channel").format(level=words)
