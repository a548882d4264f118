"""Rules: how late new executions are found, and what ten thousand that are followed in two hundred places cost.

Lives here: the rows. Does not live here: what runs (`finding`), its clock (`virtual`). Called by `__main__`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from benchmarks.delays import MANY, TARGETS
from benchmarks.finding import PLACES_EACH, RULES
from benchmarks.harness import Row, at_most, say
from benchmarks.memory import TARGET as MOST_BYTES
from benchmarks.simulation import QUOTA
from benchmarks.virtual import run_virtual

SPAN = (60.0, 200.0, 40.0)
"""Virtual seconds: to get into step; those whose runs count that begin or end; to see the last of them."""

FOUND_SECONDS = 90
"""The target of the p99 of new runs."""

END_P50, END_P99, SCHEDULE = TARGETS[0]
"""What is asked of all changes is asked of ends here."""

NAME = f"{MANY:,} executions by {RULES} rules in {RULES * PLACES_EACH} places"


async def rows() -> AsyncIterator[Row]:
    """New runs, those that end, and bytes in the store."""
    say(f"  {NAME}: {sum(SPAN):,.0f} s of virtual time …")
    seen = await run_virtual("finding:find", {"size": MANY, "page": SCHEDULE.page, "span": SPAN})
    found, ended, store = seen["found"], seen["ended"], seen["store"]
    is_valid = not found["unseen"] and not ended["unseen"] and ended["worst_minute"] <= QUOTA
    yield at_most(
        FOUND_SECONDS,
        found["p99"],
        unit="s",
        is_valid=is_valid,
        name=f"{NAME}: p99 of finding a new one",
        measures="From the beginning of a run to the subscription in the last of its four places, in the simulation of "
        f"the first rows with a finder; valid only if all are found and no minute holds more than {QUOTA} calls.",
        figures=found,
    )
    for quantile, target, what in (("p50", END_P50, "median delay"), ("p99", END_P99, "p99 of the delay")):
        yield at_most(
            target,
            ended[quantile],
            unit="s",
            is_valid=is_valid,
            name=f"The same: {what} of ends",
            measures="From the end of a run to the settled change, meanwhile.",
            figures=ended if quantile == "p50" else {},
        )
    yield at_most(
        MOST_BYTES,
        store["bytes"] / MANY,
        unit="bytes",
        is_valid=store["subscriptions"] == MANY * PLACES_EACH,
        name="The same: bytes in the store per execution, for its four places together",
        measures="`used_memory` of the embedded Valkey with all of them found and polled once, 20 named steps each, "
        "less that of an empty one and of the virtual clock; rules of the default level, so without cards.",
        figures={"subscriptions": store["subscriptions"]},
    )
    say(f"  {NAME}: {seen['cpu']['filling']:.0f} s of CPU to fill the store, {seen['cpu']['running']:.0f} s to run")
