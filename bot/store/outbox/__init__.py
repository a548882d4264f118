"""What is to be delivered to whom, receipts, dead letters. The Lua scripts are beside the Python that runs them."""

from bot.store.outbox.dead_letters import DeadLetter
from bot.store.outbox.outbox import IN_FLIGHT, LEASE, RECENT, Claim, Outbox

__all__ = ["IN_FLIGHT", "LEASE", "RECENT", "Claim", "DeadLetter", "Outbox"]
