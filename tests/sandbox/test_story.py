"""The lives of executions in the sandbox follow GCS's documentation."""

from __future__ import annotations

import re

import pytest

from sandbox import story
from sandbox.story import Life, Step

LIVES = [
    story.pending(),
    story.happy(),
    story.happy(1),
    story.happy(25, sub_jobs=3, seconds=100 / 3),
    story.slow(),
    story.wide(),
    story.failing(),
    story.failing(1),
    story.failing(9, sub_jobs=4),
    story.stumbling(),
    story.stumbling(3),
    story.cancelled(),
    story.cancelled(by_force=True),
    story.retried(),
    story.deleted(),
]


def names(life: Life) -> list[str]:
    """The names of its frames, in order."""
    return [frame.name for frame in life.frames]


def named(life: Life, name: str) -> dict[str, Step]:
    """Steps of the first frame named `name`."""
    return {step.name: step for step in next(frame for frame in life.frames if frame.name == name).steps}


def test_happy() -> None:
    """Five steps, each a frame, then success."""
    running = [f"running {n}/5" for n in range(5)]
    life = story.happy(5)
    assert names(life) == ["pending", *running, "succeeded"]
    assert list(named(life, "succeeded")) == [
        "fastq-split",
        "bwa-mem",
        "mark-duplicates",
        "haplotype-caller",
        "merge-vcf",
    ]


def test_scatter_counts_sub_jobs() -> None:
    """With sub-jobs there is a frame for each of them that finishes."""
    counts = [[step.sub_jobs_finished for step in frame.steps] for frame in story.happy(2, sub_jobs=2).frames[1:]]
    assert counts == [[0, 0], [1, 0], [2, 0], [2, 1], [2, 2]]


def test_wide_runs_many_steps_at_once() -> None:
    """All chromosomes are called in parallel and end one by one."""
    life = story.wide(branches=22)
    together = [sum(step.status == "Running" for step in frame.steps) for frame in life.frames]
    assert max(together) == 22
    assert {f"running {n}/27" for n in range(3, 25)} <= set(names(life))


def test_failing_has_reason_and_a_running_sibling() -> None:
    """The failed step and the execution carry reason and bilingual message; the parallel step is still Running."""
    life = story.failing(5)
    last = life.frames[-1]
    steps = named(life, "failed")
    assert (last.status, last.reason, steps["mark-duplicates"].reason) == ("Failed", "SubJobFailed", "SubJobFailed")
    assert re.fullmatch(r"元素\(mark-duplicates\).+ ## Element\(mark-duplicates\) .+ 137 .+", last.message)
    statuses = [step.status for step in steps.values()]
    assert statuses == ["Succeeded", "Succeeded", "Failed", "Running", "Pending"]


def test_stumbling_goes_on_after_its_failure() -> None:
    """One step has failed for many frames while others end; the execution fails last."""
    frames = story.stumbling(5).frames
    failed = [frame for frame in frames if any(step.status == "Failed" for step in frame.steps)]
    assert {frame.status for frame in failed[:-1]} == {"Running"}
    assert (failed[0].name, failed[-1].status) == ("step failed", "Failed")
    assert failed[-1].finished > failed[0].finished + 1


def test_failing_scatter_keeps_finished_sub_jobs() -> None:
    """Of four sub-jobs three are done and one failed."""
    step = named(story.failing(5, sub_jobs=4), "failed")["mark-duplicates"]
    assert (step.sub_jobs, step.sub_jobs_finished, step.sub_jobs_failed) == (4, 3, 1)


def test_cancelled_leaves_dispatched_jobs_running() -> None:
    """After a cancellation, dispatched jobs still run."""
    life = story.cancelled(by_force=True)
    assert names(life)[-3:] == ["cancelling", "force-cancelling", "cancelled"]
    assert "Running" in {step.status for step in life.frames[-1].steps}


def test_retried_recovers_from_failure() -> None:
    """Failed, then Retrying, then Running with the same steps, then success."""
    life = story.retried()
    at = names(life).index("failed")
    assert names(life)[at:] == ["failed", "retrying", "running 2/5", "running 3/5", "running 4/5", "succeeded"]
    assert list(named(life, "failed")) == list(named(life, "succeeded"))


def test_deleted_ends_gone() -> None:
    """Deleting; then the deletion succeeds, which is not success; then gone."""
    deleting, done, gone = story.deleted().frames[-3:]
    assert (deleting.status, deleting.action, deleting.phase) == ("Deleting", "delete", "Running")
    assert (done.status, done.action, done.phase) == ("Deleting", "delete", "Succeeded")
    assert gone.is_gone


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_every_life_moves_forward(life: Life) -> None:
    """Frames are in order of time and differ from each other; the last one comes at `seconds`."""
    moments = [frame.at for frame in life.frames]
    assert moments == sorted(set(moments))
    assert all(before != after for before, after in zip(life.frames, life.frames[1:], strict=False))
    assert [life.frame(at) for at in moments] == list(life.frames)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_every_step_is_consistent(life: Life) -> None:
    """A waiting step has no times, a running one has begun, an ended one ended after it began."""
    for step in [step for frame in life.frames for step in frame.steps]:
        assert (step.began is None) == (step.status == "Pending")
        assert (step.ended is not None) == (step.status in {"Succeeded", "Failed"})
        assert step.sub_jobs_finished + step.sub_jobs_failed <= step.sub_jobs
        assert step.ended is None or step.began is None or step.began < step.ended


@pytest.mark.parametrize("count", [1, 5, 20, 45])
def test_step_names_follow_the_grammar(count: int) -> None:
    """The requested number of names, all different, in GCS's grammar."""
    found = story.step_names(count)
    assert len(set(found)) == count
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name) for name in found)


def test_last_frame_is_at_seconds() -> None:
    """`seconds` is the time of the last frame."""
    assert [life.frames[-1].at for life in (story.happy(seconds=90), story.failing(seconds=75))] == [90, 75]
