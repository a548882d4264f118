"""When executions are polled, and how long steps take. The Lua scripts are beside the Python that runs them."""

from bot.store.schedule.schedule import LEASE, Coverage, Due, Schedule, rank_of

__all__ = ["LEASE", "Coverage", "Due", "Schedule", "rank_of"]
