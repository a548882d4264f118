"""The brake on endings, shared by every copy of the bot. The Lua scripts are beside the Python that runs them."""

from bot.store.brake.brake import DEAD, LEAST, NOT_FOUND, Brake, Braked, undeliverable

__all__ = ["DEAD", "LEAST", "NOT_FOUND", "Brake", "Braked", "undeliverable"]
