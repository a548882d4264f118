"""What people had GCS do to executions. The Lua scripts are beside their caller."""

from bot.store.acts.acts import Acts

__all__ = ["Acts"]
