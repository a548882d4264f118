"""Replies that only what is typed to the bot has: that it was not understood, that the answer comes elsewhere.

Lives here: these. Does not live here: the replies that commands have as well (`bot.blocks.replies`). Called by
`handlers` and by `bot.slack.conversation`.
"""

from __future__ import annotations

from bot.blocks import text
from bot.blocks.language import _
from bot.blocks.message import Message, context, message, section

COMMAND = "/execution"

EXAMPLES = ("germline", "subscribe germline", "running", "list")
"""Lines that parse."""


def not_understood(sentence: str) -> Message:
    """What was wrong with a line that was probably no command, and what is one. `sentence` is escaped here."""
    problem = text.prose(sentence)
    shape = _(
        "Send me what you would type after {command}, for example {examples}. {help} shows everything I understand."
    )
    hint = shape.format(command=f"`{COMMAND}`", examples=text.series(f"`{line}`" for line in EXAMPLES), help="`help`")
    rule = _("I say this at most once an hour. When I understand you, I always answer.")
    return message([section(f"⚠️ {problem}", hint), context(rule)], problem, hint, rule)


def elsewhere(reply: Message, channel_id: str) -> Message:
    """A reply in direct messages to what was asked in a channel, where the bot cannot write."""
    shape = _("You asked me in {channel}, where I cannot reply.")
    line = shape.format(channel=text.channel(channel_id))
    return Message((*filter(None, [context(line)]), *reply.blocks), f"{line}\n{reply.text}")
