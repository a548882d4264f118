"""Which executions exist and what each shows now.

Lives here: `Stage`. Does not live here: what a life is (`sandbox.story`), how it is written (`bodies`), who may call
(`gate`). Called by `server`. Ids and names follow from the seed and the order of plays, so every demo looks the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial

from sandbox.clock import Clock
from sandbox.gcs.bodies import Body, Scene, whole
from sandbox.gcs.events import events
from sandbox.operated import STEP_SECONDS, cancelled_from, retried_from
from sandbox.story import Frame, Life

CANCELLABLE = frozenset({"Pending", "Running"})
RETRIABLE = frozenset({"Failed", "Cancelled"})
"""Phases, under the action `create`, from which GCS takes an action (reference 3.3)."""

CHINA = timezone(timedelta(hours=8))
"""GCS derives names from local time."""


@dataclass
class Play:
    """One running life."""

    id: str
    name: str
    life: Life
    began: float
    """Seconds of the clock."""
    begin: datetime
    hand: int | None = None
    """Index of the current frame of a life played by hand; None for others."""
    frame_set: Frame | None = None
    body_set: Body | bytes | None = None

    def elapsed(self, now: float) -> float:
        """Seconds of the life; by hand, time stops between steps."""
        return now - self.began if self.hand is None else self.life.frames[self.hand].at

    def frame(self, now: float) -> Frame:
        """The frame shown at `now`."""
        if self.frame_set is not None:
            return self.frame_set
        return self.life.frame(self.elapsed(now)) if self.hand is None else self.life.frames[self.hand]


class Stage:
    """All plays of one project."""

    def __init__(self, clock: Clock, *, project_id: str, domain_id: str, seed: str) -> None:
        self.plays_on = False
        """Whether a life that is played by hand goes on by the clock once somebody cancels or retries it."""
        self.retried_step_seconds = STEP_SECONDS
        """How long each step takes of an execution that somebody retries."""
        self._clock = clock
        self._project_id = project_id
        self._domain_id = domain_id
        self._seed = seed
        self._plays: dict[str, Play] = {}

    def play(self, life: Life, *, execution_id: str | None, by_hand: bool, ago: float) -> str:
        """Begin `life` now or `ago` seconds in the past; returns the execution's id."""
        ordinal = len(self._plays) + 1
        guid = execution_id or guid_of(f"{self._seed} execution {ordinal}")
        if guid in self._plays:
            message = f"execution {guid} is already on stage"
            raise ValueError(message)
        began = self._clock.now() - ago
        begin = self._clock.date(began)
        name = f"{life.workflow}-{begin.astimezone(CHINA):%m-%d-%H%M%S}-{ordinal}"
        self._plays[guid] = Play(guid, name, life, began, begin, hand=0 if by_hand else None)
        return guid

    def step(self, execution_id: str, *, to: str | None) -> Frame | None:
        """Advance a life played by hand to its next frame, or to the next one named `to`."""
        play = self._plays[execution_id]
        if play.hand is None:
            message = f"execution {execution_id} is not played by hand"
            raise ValueError(message)
        frames = play.life.frames
        for hand in range(play.hand + 1, len(frames)):
            if to is None or frames[hand].name == to:
                play.hand, play.frame_set, play.body_set = hand, None, None
                return frames[hand]
        if to is not None:
            message = f"no frame {to!r} ahead"
            raise ValueError(message)
        return None

    def life(self, execution_id: str) -> Life:
        """What it has shown, and will show unless somebody cancels or retries it."""
        return self._plays[execution_id].life

    def frame(self, execution_id: str) -> Frame:
        """The frame shown now."""
        return self._plays[execution_id].frame(self._clock.now())

    def set_frame(self, execution_id: str, frame: Frame | None) -> None:
        """Show `frame` instead of the life's; None: return to the life."""
        self._plays[execution_id].frame_set = frame

    def set_body(self, execution_id: str, body: Body | bytes | None) -> None:
        """Answer with exactly `body`; None: return to the life."""
        self._plays[execution_id].body_set = body

    def body(self, execution_id: str) -> Body | None:
        """The body of the current frame; None if the execution does not exist or no longer exists."""
        play = self._plays.get(execution_id)
        scene = self._scene(play, self._clock.now()) if play else None
        return None if scene is None or scene.frame.is_gone else whole(scene)

    def events(self, execution_id: str) -> list[Body] | None:
        """What list-events answers now; None if the execution does not exist or no longer exists."""
        play = self._plays.get(execution_id)
        scene = self._scene(play, self._clock.now()) if play else None
        return None if scene is None or scene.frame.is_gone else events(scene)

    def operate(self, execution_id: str, action: str) -> bool | None:
        """Cancel or retry an execution; False if its state does not allow that, None if it does not exist."""
        play, now = self._plays.get(execution_id), self._clock.now()
        if play is None or play.frame(now).is_gone:
            return None
        frame, at = play.frame(now), play.elapsed(now)
        phase = frame.status if frame.phase is None else frame.phase or frame.status
        if action == "cancel":
            is_allowed = frame.action == "create" and phase in CANCELLABLE
            turn: Callable[[Life, float], Life] = cancelled_from
        else:
            is_allowed = phase in (RETRIABLE if frame.action == "create" else {"Failed"})
            turn = partial(retried_from, step_seconds=self.retried_step_seconds)
        if is_allowed:
            shown = replace(play.life, frames=(replace(frame, at=min(frame.at, at)),)) if play.frame_set else play.life
            play.life, play.frame_set, play.body_set = turn(shown, at), None, None
            if play.hand is not None and self.plays_on:
                play.hand, play.began = None, now - at
            elif play.hand is not None:
                play.hand = next(place for place, each in enumerate(play.life.frames) if each.at >= at)
        return is_allowed

    def answer(self, execution_id: str) -> Body | bytes | None:
        """What get-execution answers now: the body that was set, or else the frame's."""
        play = self._plays.get(execution_id)
        return play.body_set if play and play.body_set is not None else self.body(execution_id)

    def scenes(self, *, lag: float = 0) -> list[Scene]:
        """All executions for list-executions, newest first, as they were `lag` seconds ago."""
        now = self._clock.now() - lag
        plays = sorted(self._plays.values(), key=lambda play: play.began, reverse=True)
        scenes = (self._scene(play, now) for play in plays if play.began <= now)
        return [scene for scene in scenes if not scene.frame.is_gone]

    def _scene(self, play: Play, now: float) -> Scene:
        return Scene(
            id=play.id,
            name=play.name,
            project_id=self._project_id,
            domain_id=self._domain_id,
            workflow_id=guid_of(f"{self._seed} workflow {play.life.workflow}"),
            life=play.life,
            frame=play.frame(now),
            begin=play.begin,
            elapsed=play.elapsed(now),
        )


def guid_of(text: str) -> str:
    """8-4-4-4-12 hex digits derived from `text`; like GCS's ids, not a UUID of any version."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
