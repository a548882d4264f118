"""What the demo plays: an execution for each thing that there is to see, and what each is called on the page.

Lives here: `Piece`, the pieces, and the earlier runs from which the bot learns how long something usually takes. Does
not live here: when they begin and who follows them (`sandbox.demo`), how lives are made (`sandbox.story`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sandbox import story
from sandbox.story import Life

SOON_SECONDS = 20.0
"""How long after the demo begins something happens that one waits for."""

EARLIER = (0.94, 1.0, 1.05)
"""How long earlier runs took, relative to the usual time: three are the fewest from which the bot learns."""

_WHOLE_GENOME = {"split": 300.0, "align": 2900.0, "dedup": 1400.0, "call": 2200.0, "report": 250.0}
_RNA = {"trim-adapters": 400.0, "bwa-mem": 1500.0, "collect-metrics": 500.0}
_CHINESE_STEPS = {
    "fastq-split": "拆分测序数据",
    "bwa-mem": "序列比对",
    "mark-duplicates": "标记重复",
    "haplotype-caller": "变异检测",
    "merge-vcf": "合并结果",
}


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One execution of the demo."""

    life: Life
    note: str
    ago: float = 0.0
    """How many seconds ago it began."""
    is_by_hand: bool = False
    """It stays where it is until it is followed, and then takes its last step."""


def running() -> Piece:
    """Has run for two hours as usual, and ends in about four minutes."""
    life = _named(story.timed(_WHOLE_GENOME), "wgs")
    return Piece(life=life, ago=life.frames[-1].at - 240, note="runs as usual, done in four minutes")


def slow() -> Piece:
    """A step takes three times as long as usual, and so does the run."""
    life = _named(story.timed(_RNA | {"bwa-mem": 6300.0}), "rna")
    return Piece(life=life, ago=6300, note="slower than its earlier runs")


def failed() -> Piece:
    """Fails in the middle, as soon as it is followed."""
    life = _named(story.failing(6, seconds=4800, sub_jobs=4), "exome")
    return Piece(life=life, ago=4800, is_by_hand=True, note="failed in the middle")


def stumbling() -> Piece:
    """A step fails soon, while the others go on for a quarter of an hour."""
    life = _named(story.stumbling(6, seconds=1200), "panel")
    fails = next(frame.at for frame in life.frames if frame.name == "step failed")
    return Piece(life=life, ago=fails - SOON_SECONDS, note="a step fails early, the others go on; only you follow it")


def wide() -> Piece:
    """195 steps, of which one ends every half a minute."""
    life = _named(story.wide(190, sub_jobs=1, seconds=3 * 3600), "cohort")
    return Piece(life=life, ago=1.6 * 3600, note="195 steps; only you follow it")


def chinese() -> Piece:
    """Fails like `failed`; its steps have Chinese names."""
    life = _named(story.renamed(story.failing(5, seconds=3600), _CHINESE_STEPS), "全外显子检测")
    return Piece(life=life, ago=3600, is_by_hand=True, note="Chinese names; choose the Chinese reader as who you are")


def spare() -> Piece:
    """Fails and is retried within three minutes."""
    life = _named(story.retried(6, seconds=180), "germline-wgs")
    return Piece(life=life, ago=life.frames[1].at - 4, note="fails and is retried; nobody follows it yet")


def earlier() -> tuple[Piece, ...]:
    """Runs of the workflows of `running` and `slow` that succeed as soon as they are followed."""
    return tuple(
        _earlier({step: seconds * factor for step, seconds in spans.items()}, workflow)
        for spans, workflow in ((_WHOLE_GENOME, "wgs"), (_RNA, "rna"))
        for factor in EARLIER
    )


def _earlier(spans: Mapping[str, float], workflow: str) -> Piece:
    life = _named(story.timed(spans), workflow)
    return Piece(life=life, ago=life.frames[-1].at, is_by_hand=True, note="an earlier run")


def _named(life: Life, workflow: str) -> Life:
    return replace(life, workflow=workflow)
