"""One group of rows, measured and printed as it goes.

Lives here: `measured`. Does not live here: which groups there are, and what runs together (`__main__`, which calls
this). A process that is spawned cannot find a function of `__main__`.
"""

from __future__ import annotations

from importlib import import_module
from time import monotonic

import uvloop

from benchmarks.harness import Row, say
from benchmarks.report import listed


def measured(name: str, began: float) -> list[Row]:
    """The rows of the group called `name`, in an event loop of their own; times are printed since `began`."""
    return uvloop.run(_rows(name, began))


async def _rows(name: str, began: float) -> list[Row]:
    """The rows of one group; each is printed as it comes."""
    found, since = [], monotonic()
    say(f"{name} …", since=began)
    async for row in import_module(f"benchmarks.{name}").rows():
        say(
            f"{'met   ' if row.is_met else 'MISSED'} {row.name}: {row.value:.3g} {row.unit} ({row.target})", since=began
        )
        if row.figures:
            say(f"        {listed(row.figures)}")
        found.append(row)
    say(f"{name}: {monotonic() - since:.0f} s", since=began)
    return found
