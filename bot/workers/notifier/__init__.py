"""The worker that notifies people: claim a lane, settle what is in doubt, render, wait for admission, send, record.

Lives here: the order of sending and recording (`notifier`), which lanes are claimed (`claims`), the delivery of one
lane (`delivery`), its card (`cards`), messages about changes (`changes`), about what people did (`notices`) and about
ends that waited (`catch_up`), receipts and the end of a lane (`records`), calls to Slack under its limits
(`messenger`), who reads a channel (`audience`), sends without a receipt (`reconcile`), destinations that cannot be
reached (`dead_letters`). Does not live here: how messages look (`bot.blocks`), the calls themselves
(`bot.slack.messages`), Slack's limits (`bot.store.slack_limits`), the rows of the store (`bot.store.outbox`). Started
by `bot.app.workspace`; meets the other workers in the store only. Only this package posts or edits messages.
"""

from bot.workers.notifier.notifier import Notifier

__all__ = ["Notifier"]
