"""What the demo plays does what its notes say."""

from __future__ import annotations

import pytest

from sandbox import programme, story
from sandbox.programme import SOON_SECONDS, Piece


def now(piece: Piece) -> story.Frame:
    """What GCS shows of a piece when the demo begins."""
    return piece.life.frames[-2] if piece.is_by_hand else piece.life.frame(piece.ago)


EVERYTHING = (
    programme.running(),
    programme.slow(),
    programme.failed(),
    programme.stumbling(),
    programme.wide(),
    programme.chinese(),
    *programme.earlier(),
)


@pytest.mark.parametrize("piece", EVERYTHING, ids=lambda piece: f"{piece.life.workflow} {piece.note}")
def test_all_run_when_the_demo_begins(piece: Piece) -> None:
    """None has ended: the bot follows nothing that has."""
    assert now(piece).status == "Running"


def test_a_step_fails_while_others_go_on() -> None:
    """So early that one waits for it."""
    piece = programme.stumbling()
    later = piece.life.frame(piece.ago + SOON_SECONDS + 1)
    assert [step.status for step in now(piece).steps].count("Failed") == 0
    assert [step.status for step in later.steps].count("Failed") == 1
    assert later.status == "Running"


def test_a_wide_run_moves_every_half_minute() -> None:
    """195 steps, of which some end while one looks."""
    piece = programme.wide()
    assert len(now(piece).steps) == 195
    assert piece.life.frame(piece.ago + 30).finished > now(piece).finished


def test_chinese_names_are_in_messages_too() -> None:
    """No step has its former name anywhere."""
    last = programme.chinese().life.frames[-1]
    shown = " ".join((last.message, *(step.name + step.message for step in last.steps)))
    assert "标记重复" in shown
    assert "mark-duplicates" not in shown


def test_earlier_runs_are_three_of_each_workflow() -> None:
    """Those of which one runs now, and one is slow."""
    workflows = [piece.life.workflow for piece in programme.earlier()]
    assert {name: workflows.count(name) for name in workflows} == {
        programme.running().life.workflow: 3,
        programme.slow().life.workflow: 3,
    }
