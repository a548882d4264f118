"""Promises of the message about the end: what happened, why, and whether a retry can follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.blocks import Message, outcome_message
from bot.blocks.language import Language, speaking
from bot.domain.change import ChangeKind
from bot.domain.execution import MOST_STEPS, Execution, Step
from bot.domain.past import End, Past
from bot.domain.snapshot import Usual
from sandbox.slack import blockkit
from tests.unit.blocks.world import FAILED, FAILED_STEP, ID, NOW, RUNNING, change, shown, snapshot, subscription

CALL = replace(FAILED_STEP, elapsed=timedelta(minutes=24), message="exited with code 137")
BROKEN = replace(FAILED, steps=(*(step for step in FAILED.steps if not step.is_failed), CALL))
PUSHED = 110
"""So many characters of a message are certain to be seen in a notification."""


def outcome(seen: Execution = BROKEN, who: str = "C123", *, past: Past | None = None, **fields: Any) -> Message:
    """The message for an execution that ended as `seen` shows it."""
    known: dict[str, Any] = {
        "kind": ChangeKind.OUTCOME,
        "phase": seen.phase,
        "phase_before": "Running",
        "finished": 7,
        "total": 12,
        "elapsed": timedelta(hours=1, minutes=30),
        "reason": seen.reason,
        "message": seen.message,
        "failed_steps": seen.failed_steps[:5],
        "failed_steps_total": len(seen.failed_steps),
        "is_alert": True,
    }
    more = {name: fields.pop(name) for name in ("usual", "is_interrupted") if name in fields}
    ended = change(**(known | fields))
    return outcome_message(ended, subscription(who), snapshot(seen, **more), past=past or Past())


def elements(message: Message) -> dict[str, list[str]]:
    """What can be pressed: label or action id → what it offers, empty for a button."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return {
        each["text"]["text"] if each["type"] == "button" else each["action_id"]: [
            option["text"]["text"] for option in each.get("options", ())
        ]
        for row in rows
        for each in row
    }


def ended(phase: str) -> Execution:
    """The running execution in its last phase."""
    return replace(RUNNING, phase=phase, steps=())


def test_a_failure_says_state_name_cause_and_time() -> None:
    """In this order, in the blocks and in the plain text."""
    assert shown(outcome().blocks).splitlines()[:3] == [
        "❌ *Failed: gcs-exec-3-08-20-144951*",
        "*call* ran out of memory (exit 137, `OOMKilled`), after 24 min",
        "<@U1> · 7 of 12 steps in 1 h 30 min · *sort* may still be running",
    ]
    assert outcome().text.splitlines()[:3] == [
        "❌ Failed: gcs-exec-3-08-20-144951",
        "call ran out of memory (exit 137, OOMKilled), after 24 min",
        "7 of 12 steps in 1 h 30 min · sort may still be running",
    ]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", ["short", "n" * 80, "很长的名字" * 16, "&" * 80, "שם" * 40])
def test_a_notification_shows_the_cause(language: Language, name: str) -> None:
    """State and name come first, and the cause begins early enough, however long the name is."""
    with speaking(language):
        first, cause, *_ = outcome(replace(BROKEN, name=name)).text.splitlines()
    assert first.startswith({"en": "❌ Failed: ", "zh_CN": "❌ 执行失败："}[language])
    assert cause.startswith("call ")
    assert len(first) + 1 < PUSHED


def test_a_failure_calls_its_owner_once() -> None:
    """In a channel, and for no other end, nor in a burst of failures; a person needs no mention."""
    assert shown(outcome().blocks).count("<@U1>") == 1
    others = (outcome(who="U1"), outcome(ended("Succeeded")), outcome(ended("Cancelled")), outcome(is_alert=False))
    for message in others:
        assert "<@" not in shown(message.blocks) + message.text


@pytest.mark.parametrize(
    ("seen", "who", "fields", "offered"),
    [
        (BROKEN, "C123", {}, {"Why": [], "Steps": [], "choose": ["Share to channel"]}),
        (BROKEN, "U1", {}, {"Why": [], "Steps": []}),
        (
            BROKEN,
            "C123",
            {"retry_until": NOW},
            {"Why": [], "Steps": [], "choose": ["Share to channel", "Stop following here …"]},
        ),
        (ended("Cancelled"), "U1", {"retry_until": NOW}, {"Steps": [], "choose": ["Stop following"]}),
        (ended("Succeeded"), "C123", {}, {"Steps": []}),
        (RUNNING, "C123", {"kind": ChangeKind.VANISHED}, {}),
    ],
)
def test_what_can_be_done_at_an_end(
    seen: Execution, who: str, fields: dict[str, Any], offered: dict[str, list[str]]
) -> None:
    """A failure can be explained, what may be retried can be left; of what vanished nothing is to be had."""
    assert elements(outcome(seen, who, **fields)) == offered


def test_a_retry_is_waited_for() -> None:
    """The message says until when."""
    message = outcome(ended("Cancelled"), retry_until=NOW + timedelta(hours=20))
    assert "Waiting until <!date^1534820001" in shown(message.blocks)


def many(number: int, **fields: Any) -> Execution:
    """An execution of which so many steps failed, whose names differ in a number."""
    failed = Step(name="", phase="Failed", elapsed=timedelta(minutes=3), **fields)
    steps = tuple(
        replace(failed, name=f"call-chr{place}", message=f"exit code {1 if place % 3 else 137}")
        for place in range(number)
    )
    return replace(FAILED, steps=steps)


def test_many_failed_steps_make_one_line() -> None:
    """Also those that the change does not name: the snapshot does."""
    assert outcome(many(29)).text.splitlines()[1] == (
        "29 × call: exit 1 (19); was killed, probably for lack of memory (10)"
    )


