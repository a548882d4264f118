"""What is on a board: failed ones by name, the others in as few lines as needed, all of it within one message."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.blocks.board import MOST_BYTES, board_blocks, board_message
from bot.blocks.language import Language, speaking
from bot.blocks.message import Block
from bot.domain.board import FAILED_ALONE, board_of, is_news
from bot.domain.estimate import usual_of
from bot.domain.execution import Execution, Step
from bot.domain.following import Subscriber, Subscription
from bot.domain.home import kept_of
from bot.domain.snapshot import Board, Followed, Snapshot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAB = Subscription(execution_id="b", subscriber=Subscriber(team_id="T1", id="C1"), owner="U1", created_at=NOW)
ADDRESS, CARD = "https://lab.slack.com/", "1772366400.123456"
USUAL = usual_of([3600, 3700, 3500, 3600, 3650])


def run(number: int, phase: str = "Running", *, workflow: str = "wgs", name: str = "", **fields: Any) -> Snapshot:
    """An execution of a workflow; each began a minute before the one before it."""
    shown: dict[str, Any] = {"steps_total": 4, "steps_finished": 1} | fields.pop("execution", {})
    execution = Execution(
        id=f"{number:08x}",
        name=name or f"{workflow}-{number}",
        workflow_name=workflow,
        phase=phase,
        created_at=NOW - timedelta(minutes=number),
        updated_at=NOW - timedelta(minutes=number),
        **shown,
    )
    return Snapshot(execution=execution, revision=1, seen_at=NOW, **fields)


def board(*shown: Snapshot, ended: tuple[Snapshot, ...] = (), workflow: str = "") -> Board:
    """The board of a channel that follows `shown`."""
    items = tuple((replace(LAB, execution_id=each.execution.id), each) for each in shown)
    return board_of(Followed(items=items), ended, workflow, now=NOW)


def blocks(shown: Board) -> list[Block]:
    """What is drawn of it."""
    return board_blocks(shown, "C1", now=NOW, address=ADDRESS)


def named(shown: Board) -> list[str]:
    """The names of what has a line of its own."""
    return [each.execution.name for each in shown.rows]


def test_what_failed_comes_first() -> None:
    """The last failure first, then what is in trouble, then what runs, the oldest first."""
    troubled = run(3, execution={"steps": (Step(name="s", phase="Failed"),)})
    shown = board(run(1), run(2), troubled, run(4, "Failed"), ended=(run(5, "Error"), run(6, "Succeeded")))
    assert named(shown) == ["wgs-4", "wgs-5", "wgs-3", "wgs-2", "wgs-1"]
    assert (shown.failed, shown.running, shown.succeeded) == (2, 3, 1)
    assert [(each.phase, each.number) for each in shown.groups] == [("Succeeded", 1)]


def test_many_that_run_share_a_line() -> None:
    """By workflow, without one by its stem; two of a kind keep their own."""
    shown = board(*(run(number) for number in range(9)), run(20, workflow="rna"))
    (group,) = shown.groups
    assert (group.title, group.number, group.steps_finished, group.steps_total) == ("wgs", 9, 9, 36)
    assert named(shown) == ["rna-20"]
    files = board(*(run(number, workflow="", name=f"import-{number}") for number in range(9)))
    assert [each.title for each in files.groups] == ["import"]


def test_the_last_of_a_group_is_likely_done() -> None:
    """Only where that is known of each, in steps of five minutes."""
    known = [run(number, usual=USUAL) for number in range(9)]
    (group,) = board(*known).groups
    assert group.at is not None
    assert (group.at.minute % 5, group.at.second) == (0, 0)
    assert NOW < group.at < NOW + timedelta(hours=2)
    (unknown,) = board(*known, run(10)).groups
    assert unknown.at is None


def test_each_failure_is_named() -> None:
    """Without a line of its own by the end of its name, where runs differ."""
    failed = [
        run(number, "Failed", name=f"a-name-that-is-far-too-long-for-a-board-{number:03}") for number in range(40)
    ]
    shown = board(ended=tuple(failed))
    (group,) = shown.groups
    assert len(named(shown)) == FAILED_ALONE
    assert group.number == len(group.names) == 40 - FAILED_ALONE
    assert {name[-3:] for name in group.names} == {f"{number:03}" for number in range(FAILED_ALONE, 40)}


def test_what_has_a_line_can_be_shown() -> None:
    """Chosen by its name, to the person who chooses."""
    said = board_message(board(run(1), run(2, "Failed")), LAB, now=NOW)
    (row,) = [block for block in said.blocks if block["type"] == "actions"]
    options = [(each["text"]["text"], each["value"]) for each in row["elements"][0]["options"]]
    assert options == [("wgs-2", "00000002"), ("wgs-1", "00000001")]


def test_a_board_of_one_workflow() -> None:
    """By its name in any case, or its id."""
    shown = board(run(1), run(2, workflow="rna"), ended=(run(3, "Failed", workflow="RNA"),), workflow="rna")
    assert named(shown) == ["RNA-3", "rna-2"]


def test_an_execution_is_on_it_once() -> None:
    """It has ended, and is followed still in case of a retry."""
    assert named(board(run(1, "Failed"), ended=(run(1, "Failed"),))) == ["wgs-1"]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("letter", ["x", "字", "&"])
def test_two_hundred_runs_fit_into_a_message(letter: str, language: Language) -> None:
    """With long names, and long causes: no failed one is only counted while there is room for its name."""
    name, steps = letter * 64, (Step(name="s" * 60, phase="Failed", message=letter * 300, reason="Error"),)
    going = [
        run(number, name=f"{name}-{number}", workflow=f"{letter * 50}{number % 30}", execution={"steps": steps})
        for number in range(100)
    ]
    over = tuple(
        run(
            number,
            ("Failed", "Succeeded", "Cancelled")[number % 3],
            name=f"{name}-{number}",
            workflow=f"{letter * 50}{number % 30}",
            execution={"steps": steps if number % 3 == 0 else ()},
        )
        for number in range(100, 400)
    )
    shown = board(*going, ended=over)
    shown = replace(shown, rows=tuple(replace(each, card=CARD) for each in shown.rows))
    with speaking(language):
        said = board_message(shown, LAB, now=NOW, address=ADDRESS)
    assert len(json.dumps(said.blocks, ensure_ascii=False).encode()) < MOST_BYTES + 3_000
    assert len(said.blocks) < 50
    text = json.dumps(said.blocks, ensure_ascii=False)
    assert all(str(group.number) in text for group in shown.groups)
    assert sum(group.number for group in shown.groups if group.phase == "Failed") + FAILED_ALONE == 100


def test_only_what_is_seen_counts_as_new() -> None:
    """Another poll that shows the same changes nothing, another step does."""
    first = board(run(1, usual=USUAL))
    again = replace(run(1, usual=USUAL), seen_at=NOW + timedelta(minutes=5), revision=7)
    assert blocks(first) == blocks(board(again))
    assert blocks(first) != blocks(board(run(1, execution={"steps_finished": 2})))
    posted = replace(first, rows=tuple(replace(each, card=CARD) for each in first.rows))
    assert blocks(first) != blocks(posted)


def test_names_lead_to_their_cards() -> None:
    """In the channel, where there is one, and where the workspace is known; bold as before."""
    shown = board(run(1), run(2, "Failed"), run(3))
    shown = replace(
        shown, rows=tuple(replace(each, card=CARD if "3" not in each.execution.name else "") for each in shown.rows)
    )
    link = "<https://lab.slack.com/archives/C1/p1772366400123456|{}>"
    said = json.dumps(blocks(shown), ensure_ascii=False)
    for line in (f"*Failed: {link.format('wgs-2')}*", f"*Running: {link.format('wgs-1')}*", "*Running: wgs-3*"):
        assert line in said
    assert "<https" not in json.dumps(board_message(shown, LAB, now=NOW).blocks)
    assert "slack.com" not in board_message(shown, LAB, now=NOW, address=ADDRESS).text


def test_what_has_ended_keeps_its_card() -> None:
    """In what is kept for a day, from which boards are drawn."""
    assert kept_of(run(1, "Failed", card=CARD)).card == CARD


def test_a_new_message_needs_news() -> None:
    """What runs, or has just ended; not that something is a day old by now."""
    before = board(ended=(run(1, "Succeeded"), run(2, "Failed")))
    assert not is_news(board(ended=(run(1, "Succeeded"),)), before)
    assert not is_news(board(), before)
    assert is_news(board(run(9)), before)
    assert is_news(board(ended=(run(0, "Succeeded"), run(1, "Succeeded"))), before)


def test_gcs_away_is_said_once() -> None:
    """Not with each of the runs, which are in no trouble for that."""
    since = NOW - timedelta(minutes=9)
    shown = board(*(run(number, unreachable_since=since) for number in range(9)))
    assert shown.unseen_since == since
    assert named(shown) == []
    said = json.dumps(board_message(shown, LAB, now=NOW).blocks)
    assert said.count("GCS has not answered since") == 1
