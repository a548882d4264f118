"""Catch-up messages after quiet times. The Lua scripts are beside the Python that runs them."""

from bot.store.catch_ups.catch_ups import CatchUps, Entered

__all__ = ["CatchUps", "Entered"]
