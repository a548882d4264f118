"""A channel's board: what has failed, what runs, what has ended, in one message that is edited; and replies about it.

Lives here: `board_message` and `board_blocks`, what its owner reads about it, and the replies. Does not live here:
what is on it (`bot.domain.board`), when it changes (`bot.boards`). Called by the notifier, `handlers` and `bot.boards`.

No time on it goes stale: each is a date that Slack fills in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from bot.blocks import buttons, text, words
from bot.blocks.groups import MRKDWN
from bot.blocks.language import _
from bot.blocks.links import message_link
from bot.blocks.message import SECTION_LIMIT, Block, Message, actions, context, message, section
from bot.blocks.sentences import undeliverable_reason
from bot.blocks.thread import released
from bot.blocks.trouble import failure, is_time_limit, trouble_of
from bot.domain.access import NOBODY_ELSE, Readers
from bot.domain.board import GONE, BoardRecord, board_id
from bot.domain.estimate import outlook_of
from bot.domain.execution import FAILED_PHASES, TERMINAL_PHASES, Phase
from bot.domain.following import Subscriber, Subscription
from bot.domain.home import ended_at
from bot.domain.snapshot import Board, BoardGroup, Snapshot

_NAME = 40
"""How much of a name is shown, in characters."""

_BAR = 5
"""How long a bar is."""

MOST_BYTES = 9_000
"""How large the blocks may be, as JSON: Slack does not say how much it takes, and has refused 10,600 bytes."""


class _Place(NamedTuple):
    """Where the cards are that names link to."""

    address: str
    """Of the workspace."""
    channel_id: str


class _Room(NamedTuple):
    """How much a line may say."""

    name: int
    """In characters."""
    has_causes: bool
    place: _Place | None = None
    """Where its names are links to."""


_ENDS = TERMINAL_PHASES | {GONE}
"""What groups are called whose executions have ended."""

COMMAND = "/execution board"


def board_message(board: Board, subscription: Subscription, *, now: datetime, address: str = "") -> Message:
    """The board; once it has ended, or goes on in another message, a short line that says so.

    `address`: of the workspace, for links to cards.
    """
    if subscription.is_ending:
        return _over(board, subscription)
    channel = subscription.subscriber
    row = [buttons.menu([buttons.end_board(channel, board_id(channel, board.workflow))])]
    named = [(text.cut(words.plain_name(each.execution), _NAME), each.execution.id) for each in board.rows]
    if named:
        row.insert(0, buttons.show_one(named))
    changed = context(_("Ended: last 24 hours · updated {time}").format(time=text.date(now)))
    return message(
        [*board_blocks(board, channel.id, now=now, address=address), actions(row), changed],
        _headline(board),
        _counts(board),
        *_named(board),
    )


def board_blocks(board: Board, channel_id: str, *, now: datetime, address: str) -> list[Block]:
    """What a board shows, without its menus and when it was changed: as much as one message may hold."""
    place = _Place(address, channel_id)
    for room in (
        _Room(_NAME, has_causes=True, place=place),
        _Room(_NAME, has_causes=True),
        _Room(24, has_causes=False),
    ):
        blocks = _drawn(board, now, room)
        if len(json.dumps(blocks, ensure_ascii=False).encode(errors="replace")) <= MOST_BYTES:
            break
    return blocks


def _drawn(board: Board, now: datetime, room: _Room) -> list[Block]:
    failed = [_over_row(snapshot, room) for snapshot in board.rows if snapshot.is_over]
    going = [_row(snapshot, now, room) for snapshot in board.rows if not snapshot.is_over]
    ended: list[str] = []
    for group in board.groups:
        if group.phase in FAILED_PHASES:
            failed.append(_failed_group(group))
        elif group.phase in _ENDS:
            ended.append(_ended_group(group))
        else:
            going.append(_going_group(group))
    head = section(f"📋 *{words.unstarred(_headline(board))}*", _counts(board))
    blocks = [head, section(_unseen(board)), *_sections(failed), *_sections(going), *_sections(ended)]
    return [block for block in (*blocks, context(_empty(board))) if block is not None]


def _sections(lines: list[str]) -> Iterator[Block | None]:
    """The lines in as few paragraphs as hold them all."""
    while lines:
        taken, size = 0, 0
        while taken < len(lines) and (size := size + len(lines[taken]) + 1) < SECTION_LIMIT:
            taken += 1
        yield section(*lines[: max(taken, 1)])
        lines = lines[max(taken, 1) :]


def _over_row(snapshot: Snapshot, room: _Room) -> str:
    """One that failed: state and name, why, when."""
    execution = snapshot.execution
    cause = words.time_out_note(execution.timeout) if is_time_limit(snapshot) else failure(execution, MRKDWN)
    known = (_headed(snapshot, room), cause if room.has_causes else "", text.ago(ended_at(snapshot)))
    return " · ".join(filter(None, known))


def _row(snapshot: Snapshot, now: datetime, room: _Room) -> str:
    """One that goes on: state and name, what is wrong, how far it is, and how long still."""
    trouble = trouble_of(snapshot, now=now)
    shape, icon = (trouble.shape, trouble.icon) if trouble else ("{phase}", "")
    known = [
        _headed(snapshot, room, shape, icon),
        trouble.line if trouble and room.has_causes else "",
        _share(snapshot.execution.steps_finished, snapshot.execution.steps_total),
        _outlook(snapshot, now) or words.time_words(snapshot),
    ]
    return " · ".join(filter(None, known))


def _outlook(snapshot: Snapshot, now: datetime) -> str:
    """When it is done, as likely as not; empty where nobody knows."""
    outlook = outlook_of(snapshot, now=now)
    if outlook is None or outlook.is_open:
        return ""
    return _("likely done {time}").format(time=text.date(outlook.done_at(now)))


def _headed(snapshot: Snapshot, room: _Room, shape: str = "{phase}", icon: str = "") -> str:
    execution = snapshot.execution
    state = shape.format(phase=words.snapshot_word(snapshot))
    name = words.unstarred(_escaped(execution.name or execution.id, room.name))
    if room.place is not None:
        name = message_link(name, address=room.place.address, channel_id=room.place.channel_id, ts=snapshot.card)
    return _line(icon or words.snapshot_icon(snapshot), state, name)


def _line(icon: str, state: str, name: str) -> str:
    return f"{icon} *{_('{state}: {name}').format(state=state, name=name)}*"


def _escaped(name: str, limit: int) -> str:
    return text.escape(name, limit) or _("(no name)")


def _group(group: BoardGroup) -> str:
    """`Running: 48 × germline-wgs`; of a single one its name."""
    state = _(words.DELETED) if group.phase == GONE else words.phase_word(group.phase)
    icon = words.icon(Phase.DELETING if group.phase == GONE else group.phase)
    if group.number == 1 and group.names:
        return _line(icon, state, words.unstarred(_escaped(group.names[0], _NAME)))
    title = words.unstarred(_escaped(group.title, _NAME)) if group.title else _("others")
    return _line(icon, state, _("{number} × {name}").format(number=text.number(group.number), name=title))


def _failed_group(group: BoardGroup) -> str:
    """Failed ones for which there is no line each: their names, as far as there is room."""
    if group.number == 1 and group.names:
        return _group(group)
    named = text.series(_escaped(name, _NAME) for name in group.names)
    hidden = group.number - len(group.names)
    if hidden and named:
        named = _("{names} and {number} more").format(names=named, number=text.number(hidden))
    return " · ".join(filter(None, (_group(group), named)))


def _going_group(group: BoardGroup) -> str:
    share = _share(group.steps_finished, group.steps_total)
    done = _("last one likely done {time}").format(time=text.date(group.at)) if group.at else ""
    return " · ".join(filter(None, (_group(group), share, done)))


def _share(done: int | None, total: int | None) -> str:
    """A short bar and the percentage, which is 100 only when all steps are done; empty where that is unknown."""
    if total is None or total <= 0:
        return ""
    share = max(0, min(100, (done or 0) * 100 // total))
    return f"{text.bar(done or 0, total, _BAR)} {text.percent(share)}"


def _ended_group(group: BoardGroup) -> str:
    return " · ".join(filter(None, (_group(group), text.ago(group.at) if group.at else "")))


def _headline(board: Board) -> str:
    if not board.workflow:
        return _("Board: everything this channel follows")
    return _("Board: runs of the workflow {name}").format(name=_escaped(board.workflow, _NAME))


def _counts(board: Board) -> str:
    counted = (
        text.plural("{number} failed", "{number} failed", board.failed) if board.failed else "",
        text.plural("{number} running", "{number} running", board.running) if board.running else "",
        text.plural("{number} waiting", "{number} waiting", board.waiting) if board.waiting else "",
        text.plural("{number} succeeded", "{number} succeeded", board.succeeded) if board.succeeded else "",
        text.plural("{number} cancelled or deleted", "{number} cancelled or deleted", board.others)
        if board.others
        else "",
    )
    return " · ".join(filter(None, counted))


def _named(board: Board) -> Iterator[str]:
    """Which have failed, for those who read the text only."""
    for snapshot in board.rows:
        if snapshot.is_over:
            execution = snapshot.execution
            word = words.snapshot_word(snapshot)
            yield _("{state}: {name}").format(state=word, name=_escaped(execution.name or execution.id, _NAME))


def _unseen(board: Board) -> str:
    if board.unseen_since is None:
        return ""
    line = _("GCS has not answered since {time}; the data below is older.")
    return f"⚠️ {line.format(time=text.date(board.unseen_since))}"


def _empty(board: Board) -> str:
    if not board.is_empty:
        return ""
    line = _("Nothing is running, and nothing has ended in the last 24 hours. {command} follows new runs here.")
    return line.format(command="`/execution subscribe workflow … here`")


def _over(board: Board, subscription: Subscription) -> Message:
    if not subscription.ended_by:
        line = _("This board continues in a newer message below.")
    else:
        shape = _("{person} ended this board. {command} starts a new one.")
        person = text.person(subscription.ended_by)
        line = shape.format(person=person, command=_command(board.workflow))
    return message([context(f"📋 {line}")], line)


def with_boards(
    followed: Message, channel: Subscriber, boards: Sequence[tuple[BoardRecord, str]], address: str
) -> Message:
    """A list of what a channel follows, behind its boards, each with the timestamp of its message."""
    if not boards:
        return followed
    lines, blocks = [], []
    for record, ts in boards:
        name = _headline(Board(workflow=record.workflow))
        link = message_link(words.unstarred(name), address=address, channel_id=channel.id, ts=ts)
        blocks.append(section(f"📋 *{link}*", accessory=buttons.menu([buttons.end_board(channel, record.id)])))
        lines.append(name)
    return Message((*filter(None, blocks), *followed.blocks), "\n".join((*lines, followed.text)))


def board_made(
    record: BoardRecord, *, is_new: bool, note: str = "", is_held: bool = False, readers: Readers = NOBODY_ELSE
) -> Message:
    """The reply to the person who asked for a board. `is_new`: there was none; else it is posted again.

    `note` is a warning. `is_held` offers the approval without which nothing is posted in a channel that `readers` read.
    """
    line = _("This channel has a board now.") if is_new else _("I am posting the board again, as a new message.")
    more = _("I keep it up to date, and post it again once a day. Failures still get messages of their own.")
    warning = text.prose(note)
    row = [buttons.approve_channel(record.subscriber.id, readers)] if is_held else []
    stop = _("{command} ends it.").format(command=_command(record.workflow, "stop"))
    return message(
        [section(f"📋 {line}", f"⚠️ {warning}" if warning else ""), context(text.sentences((more, stop))), actions(row)],
        line,
        more,
        warning,
    )


def board_ended(*, note: str = "") -> Message:
    """The reply to the person who ended one."""
    line, warning = _("The board has ended; its message says so."), text.prose(note)
    return message([section(f"📋 {line}", f"⚠️ {warning}" if warning else "")], line, warning)


def no_such_board() -> Message:
    """There was nothing to end."""
    line = _("This channel has no such board, so there is nothing to stop.")
    return message([section(f"📋 {line}")], line)


def board_held(channel: Subscriber, code: str) -> Message:
    """To its owner, in person: why a board is not posted in their channel, and what releases it."""
    line = _("I have a board to post in {channel}.").format(channel=text.channel(channel.id))
    why = _("It is on hold: {reason}.").format(reason=text.prose(undeliverable_reason(code)).rstrip("."))
    remedy = released(code)
    return message([section(f"⏸️ {line}", why, remedy)], line, why, remedy)


def board_left(board: Board) -> Message:
    """In the thread of a board that Slack does not let the bot edit."""
    line = _("Slack does not let me edit the board above, so it stays as it is. {command} posts it again.")
    line = line.format(command=_command(board.workflow))
    return message([context(f"⚠️ {line}")], line)


def board_undeliverable(channel: Subscriber, board: Board, code: str) -> Message:
    """To its owner, in person: the channel of their board cannot be reached, why by Slack's `code`."""
    because = text.prose(undeliverable_reason(code)).rstrip(".")
    line = _("I can no longer update the board in {channel}: {reason}.").format(
        channel=text.channel(channel.id), reason=because
    )
    remedy = _("I ended it. Once this is fixed, {command} in the channel starts a new one.")
    remedy = remedy.format(command=_command(board.workflow))
    return message([section(f"⚠️ {line}", remedy)], line, remedy)


def _command(workflow: str, *more: str) -> str:
    """The command that makes a board of a workflow, or of everything, or with `more` ends it."""
    about = ["workflow", workflow] if workflow else []
    return text.code(" ".join([COMMAND, *about, *more]), 200)
