"""A channel's board ends when somebody stops it or its channel is dead, as a whole, and not for any other reason."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.snapshot import Board as Drawn
from tests.workers.boards_rig import BoardsRig
from tests.workers.rig import Rig


async def test_two_that_post_at_once_end_nothing(rig: Rig, board: BoardsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round finds the record of a board whose message a listener, or another copy, asks for at the same time."""
    await board.begin()
    post = rig.store.boards.post

    async def second(*arguments: Any) -> bool:
        assert await post(*arguments)
        return await post(*arguments)

    monkeypatch.setattr(rig.store.boards, "post", second)
    await board.round()
    await board.round()
    assert len(board.posts()) == 1
    assert len(await rig.store.boards.all()) == 1


async def test_stopping_leaves_a_line_and_nothing_else(rig: Rig, board: BoardsRig) -> None:
    """Everybody reads by whom."""
    await board.make()
    await rig.deliver()
    assert await board.stop()
    await rig.deliver()
    await board.round()
    assert [rig.alice in text for text in board.posts()] == [True]
    assert not await board.stop()
    assert [key for key in rig.left_over() if ":announced:" not in key and not key.endswith(":round")] == []


async def test_a_round_ends_no_board_made_since(rig: Rig, board: BoardsRig) -> None:
    """It has read the record of one that was stopped while it was busy with others."""
    stopped = await board.make()
    await rig.deliver()
    await board.stop()
    await rig.deliver()
    made = await board.make()
    await rig.deliver()
    await board.worker._update(stopped.record)
    await rig.deliver()
    assert await rig.store.boards.all() == (made.record,)
    assert [rig.alice in text for text in board.posts()] == [True, False]


async def test_stopping_ends_what_is_posted_meanwhile(
    rig: Rig, board: BoardsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round, or somebody else, posts it again when its record has been read."""
    await board.make()
    await rig.deliver()
    close = rig.store.boards.close

    async def overtaken(*arguments: Any, **options: Any) -> None:
        monkeypatch.undo()
        await board.make()
        await rig.deliver()
        await close(*arguments, **options)

    monkeypatch.setattr(rig.store.boards, "close", overtaken)
    assert await board.stop()
    await rig.deliver()
    assert await rig.store.boards.all() == ()
    assert [rig.alice in text for text in board.posts()] == [True, True]


async def test_stopping_overtakes_what_is_being_made(
    rig: Rig, board: BoardsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is written, and deleted again before the message is asked for."""
    post = rig.store.boards.post

    async def late(*arguments: Any) -> bool:
        assert await board.stop()
        return await post(*arguments)

    monkeypatch.setattr(rig.store.boards, "post", late)
    await board.make()
    await nothing_is_left(rig, board)


async def test_the_message_overtakes_stopping(rig: Rig, board: BoardsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for when there was none to end yet, and the record is still there."""
    await board.begin()
    (record,), close = await rig.store.boards.all(), rig.store.boards.close

    async def early(*arguments: Any, **options: Any) -> None:
        monkeypatch.undo()
        await close(*arguments, **options)
        await board.maker.post(record, Drawn())

    monkeypatch.setattr(rig.store.boards, "close", early)
    assert await board.stop()
    await nothing_is_left(rig, board)


async def nothing_is_left(rig: Rig, board: BoardsRig) -> None:
    """No message, and no lane that would keep one up to date."""
    await rig.deliver()
    await board.round()
    assert board.posts() == []
    assert [key for key in rig.left_over() if ":announced:" not in key and not key.endswith(":round")] == []


async def test_a_kill_while_stopping_is_finished(rig: Rig, board: BoardsRig) -> None:
    """The message is ended, the record is not deleted yet."""
    made = await board.make()
    await rig.deliver()
    await rig.store.boards.close(rig.who(rig.lab), made.record.message_id(), by=rig.alice)
    await rig.deliver()
    await board.round()
    assert await rig.store.boards.all() == ()
    assert len(board.posts()) == 1


async def test_a_dead_channel_ends_its_board(rig: Rig, board: BoardsRig) -> None:
    """Its owner reads why, once."""
    await board.make()
    rig.fault("error", error="is_archived", channel=rig.lab, times=None)
    await rig.deliver()
    await board.round()
    await rig.later()
    assert rig.read(rig.alice) == ["dead"]
    assert "board" in rig.slack.messages(rig.slack.dm(rig.alice))[0].text
    assert await rig.store.boards.all() == ()
    ((row, _letter),) = await rig.store.outbox.letters.rows()
    assert not await rig.store.outbox.letters.resurrect(row)


async def test_an_unknown_code_ends_no_board(rig: Rig, board: BoardsRig) -> None:
    """It waits, and comes when Slack takes messages again."""
    await board.make()
    rig.fault("error", error="some_code_of_next_year", times=2)
    await rig.deliver()
    await rig.later()
    await board.round()
    assert board.posts() == []
    await rig.later(times=2)
    assert len(board.posts()) == 1
