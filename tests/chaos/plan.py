"""What happens in a run, decided beforehand from the seed: lives, wishes and faults.

Lives here: `Plan`, and how faults are drawn. Pure: the same seed and scale give the same plan. Does not live here: what
begins and what people want (`wishes`), how much of everything (`scale`), doing it (`arena`, `people`), judging it
(`verdict`). Called by `arena`. A seed does not repeat the timing of the machine: which call a fault hits, and between
which two instructions a kill falls.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tests.chaos import wishes
from tests.chaos.scale import Scale
from tests.chaos.wishes import ActWish, BoardWish, HoursWish, Role, RuleWish, Wish

REPLICAS = 3
SKEWS = (0, 30, 360)
"""Seconds by which the clocks of the replicas are wrong, one way or the other: within what is promised, and beyond."""

StoreBlow = Literal["restart", "pause", "fail_over", "zombie", "full_disk"]
STORE_BLOWS = frozenset(get_args(StoreBlow))
SpellKind = Literal["nothing_known", "token_refused", "unknown_code"]
BlowKind = (
    StoreBlow
    | SpellKind
    | Literal["kill", "gcs", "slack", "socket", "other_place", "other_workspace", "release", "home", "press"]
)

SPELLS: Sequence[tuple[float, SpellKind, dict[str, Any]]] = (
    (0.25, "nothing_known", {"kind": "status", "status": 404}),
    (0.5, "token_refused", {"kind": "error", "error": "token_revoked"}),
    (0.72, "unknown_code", {"kind": "error", "error": "workspace_under_maintenance", "method": "chat.postMessage"}),
)
"""What one of the servers says to everything for about a minute, and at which part of the run."""

RELEASE_SECONDS = 40.0
"""How often an operator releases what the brake has stopped. Time is compressed, but not the brake's ten minutes, so it
goes on although all that GCS says is right."""


@dataclass(frozen=True, kw_only=True)
class Blow:
    """A fault or action at one time."""

    at: float
    kind: BlowKind
    who: int = 0
    """Which replica, or which person."""
    seconds: float = 0
    """How long it lasts."""
    fault: tuple[tuple[str, Any], ...] = ()
    """For a server, the fields of its fault; for a socket, how it is closed; for a bot, its other settings."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run."""

    seed: int
    scale: Scale
    skews: tuple[int, ...]
    roles: tuple[Role, ...]
    wishes: tuple[Wish, ...]
    rules: tuple[RuleWish, ...]
    boards: tuple[BoardWish, ...]
    hours: tuple[HoursWish, ...]
    acts: tuple[ActWish, ...]
    blows: tuple[Blow, ...]

    @classmethod
    def draw(cls, seed: int, scale: Scale) -> Plan:
        """The plan that follows from `seed`."""
        roles = wishes.roles(_dice(seed, "roles"), scale)
        newcomers, rules = wishes.newcomers(_dice(seed, "newcomers"), scale), wishes.rules(_dice(seed, "rules"), scale)
        wanted = wishes.wishes(_dice(seed, "wishes"), scale, roles)
        wanted += wishes.meetings(_dice(seed, "meetings"), newcomers, rules)
        everything = tuple(sorted([*roles, *newcomers], key=lambda role: role.at))
        dice = _dice(seed, "skews")
        skews = [skew * dice.choice((-1, 1)) for skew in dice.sample(SKEWS, REPLICAS)]
        blows = [*_fire(_dice(seed, "fire"), scale), *_gcs(_dice(seed, "gcs"), scale)]
        blows += _slack(_dice(seed, "slack"), scale)
        spells = _spells(_dice(seed, "spells"), scale)
        blows += [*spells, *_strangers(_dice(seed, "strangers"), scale), *_releases(scale, spells)]
        return cls(
            seed=seed,
            scale=scale,
            skews=tuple(skews),
            roles=everything,
            wishes=wishes.muted(_dice(seed, "mutes"), scale, everything, wanted),
            rules=rules,
            boards=wishes.boards(_dice(seed, "boards"), scale),
            hours=wishes.hours(_dice(seed, "hours"), scale),
            acts=wishes.acts(_dice(seed, "acts"), scale, roles),
            blows=tuple(sorted(blows, key=lambda blow: blow.at)),
        )


def _dice(seed: int, what: str) -> random.Random:
    """Separate dice for each part, so that a change of one part leaves the others as they were."""
    return random.Random(f"{seed} {what}")  # noqa: S311  # no secret


