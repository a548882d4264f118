"""Whose store it is. The Lua script is beside the Python that runs it."""

from bot.store.owner.owner import SCHEMA, Owner, Ownership, differences

__all__ = ["SCHEMA", "Owner", "Ownership", "differences"]