def test_steps_that_are_forgotten_are_counted() -> None:
    """Once the snapshot shows something else, only the steps that the change names are known."""
    retried = replace(many(29), phase="Retrying")
    lines = outcome(retried, phase="Failed").text.splitlines()
    assert lines[1].startswith("5 × call: exit 1 (3)")
    assert lines[2] == "24 more steps failed · 7 of 12 steps in 1 h 30 min"


def test_of_different_steps_one_is_explained() -> None:
    """The first; the others are counted, and *Why* explains them."""
    steps = tuple(replace(CALL, name=name) for name in ("call", "sort", "merge"))
    lines = outcome(replace(FAILED, steps=steps)).text.splitlines()
    assert lines[1].startswith("call ran out of memory")
    assert lines[2] == "2 more steps failed · 7 of 12 steps in 1 h 30 min"


def test_more_failed_steps_than_are_known() -> None:
    """Where as many failed as are kept, more may have failed than are counted: a plus sign says so."""
    different = replace(FAILED, steps=tuple(replace(CALL, name=name) for name in _names(MOST_STEPS)))
    assert outcome(different).text.splitlines()[2].startswith("1,999+ more steps failed · ")
    assert outcome(replace(different, steps=different.steps[1:])).text.splitlines()[2].startswith("1,998 more steps")
    assert outcome(many(MOST_STEPS)).text.splitlines()[1].startswith("2,000+ × call: exit 1")


def _names(number: int) -> list[str]:
    """Names of steps that do not belong together."""
    return [f"call-{place}-x" for place in range(number)]


def test_the_only_step_may_borrow_the_reason() -> None:
    """Where GCS says something about the execution only."""
    seen = replace(FAILED, reason="OOMKilled", message="", steps=(Step(name="call", phase="Failed"),))
    assert outcome(seen).text.splitlines()[1] == "call ran out of memory (OOMKilled)"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"elapsed": timedelta(hours=23, minutes=59, seconds=52)}, "It looks like the time limit of 1 d was reached."),
        ({"elapsed": timedelta(hours=23)}, "GCS gives no reason."),
        ({"reason": "ExecutionTimeout"}, "The execution hit its time limit (ExecutionTimeout)"),
    ],
)
def test_a_time_out_is_recognised(fields: dict[str, Any], line: str) -> None:
    """GCS reports a time-out as a failure; the reason or the duration reveals it."""
    assert outcome(ended("Failed"), **({"reason": "", "message": ""} | fields)).text.splitlines()[1] == line


@pytest.mark.parametrize("phase", ["Cancelled", "Aborted"])
def test_a_stopped_execution_may_still_cost(phase: str) -> None:
    """The message warns that jobs go on."""
    assert outcome(ended(phase)).text.splitlines()[1] == (
        "7 of 12 steps in 1 h 30 min · jobs already dispatched may incur charges"
    )


def test_a_vanished_execution_shows_its_last_phase() -> None:
    """It is called deleted, with its last phase."""
    assert outcome(RUNNING, kind=ChangeKind.VANISHED).text.splitlines()[:2] == [
        "🗑 Deleted: gcs-exec-3-08-20-144951",
        "GCS no longer knows it. Last seen: Running, 7 of 12 steps.",
    ]


def test_a_success_says_how_long_it_usually_takes() -> None:
    """And which step took the longest."""
    steps = tuple(replace(step, phase="Succeeded", elapsed=step.elapsed or timedelta()) for step in RUNNING.steps)
    done = replace(RUNNING, phase="Succeeded", steps=steps)
    usual = Usual(count=6, center=8.6, scale=0.2, freedom=9)
    assert outcome(done).text.splitlines()[1] == "7 of 12 steps in 1 h 30 min · longest: bwa-mem, 4 min 18 s"
    assert outcome(done, usual=usual).text.splitlines()[1] == (
        "7 of 12 steps in 1 h 30 min (usually 1 h 5 min – 2 h) · longest: bwa-mem, 4 min 18 s"
    )
    assert "usually" not in outcome(done, usual=usual, is_interrupted=True).text


def end(number: int, *, step: str = "", reason: str = "", phase: str = "Failed") -> End:
    """How an earlier run ended."""
    return End(id=f"id-{number}", phase=phase, at=NOW, name=f"run-{number}", step=step, reason=reason)


ALIKE = (end(1, step="call", reason="OOMKilled"), end(2, phase="Succeeded"), end(3, step="call", reason="Evicted"))


@pytest.mark.parametrize(
    ("past", "line"),
    [
        (Past(ALIKE, ALIKE[1]), "same failure as 1 of the last 3 runs · last good: run-2"),
        (Past(ALIKE[:1]), "same failure as the run before"),
        (Past(ALIKE[1:], ALIKE[1]), "last good: run-2"),
        (Past((replace(ALIKE[0], id=ID),)), ""),
        (Past(), ""),
    ],
)
def test_a_failure_is_compared_with_earlier_ones(past: Past, line: str) -> None:
    """With others only: the history knows this end as well."""
    lines = outcome(past=past).text.splitlines()[3:]
    assert lines == ["<@U1>", *([line] if line else [])]


def test_counts_that_never_came_read_well() -> None:
    """An outcome without step counts says so."""
    unknown = replace(ended("Succeeded"), steps_total=None, steps_finished=None)
    assert "step counts not reported yet" in outcome(unknown, finished=None, total=None).text


def test_five_thousand_steps_fit() -> None:
    """However many steps failed, the message stays small; causes are not counted then."""
    message = outcome(many(5_000))
    assert message.text.splitlines()[1] == "5,000+ × call: exit 1; was killed, probably for lack of memory"
    assert blockkit.text_size(list(message.blocks)) < 1_000
