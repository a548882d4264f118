"""Promises of the modal about a failure: cause, GCS's words, events, the command for the logs, earlier runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.blocks import Evidence, why_modal
from bot.blocks.language import Language, speaking
from bot.domain.events import Event, latest
from bot.domain.execution import Execution, Step
from bot.domain.past import End, Past
from bot.domain.snapshot import Snapshot
from sandbox.slack import blockkit
from tests.unit.blocks.world import FAILED, ID, NOW, RUNNING, hostile_snapshots, shown, snapshot

CALL = Step(
    name="call",
    phase="Failed",
    sub_jobs=8,
    sub_jobs_finished=3,
    reason="OOMKilled",
    message="Element(call) execute Action: create failed: exit code 137",
    message_zh="元素(call)执行失败",
)
BROKEN = replace(FAILED, steps=(CALL,), namespace="genomics")
foreign = st.sampled_from(["<!channel> @here", "*b* `c`", "x" * 9_000, "שלום", "", "\ud800\x00"])
hostile_events = st.lists(
    st.builds(
        Event,
        element=foreign,
        reason=foreign,
        message=foreign,
        reason_zh=foreign,
        message_zh=foreign,
        at=st.none() | st.just(NOW),
        times=st.integers(1, 10**12),
    ),
    max_size=20,
)


def modal(seen: Execution = BROKEN, **evidence: Any) -> str:
    """All that it shows."""
    return shown(why_modal(snapshot(seen), Evidence(**evidence)))


def test_cause_and_text_are_shown_in_full() -> None:
    """First in words, then as GCS says it."""
    lines = modal().splitlines()
    assert "*call* ran out of memory (exit 137, `OOMKilled`)" in lines
    assert lines.index("*call* · `OOMKilled`") > lines.index("*What GCS says*")
    assert "Element(call) execute Action: create failed: exit code 137" in lines
    assert "*call*: 3 of 8 sub-jobs done" in lines


@pytest.mark.parametrize(("language", "kind"), [(Language.ENGLISH, "context"), (Language.CHINESE, "section")])
def test_the_other_language_is_small(language: Language, kind: str) -> None:
    """GCS's text is in the reader's language; the other half stands below, in small print."""
    with speaking(language):
        view = why_modal(snapshot(BROKEN), Evidence())
    assert [block["type"] for block in view["blocks"] if "元素(call)执行失败" in shown(block)] == [kind]


def test_the_command_for_the_logs_can_be_copied() -> None:
    """In one code span, for what runs in a cluster."""
    command = f"`kubectl logs -n genomics -l gcs.execution.id={ID} --prefix --tail=100`"
    assert command in modal().splitlines()
    assert "kubectl" not in modal(replace(BROKEN, target="slurm"))
    assert "kubectl" not in modal(replace(BROKEN, target=""))


@pytest.mark.parametrize("namespace", ["", "x; rm -rf ~", "a`b", "-n", "Upper", "x" * 70])
def test_a_namespace_is_no_command(namespace: str) -> None:
    """A name that Kubernetes would not take is left out of what people copy into a shell."""
    assert f"`kubectl logs -l gcs.execution.id={ID} " in modal(replace(BROKEN, namespace=namespace))


EVENTS = (
    Event("call", "OOMKilled", "killed", at=NOW, times=4),
    Event("call-init", "SuccessfulFinish", "prepared", at=NOW - timedelta(minutes=2)),
    Event("call", "Created", "created", at=NOW - timedelta(minutes=1)),
    Event("sort", "Created", "of another step", at=NOW),
)


def test_events_are_those_of_the_failed_step() -> None:
    """The oldest first, with its helper's, whatever GCS's order is."""
    assert [event.message for event in latest(EVENTS, ["call"], 8)] == ["prepared", "created", "killed"]
    assert [event.message for event in latest(EVENTS, ["call"], 1)] == ["killed"]
    assert len(latest(EVENTS, ["merge"], 8)) == len(EVENTS)
    assert "OOMKilled · killed · 4 times" in modal(events=EVENTS)
    assert "of another step" not in modal(events=EVENTS)


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        ({"events": None}, "⚠️ GCS is not showing the events of this execution right now."),
        ({"events": None, "is_refused": True}, "⚠️ GCS does not let me read the events of this execution."),
        ({"events": ()}, "GCS has no events for this execution."),
    ],
)
def test_it_says_why_there_are_no_events(evidence: dict[str, Any], line: str) -> None:
    """And shows the rest."""
    assert line in modal(**evidence).splitlines()
    assert "kubectl logs" in modal(**evidence)


def test_earlier_runs_are_listed() -> None:
    """Each with how it ended, without this one."""
    ends = (
        End(id=ID, phase="Failed", at=NOW, name="own-run"),
        End(id="2", phase="Failed", at=NOW, name="run-2", step="call", reason="OOMKilled"),
        End(id="3", phase="Succeeded", at=NOW, elapsed=timedelta(hours=2)),
    )
    lines = modal(past=Past(ends)).splitlines()
    assert lines[lines.index("*Earlier runs*") + 1].startswith(
        "❌ Failed · run-2 · *call* ran out of memory (`OOMKilled`) · <!date"
    )
    assert lines[lines.index("*Earlier runs*") + 2].startswith("✅ Succeeded · `3` · 2 h · <!date")
    assert "own-run" not in modal(past=Past(ends))


def test_a_run_that_goes_on_has_not_failed() -> None:
    """It was retried since the message; a step that failed meanwhile is explained all the same."""
    assert "Nothing has failed so far." in modal(RUNNING)
    assert "Nothing has failed" not in modal(replace(RUNNING, steps=(CALL,)))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(hostile_snapshots, hostile_events, foreign, st.sampled_from(Language))
def test_slack_takes_every_modal(seen: Snapshot, events: list[Event], text: str, language: Language) -> None:
    """Whatever GCS says, and whatever earlier runs were called."""
    end = End(id=text or "x", phase="Failed", at=NOW, name=text, step=text, reason=text)
    with speaking(language):
        view = why_modal(seen, Evidence(events, past=Past((end,) * 10)))
    assert blockkit.view_problems(view) == []
    assert "<!channel>" not in shown(view)
    assert "@here" not in shown(view)
