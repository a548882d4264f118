"""How a life goes on once somebody cancels or retries it.

Lives here: `cancelled_from` and `retried_from`, which cut a life off and continue it. Pure. Does not live here: lives
that are cancelled or retried by themselves (`sandbox.story`), who may do that and when (`sandbox.gcs.stage`, the only
caller).
"""

from __future__ import annotations

from dataclasses import replace

from sandbox.story import Frame, Life, Step

TAKES_SECONDS = 6.0
"""How long an execution stays `Cancelling`, or `Retrying`, in story seconds."""

STEP_SECONDS = 60.0
"""How long a step of a life takes that is retried, where the life does not say: it never ran."""


def cancelled_from(life: Life, at: float) -> Life:
    """The same life, cancelled at second `at`: jobs already handed out run on, so running steps stay `Running`."""
    before = [frame for frame in life.frames if frame.at < at]
    shown = life.frame(at)
    stops = replace(shown, at=at, name="cancelling", status="Cancelling", phase=None, reason="", message="")
    stopped = replace(stops, at=at + TAKES_SECONDS, name="cancelled", status="Cancelled")
    return replace(life, frames=(*before, stops, stopped))


def retried_from(life: Life, at: float, *, step_seconds: float = STEP_SECONDS) -> Life:
    """The same life, retried at second `at`: what has succeeded stays so, the other steps run one after another."""
    before = [frame for frame in life.frames if frame.at < at]
    steps = tuple(step if step.status == "Succeeded" else _waiting(step) for step in life.frame(at).steps)
    frames = [Frame(at=at, name="retrying", status="Retrying", steps=steps)]
    moment = at + TAKES_SECONDS
    for place, step in enumerate(steps):
        if step.status != "Succeeded":
            steps = _with(steps, place, replace(step, status="Running", began=moment))
            frames.append(Frame(at=moment, name=f"running {_done(steps)}/{len(steps)}", steps=steps))
            moment += step_seconds
            ended = replace(steps[place], status="Succeeded", ended=moment, sub_jobs_finished=step.sub_jobs)
            steps = _with(steps, place, replace(ended, reason="SuccessfulFinish"))
    end = Frame(at=moment, name="succeeded", status="Succeeded", reason="SuccessfulFinish", steps=steps)
    return replace(life, frames=(*before, *frames, end))


def _waiting(step: Step) -> Step:
    """A step that is to run again."""
    return Step(name=step.name, sub_jobs=step.sub_jobs)


def _with(steps: tuple[Step, ...], place: int, step: Step) -> tuple[Step, ...]:
    return (*steps[:place], step, *steps[place + 1 :])


def _done(steps: tuple[Step, ...]) -> int:
    return sum(step.status == "Succeeded" for step in steps)
