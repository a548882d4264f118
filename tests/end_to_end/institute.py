"""An institute before, during and after an outage: what runs in it, and what its people type and press.

Lives here: `Institute`. Does not live here: the outage (`outages`), what must be true (the tests). Called by `outages`.

Most executions are followed by hand. Some people have muted one, one of them has quiet hours, and a few places have
rules for a cohort of which runs begin before, during and after the outage. One channel has a board, and what operators
cancel and retry is followed there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sandbox import gcs, slack, story
from sandbox.gcs import Fault
from sandbox.story import Life
from tests.chaos.evidence import BoardPromise, Promise, Quiet, RulePromise, Truth
from tests.chaos.operators import Operator
from tests.chaos.people import BOARDED, HOURS, MUTED
from tests.chaos.people import RULED as FOLLOWS
from tests.chaos.reading import moments
from tests.chaos.wishes import ActWish, marks
from tests.end_to_end.conftest import SCOPES

HOUR, MINUTE = 3600.0, 60.0
PEOPLE, CHANNELS = 30, 20
"""How many people and channels follow executions by hand."""
QUIET = 3 * MINUTE
"""How long after the last command the outage begins."""

AFTER = 8 * MINUTE
"""How long the day goes on after the outage."""

HOURS_GO_ON = 3 * MINUTE
"""How long after the outage, or up to a minute less, the quiet hours end."""

LEVELS = ("steps", "milestones", "final", "failures")

LIVES: Sequence[Callable[[float], Life]] = (
    *[lambda seconds: story.happy(8, seconds=seconds)] * 7,
    *[lambda seconds: story.failing(8, seconds=seconds)] * 2,
    lambda seconds: story.cancelled(8, seconds=seconds),
    lambda seconds: story.deleted(8, seconds=seconds),
)
"""None is retried: nobody can know of a failure that comes and goes while GCS is unreachable."""

LONG_LIFE = story.happy(8, seconds=11 * HOUR)
"""What outlasts the day."""

STEP_ENDS = next(frame.at for frame in LONG_LIFE.frames if frame.finished == 5)
"""When a step of it ends, before one that takes longer than the day."""

COHORT, LABEL, PROJECT = "cohort-calling", ("cohort", "c7"), "night-shift"
"""Workflow, label and project of the runs that rules find."""

BEFORE = (
    story.happy(6, seconds=30 * MINUTE),
    story.failing(5, seconds=20 * MINUTE),
    story.happy(6, seconds=HOUR + QUIET + MINUTE),
    story.failing(5, seconds=HOUR + QUIET + 1.5 * MINUTE),
)
"""Runs of the cohort that begin before the outage, and end during and after it."""

DURING = (
    (5 * MINUTE, story.happy(4, seconds=10 * MINUTE)),
    (15 * MINUTE, story.failing(5, seconds=20 * MINUTE)),
    (25 * MINUTE, story.cancelled(4, seconds=10 * MINUTE)),
    (40 * MINUTE, story.stumbling(4, seconds=22 * MINUTE)),
    (55 * MINUTE, story.happy(3, seconds=6 * MINUTE)),
    (58 * MINUTE, story.failing(5, seconds=4 * MINUTE)),
)
"""Those that begin in the outage, by when; the first half ends in it, too."""

HELD = (
    (story.happy(8, seconds=3 * HOUR), HOUR / 2),
    (story.failing(8, seconds=3 * HOUR), HOUR / 2),
    (story.cancelled(8, seconds=3 * HOUR), HOUR - MINUTE),
    (story.happy(8, seconds=3 * HOUR), HOUR + MINUTE),
)
"""Executions that somebody wants to read nothing of for a while, and when they end, from the outage's beginning."""

MUTES = ("1h", "1h everything", "end", "end")
"""What is typed of each of them in turn; an hour ends a few minutes before the outage does."""

