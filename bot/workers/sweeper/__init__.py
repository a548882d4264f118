"""The room that reads GCS's lists: one call shows a thousand executions, and the watch looks where something is new.

Lives here: whether a list is worth its calls, how fast its pages follow each other, which executions dropped out of it.
Does not live here: the looks themselves (`bot.workers.watcher`), the comparison (`listed.lua` behind
`bot.store.schedule`), the rule what pays (`bot.domain.observing`). Started by the service; meets the other rooms in
the store only.

A list is a hint, never a witness: it makes a look come sooner, or spares one for a while. What it loses (an execution
that moves between pages while they are read, a list that lags or repeats) costs a look or some time, never a change,
because every execution keeps a due time of its own.
"""

from bot.workers.sweeper.sweeper import Sweeper

__all__ = ["Sweeper"]
