"""What is to be delivered to whom, receipts, dead letters. Each script lies beside its caller."""

from bot.store.outbox.outbox import IN_FLIGHT, LEASE, Claim, DeadLetter, Outbox

__all__ = ["IN_FLIGHT", "LEASE", "Claim", "DeadLetter", "Outbox"]
