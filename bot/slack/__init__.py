"""Everything that talks to Slack.

Lives here: calls (`client`), messages (`messages`), replies to a request (`responses`) and to typed words
(`conversation`), waiting after a 429 (`calls`), who may use the bot (`access`), whether a channel can be posted to
(`channels`), who reads which language (`languages`), what a failure means (`errors`), the connection through which
requests arrive (`inbound`), and the workspace that all of it belongs to (`workspace`). Does not live here: listeners
(`handlers`), how messages look (`bot.blocks`), when they are sent (`bot.workers.notifier`).
"""
