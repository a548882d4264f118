"""The adapter for GeneContainer Service (GCS): signed HTTP out, executions in.

Lives here: credentials (`auth`), bounded HTTP (`http`, over `transport`), what an error answer means (`errors`), when
calls stop (`breaker`), the answers (`tables`, `values`), their fingerprints and list pages (`fingerprint`), and the
client that combines these (`client`). Does not live here: when to poll and what follows from it
(`bot.workers.watcher`). Called by `subscriptions`, the workers and the service.
"""
