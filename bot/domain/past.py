"""What earlier runs of a workflow say: nouns, and under which names they are remembered.

Lives here: `Typical`, `End`, `Past`, and the stems of numbered names. Does not live here: what follows for a run that
is under way (`estimate`, `alarms`), where it is kept (`bot.store.schedule.history`). Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from bot.domain.execution import Execution, Step, Value
from bot.domain.snapshot import Usual

WIDE = 30
"""More steps than this with one stem are remembered together: their number differs from run to run."""

LEAST_STEM = 3
"""A shorter stem of a run's name stands for no workflow."""

_NUMBER = re.compile(r"[-_. ]*(?:\d+[-_. ]?of[-_. ]?)?\d+\Z", re.IGNORECASE)
"""A number at the end of a name: `-12`, `_3-of-20`."""

_COUNTED = re.compile(
    r"(?<![a-z])(?:chr(?:om)?|shard|part|batch)(?:[-_.]?(?:\d+)|(?<=chr)(?:[xym]|mt|un))\Z", re.IGNORECASE
)
"""The same with the word that it counts: `chr3`, `shard-7`, `chrX`."""

_SEPARATORS = "-_. "


class End(Value, frozen=True):
    """How one run of a workflow ended. A run that is retried ends more than once."""

    id: str
    """Of the execution."""
    phase: str
    at: datetime
    name: str = ""
    step: str = ""
    """The first step that failed."""
    reason: str = ""
    """That step's, or the execution's."""
    elapsed: timedelta | None = None
    """How long it took from its start."""
    is_retried: bool = False
    """It had ended before, or was suspended: `elapsed` holds time in which nothing ran."""


class Past(NamedTuple):
    """How the last runs of a workflow ended."""

    ends: tuple[End, ...] = ()
    """At most 10, the newest first."""
    last_good: End | None = None
    """The last one that succeeded, which may be older than all of `ends`."""


class Typical(NamedTuple):
    """How long a workflow takes."""

    run: Usual | None = None
    steps: Mapping[str, Usual] = {}
    """By `step_keys`; without steps about which too little is known."""
    wait: Usual | None = None
    """Before it begins to run."""


NOTHING_TYPICAL = Typical()


@lru_cache(maxsize=10_000)
def stem_of(name: str) -> str:
    """`name` without the numbers at its end: `haplotype-caller` for `haplotype-caller-chr12`, `shard` for `shard-7`.

    A name that consists of numbers is its own stem.
    """
    shorter = [pattern.sub("", name).rstrip(_SEPARATORS) for pattern in (_COUNTED, _NUMBER)]
    return next((stem_of(stem) for stem in shorter if stem not in {"", name}), name)


def workflow_key(execution: Execution) -> str:
    """What the workflow of a run is remembered by: its id or name, else `~` and the stem of the run's name.

    Empty for a run from a file whose name has no number at its end: nothing says which others are like it.
    """
    if known := execution.workflow_id or execution.workflow_name:
        return known
    stem = stem_of(execution.name)
    return f"~{stem}" if LEAST_STEM <= len(stem) < len(execution.name) else ""


def step_keys(steps: Iterable[Step]) -> Mapping[str, str]:
    """What each step is remembered by, by its name: that name, or the stem where more than `WIDE` share one."""
    stems = {step.name: stem_of(step.name) for step in steps}
    sizes = Counter(stems.values())
    return {name: f"{stem}*" if sizes[stem] > WIDE else name for name, stem in stems.items()}
