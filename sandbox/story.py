"""How executions proceed in the sandbox: a life is a list of named frames on a time line.

Lives here: `Step`, `Frame`, `Life`, and the builders `pending`, `happy`, `timed`, `slow`, `wide`, `failing`,
`stumbling`, `cancelled`, `retried`, `deleted`; `renamed` gives steps other names. Pure: no clock, no randomness. Does
not live here: how a frame looks on the wire (`sandbox.gcs.bodies`), when a life begins (`sandbox.gcs.stage`). Called by
the demo, the tests and the benchmarks.

Every builder but `timed` takes `seconds`, the story time of its last frame. There is a frame whenever a step begins or
ends or a sub-job finishes. Frames are called `pending`, `running 2/5` (finished steps), `succeeded`, and so on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise

STEP_NAMES = (
    "fastq-split",
    "fastqc",
    "trim-adapters",
    "bwa-mem",
    "sort-bam",
    "merge-lanes",
    "mark-duplicates",
    "collect-metrics",
    "base-recalibrator",
    "apply-bqsr",
    "haplotype-caller",
    "genotype-gvcfs",
    "merge-vcf",
    "filter-snps",
    "filter-indels",
    "annotate-variants",
    "coverage-report",
    "multiqc",
    "pack-results",
    "archive-results",
)
"""The steps of a germline workflow, in the order in which they run."""

_CORE = ("fastq-split", "bwa-mem", "mark-duplicates", "haplotype-caller", "merge-vcf")

_WEIGHTS = {"bwa-mem": 2.0, "mark-duplicates": 1.5, "haplotype-caller": 2.5, "genotype-gvcfs": 2.0}
"""How long a step takes, relative to the others."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """The state of one step. `began` and `ended` are seconds of the life; None: not yet."""

    name: str
    status: str = "Pending"
    sub_jobs: int = 1
    sub_jobs_finished: int = 0
    sub_jobs_failed: int = 0
    began: float | None = None
    ended: float | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What GCS shows from second `at` of the life."""

    at: float = 0.0
    name: str = ""
    status: str = "Running"
    """`execution.status`."""
    phase: str | None = None
    """`objectStatus.phase`; None: the same as `status`. The empty string leaves `object.status` null."""
    action: str = "create"
    reason: str = ""
    message: str = ""
    steps: tuple[Step, ...] = ()
    has_counts: bool = True
    """False leaves the top-level `status` out, as GCS does while it is empty."""
    is_gone: bool = False
    """GCS answers 404."""

    @property
    def finished(self) -> int:
        """Steps that succeeded."""
        return sum(step.status == "Succeeded" for step in self.steps)

    @property
    def is_at_rest(self) -> bool:
        """Whether its times stand still: it has ended or not begun."""
        return self.status in {"Pending", "Succeeded", "Failed", "Cancelled"}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """Which of the documented spellings the bodies of a life use."""

    steps_as_map: bool = False
    """`actual_node_status` is a map name → object instead of a list."""
    jobs_type: bool = False
    """Use the REST reference's `jobs_type` map instead of the SDK reference's `job_type` string."""
    upper_case: bool = False
    """Phases are in capitals, as the successor service writes them."""
    cromwell: bool = False
    """The Cromwell variant: `metadata` instead of `object`, and its own words for phases."""
    from_file: bool = False
    """The execution was submitted from a file: no workflow, no enterprise project."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """All frames of one execution, ordered by `at`."""

    name: str
    frames: tuple[Frame, ...]
    workflow: str = "germline-wgs"
    label: tuple[str, str] = ("batch", "panel-7")
    """Key and value."""
    project: str = "dts"
    """Name of its enterprise project."""
    timeout_minutes: int = 1440
    dialect: Dialect = Dialect()

    def frame(self, seconds: float) -> Frame:
        """The frame shown at `seconds`."""
        return self.frames[max(0, bisect_right(self.frames, seconds, key=lambda frame: frame.at) - 1)]

    def spelled(self, dialect: Dialect) -> Life:
        """The same life in another dialect."""
        return replace(self, dialect=dialect)


def pending() -> Life:
    """Waits to be dispatched, forever."""
    return Life(name="pending", frames=(_PENDING,))


def happy(steps: int = 5, *, seconds: float = 3600, sub_jobs: int = 1) -> Life:
    """Steps one after another, each with `sub_jobs`; succeeds."""
    plan = _chain(step_names(steps), seconds, sub_jobs)
    return Life(name="happy", frames=(_PENDING, *_running(plan, until=seconds), _succeeded(plan, seconds)))


def slow(steps: int = 3, *, seconds: float = 20 * 3600) -> Life:
    """Like `happy`, but for hours nothing changes except the elapsed time."""
    return replace(happy(steps, seconds=seconds), name="slow")


def timed(spans: Mapping[str, float], *, waits: float = 10) -> Life:
    """Steps one after another that take as long as `spans` says, in seconds, after a wait for dispatch; succeeds."""
    ends = list(accumulate(spans.values(), initial=waits))
    plan = [_Planned(name, begin, end) for name, (begin, end) in zip(spans, pairwise(ends), strict=True)]
    return Life(name="timed", frames=(_PENDING, *_running(plan, until=ends[-1]), _succeeded(plan, ends[-1])))


def wide(branches: int = 22, *, sub_jobs: int = 4, seconds: float = 4 * 3600) -> Life:
    """Split and align, then many parallel steps with sub-jobs (one per chromosome), then merge."""
    unit = seconds / 100
    align = [
        _Planned("fastq-split", unit, 6 * unit),
        _Planned("bwa-mem", 6 * unit, 20 * unit, 2 * sub_jobs),
        _Planned("mark-duplicates", 20 * unit, 25 * unit),
    ]
    # Chromosome 1 is the longest, so branches end one by one, the first one last.
    call = [
        _Planned(f"haplotype-caller-{_chromosome(n)}", 25 * unit, (85 - 40 * n / branches) * unit, sub_jobs)
        for n in range(branches)
    ]
    merge = [_Planned("merge-vcf", 85 * unit, 92 * unit), _Planned("annotate-variants", 92 * unit, seconds)]
    plan = [*align, *call, *merge]
    return Life(name="wide", frames=(_PENDING, *_running(plan, until=seconds), _succeeded(plan, seconds)))


def failing(steps: int = 5, *, seconds: float = 2400, sub_jobs: int = 1) -> Life:
    """Fails in the middle with reason and message; the step parallel to the failed one stays `Running`."""
    plan, failed = _forked(steps, seconds, sub_jobs)
    return Life(name="failing", frames=(_PENDING, *_running(plan, until=seconds), _failed(plan, failed, seconds)))


def stumbling(steps: int = 5, *, seconds: float = 2400) -> Life:
    """The second step fails early while the others go on; the execution fails once they have ended."""
    first, victim, *others = step_names(steps)
    plan = _chain([first, *others], seconds, 1)
    fails = round(plan[0].ends + 0.2 * (seconds - plan[0].ends), 3)
    plan.insert(1, _Planned(victim, plan[0].ends, fails))
    frames = [_stumbled(frame, victim, fails) for frame in _running(plan, until=seconds)]
    return Life(name="stumbling", frames=(_PENDING, *frames, _failed(plan, victim, seconds, since=fails)))


def cancelled(steps: int = 5, *, seconds: float = 1800, by_force: bool = False) -> Life:
    """Stopped half way; the running step stays `Running`, because jobs already dispatched continue."""
    plan = _chain(step_names(steps), 2 * seconds, 1)
    stops, forced = 0.8 * seconds, 0.9 * seconds
    ends = [Frame(at=stops, name="cancelling", status="Cancelling", steps=_show(plan, stops))]
    if by_force:
        ends.append(Frame(at=forced, name="force-cancelling", status="ForceCancelling", steps=_show(plan, stops)))
    ends.append(Frame(at=seconds, name="cancelled", status="Cancelled", steps=_show(plan, stops)))
    return Life(name="cancelled", frames=(_PENDING, *_running(plan, until=stops), *ends))


def retried(steps: int = 5, *, seconds: float = 4800) -> Life:
    """Fails like `failing` at half time, waits, is retried, and succeeds under the same id."""
    fails, retries, resumes = 0.5 * seconds, 0.6 * seconds, 0.65 * seconds
    plan, failed = _forked(steps, fails, 1)
    done = [step for step in plan if step.ends < fails]
    again = _chain([step.name for step in plan if step.ends >= fails], seconds - resumes, 1, begins=resumes)
    second = [*done, *again]
    waiting = Frame(at=retries, name="retrying", status="Retrying", steps=_show(second, retries))
    return Life(
        name="retried",
        frames=(
            _PENDING,
            *_running(plan, until=fails),
            _failed(plan, failed, fails),
            waiting,
            *_running(second, since=resumes, until=seconds),
            _succeeded(second, seconds),
        ),
    )


def deleted(steps: int = 5, *, seconds: float = 1800) -> Life:
    """Deleted while it runs: `Deleting`, then the deletion succeeds, then GCS answers 404."""
    plan = _chain(step_names(steps), 2 * seconds, 1)
    at, done = 0.8 * seconds, 0.9 * seconds
    shown = _show(plan, at)
    deleting = Frame(at=at, name="deleting", status="Deleting", phase="Running", action="delete", steps=shown)
    return Life(
        name="deleted",
        frames=(
            _PENDING,
            *_running(plan, until=at),
            deleting,
            replace(deleting, at=done, name="deletion done", phase="Succeeded", reason="SuccessfulFinish"),
            Frame(at=seconds, name="gone", is_gone=True),
        ),
    )


def renamed(life: Life, names: Mapping[str, str]) -> Life:
    """The same life whose steps have other names, in messages too."""

    def words(text: str) -> str:
        for old, new in names.items():
            text = text.replace(old, new)
        return text

    frames = (
        replace(
            frame,
            message=words(frame.message),
            steps=tuple(
                replace(step, name=names.get(step.name, step.name), message=words(step.message)) for step in frame.steps
            ),
        )
        for frame in life.frames
    )
    return replace(life, frames=tuple(frames))


def step_names(count: int) -> list[str]:
    """`count` realistic step names in workflow order; the five core steps are chosen first."""
    extra = [name for name in STEP_NAMES if name not in _CORE]
    chosen = {*_CORE[:count], *extra[: max(0, count - len(_CORE))]}
    numbered = [f"post-process-{n}" for n in range(1, count - len(STEP_NAMES) + 1)]
    return [*(name for name in STEP_NAMES if name in chosen), *numbered]


_PENDING = Frame(name="pending", status="Pending", phase="", has_counts=False)


@dataclass(frozen=True)
class _Planned:
    """When a step runs, in whole milliseconds, so that steps that end and begin together share a frame."""

    name: str
    begins: float
    ends: float
    sub_jobs: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "begins", round(self.begins, 3))
        object.__setattr__(self, "ends", round(self.ends, 3))

    @cached_property
    def finishes(self) -> list[float]:
        """When each sub-job finishes: evenly spaced, the last one at the end of the step."""
        span = self.ends - self.begins
        return [round(self.begins + span * (n + 1) / self.sub_jobs, 3) for n in range(self.sub_jobs)]

    def show(self, at: float) -> Step:
        """The state of the step at second `at`."""
        if at < self.begins:
            return Step(name=self.name, sub_jobs=self.sub_jobs)
        done = bisect_right(self.finishes, at)
        is_done = done == self.sub_jobs
        return Step(
            name=self.name,
            status="Succeeded" if is_done else "Running",
            sub_jobs=self.sub_jobs,
            sub_jobs_finished=done,
            began=self.begins,
            ended=self.ends if is_done else None,
            reason="SuccessfulFinish" if is_done else "",
        )


def _chain(names: Sequence[str], seconds: float, sub_jobs: int, *, begins: float | None = None) -> list[_Planned]:
    """Steps one after another; by default after a short wait for dispatch."""
    first = 0.02 * seconds if begins is None else begins
    span = seconds - first if begins is None else seconds
    ends = list(accumulate((_WEIGHTS.get(name, 1.0) for name in names), initial=0.0))
    moments = pairwise(first + span * end / ends[-1] for end in ends)
    return [_Planned(name, begin, end, sub_jobs) for name, (begin, end) in zip(names, moments, strict=True)]


def _forked(steps: int, seconds: float, sub_jobs: int) -> tuple[list[_Planned], str]:
    """A chain whose middle step ends at `seconds` while the next one runs in parallel; and the middle step's name."""
    names = step_names(steps)
    middle = len(names) // 2
    plan = _chain(names[: middle + 1], seconds, sub_jobs)
    begins, far = plan[-1].begins, 2 * seconds
    plan += [_Planned(name, begins, far, sub_jobs) for name in names[middle + 1 : middle + 2]]
    plan += [_Planned(name, far, 2 * far, sub_jobs) for name in names[middle + 2 :]]
    return plan, names[middle]


