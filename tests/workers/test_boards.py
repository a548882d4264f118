"""A channel's board: one message that is true, posted once a day, and never twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.boards import BoardMaker
from bot.domain.following import Level, Subscriber
from bot.domain.snapshot import Board as Drawn
from bot.errors import InputProblem, InvalidInput
from sandbox import story
from tests.servers import expire_claims
from tests.workers.boards_rig import BoardsRig
from tests.workers.rig import Rig
from tests.workers.rules_rig import WORKFLOW, RulesRig


async def test_a_board_shows_what_runs(rig: Rig, board: BoardsRig) -> None:
    """It comes at once, and is edited when something has changed, and not otherwise."""
    execution = await rig.followed(rig.lab)
    await board.make()
    await rig.deliver()
    assert len(board.posts()) == 1
    await rig.step(execution, to="running 1/2")
    await rig.deliver()
    await board.round()
    assert "50 %" in board.blocks()
    edits = rig.times("chat.update")
    for _ in range(3):
        await board.round()
    await board.round(board.copy())
    assert rig.times("chat.update") == edits


@pytest.mark.parametrize("key", ["subs", "snap", "receipts"])
async def test_an_unreadable_board_is_posted_again(rig: Rig, board: BoardsRig, key: str) -> None:
    """Another version of the bot wrote its message: who asks for the board gets one that goes on."""
    execution = await rig.followed(rig.lab)
    await board.make()
    await rig.deliver()
    (name,) = rig.redis.scan_iter(f"*{key}:*-b-*")
    if rig.redis.type(name) == "hash":
        rig.redis.hset(name, rig.lab, "rubbish from another version")
    else:
        rig.redis.set(name, "rubbish from another version")
    assert not (await board.make()).is_new
    await rig.deliver()
    assert len(board.posts()) == 2
    await rig.step(execution, to="running 1/2")
    await board.round()
    assert "50 %" in board.blocks()


async def test_a_board_leads_to_the_cards(rig: Rig, board: BoardsRig) -> None:
    """As soon as one is posted, though nothing else has changed; it is still known when the run is forgotten."""
    await rig.notifier._messenger.messages.check_token()  # a bot asks who it is before it works
    execution = await rig.follow(rig.lab, life=story.happy(2))
    await board.make()
    await board.round()
    (card,) = [each for each in rig.slack.messages(rig.lab) if "-b-" not in str(each.metadata)]
    await board.round()
    assert f"archives/{rig.lab}/p{card.ts.replace('.', '')}|germline-wgs" in board.blocks()
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    assert not [key for key in rig.left_over() if execution in key]
    (ended,) = await rig.store.homes.ended(rig.who(rig.lab))
    assert ended.card == card.ts


async def test_a_board_keeps_what_has_ended(rig: Rig, board: BoardsRig) -> None:
    """Also of runs that a rule follows silently, and that are forgotten."""
    rules = RulesRig(rig)
    await rules.make(rig.lab, level=Level.FAILURES)
    await board.make(WORKFLOW)
    await rig.deliver()
    good = await rules.found(story.happy(2), to="running 1/2")
    await board.round()
    assert "1 running" in board.posts()[0]
    await rig.step(good, to="succeeded")
    await rig.deliver()
    bad = await rules.found(story.failing(2))
    await rig.step(bad, to="failed")
    await rig.deliver()
    await board.round()
    assert "1 failed" in board.posts()[0]
    assert "1 succeeded" in board.posts()[0]


async def test_what_ran_between_two_rounds_is_shown(rig: Rig, board: BoardsRig) -> None:
    """It was followed and over by the time the board was drawn again, as its channel follows nothing again."""
    await board.make()
    await rig.deliver()
    await board.round()
    execution = await rig.followed(rig.lab, life=story.happy(2))
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert (await rig.store.subscribers.of(rig.who(rig.lab))).items == ()
    await board.round()
    assert "1 succeeded" in board.posts()[0]


async def test_an_end_is_shown_before_its_message(rig: Rig, board: BoardsRig) -> None:
    """Slack takes no messages for a while: the board, which is edited, is true all the same, and stays so."""
    await board.make()
    execution = await rig.followed(rig.lab, life=story.happy(2))
    await rig.deliver()
    await board.round()
    rig.fault("error", error="under_maintenance", times=None)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await board.round()
    assert "1 succeeded" in board.posts()[0]
    await board.round()
    rig.slack.faults.clear()
    await rig.later()
    await board.round()
    assert "1 succeeded" in board.posts()[0]


async def test_the_next_day_has_a_new_message(rig: Rig, board: BoardsRig) -> None:
    """Once something is worth it, in whichever copy; the old one becomes a line."""
    execution = await rig.followed(rig.lab)
    await board.make()
    await rig.deliver()
    board.passed = timedelta(hours=25)
    await board.round()
    assert len(board.posts()) == 1
    await rig.step(execution, to="running 1/2")
    await rig.deliver()
    await board.round(board.copy(), board.copy(), board.worker)
    await board.round()
    old, new = board.posts()
    assert "newer message" in old
    assert "1 running" in new
    await board.round(board.copy())
    assert len(board.posts()) == 2


async def test_the_old_message_waits_for_the_next(rig: Rig, board: BoardsRig) -> None:
    """Slack does not take the new one for now: the old one says nothing else until it does."""
    execution = await rig.followed(rig.lab, level=Level.FAILURES)
    await board.make()
    await rig.deliver()
    board.passed = timedelta(hours=25)
    await rig.step(execution, to="running 1/2")
    rig.fault("error", error="some_code_of_next_year", times=None)
    await board.round()
    await board.round()
    assert ["newer message" in text for text in board.posts()] == [False]
    rig.slack.faults.clear()
    await rig.later()
    await board.round()
    assert ["newer message" in text for text in board.posts()] == [True, False]


async def test_copies_at_the_same_time_post_one(rig: Rig, board: BoardsRig) -> None:
    """They have read the same record, and each wants the next message."""
    await rig.followed(rig.lab)
    await board.make()
    await rig.deliver()
    await rig.step(await rig.followed(rig.lab), to="running 1/2")
    await rig.deliver()
    (record,) = await rig.store.boards.all()
    copies = [BoardsRig(rig, timedelta(hours=hours)).worker for hours in (25, 26, 27)]
    await asyncio.gather(*(copy._update(record) for copy in copies))
    await rig.deliver()
    assert len(board.posts()) == 2


async def test_a_waiting_board_is_not_hurried(rig: Rig, board: BoardsRig) -> None:
    """Slack refuses it for now: what changes meanwhile makes no pause shorter."""
    execution = await rig.followed(rig.lab, level=Level.FAILURES)
    await board.make()
    rig.fault("error", error="some_code_of_next_year", times=None)
    await rig.deliver()
    tries = rig.times("chat.postMessage")
    await rig.step(execution, to="running 1/2")
    await board.round()
    assert rig.times("chat.postMessage") == tries
    rig.slack.faults.clear()
    await rig.later()
    assert "50 %" in board.blocks()


async def test_asking_again_posts_it_again(rig: Rig, board: BoardsRig) -> None:
    """So that it is the last message again; the one before says so."""
    await rig.followed(rig.lab)
    assert (await board.make()).is_new
    await rig.deliver()
    assert not (await board.make()).is_new
    await rig.deliver()
    await board.round()
    assert ["newer message" in text for text in board.posts()] == [True, False]


async def test_a_lost_answer_posts_nothing_twice(rig: Rig, board: BoardsRig) -> None:
    """Slack has taken the board, and the bot was killed before it knew."""
    await rig.followed(rig.lab)
    await board.make()
    rig.fault("drop_after", times=1)
    await rig.deliver()
    await rig.later()
    assert len(board.posts()) == 1
    board.passed = timedelta(hours=25)
    await rig.follow(rig.lab)
    await rig.deliver()
    rig.fault("drop_after", times=1)
    await board.round()
    await rig.later()
    await board.round()
    assert ["newer message" in text for text in board.posts()] == [True, False]


async def test_a_kill_before_the_lane_loses_nothing(board: BoardsRig) -> None:
    """The record is written, its message is not asked for yet: the next round does it."""
    await board.begin()
    await board.round()
    await board.round()
    assert len(board.posts()) == 1


async def test_a_bug_in_one_board_stops_no_other(rig: Rig, board: BoardsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one cannot be drawn; the other one is."""
    execution = await rig.followed(rig.lab)
    for workflow in ("", WORKFLOW):
        await board.make(workflow)
    await rig.deliver()
    drawn = BoardMaker.drawn

    async def failing(maker: BoardMaker, channel: Subscriber, workflow: str) -> Drawn:
        return await drawn(maker, channel, workflow or str(1 // 0))

    monkeypatch.setattr(BoardMaker, "drawn", failing)
    await rig.step(execution, to="running 1/2")
    await rig.deliver()
    await board.round()
    assert "50 %" in board.blocks()


async def test_a_shared_channel_has_none_before_approval(rig: Rig, board: BoardsRig) -> None:
    """Its owner reads what it waits for."""
    rig.slack.workspace.channels[rig.lab].connected.add("T0OTHER")
    await rig.store.channels.note(rig.slack.workspace.team_id, rig.lab, is_shared=True)
    await board.make()
    await rig.deliver()
    await board.round()
    assert (board.posts(), rig.read(rig.alice)) == ([], ["held"])
    await rig.store.channels.approve(rig.slack.workspace.team_id, rig.lab, rig.alice)
    await rig.subscriptions.resume(rig.who(rig.lab))
    await rig.deliver()
    assert len(board.posts()) == 1


async def test_a_deleted_board_comes_again(rig: Rig, board: BoardsRig) -> None:
    """Somebody has deleted the message: with the next change there is one again."""
    execution = await rig.followed(rig.lab)
    await board.make()
    await rig.deliver()
    messages = rig.slack.workspace.messages[rig.lab]
    messages.remove(next(each for each in messages if "-b-" in str(each.metadata)))
    await rig.step(execution, to="running 1/2")
    await rig.deliver()
    await board.round()
    assert len(board.posts()) == 1


async def test_a_kill_between_edits_loses_none(rig: Rig, board: BoardsRig) -> None:
    """The worker that had claimed the lane died: another one edits."""
    execution = await rig.followed(rig.lab)
    await board.make()
    await rig.deliver()
    await rig.step(execution, to="running 1/2")
    rig.fault("drop_before", "chat.update", times=None)
    await board.round()
    rig.slack.faults.clear()
    expire_claims(rig.redis)
    await rig.later()
    assert "50 %" in board.blocks()
    assert len(board.posts()) == 1


async def test_an_unfollowed_workflow_has_no_board(rig: Rig, board: BoardsRig) -> None:
    """The person reads how to have it followed."""
    with pytest.raises(InvalidInput) as refused:
        await board.make("rna-seq")
    assert refused.value.problem is InputProblem.BOARD_NOT_FOLLOWED
    assert await rig.store.boards.all() == ()
