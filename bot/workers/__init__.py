"""The workers: loops that claim work from the store and do it.

`watcher` polls GCS, `sweeper` reads the lists of GCS, `notifier` posts to Slack; `pool` is the loop that they share.
They never call each other: they meet in the store.
"""
