"""When each execution is polled next, and how long steps usually take. Each script lies beside its caller."""

from bot.store.schedule.schedule import LEASE, Coverage, Due, Schedule

__all__ = ["LEASE", "Coverage", "Due", "Schedule"]
