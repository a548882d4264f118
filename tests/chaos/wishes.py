"""What begins in a run and what people want of it, decided beforehand from the seed.

Lives here: executions and their lives, who follows which, by hand or by rules, who mutes what, who wants quiet hours,
and what operators do. Pure. Does not live here: faults (`plan`, which calls it), doing it (`people`, `operators`).

Executions that rules are about are newcomers: they begin once the rules should be made, are over sooner than others,
and have a workflow, a label and a project that no other execution has. One in three is followed by hand, too, in a
place that has a rule for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sandbox import story
from sandbox.story import Frame, Life, Step
from tests.chaos.scale import Scale

LEVELS = ("steps", "steps", "milestones", "milestones", "final", "failures")
"""Most people follow every step."""

RULE_LEVELS = ("", "failures", "final", "final", "milestones")
"""A rule without a level has `failures`."""

LIVES: Sequence[tuple[int, Callable[[float], Life]]] = (
    (11, lambda seconds: story.happy(6, seconds=seconds)),
    (3, lambda seconds: story.failing(10, seconds=seconds)),
    (2, lambda seconds: story.stumbling(6, seconds=seconds)),
    (2, lambda seconds: story.cancelled(12, seconds=seconds)),
    (2, lambda seconds: story.retried(6, seconds=seconds)),
    (2, lambda seconds: story.deleted(12, seconds=seconds)),
)
"""How many of twenty executions have which life."""

LISTED = LIVES[:-1]
"""Those that lists show to the end: what is deleted before anybody has looked is followed by no rule."""

LEAVING = 0.04
"""Share of subscribers who unsubscribe before the end."""

MUTING = 0.12
"""Share of those who mute what they follow for a while."""

BY_HAND = 1 / 3
"""Share of newcomers that are followed by hand, too."""

OPERATORS = 3
"""How many people may cancel and retry executions."""

ENDING = 0.2
"""Share of rules and boards that somebody ends."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """One execution."""

    execution_id: str
    at: float
    """When it begins, seconds of the run."""
    life: Life


@dataclass(frozen=True, kw_only=True)
class Mute:
    """Nothing is to be delivered for a while."""

    at: float
    until: float | None
    """When they unmute it; None: until it ends."""
    is_for_everything: bool
    """Whether failures wait, too."""


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
    mute: Mute | None = None


@dataclass(frozen=True, kw_only=True)
class RuleWish:
    """A person wants to follow each new execution of a kind, or wants a channel to."""

    at: float
    person: int
    channel: int | None
    kind: str
    value: str
    level: str
    """Empty: none is typed."""
    ends: float | None
    """When they end it; None: never."""


@dataclass(frozen=True, kw_only=True)
class BoardWish:
    """A person wants a channel to have a board of what it follows."""

    at: float
    person: int
    channel: int
    ends: float | None
    """When they end it; None: never."""


@dataclass(frozen=True, kw_only=True)
class HoursWish:
    """A person wants to read nothing for some time of every day."""

    at: float
    person: int
    until: float
    is_for_everything: bool
    is_withdrawn: bool
    """Whether they end it themselves, and it would go on for an hour."""


@dataclass(frozen=True, kw_only=True)
class ActWish:
    """An operator cancels or retries an execution, and somebody who is none tries that before."""

    at: float
    until: float
    """When they give up, since it cannot be done any more."""
    operator: int
    execution_id: str
    action: str


def roles(dice: random.Random, scale: Scale) -> tuple[Role, ...]:
    """Executions that people follow by hand, one of which is large."""
    weights = [weight for weight, _ in LIVES]
    drawn = []
    for _ in range(scale.executions):
        [(_, make)] = dice.choices(LIVES, weights)
        seconds = dice.uniform(*scale.lives)
        drawn.append(
            Role(
                execution_id=str(UUID(int=dice.getrandbits(128))),
                at=dice.uniform(0, scale.seconds - scale.lives[1] - scale.rest / 2),
                life=_rested(make(seconds), scale.rest),
            )
        )
    middle = dice.randrange(len(drawn))  # a number drawn last leaves the others as they were
    drawn[middle] = replace(drawn[middle], life=_large(scale.large_steps, dice.uniform(*scale.lives)))
    return tuple(sorted(drawn, key=lambda role: role.at))


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


def wishes(dice: random.Random, scale: Scale, those: Sequence[Role]) -> tuple[Wish, ...]:
    """One for each execution, and the rest for any; no subscriber has the same wish twice."""
    chosen = [*those, *dice.choices(those, k=scale.subscriptions - len(those))]
    drawn: dict[tuple[str, str], Wish] = {}
    for role in chosen:
        while True:
            person = dice.randrange(scale.people)
            channel = dice.choice((None, None, None, *(dice.randrange(scale.channels) for _ in range(2))))
            who = f"person {person}" if channel is None else f"channel {channel}"
            if (role.execution_id, who) not in drawn:
                break
        ends = role.life.frames[-1].at
        drawn[role.execution_id, who] = Wish(
            at=role.at + dice.uniform(0, 0.15) * ends,
            execution_id=role.execution_id,
            person=person,
            channel=channel,
            level=dice.choice(LEVELS),
            leaves=role.at + dice.uniform(0.3, 0.9) * ends if dice.random() < LEAVING else None,
        )
    return tuple(sorted(drawn.values(), key=lambda wish: wish.at))


def newcomers(dice: random.Random, scale: Scale) -> tuple[Role, ...]:
    """Executions that only rules find, unless somebody follows one by hand as well."""
    weights = [weight for weight, _ in LISTED]
    longest = scale.lives[0]
    drawn = []
    for _ in range(scale.newcomers):
        [(_, make)] = dice.choices(LISTED, weights)
        life = _rested(make(dice.uniform(0.7, 1) * longest), scale.rest)
        workflow, value, project = (dice.randrange(scale.kinds) for _ in range(3))
        drawn.append(
            Role(
                execution_id=str(UUID(int=dice.getrandbits(128))),
                at=dice.uniform(0.3 * scale.seconds, scale.seconds - longest - scale.rest / 2),
                life=replace(
                    life, workflow=f"flow-{workflow}", label=("cohort", f"c{value}"), project=f"project-{project}"
                ),
            )
        )
    return tuple(sorted(drawn, key=lambda role: role.at))


def marks(life: Life) -> dict[str, str]:
    """What rules may want of an execution, by their kind."""
    return {"workflow": life.workflow, "label": "=".join(life.label), "project": life.project}


def rules(dice: random.Random, scale: Scale) -> tuple[RuleWish, ...]:
    """Places have two or three of them, so that one execution is matched by several."""
    places = [
        (dice.randrange(scale.people), dice.choice((None, None, dice.randrange(scale.channels))))
        for _ in range(max(1, scale.rules // 3))
    ]
    drawn: dict[tuple[int | str, str, str], RuleWish] = {}
    while len(drawn) < scale.rules:
        person, channel = dice.choice(places)
        number = dice.randrange(scale.kinds)
        kind, value = dice.choice(
            (("workflow", f"flow-{number}"), ("label", f"cohort=c{number}"), ("project", f"project-{number}"))
        )
        where = person if channel is None else f"channel {channel}"
        drawn.setdefault(
            (where, kind, value),
            RuleWish(
                at=dice.uniform(0, 0.12 * scale.seconds),
                person=person,
                channel=channel,
                kind=kind,
                value=value,
                level=dice.choice(RULE_LEVELS),
                ends=dice.uniform(0.5, 0.8) * scale.seconds if dice.random() < ENDING else None,
            ),
        )
    return tuple(sorted(drawn.values(), key=lambda rule: rule.at))


def meetings(dice: random.Random, those: Sequence[Role], made: Sequence[RuleWish]) -> tuple[Wish, ...]:
    """Newcomers that are followed by hand where a rule follows them, too."""
    drawn = []
    for role in those:
        meeting = [rule for rule in made if rule.ends is None and marks(role.life)[rule.kind] == rule.value]
        if not meeting or dice.random() > BY_HAND:
            continue
        rule = dice.choice(meeting)
        drawn.append(
            Wish(
                at=role.at + dice.uniform(0, 0.3) * role.life.frames[-1].at,
                execution_id=role.execution_id,
                person=rule.person,
                channel=rule.channel,
                level=dice.choice(LEVELS),
                leaves=None,
            )
        )
    return tuple(drawn)


def muted(dice: random.Random, scale: Scale, those: Sequence[Role], made: Sequence[Wish]) -> tuple[Wish, ...]:
    """The same wishes, of which some are muted for a while."""
    lasts = {role.execution_id: role.life.frames[-1].at for role in those}

    def with_mute(wish: Wish) -> Wish:
        if wish.leaves is not None or dice.random() > MUTING:
            return wish
        whole = lasts[wish.execution_id]
        at = wish.at + dice.uniform(0.05, 0.2) * whole
        until = min(at + dice.uniform(0.2, 0.9) * whole, scale.seconds)
        mute = Mute(at=at, until=until if dice.random() < 2 / 3 else None, is_for_everything=dice.random() < 1 / 3)
        return replace(wish, mute=mute)

    return tuple(map(with_mute, made))


def boards(dice: random.Random, scale: Scale) -> tuple[BoardWish, ...]:
    """In as many channels; each is asked for once, and again without a response."""
    return tuple(
        BoardWish(
            at=dice.uniform(0, 0.5) * scale.seconds,
            person=dice.randrange(scale.people),
            channel=channel,
            ends=dice.uniform(0.6, 0.9) * scale.seconds if dice.random() < ENDING else None,
        )
        for channel in dice.sample(range(scale.channels), scale.boards)
    )


def hours(dice: random.Random, scale: Scale) -> tuple[HoursWish, ...]:
    """Quiet hours of minutes: they begin and end at full ones, so in a short run all are withdrawn."""
    drawn = []
    for person in dice.sample(range(scale.people), scale.quiet_people):
        at = dice.uniform(0.1, 0.4) * scale.seconds
        drawn.append(
            HoursWish(
                at=at,
                person=person,
                until=at + dice.uniform(0.2, 0.4) * scale.seconds,
                is_for_everything=dice.random() < 1 / 3,
                is_withdrawn=scale.seconds < 120 or dice.random() < 1 / 2,
            )
        )
    return tuple(drawn)


def acts(dice: random.Random, scale: Scale, those: Sequence[Role]) -> tuple[ActWish, ...]:
    """Cancel what would go well, and retry what has failed for good, while it is still followed."""
    soon = 0.65 * scale.seconds
    running = [role for role in those if role.life.name == "happy"]
    failing = [role for role in those if role.life.name == "failing" and role.at + role.life.frames[-1].at < soon]
    chosen = [("cancel", role) for role in dice.sample(running, min(scale.acts, len(running)))]
    chosen += [("retry", role) for role in dice.sample(failing, min(scale.acts // 2, len(failing)))]
    drawn = []
    for action, role in chosen:
        ends = role.life.frames[-1].at
        is_cancel = action == "cancel"
        drawn.append(
            ActWish(
                at=role.at + (dice.uniform(0.2, 0.5) * ends if is_cancel else ends + dice.uniform(0.5, 3)),
                until=role.at + (0.9 * ends if is_cancel else ends + scale.rest + scale.spell + 5),
                operator=dice.randrange(OPERATORS),
                execution_id=role.execution_id,
                action=action,
            )
        )
    return tuple(sorted(drawn, key=lambda act: act.at))
