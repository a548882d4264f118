"""How large a run is.

Lives here: `Scale`, and the two scales in use. Does not live here: what follows from it (`plan`). Called by `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass


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
)
