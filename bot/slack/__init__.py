"""Everything that talks to Slack.

Lives here: calls (`client`), messages (`messages`), answers to a request (`responses`), waiting after a 429 (`calls`),
whether a channel can be posted to (`channels`), what a failure means (`errors`), the connection through which requests
arrive (`inbound`), and the workspace that all of it belongs to (`workspace`). Does not live here: listeners
(`handlers`), how messages look (`bot.blocks`), when they are sent (`bot.workers.notifier`).
"""
