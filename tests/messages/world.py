"""The executions, changes and subscriptions that the examples show: fixed values, with names as workflows have them.

Lives here: values only. Does not live here: which message shows them (`cards` and its neighbours). Called by those.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from bot.domain.change import Change, ChangeKind
from bot.domain.estimate import usual_of
from bot.domain.events import Event
from bot.domain.execution import FAILED_PHASES, Execution, Step
from bot.domain.following import Level, Quiet, Subscriber, Subscription
from bot.domain.past import End, Past
from bot.domain.snapshot import SlowStep, Snapshot, Usual

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
"""The moment at which every example is said."""
STARTED = NOW - timedelta(hours=1, minutes=30)
ID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
OTHER_ID = "0b7c52d8-5b1e-4c8e-9a57-2f1c6f0d3a44"
NAME = "germline-wgs-03-12-080000-14"

PERSON, OTHER_PERSON, CHANNEL = "U0READER", "U0OTHER", "C0SEQUENCING"
PEOPLE = {PERSON: "you", OTHER_PERSON: "somebody"}
"""What the page says in place of people's ids."""
CHANNELS = {CHANNEL: "sequencing"}

KILLED = "Element(mark-duplicates) execute Action: create failed: container mark-duplicates was killed, exit code 137"
_DISC = "Element(标记重复) execute Action: create failed: the reference genome does not match the index"
_DISC_ZH = "元素(标记重复)执行create失败. 参考基因组与索引不匹配"
KILLED_ZH = "元素(mark-duplicates)执行动作:创建失败:容器 mark-duplicates 被终止,退出码 137"


def minutes(number: float) -> timedelta:
    """A duration."""
    return timedelta(minutes=number)


SPLIT = Step(name="fastq-split", phase="Succeeded", sub_jobs=1, sub_jobs_finished=1, elapsed=minutes(7))
ALIGN = Step(name="bwa-mem", phase="Succeeded", sub_jobs=4, sub_jobs_finished=4, elapsed=minutes(52))
MARK = Step(name="mark-duplicates", phase="Running", sub_jobs=8, sub_jobs_finished=3, elapsed=minutes(31))
CALL = Step(name="haplotype-caller", phase="Running", sub_jobs=24, sub_jobs_finished=9, elapsed=minutes(26))
LATER = (Step(name="merge-vcf"), Step(name="annotate-variants"))
MARK_FAILED = replace(
    MARK, phase="Failed", elapsed=minutes(24), reason="OOMKilled", message=KILLED, message_zh=KILLED_ZH
)

RUNNING = Execution(
    id=ID,
    name=NAME,
    workflow_id="7d2f1c90-6a1b-4f0e-8f5d-1c2b3a4d5e6f",
    workflow_name="germline-wgs",
    phase="Running",
    steps_total=6,
    steps_finished=2,
    steps=(SPLIT, ALIGN, MARK, CALL, *LATER),
    created_at=STARTED,
    updated_at=NOW - timedelta(seconds=40),
    timeout=timedelta(hours=24),
    target="cce",
    cluster="gcs-env-demo",
    namespace="genomics",
    enterprise_project="default",
    description="Nightly panel, lane 3",
    priority=5,
    labels={"batch": "panel-7"},
    resources={"cpu": 3.1, "memory": 24.8},
)
FAILED = replace(
    RUNNING,
    phase="Failed",
    reason="StepFailed",
    message=KILLED,
    message_zh=KILLED_ZH,
    steps_finished=3,
    elapsed=minutes(90),
    updated_at=NOW,
    steps=(SPLIT, ALIGN, MARK_FAILED, CALL, *LATER),
)
SUCCEEDED = replace(
    RUNNING,
    phase="Succeeded",
    steps_finished=6,
    elapsed=minutes(90),
    updated_at=NOW,
    steps=tuple(
        replace(step, phase="Succeeded", sub_jobs_finished=step.sub_jobs, elapsed=step.elapsed or minutes(9))
        for step in RUNNING.steps
    ),
)
CANCELLING = replace(RUNNING, phase="Cancelling")
CANCELLED = replace(RUNNING, phase="Cancelled", elapsed=minutes(90), updated_at=NOW)
RETRYING = replace(RUNNING, phase="Retrying")
EARLY = replace(RUNNING, steps=(SPLIT, ALIGN, MARK_FAILED, CALL, *LATER), steps_finished=2)
CLOSE = replace(RUNNING, timeout=minutes(118))
"""GCS stops it in 28 min."""
CHROMOSOMES = [*map(str, range(1, 23)), "X", "Y"]


