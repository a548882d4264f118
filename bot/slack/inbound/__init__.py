"""How Slack's requests reach Bolt: Socket Mode or HTTP.

Lives here: opening, supervising and closing the connection (`socket_mode`, `http_mode`), when to connect again
(`reconnects`), whether a request is Slack's (`signatures`, `sender`) and can be read (`payloads`), and which were
refused (`refusals`). Does not live here: what happens to a request (`handlers`). Called by `bot.app.workspace`, which
starts exactly one of the two.
"""

from bot.slack.inbound.dispatch import IDENTITY
from bot.slack.inbound.http_mode import PATH, HTTPMode
from bot.slack.inbound.sender import Sender
from bot.slack.inbound.socket_mode import SocketMode, two_apps

__all__ = ["IDENTITY", "PATH", "HTTPMode", "Sender", "SocketMode", "two_apps"]
