"""Reads GCS's lists: one call shows a thousand executions, and the watcher polls those that changed.

Lives here: the loop (`sweeper`), one reading of the whole list (`round`), how fast, in which pages and whether at all
(`pacing`); new executions that rules follow (`finder`, `scan`). Does not live here: polling single executions
(`bot.workers.watcher`), comparing a list with the last polls (`listed.lua` behind `bot.store.schedule`). Started by the
service; meets the other workers in the store only.

A list is a hint and never evidence: it makes a poll come sooner, or delays it for a while. Whatever it loses, repeats
or shows late costs a poll or some time, never a change, since every execution keeps a due time of its own.
"""

from bot.workers.sweeper.finder import Finder
from bot.workers.sweeper.sweeper import Sweeper

__all__ = ["Finder", "Sweeper"]
