"""Which requests of Slack were worked on already, by any copy of the bot. The Lua script is beside its caller."""

from bot.store.requests.requests import REMEMBERED, Requests

__all__ = ["REMEMBERED", "Requests"]
