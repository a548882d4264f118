"""Examples of a channel's board, and of the replies about it.

Lives here: the examples, one with 200 runs among them. Does not live here: what their executions show
(`tests.messages.world`). Called by `tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from bot.blocks import Message, board, replies
from bot.blocks.language import _
from bot.blocks.sentences import NOT_APPROVED
from bot.domain.board import BoardRecord, board_of
from bot.domain.estimate import usual_of
from bot.domain.execution import Execution
from bot.domain.following import Subscription
from bot.domain.snapshot import Board, Followed, Snapshot
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import (
    CANCELLED,
    CHANNEL_SUBSCRIPTION,
    EARLY,
    FAILED,
    MANY_FAILED,
    NOW,
    OTHER_PERSON,
    PERSON,
    RUNNING,
    SUCCEEDED,
    snapshot,
)

REPLY = Goal("short reply", wide=220, narrow=330, is_held=True)
BOARD = Goal("board", wide=380, narrow=600, is_held=True)
CROWD = Goal("board of 200 runs", wide=1020, narrow=1750, is_held=True)
RECORD = BoardRecord(subscriber=CHANNEL_SUBSCRIPTION.subscriber, owner=PERSON, posted_at=NOW)
ADDRESS, CARD = "https://lab.slack.com/", "1773307800.000100"
OF_ONE = replace(RECORD, workflow="germline-wgs")
USUAL = usual_of([7200 + 60 * number for number in range(-10, 11)])


def _named(execution: Execution, number: int, workflow: str = "germline-wgs") -> Snapshot:
    ago = timedelta(minutes=7 * number)
    moved = replace(
        execution,
        id=f"{number:08x}-9f04-9685-e5c0-fbe8d40b96cd",
        name=f"{workflow}-03-12-080000-{number}",
        workflow_name=workflow,
        workflow_id="",
        created_at=NOW - timedelta(minutes=50) - ago / 10,
        updated_at=NOW - ago,
    )
    return snapshot(moved, usual=USUAL)


def _shown(
    running: Sequence[Snapshot] = (),
    ended: Sequence[Snapshot] = (),
    *,
    workflow: str = "",
    subscription: Subscription = CHANNEL_SUBSCRIPTION,
) -> Message:
    items = tuple((replace(subscription, execution_id=each.execution.id), each) for each in running)
    drawn = board_of(Followed(items=items), ended, workflow, now=NOW)
    linked = replace(drawn, rows=tuple(replace(each, card=CARD) for each in drawn.rows))
    return board.board_message(linked, subscription, now=NOW, address=ADDRESS)


def _typical() -> Message:
    running = [_named(EARLY, 1), _named(RUNNING, 2), _named(RUNNING, 3), _named(replace(RUNNING, phase="Pending"), 4)]
    ended = [_named(FAILED, 5), *(_named(SUCCEEDED, number) for number in range(6, 18)), _named(CANCELLED, 19)]
    return _shown(running, ended)


def _crowd() -> Message:
    names = ("germline-wgs", "rna-seq", "somatic-panel", "全基因组检测")
    running = [_named(RUNNING, number, names[number % 4]) for number in range(100)]
    running += [_named(EARLY, number, names[number % 4]) for number in range(100, 105)]
    ended = [_named(SUCCEEDED, number, names[number % 4]) for number in range(105, 160)]
    ended += [_named(FAILED if number % 3 else MANY_FAILED, number, names[number % 4]) for number in range(160, 200)]
    return _shown(running, ended)


def _unseen() -> Message:
    lost = [replace(_named(RUNNING, 1), unreachable_since=NOW - timedelta(minutes=19))]
    return _shown(lost, workflow="germline-wgs")


BOARDS = Surface(
    "Boards",
    "One message in a channel that shows what the channel follows. It is edited, and once a day there is a new one.",
    Place.CHANNEL,
    (
        Example("Empty", "The channel follows nothing yet.", _shown, REPLY),
        Example("Typical", "Some run, one has failed, many have succeeded.", _typical, BOARD),
        Example("200 runs", "More than there is room for: those that failed are named.", _crowd, CROWD),
        Example("GCS does not answer", "Of one workflow.", _unseen, BOARD),
        Example(
            "Goes on",
            "The message of the day before.",
            lambda: _shown(subscription=replace(CHANNEL_SUBSCRIPTION, is_ending=True)),
            REPLY,
        ),
        Example(
            "Somebody ended it",
            "By the command or the menu.",
            lambda: _shown(subscription=replace(CHANNEL_SUBSCRIPTION, is_ending=True, ended_by=OTHER_PERSON)),
            REPLY,
        ),
        Example("It cannot be edited", "In its thread: Slack refuses.", lambda: board.board_left(Board()), REPLY),
    ),
)

BOARD_REPLIES = Surface(
    "Replies about boards",
    "To the person who asks for a board or ends it; the last two to who asked for it, in a direct message.",
    Place.PRIVATE,
    (
        Example(
            "The boards of a channel",
            "`/execution list here`: before what else is followed.",
            lambda: board.with_boards(
                replies.subscription_list(((CHANNEL_SUBSCRIPTION, snapshot()),), now=NOW),
                RECORD.subscriber,
                ((RECORD, CARD), (OF_ONE, "")),
                ADDRESS,
            ),
        ),
        Example("A new board", "In a channel.", lambda: board.board_made(RECORD, is_new=True), REPLY),
        Example("Asked for again", "It is posted again.", lambda: board.board_made(OF_ONE, is_new=False), REPLY),
        Example(
            "Not approved",
            "Another organisation shares the channel.",
            lambda: board.board_made(RECORD, is_new=True, note=_(NOT_APPROVED), is_held=True),
        ),
        Example("Ended", "By a person.", board.board_ended, REPLY),
        Example("Nothing to end", "There was none.", board.no_such_board, REPLY),
        Example(
            "Held",
            "Nobody has approved the channel.",
            lambda: board.board_held(RECORD.subscriber, "channel_not_approved"),
        ),
        Example(
            "The channel is gone",
            "The board has ended.",
            lambda: board.board_undeliverable(RECORD.subscriber, Board(workflow="germline-wgs"), "is_archived"),
        ),
    ),
)