def _caller(number: int, phase: str) -> Step:
    chromosome = CHROMOSOMES[number % 24]
    took = minutes(109 - number % 90) if phase else None
    return Step(name=f"haplotype-caller-chr{chromosome}-{number // 24 + 1}", phase=phase, elapsed=took)


WIDE = replace(
    RUNNING,
    name="germline-wgs-03-12-080000-15",
    steps_total=195,
    steps_finished=65,
    steps=(
        SPLIT,
        ALIGN,
        replace(MARK, phase="Succeeded", sub_jobs_finished=8),
        *(_caller(number, "Succeeded" if number < 62 else "Running") for number in range(190)),
        *LATER,
    ),
)
MANY_FAILED = replace(
    WIDE,
    phase="Failed",
    reason="StepFailed",
    message="29 steps failed",
    message_zh="29 个步骤失败",
    elapsed=minutes(90),
    updated_at=NOW,
    steps=tuple(
        replace(step, phase="Failed", reason="Error", message=f"exit code {1 if number % 3 else 137}")
        if 70 <= number < 99
        else step
        for number, step in enumerate(WIDE.steps)
    ),
)
TWO_KINDS_FAILED = replace(
    MANY_FAILED,
    steps_total=199,
    steps=(
        *MANY_FAILED.steps,
        *(
            Step(name=f"recalibrate-chr{number}", phase="Failed", reason="OOMKilled", elapsed=minutes(12))
            for number in CHROMOSOMES[:4]
        ),
    ),
)
CHINESE = replace(
    FAILED,
    name="全基因组-03-12-080000-16",
    workflow_name="全基因组检测",
    description="夜间批次,第三泳道",
    labels={"批次": "面板七"},
    reason="step failed",
    reason_zh="步骤失败",
    message=_DISC,
    message_zh=_DISC_ZH,
    steps=(
        replace(SPLIT, name="拆分"),
        replace(
            MARK_FAILED,
            name="标记重复",
            reason="sub-job failed",
            reason_zh="子任务失败",
            message=_DISC,
            message_zh=_DISC_ZH,
        ),
        replace(CALL, name="变异检测"),
    ),
)
"""Names, labels and texts in Chinese; GCS says why in both languages."""
CHINESE_EARLY = replace(CHINESE, phase="Running", reason="", reason_zh="", message="", message_zh="", elapsed=None)
CHINESE_ONLY = replace(
    CHINESE,
    message="参考基因组版本不一致",
    message_zh="",
    steps=tuple(
        replace(step, reason="", reason_zh="", message="参考基因组版本不一致", message_zh="")
        if step.is_failed
        else step
        for step in CHINESE.steps
    ),
)
"""The same where GCS says why in Chinese only."""
BARE = Execution(id=ID, phase="Pending")
"""What GCS says in the first seconds."""
WIDEST = replace(
    RUNNING,
    name="a-name-of-eighty-characters-with-all-that-somebody-thought-worth-saying-about-it-1",
    steps_total=1_000,
    steps_finished=312,
    steps=tuple(
        Step(
            name=f"stage-{number // 100}-of-a-workflow-with-names-that-are-as-long-as-they-can-be-shard-{number % 100}",
            phase="Succeeded" if number < 312 else "Running" if number < 900 else "",
            elapsed=minutes(1 + number % 80) if number < 900 else None,
        )
        for number in range(1_000)
    ),
)
UNLIKE = replace(
    WIDEST,
    steps_total=80,
    steps_finished=20,
    steps=tuple(
        Step(
            name=f"{chr(97 + number % 26)}{chr(97 + number // 26)}-{'is-the-beginning-of-a-long-name-' * 2}",
            phase=("Succeeded", "Running", "Running", "")[number % 4],
            elapsed=minutes(1 + number) if number % 4 < 3 else None,
        )
        for number in range(80)
    ),
)
EARLY_MANY = replace(MANY_FAILED, phase="Running", reason="", message="", message_zh="", elapsed=None)
WORST = replace(
    UNLIKE,
    steps=(
        replace(MARK_FAILED, name=UNLIKE.steps[0].name, message=KILLED * 3),
        replace(MARK_FAILED, name=UNLIKE.steps[1].name, message=KILLED * 3),
        *UNLIKE.steps[2:],
    ),
    labels={"a-label-of-some-length": "and-its-value-is-long", "another-label": "panel-7", "third": "x"},
)
LONG = replace(
    RUNNING,
    name="somatic-tumour-normal-pair-with-contamination-check-and-cnv-03-12-080000-1234567",
    workflow_name="somatic-tumour-normal-pair-with-contamination-check-and-cnv-batch",
)