ACTS = ("repeated", "unanswered", "delayed", "afterwards")
"""What operators do: they retry and have to ask twice, both before the outage; they cancel, and with that the outage
begins; they want to cancel while it lasts, and can after it; they retry what they then read has failed."""

FAILING, RUNNING = story.failing(8, seconds=3 * HOUR), story.happy(8, seconds=4 * HOUR)
"""What they retry, and what they cancel."""

RETRIED_STEP = 20 * MINUTE
"""How long each step takes of what is retried, so that it still runs at the end of the day."""


@dataclass(kw_only=True)
class Institute:
    """A simulated GCS and Slack, and people who follow what runs."""

    executions: int
    """How many of them people follow by hand, and never mute."""
    lasting: int = 0
    """How many more they follow that outlast the day. A step of each ends in the outage, one a minute."""
    gcs: gcs.GCS = field(default_factory=gcs.GCS)
    slack: slack.Slack = field(default_factory=lambda: slack.Slack(scopes=SCOPES))
    truths: dict[str, Truth] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)
    rules: list[RulePromise] = field(default_factory=list)
    quiet: list[Quiet] = field(default_factory=list)
    boards: list[BoardPromise] = field(default_factory=list)
    operators: dict[str, Operator] = field(default_factory=dict)
    """By what they do, of `ACTS`."""
    delayed: str = ""
    """The execution that somebody can cancel after the outage only."""
    people: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    owl: str = ""
    """Who has quiet hours."""
    muted_late: str = ""
    """The execution that somebody mutes in the outage, where they can."""
    began: float = field(default_factory=time.time)
    _lives: dict[str, Life] = field(default_factory=dict)
    """As they are unless somebody cancels or retries them."""
    _acting: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Appoint the operators: the bot has to know them when it starts."""
        self.gcs.retries_take(RETRIED_STEP)
        bystander = self.slack.add_user("bystander")
        self.operators = {act: Operator(self, self.slack.add_user(f"operator-{act}"), bystander, ()) for act in ACTS}

    def now(self) -> float:
        """Seconds since it began."""
        return time.time() - self.began

    async def until(self, at: float) -> None:
        """Return `at` seconds after it began."""
        await asyncio.sleep(max(0.0, at - self.now()))

    def name_of(self, execution_id: str) -> str:
        """The name of an execution."""
        return self.truths[execution_id].name

    async def begin(self, unanswered: Fault) -> None:
        """Start executions of all ages that end from now on, have them followed, muted, and found by rules.

        It ends when GCS has got an action which `unanswered` happens to.
        """
        self.people = [self.slack.add_user(f"person-{number}") for number in range(PEOPLE)]
        self.owl = self.slack.add_user("night-owl")
        members = [*self.people, self.owl]
        self.channels = [self.slack.add_channel(f"lab-{number}", members=members) for number in range(CHANNELS)]
        await self._rule(self.people[0], "workflow", COHORT, level="")
        await self._rule(self.people[1], "label", "=".join(LABEL), level="milestones", channel=self.channels[0])
        await self._rule(self.owl, "project", PROJECT, level="final")
        await self._type(self.people[1], self.channels[0], "board", BOARDED)
        self.boards.append(BoardPromise(subscriber=self.channels[0]))
        await self._follow_all()
        await self._hold_some()
        for life in BEFORE:
            self._run(life)
        outage = self.now() + QUIET
        await self._act_before(outage, unanswered)

    async def go_on(self, *, returned: asyncio.Event, has_slack: bool) -> None:
        """What begins and is typed from the beginning of the outage on; it is over once `returned` is set."""
        began = self.now()
        if has_slack:
            await self._mute(self.people[4], self.muted_late, "1h")
        self._act("delayed", "cancel", self.delayed, at=began + HOUR - 2 * MINUTE, pause=MINUTE)
        for at, life in DURING:
            await self.until(began + at)
            self._run(life)
        await returned.wait()
        self._run(story.failing(3, seconds=3 * MINUTE))
        await asyncio.sleep(MINUTE)
        await self._rule(self.people[3], "workflow", COHORT, level="steps", channel=self.channels[1])
        for life in (story.failing(4, seconds=2 * MINUTE), story.happy(3, seconds=3 * MINUTE)):
            self._run(life)
        await self._act_afterwards()
        await asyncio.gather(*self._acting)

    async def _act_before(self, outage: float, unanswered: Fault) -> None:
        """Follow what operators act on, and let them; returns once GCS has got the action that `unanswered` happens to.

        What is to be retried fails half a minute after that, and GCS does not take the first retry.
        """
        repeated = await self._follow_there(FAILING, left=MINUTE / 2)
        cancelled, self.delayed = [await self._follow_there(RUNNING, left=2 * HOUR) for _ in range(2)]
        self.gcs.faults.add(Fault(kind="status", service="actions", execution_id=repeated, times=1, is_done=False))
        self.gcs.faults.add(replace(unanswered, service="actions", execution_id=cancelled, times=1))
        self._act("repeated", "retry", repeated, at=outage - 2 * MINUTE, pause=MINUTE / 2)
        self._act("unanswered", "cancel", cancelled, at=outage, pause=5 * MINUTE)
        async with asyncio.timeout(outage + MINUTE - self.now()):
            while not any(call.method == "PUT" and call.execution_id == cancelled for call in self.gcs.calls):  # noqa: ASYNC110  # the sandbox has no event for it
                await asyncio.sleep(0.1)

    async def _act_afterwards(self) -> None:
        """An operator retries what the channel reads has failed."""
        failing = await self._follow_there(FAILING, left=MINUTE)
        failure = f" Failed: {self.name_of(failing)}"
        await self.slack.wait_for(
            lambda: any(failure in each.text for each in self.slack.messages(self.channels[0])), AFTER
        )
        self._act("afterwards", "retry", failing, at=self.now(), pause=MINUTE / 2)

    def _act(self, act: str, action: str, execution_id: str, *, at: float, pause: float) -> None:
        """Have an operator try from then on, until the day is over."""
        operator, lasts = self.operators[act], HOUR + AFTER
        operator.pause, operator.patience = pause, lasts
        operator.wishes = [ActWish(at=at, until=at + lasts, operator=0, execution_id=execution_id, action=action)]
        self._acting.append(asyncio.create_task(operator.live()))

    async def _follow_there(self, life: Life, *, left: float) -> str:
        """Follow one, which ends in `left` seconds, where the board is."""
        execution_id = self._play(life, ago=life.frames[-1].at - left)
        await self._follow(execution_id, self.people[1], "milestones", self.channels[0])
        return execution_id

    async def _follow_all(self) -> None:
        """People follow half of them, channels the others."""
        dice = random.Random(7)  # noqa: S311  # no secret
        for number in range(self.executions):
            length, left = dice.uniform(2, 6) * HOUR, dice.uniform(QUIET, QUIET + HOUR + AFTER / 3)
            execution_id = self._play(dice.choice(LIVES)(length), ago=length - left)
            person, level = dice.choice(self.people), dice.choice(LEVELS)
            await self._follow(execution_id, person, level, "" if number % 2 else self.channels[number // 2 % CHANNELS])
            await asyncio.sleep(0.7)  # Slack allows fifty calls of conversations.info a minute
        for number in range(self.lasting):
            execution_id = self._play(LONG_LIFE, ago=STEP_ENDS - QUIET - (number + 2) * MINUTE)
            channel = "" if number % 2 else self.channels[number // 2 % CHANNELS]
            await self._follow(execution_id, self.people[number % PEOPLE], "steps", channel)
            await asyncio.sleep(0.7)  # the same limit

    async def _hold_some(self) -> None:
        """Somebody has quiet hours, and others mute what they follow."""
        for number, (life, left) in enumerate(HELD):
            execution_id = self._play(life, ago=life.frames[-1].at - QUIET - left)
            person, channel = self.people[number], self.channels[number] if number % 2 else ""
            await self._follow(execution_id, person, "steps", channel)
            await self._mute(person, execution_id, MUTES[number], channel)
            await self._follow(execution_id, self.owl, LEVELS[number])
        self.muted_late = self._play(HELD[0][0], ago=HELD[0][0].frames[-1].at - QUIET - HELD[0][1])
        await self._follow(self.muted_late, self.people[4], "steps")
        now = datetime.now(UTC)
        ends = now + timedelta(seconds=QUIET + HOUR + HOURS_GO_ON)
        await self._type(self.owl, "", f"quiet {now:%H:%M}-{ends:%H:%M} UTC", (HOURS,))
        until = ends.replace(second=0, microsecond=0).timestamp()
        self.quiet.append(Quiet(subscriber=self.owl, since=self._now, until=until))

    def _run(self, life: Life) -> None:
        """Begin a run of the cohort."""
        self._play(replace(life, workflow=COHORT, label=LABEL, project=PROJECT))

    def _play(self, life: Life, *, ago: float = 0.0) -> str:
        began = time.time() - ago
        execution_id = self.gcs.play(life, ago=ago)
        self._lives[execution_id] = life
        body = self.gcs.body(execution_id)
        assert body is not None
        truth = Truth(
            name=body["execution"]["name"], moments=moments(life, began), marks=frozenset(marks(life).items())
        )
        self.truths[execution_id] = truth
        return execution_id

    def seen(self, execution_id: str) -> Truth:
        """What GCS has shown of an execution so far, also of one that somebody has cancelled or retried."""
        truth = self.truths[execution_id]
        found = moments(self.gcs.life(execution_id), truth.began)
        return replace(truth, moments=tuple(moment for moment in found if moment.at <= time.time()))

    def is_operated(self, execution_id: str) -> bool:
        """Whether somebody has had it cancelled or retried."""
        return self.gcs.life(execution_id) is not self._lives[execution_id]

    async def _mute(self, person: str, execution_id: str, mute: str, channel: str = "") -> None:
        asked_at = self._now
        await self._type(person, channel, f"mute {execution_id} {mute}", MUTED)
        quiet = Quiet(
            subscriber=channel or person,
            execution_id=execution_id,
            since=self._now,
            until=asked_at + HOUR if mute.startswith("1h") else None,
            is_for_everything=mute.endswith("everything"),
        )
        self.quiet.append(quiet)

    async def _follow(self, execution_id: str, person: str, level: str, channel: str = "") -> None:
        await self._type(person, channel, f"subscribe {execution_id} {level}", FOLLOWS)
        promise = Promise(execution_id=execution_id, subscriber=channel or person, level=level, promised_at=self._now)
        self.promises.append(promise)

    async def _rule(self, person: str, kind: str, value: str, *, level: str, channel: str = "") -> None:
        asked_at = self._now
        await self._type(person, channel, f"subscribe {kind} {value} {level}".rstrip(), FOLLOWS)
        self.rules.append(
            RulePromise(
                subscriber=channel or person,
                kind=kind,
                value=value,
                level=level or "failures",
                asked_at=asked_at,
                promised_at=self._now,
            )
        )

    async def _type(self, person: str, channel: str, text: str, answers: Sequence[str]) -> None:
        """Type a command, and read the response; on a busy machine Slack may have asked for another try."""
        place, here = (channel, " here" * (answers != BOARDED)) if channel else (self.slack.dm(person), "")
        answer = "operation_timeout"
        while any(error in answer for error in ("operation_timeout", "dispatch_failed")):
            heard = len(self.slack.ephemerals(person))
            await self.slack.command(person, place, text + here)
            await self.slack.wait_for(lambda heard=heard: len(self.slack.ephemerals(person)) > heard)  # type: ignore[misc]
            answer = self.slack.ephemerals(person)[-1].text
        assert any(each in answer for each in answers), answer

    @property
    def _now(self) -> float:
        """By Slack's clock, as all evidence."""
        return self.slack.workspace.now()
