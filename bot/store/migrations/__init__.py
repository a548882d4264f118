"""Bringing rows to the schema of this version. The Lua script of each migration is here, too."""

from bot.store.migrations.migrations import Migrations

__all__ = ["Migrations"]
