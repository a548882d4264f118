"""Who follows what. The Lua scripts are beside the Python that runs them."""

from bot.store.subscriptions.subscribers import Decided, Subscribers, SubscriptionChanged

__all__ = ["Decided", "Subscribers", "SubscriptionChanged"]
