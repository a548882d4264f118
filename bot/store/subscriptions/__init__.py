"""Who follows what. The Lua scripts are beside the Python that runs them."""

from bot.store.subscriptions.subscribers import Subscribers

__all__ = ["Subscribers"]
