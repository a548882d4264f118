"""What the store says about itself and about what waits in it. The Lua script is beside the Python that runs it."""

from bot.store.inspection.inspection import Backlog, Inspection, ServerState

__all__ = ["Backlog", "Inspection", "ServerState"]
