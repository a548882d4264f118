"""Scripted lives, each with the lines that people must read, frame by frame."""

from __future__ import annotations

from sandbox import story
from sandbox.story import Life
from tests.end_to_end.following import END

OOM = "mark-duplicates ran out of memory (exit 137, SubJobFailed), after 13 min 4 s and 3 retries"

Tale = tuple[Life, list[str]]
"""A life, and the line that people read for each frame after the first; empty: none."""

HAPPY: Tale = (
    story.happy(3),
    [
        "thread: Pending → Running · after 1 min 12 s",
        "thread: 0 → 1 of 3 steps · fastq-split finished · after 14 min 16 s",
        "thread: 1 → 2 of 3 steps · bwa-mem finished · after 40 min 24 s",
        f"{END}Succeeded: 3 of 3 steps in 1 h · longest: bwa-mem, 26 min 8 s",
    ],
)
FAILING: Tale = (
    story.failing(4),
    [
        "thread: Pending → Running · after 48 s",
        "thread: 0 → 1 of 4 steps · fastq-split finished · after 9 min 30 s",
        "thread: 1 → 2 of 4 steps · bwa-mem finished · after 26 min 56 s",
        f"{END}Failed: {OOM}",
    ],
)
CANCELLED: Tale = (
    story.cancelled(4),
    [
        "thread: Pending → Running · after 1 min 12 s",
        "thread: 0 → 1 of 4 steps · fastq-split finished · after 9 min 36 s",
        "thread: Running → Cancelling · after 24 min",
        f"{END}Cancelled: 1 of 4 steps in 30 min · jobs already dispatched may incur charges",
    ],
)
RETRIED: Tale = (
    story.retried(4),
    [
        *FAILING[1],
        f"{END}Retried: Failed → Retrying · after 48 min",
        "thread: Retrying → Running · after 52 min",
        "thread: 2 → 3 of 4 steps · mark-duplicates finished · after 1 h 2 min",
        f"{END}Succeeded: 4 of 4 steps in 1 h 20 min · longest: haplotype-caller, 17 min 30 s",
    ],
)
DELETED: Tale = (
    story.deleted(4),
    [
        *CANCELLED[1][:2],
        "thread: Running → Deleting · after 24 min",
        "",
        f"{END}Deleted: GCS no longer knows it. Last seen: Deleting, 1 of 4 steps.",
    ],
)
TALES = [HAPPY, FAILING, CANCELLED, RETRIED, DELETED]
