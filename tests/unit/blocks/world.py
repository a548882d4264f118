"""Literal executions, and hostile ones, for the promises of `bot.blocks`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from bot.blocks import Evidence
from bot.domain.access import Readers
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.events import Event
from bot.domain.execution import Execution, Phase, Step
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.past import End, Past
from bot.domain.search import Found, Match
from bot.domain.snapshot import SlowStep, Snapshot, Unseen, Usual

NOW = datetime(2018, 8, 20, 6, 53, 21, tzinfo=UTC)
ID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"

STEPS = (
    Step(name="bwa-mem", phase="Succeeded", sub_jobs=4, sub_jobs_finished=4, elapsed=timedelta(seconds=258)),
    Step(name="call", phase="Running", sub_jobs=8, sub_jobs_finished=3, elapsed=timedelta(seconds=158)),
    Step(name="merge"),
)
RUNNING = Execution(
    id=ID,
    name="gcs-exec-3-08-20-144951",
    workflow_name="deepvariant",
    phase="Running",
    steps_total=12,
    steps_finished=3,
    steps=STEPS,
    created_at=datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC),
    updated_at=datetime(2018, 8, 20, 6, 48, 41, tzinfo=UTC),
    timeout=timedelta(minutes=1440),
    target="cce",
    cluster="gcs-env-demo",
    labels={"batch": "panel-7"},
)
FAILED_STEP = Step(name="call", phase="Failed", reason="OOMKilled", message="container call was killed")
FAILED = replace(
    RUNNING,
    phase="Failed",
    reason="StepFailed",
    message="Element(call) execute Action: create failed",
    elapsed=timedelta(seconds=701),
    steps=(STEPS[0], FAILED_STEP, Step(name="sort", phase="Running"), STEPS[2]),
)


def execution(**fields: Any) -> Execution:
    """The running execution with other values."""
    return replace(RUNNING, **fields)


def snapshot(seen: Execution = RUNNING, **fields: Any) -> Snapshot:
    """A snapshot that was polled at `NOW`."""
    return Snapshot(execution=seen, revision=3, seen_at=NOW, **fields)


def subscription(subscriber: str = "C123", **fields: Any) -> Subscription:
    """A channel's subscription, or that of the person given."""
    who = Subscriber(team_id="T1", id=subscriber)
    return Subscription(execution_id=ID, subscriber=who, owner="U1", created_at=NOW, **fields)


def change(kind: ChangeKind = ChangeKind.PROGRESS, **fields: Any) -> Change:
    """A change that was seen at `NOW`."""
    return Change(kind=kind, revision=3, at=NOW, **fields)


def strings(node: object) -> Iterator[str]:
    """Every string that is shown in blocks or a view; ids and values are not."""
    if isinstance(node, list | tuple):
        for entry in node:
            yield from strings(entry)
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str) and key in {"text", "title"}:
                yield value
            elif not isinstance(value, str):
                yield from strings(value)


def shown(node: object) -> str:
    """Every shown string, one per line."""
    return "\n".join(strings(node))


def buttons_of(node: object) -> dict[str, str]:
    """Label → value of the buttons in blocks or a view; entries of a menu begin with "⋯"."""
    if isinstance(node, dict) and node.get("type") == "overflow":
        return {f"⋯ {option['text']['text']}": option["value"] for option in node["options"]}
    if isinstance(node, dict) and node.get("type") == "button":
        return {node["text"]["text"]: node["value"]}
    inside = list(node.values()) if isinstance(node, dict) else list(node) if isinstance(node, list | tuple) else []
    return {label: value for entry in inside for label, value in buttons_of(entry).items()}


_EVIL = st.sampled_from(
    [
        "<!channel>",
        "<@U1> & <https://evil.example|x>",
        "@here @channel",
        "`code` ```fence```",
        "\u202e\u2066rtl\u200b",
        "שלום *bold* _it_",
        "👩\u200d👩\u200d👧🏽🇩🇪" * 40,
        "👩" * 300,
        "e\u0301\u0302" * 3000,
        "&" * 5000,
        "全基因组<!here>" * 300,
        "元素(调用)执行动作:创建失败:<!channel> 退出码 137",
        "Element(<@U1>) execute Action: create failed: *x* exit code 1",
        "\ud800\x00\x1b[31m\r\n\u2028",
        "{name} {0} %s {",
        "|" * 300,
        ":" * 300,
        "",
    ]
)
_text = st.one_of(_EVIL, st.text(max_size=30))
_span = st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(days=36_600)))  # as `bot.gcs.values.span` gives
_moments = st.datetimes(timezones=st.just(UTC))
_moment = st.one_of(st.none(), _moments)
_count = st.integers(0, 10**9)
_phase = st.one_of(st.sampled_from([*Phase, ""]), _text)
_amounts = st.dictionaries(_text, st.one_of(_text, st.integers(), st.floats(allow_nan=False)), max_size=12)
_texts = {"reason": _text, "message": _text, "reason_zh": _text, "message_zh": _text}

