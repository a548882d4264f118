"""Links to messages of the bot in Slack.

Lives here: `message_link`. Does not live here: links to anything else, of which there are none. Called by
`bot.blocks.board`, `bot.blocks.catch_up` and `bot.blocks.log`.
"""

from __future__ import annotations

import re

from bot.blocks import text

_BAR = "\u2223"
"""Stands for a bar in a label, which looks the same: in a link, a bar stands before the label."""
_TS = re.compile(r"\d{1,16}\.\d{1,9}")


def message_link(label: str, *, address: str, channel_id: str, ts: str, thread_ts: str = "") -> str:
    """`label`, which is safe, as a link to a message, or to one in a thread; as it is where that is not known.

    `address` is that of the workspace.
    """
    channel = text.identifier(channel_id)
    if not (address and channel and _TS.fullmatch(ts)):
        return label
    thread = f"?thread_ts={thread_ts}&amp;cid={channel}" if _TS.fullmatch(thread_ts) else ""
    return f"<{address}archives/{channel}/p{ts.replace('.', '')}{thread}|{label.replace('|', _BAR)}>"