def _fire(dice: random.Random, scale: Scale) -> list[Blow]:
    """The faults of processes and connections."""

    def moments(count: int) -> list[float]:
        """Spread evenly, each at a random time in its own part of the run."""
        return [scale.seconds * (0.05 + 0.9 * (n + dice.random()) / count) for n in range(count)]

    farewells = ("refresh_requested", "warning", "abrupt", "half_open")
    return [
        *(Blow(at=at, kind="kill", who=dice.randrange(REPLICAS)) for at in moments(scale.kills)),
        *(Blow(at=at, kind="restart") for at in moments(scale.restarts)),
        *(Blow(at=at, kind="pause", seconds=dice.uniform(0.2, 4)) for at in moments(scale.pauses)),
        *(Blow(at=at, kind="fail_over") for at in moments(scale.fail_overs)),
        *(Blow(at=at, kind="zombie", seconds=dice.uniform(2, 4)) for at in moments(scale.zombies)),
        *(Blow(at=at, kind="full_disk", seconds=dice.uniform(3, 8)) for at in moments(scale.full_disks)),
        *(Blow(at=at, kind="socket", fault=(("reason", dice.choice(farewells)),)) for at in moments(scale.sockets)),
        *(Blow(at=at, kind="home", who=dice.randrange(scale.people)) for at in moments(4 * scale.sockets)),
        *(Blow(at=at, kind="press", who=dice.randrange(scale.people)) for at in moments(4 * scale.sockets)),
    ]


_GCS_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": 2, "every": 10},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500, "every": 2},
    {"kind": "timeout", "every": 8},
    {"kind": "truncated", "every": 3},
    {"kind": "slow", "delay": 1.5, "every": 2},
    {"kind": "reset", "every": 2},
    {"kind": "html", "every": 2},
    {"kind": "not_found_page", "every": 2},
    {"kind": "malformed", "every": 3},
)
_SLACK_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "ratelimited", "retry_after": 3},
    {"kind": "ratelimited", "retry_after": 1, "every": 3},
    {"kind": "status", "status": 503, "every": 2},
    {"kind": "drop_before", "every": 3},
    {"kind": "drop_after", "method": "chat.postMessage", "every": 3},
    {"kind": "drop_after", "every": 4},
    {"kind": "status_after", "method": "chat.postMessage", "every": 3},
    {"kind": "status_after", "every": 4},
    {"kind": "error", "error": "internal_error", "every": 4},
    {"kind": "slow_after", "delay": 2.0, "every": 3},
    {"kind": "slow_after", "method": "chat.postMessage", "delay": 0.5},
)


def _gcs(dice: random.Random, scale: Scale) -> list[Blow]:
    return _windows(dice, scale, "gcs", _GCS_FAULTS)


def _slack(dice: random.Random, scale: Scale) -> list[Blow]:
    return _windows(dice, scale, "slack", _SLACK_FAULTS)


def _spells(dice: random.Random, scale: Scale) -> list[Blow]:
    return [
        Blow(
            at=(part + dice.uniform(0, 0.04)) * scale.seconds,
            kind=kind,
            seconds=scale.spell,
            fault=tuple(fault.items()),
        )
        for part, kind, fault in SPELLS
        if scale.spell
    ]


def _strangers(dice: random.Random, scale: Scale) -> list[Blow]:
    """Bots that must be refused: each takes the place of a replica, or starts beside them; while Slack takes tokens."""
    places = [(("GCS_PROJECT_ID", "f" * 32),), (("GCS_ENDPOINT", "http://127.0.0.1:9"),)]
    ats = [scale.seconds * (part + dice.uniform(0, 0.05)) for part in (0.1, 0.9)[: scale.strangers]]
    return [
        *(
            Blow(at=at, kind="other_place", who=dice.randrange(REPLICAS), fault=fault)
            for at, fault in zip(ats, places, strict=False)
        ),
        *(Blow(at=at + dice.uniform(0, 0.05) * scale.seconds, kind="other_workspace") for at in ats),
    ]


def _releases(scale: Scale, spells: Sequence[Blow]) -> list[Blow]:
    """Not while GCS may be wrong about what it does not know, and shortly after that."""
    ats = [n * RELEASE_SECONDS for n in range(1, int(scale.seconds / RELEASE_SECONDS) + 1)]
    wrong = [
        (spell.at, spell.at + spell.seconds + RELEASE_SECONDS) for spell in spells if spell.kind == "nothing_known"
    ]
    return [
        Blow(at=at, kind="release") for at in ats if not any(begins <= at + 5 and at <= ends for begins, ends in wrong)
    ]


def _windows(dice: random.Random, scale: Scale, kind: BlowKind, faults: Sequence[dict[str, Any]]) -> list[Blow]:
    """One fault after another, with quiet between; every kind comes before one is repeated."""
    blows: list[Blow] = []
    at, waiting = 0.05 * scale.seconds, list[dict[str, Any]]()
    while at < 0.95 * scale.seconds:
        waiting = waiting or dice.sample(faults, len(faults))
        seconds = dice.uniform(*scale.faults)
        blows.append(Blow(at=at, kind=kind, seconds=seconds, fault=tuple(waiting.pop().items())))
        at += seconds + dice.uniform(*scale.faults)
    return blows