hostile_steps = st.builds(
    Step,
    name=_text,
    phase=_phase,
    sub_jobs=_count,
    sub_jobs_finished=_count,
    elapsed=_span,
    resources=_amounts,
    **_texts,
)
hostile_executions = st.builds(
    Execution,
    id=_text.filter(bool),
    name=_text,
    workflow_id=_text,
    workflow_name=_text,
    phase=_phase,
    witness=_phase,
    action=st.sampled_from(["", "create", "delete"]),
    steps_total=st.none() | _count,
    steps_finished=st.none() | _count,
    steps=st.one_of(
        st.lists(hostile_steps, max_size=6).map(tuple),
        st.tuples(hostile_steps, st.sampled_from([12, 400, 5000])).map(lambda pair: (pair[0],) * pair[1]),
    ),
    steps_left_out=_count,
    created_at=_moment,
    updated_at=_moment,
    elapsed=_span,
    timeout=_span,
    target=_text,
    cluster=_text,
    namespace=_text,
    project_id=_text,
    enterprise_project=_text,
    description=_text,
    priority=st.none() | st.integers(),
    labels=st.dictionaries(_text, _text, max_size=12),
    resources=_amounts,
    time_ratio=st.none() | st.floats(allow_nan=False),
    is_cromwell=st.booleans(),
    is_partial=st.booleans(),
    **_texts,
)
_usual = st.builds(
    Usual, count=st.integers(3, 20), center=st.floats(0, 20), scale=st.floats(0.01, 4), freedom=st.integers(6, 23)
)
hostile_snapshots = st.builds(
    Snapshot,
    execution=hostile_executions,
    revision=st.integers(1, 9),
    seen_at=st.just(NOW) | _moments,
    retry_until=_moment,
    unreachable_since=_moment,
    unseen=st.sampled_from(Unseen),
    is_vanished=st.booleans(),
    usual=st.none() | _usual,
    by_steps=_span,
    slow_steps=st.lists(st.builds(SlowStep, name=_text, usual=st.timedeltas()), max_size=5).map(tuple),
    raised=st.lists(st.sampled_from(["slow", "deadline", "step:x"]), max_size=3).map(tuple),
    is_interrupted=st.booleans(),
    usual_wait=_span,
)
subscriptions = st.builds(
    subscription,
    st.sampled_from(["C123", "U123"]),
    level=st.sampled_from([*Level, Level("of tomorrow")]),
    is_ending=st.booleans(),
    ended_by=st.sampled_from(["", "U2"]),
)
hostile_changes = st.builds(
    Change,
    kind=st.sampled_from(ChangeKind),
    revision=st.integers(1, 9),
    at=st.just(NOW) | _moments,
    phase_before=_phase,
    phase=_phase,
    finished_before=st.none() | _count,
    finished=st.none() | _count,
    total=st.none() | _count,
    elapsed=_span,
    finished_steps=st.lists(_text, max_size=9).map(tuple),
    failed_steps=st.lists(hostile_steps, max_size=9).map(tuple),
    failed_steps_total=_count,
    newly_failed=st.lists(hostile_steps, max_size=9).map(tuple),
    newly_failed_total=_count,
    is_alert=st.booleans(),
    retry_until=_moment,
    why=st.none() | st.sampled_from(EndReason),
    step=_text,
    taken=_span,
    usual=_span,
    deadline=_moment,
    by=st.sampled_from(["", "U2"]),
    level=st.sampled_from([*Level, "", "<!channel>"]),
    **_texts,
)
_ends = st.builds(End, id=_text, phase=_phase, at=_moments, name=_text, step=_text, reason=_text, elapsed=_span)
hostile_evidence = st.builds(
    Evidence,
    events=st.none() | st.lists(st.builds(Event, element=_text, at=_moment, times=_count, **_texts), max_size=12),
    is_refused=st.booleans(),
    past=st.builds(Past, st.lists(_ends, max_size=10).map(tuple), st.none() | _ends),
)
hostile_finds = st.builds(
    Found,
    st.lists(st.builds(Match, _text.filter(bool), _text, _phase, _text, _moment), max_size=12).map(tuple),
    _count,
)
hostile_readers = st.builds(
    Readers, st.frozensets(st.sampled_from(["E1", "T2", "T3"]), max_size=3), st.lists(_text, max_size=5).map(tuple)
)
