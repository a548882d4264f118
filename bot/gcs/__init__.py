"""The door to GeneContainer Service: signed HTTP out, executions in.

Lives here: credentials (`auth`), one bounded exchange over HTTP (`wire`), what a refusal means (`failures`) and when it
stops all calls (`hold`), the answers as they arrive (`models`, `reading`) or at a glance (`fingerprint`), and the
client that puts these together (`client`). Does not live here: when to look and what follows from it
(`bot.workers.watcher`). Called by `subscriptions`, `watcher` and the service.
"""
