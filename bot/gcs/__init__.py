"""The adapter for GeneContainer Service (GCS): signed HTTP out, executions in.

Lives here: credentials (`auth`), bounded HTTP (`http`, over `transport`), what an error answer means (`errors`), how
calls are retried (`retries`) and when they stop (`breaker`), the answers (`tables`, `values`), their fingerprints
(`fingerprint`), pages of lists (`listing`, `search_page`, `listed_ids`), the client that combines these (`client`), and
what people who ask at the same time share (`shared_reads`, `search`). Does not live here: when to poll and what follows
from it (`bot.workers.watcher`). Called by `subscriptions`, the workers and the service.
"""