CHANNEL_SUBSCRIPTION = Subscription(
    execution_id=ID,
    subscriber=Subscriber(team_id="T0LAB", id=CHANNEL),
    owner=PERSON,
    created_at=NOW,
)
OWN_SUBSCRIPTION = replace(CHANNEL_SUBSCRIPTION, subscriber=Subscriber(team_id="T0LAB", id=PERSON))


def snapshot(execution: Execution = RUNNING, **fields: Any) -> Snapshot:
    """The execution as GCS showed it at `NOW`; what has failed of one that goes on did so two minutes before."""
    if execution.failed_steps and not execution.is_terminal:
        fields.setdefault("failed_at", NOW - minutes(2))
    return Snapshot(execution=execution, revision=3, seen_at=fields.pop("seen_at", NOW), **fields)


def running(**fields: Any) -> Snapshot:
    """The running execution with other values."""
    return snapshot(replace(RUNNING, **fields))


def change(kind: ChangeKind, **fields: Any) -> Change:
    """A change that was seen at `NOW`."""
    return Change(kind=kind, revision=3, at=fields.pop("at", NOW), **fields)


def end(execution: Execution, **fields: Any) -> Change:
    """The end of an execution, as `bot.domain.observing` would report it."""
    known: dict[str, Any] = {
        "kind": ChangeKind.OUTCOME,
        "phase_before": "Running",
        "phase": execution.phase,
        "finished": execution.steps_finished,
        "total": execution.steps_total,
        "elapsed": execution.elapsed,
        "reason": execution.reason,
        "message": execution.message,
        "message_zh": execution.message_zh,
        "failed_steps": execution.failed_steps[:5],
        "failed_steps_total": len(execution.failed_steps),
        "is_alert": execution.phase in FAILED_PHASES,
    }
    return change(**(known | fields))


USUAL = usual_of([4_900, 5_100, 5_300, 5_600, 5_900, 6_200])
"""How long runs of the workflow take."""
PAST = Past(
    tuple(
        End(
            id=f"{number:08x}-5b1e-4c8e-9a57-2f1c6f0d3a44",
            phase="Failed" if number in {1, 3, 7} else "Cancelled" if number == 4 else "Succeeded",
            at=NOW - timedelta(days=number),
            name=f"germline-wgs-03-{12 - number:02}-080000-{14 - number}",
            step="mark-duplicates" if number in {1, 3, 7} else "",
            reason="OOMKilled" if number in {1, 3, 7} else "",
            elapsed=minutes(88 + number) if number != 4 else None,
        )
        for number in range(1, 11)
    ),
    End(id=OTHER_ID, phase="Succeeded", at=NOW - timedelta(days=2), name="germline-wgs-03-10-080000-12"),
)
"""How the last runs of the workflow ended."""
EVENTS = (
    Event("fastq-split", "SuccessfulFinish", "Element(fastq-split) execute Action: create successfully", at=STARTED),
    Event("mark-duplicates", "Created", "Created job mark-duplicates-0", at=NOW - minutes(24)),
    Event("mark-duplicates-init", "SuccessfulFinish", "Prepared mark-duplicates", at=NOW - minutes(25)),
    Event("mark-duplicates", "OOMKilled", KILLED, "内存不足", KILLED_ZH, NOW - minutes(1), 4),
)
"""What GCS says happened, in an order of its own."""
_USUAL = Usual(count=12, center=9.2, scale=0.15, freedom=15)
USUAL_KNOWN = snapshot(RUNNING, usual=_USUAL)
SLOW_STEP = snapshot(RUNNING, slow_steps=(SlowStep("mark-duplicates", minutes(20)),), raised=("step:mark-duplicates",))
WAITING = snapshot(replace(RUNNING, phase="Pending", steps=(), steps_finished=0), usual_wait=minutes(20))
SLOW_RUN = snapshot(RUNNING, usual=Usual(count=12, center=7.2, scale=0.15, freedom=15), raised=("slow",))

LEVELS = tuple(Level)

MUTED = Quiet(until=NOW + timedelta(hours=8))
"""Until when something is muted."""

MUTED_ALL = Quiet(until=NOW + timedelta(hours=8), holds_failures=True)
"""The same with failures."""