def _show(plan: Sequence[_Planned], at: float) -> tuple[Step, ...]:
    return tuple(step.show(at) for step in plan)


def _running(plan: Sequence[_Planned], *, until: float, since: float = 0.0) -> list[Frame]:
    """A `Running` frame for every moment at which something changes."""
    moments = {step.begins for step in plan} | {moment for step in plan for moment in step.finishes}
    frames = [Frame(at=at, steps=_show(plan, at)) for at in sorted(moments) if since <= at < round(until, 3)]
    return [replace(frame, name=f"running {frame.finished}/{len(plan)}") for frame in frames]


def _succeeded(plan: Sequence[_Planned], at: float) -> Frame:
    return Frame(at=at, name="succeeded", status="Succeeded", reason="SuccessfulFinish", steps=_show(plan, at + 1))


def _failed(plan: Sequence[_Planned], name: str, at: float, *, since: float | None = None) -> Frame:
    """The step `name` has failed; the engine updates no other step from then on."""
    steps = tuple(_broken(step, since or at) if step.name == name else step for step in _show(plan, at))
    (reason, message), *_ = ((step.reason, step.message) for step in steps if step.name == name)
    return Frame(at=at, name="failed", status="Failed", reason=reason, message=message, steps=steps)


def _stumbled(frame: Frame, name: str, since: float) -> Frame:
    """A frame while the execution goes on in which the step `name` has failed, once it is that late."""
    if frame.at < since:
        return frame
    steps = tuple(_broken(step, since) if step.name == name else step for step in frame.steps)
    frame = replace(frame, steps=steps)
    return replace(frame, name="step failed" if frame.at == since else f"running {frame.finished}/{len(steps)}")


def _broken(step: Step, at: float) -> Step:
    """A step that failed at second `at`, with its last sub-job."""
    cause = f"job {step.name}-0 exited with code 137 (OOMKilled), retried 3 times"
    message = f"元素({step.name})执行create失败. ## Element({step.name}) execute Action: create failed: {cause}"
    failed = replace(step, status="Failed", sub_jobs_finished=step.sub_jobs - 1, sub_jobs_failed=1, ended=at)
    return replace(failed, reason="SubJobFailed", message=message)


def _chromosome(number: int) -> str:
    return f"chr{number + 1}" if number < 22 else f"contig{number - 21}"
