"""What became of each change of an execution, for those who follow it. The Lua that writes it is beside it."""

from bot.store.log.log import Logs

__all__ = ["Logs"]
