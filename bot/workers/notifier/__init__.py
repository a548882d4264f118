"""Worker that tells people: claim a lane, settle doubts, render, wait for admission, send, record.

Lives here: the order of sending and recording (`room`), the delivery of one lane (`delivery`), priorities (`priority`),
calls to Slack under its limits (`sending`), sends without a receipt (`reconcile`), dead destinations
(`dead_letters`). Does not live here: how messages look (`bot.blocks`), the calls themselves (`bot.slack.client`),
Slack's limits (`bot.store.slack_limits`), writing to the store (`bot.store.outbox`). Started by the service; meets
the other workers in the store only. Only this package posts or edits messages.
"""

from bot.workers.notifier.notifier import Notifier

__all__ = ["Notifier"]
