"""The door to Slack: calls out (`client`) and the connection in (`inbound`).

Does not live here: listeners (`handlers`), how messages look (`bot.blocks`), when they are sent
(`bot.workers.notifier`).
"""
