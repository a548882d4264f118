"""The worker that notifies people: claim a lane, settle what is in doubt, render, wait for admission, send, record.

Lives here: the order of sending and recording (`notifier`), the delivery of one lane (`delivery`), calls to Slack under
its limits (`messenger`), sends without a receipt (`reconcile`), destinations that cannot be reached (`dead_letters`).
Does not live here: how messages look (`bot.blocks`), the calls themselves (`bot.slack.messages`), Slack's limits
(`bot.store.slack_limits`), writing to the store (`bot.store.outbox`). Started by `bot.app.workspace`; meets the other
workers in the store only. Only this package posts or edits messages.
"""

from bot.workers.notifier.notifier import Notifier

__all__ = ["Notifier"]
