"""The room that tells people: claim a lane → settle doubts → render → take a turn → send → record.

Lives here: the order of sending and recording (`room`), how far one lane is delivered (`delivery`), priorities
(`urgency`), calls to Slack under its limits (`sending`), sends without a receipt (`doubts`), dead destinations
(`burial`). Does not live here: how messages look (`bot.blocks`), the calls themselves (`bot.slack`), whose turn it is (`bot.store.limits`),
the writing (`bot.store.outbox`). Started by the service; meets the other rooms in the store only. The only room that
posts or edits.
"""

from bot.notifier.room import Notifier

__all__ = ["Notifier"]
