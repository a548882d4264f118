"""How large a run is.

Lives here: `Scale`, and the scales in use, by name. Does not live here: what follows from it (`plan`), which calls
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large a run is."""

    executions: int
    subscriptions: int
    people: int
    channels: int
    seconds: float
    """How long faults are injected."""
    lives: tuple[float, float]
    """Shortest and longest, seconds."""
    rest: float
    """How long a failed execution rests before it is retried, seconds."""
    kills: int
    restarts: int
    pauses: int
    fail_overs: int
    zombies: int
    """Fail-overs from a master that was only stopped, and resumes."""
    sockets: int
    faults: tuple[float, float]
    """Shortest and longest of the windows in which a server misbehaves, seconds; as much quiet lies between them."""
    spell: float
    """How long GCS knows nothing, Slack refuses the token, or Slack refuses each post with a code that the bot does not
    know, seconds; each comes once. 0: none of them."""
    strangers: int
    """How many bots with another region, project or workspace start on the store, of each kind."""
    full_disks: int
    """How often an embedded store has no space."""
    large_steps: int
    """How many steps the largest execution has."""
    newcomers: int
    """How many executions more begin that rules are about."""
    kinds: int
    """How many workflows, labels and projects these have."""
    rules: int
    boards: int
    """How many channels have one; a board is drawn every 30 s, which a short run does not wait for."""
    quiet_people: int
    """How many people have quiet hours."""
    acts: int
    """How many executions operators cancel; they retry half as many."""


FULL = Scale(
    executions=2000,
    subscriptions=5000,
    people=300,
    channels=120,
    seconds=570,
    lives=(60, 140),
    rest=50,
    kills=110,
    restarts=6,
    pauses=4,
    fail_overs=6,
    zombies=2,
    sockets=24,
    faults=(3, 9),
    spell=50,
    strangers=2,
    full_disks=4,
    large_steps=10_000,
    newcomers=300,
    kinds=20,
    rules=60,
    boards=20,
    quiet_people=12,
    acts=30,
)
MEDIUM = replace(
    FULL,
    executions=600,
    subscriptions=1500,
    people=100,
    channels=40,
    seconds=240,
    lives=(40, 70),
    kills=40,
    restarts=3,
    pauses=2,
    fail_overs=2,
    zombies=1,
    sockets=10,
    spell=30,
    strangers=1,
    full_disks=2,
    newcomers=100,
    kinds=8,
    rules=24,
    boards=8,
    quiet_people=6,
    acts=12,
)
SMALL = Scale(
    executions=40,
    subscriptions=100,
    people=40,
    channels=20,
    seconds=18,
    lives=(7, 12),
    rest=2,
    kills=6,
    restarts=2,
    pauses=1,
    fail_overs=0,
    zombies=0,
    sockets=3,
    faults=(1, 3),
    spell=0,
    strangers=1,
    full_disks=1,
    large_steps=10_000,
    newcomers=10,
    kinds=2,
    rules=6,
    boards=0,
    quiet_people=2,
    acts=3,
)

SCALES = {"full": FULL, "medium": MEDIUM, "small": SMALL}
"""By the names that `python -m tests.chaos` takes."""
