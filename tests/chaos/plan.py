"""What happens in a run, decided beforehand from the seed: lives, wishes and faults.

Lives here: `Plan` and how it is drawn. Pure: the same seed and scale give the same plan. Does not live here: how much
of everything (`scale`), doing it (`arena`, `people`), judging it (`verdict`). Called by `arena`. A seed does not repeat
the timing of the machine: which call a fault hits, and between which two instructions a kill falls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from sandbox import story
from sandbox.story import Frame, Life, Step
from tests.chaos.scale import Scale

REPLICAS = 3
SKEWS = (0, 30, 360)
"""Seconds by which the clocks of the replicas are wrong, one way or the other: within what is promised, and beyond."""

LEVELS = ("steps", "steps", "milestones", "milestones", "final", "failures")
"""Most people follow every step."""

LIVES: Sequence[tuple[int, Callable[[float], Life]]] = (
    (11, lambda seconds: story.happy(6, seconds=seconds)),
    (3, lambda seconds: story.failing(10, seconds=seconds)),
    (2, lambda seconds: story.stumbling(6, seconds=seconds)),
    (2, lambda seconds: story.cancelled(12, seconds=seconds)),
    (2, lambda seconds: story.retried(6, seconds=seconds)),
    (2, lambda seconds: story.deleted(12, seconds=seconds)),
)
"""How many of twenty executions have which life."""

LEAVING = 0.04
"""Share of subscribers who unsubscribe before the end."""

StoreBlow = Literal["restart", "pause", "fail_over", "zombie", "full_disk"]
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
class Role:
    """One execution."""

    execution_id: str
    at: float
    """When it begins, seconds of the run."""
    life: Life


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A person wants to follow an execution, or wants a channel to."""

    at: float
    execution_id: str
    person: int
    channel: int | None
    level: str
    leaves: float | None
    """When they unsubscribe; None: never."""


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
    blows: tuple[Blow, ...]

    @classmethod
    def draw(cls, seed: int, scale: Scale) -> Plan:
        """The plan that follows from `seed`."""
        roles = _roles(_dice(seed, "roles"), scale)
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
            roles=roles,
            wishes=_wishes(_dice(seed, "wishes"), scale, roles),
            blows=tuple(sorted(blows, key=lambda blow: blow.at)),
        )


def _dice(seed: int, what: str) -> random.Random:
    """Separate dice for each part, so that a change of one part leaves the others as they were."""
    return random.Random(f"{seed} {what}")  # noqa: S311  # no secret


def _roles(dice: random.Random, scale: Scale) -> tuple[Role, ...]:
    weights = [weight for weight, _ in LIVES]
    roles = []
    for _ in range(scale.executions):
        [(_, make)] = dice.choices(LIVES, weights)
        seconds = dice.uniform(*scale.lives)
        roles.append(
            Role(
                execution_id=str(UUID(int=dice.getrandbits(128))),
                at=dice.uniform(0, scale.seconds - scale.lives[1] - scale.rest / 2),
                life=_rested(make(seconds), scale.rest),
            )
        )
    middle = dice.randrange(len(roles))  # a number drawn last leaves the others as they were
    roles[middle] = replace(roles[middle], life=_large(scale.large_steps, dice.uniform(*scale.lives)))
    return tuple(sorted(roles, key=lambda role: role.at))


def _large(steps: int, seconds: float) -> Life:
    """A life of so many steps, of which six run one after another, and the others at the end."""
    life = story.happy(6, seconds=seconds)

    def padded(frame: Frame) -> Frame:
        has_ended = frame.status == "Succeeded"
        more = Step(name="", status="Succeeded", began=0, ended=seconds) if has_ended else Step(name="")
        names = (f"sample-{number}" for number in range(steps - len(frame.steps)))
        return replace(frame, steps=(*frame.steps, *(replace(more, name=name) for name in names)))

    return replace(life, name="large", frames=tuple(padded(frame) if frame.steps else frame for frame in life.frames))


def _rested(life: Life, seconds: float) -> Life:
    """`life`, with `seconds` more between its failure and its retry."""
    failed = next((frame.at for frame in life.frames if frame.name == "failed"), life.frames[-1].at)
    frames = (frame if frame.at <= failed else replace(frame, at=frame.at + seconds) for frame in life.frames)
    return replace(life, frames=tuple(frames))


def _wishes(dice: random.Random, scale: Scale, roles: Sequence[Role]) -> tuple[Wish, ...]:
    """One for each execution, and the rest for any; no subscriber has the same wish twice."""
    chosen = [*roles, *dice.choices(roles, k=scale.subscriptions - len(roles))]
    wishes: dict[tuple[str, str], Wish] = {}
    for role in chosen:
        while True:
            person = dice.randrange(scale.people)
            channel = dice.choice((None, None, None, *(dice.randrange(scale.channels) for _ in range(2))))
            who = f"person {person}" if channel is None else f"channel {channel}"
            if (role.execution_id, who) not in wishes:
                break
        ends = role.life.frames[-1].at
        wishes[role.execution_id, who] = Wish(
            at=role.at + dice.uniform(0, 0.15) * ends,
            execution_id=role.execution_id,
            person=person,
            channel=channel,
            level=dice.choice(LEVELS),
            leaves=role.at + dice.uniform(0.3, 0.9) * ends if dice.random() < LEAVING else None,
        )
    return tuple(sorted(wishes.values(), key=lambda wish: wish.at))


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
