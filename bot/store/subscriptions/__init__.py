"""Who follows what. Each script lies beside its caller."""

from bot.store.subscriptions.subscribers import Subscribers

__all__ = ["Subscribers"]
