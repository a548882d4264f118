"""Boards: what people ask for about them, and the worker that keeps them up to date.

Lives here: `BoardRequests`, and `BoardWorker`, which draws each board again when something has changed. Does not live
here: what is on a board (`bot.domain.board`), its record and its messages (`bot.store.boards`), posting and editing
(the notifier, which does it as for cards). Called by the handlers, through `Subscriptions.boards`; the worker is
started by `bot.app.workspace`.

A board is drawn by one copy of the bot at a time, at most once in `EVERY`, and written only if it looks different.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from msgspec.structs import replace

from bot.audit import audit
from bot.blocks.board import board_blocks
from bot.blocks.message import Block
from bot.domain.board import LASTS, BoardRecord, board_id, board_of, is_news
from bot.domain.following import RuleKind, Subscriber
from bot.domain.home import SHOWN_FOR
from bot.domain.rules import normal
from bot.domain.snapshot import Board
from bot.errors import InputProblem, InvalidInput, StoreUnavailable
from bot.store.boards import Boards, Post
from bot.store.boards.boards import MOST_BOARDS
from bot.store.homes import Homes
from bot.store.patience import in_time
from bot.store.rules import Rules
from bot.store.subscriptions import Subscribers
from bot.store.unreadable import Unreadable

EVERY = timedelta(seconds=30)
"""How long at least between two edits of a board."""

CHECK_SECONDS = 10.0
"""How long until this copy checks again whether it is its turn."""

_LATEST = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BoardMade:
    """The result of asking for a board."""

    record: BoardRecord
    is_new: bool
    """False if the channel had it already; then it is posted again."""
    is_safe: bool = True
    """False if fewer replicas of the store hold it than configured."""


class BoardMaker:
    """Draws boards, and has them posted."""

    def __init__(self, boards: Boards, subscribers: Subscribers, homes: Homes, *, now: Callable[[], datetime]) -> None:
        self.boards, self.now = boards, now
        self._subscribers, self._homes = subscribers, homes

    async def drawn(self, channel: Subscriber, workflow: str) -> Board:
        """What the board of a channel shows now."""
        followed, ended = await self._subscribers.of(channel), await self._homes.ended(channel)
        board = board_of(followed, ended, workflow, now=self.now())
        cards = await self._subscribers.cards(channel, [each.execution.id for each in board.rows])
        rows = tuple(replace(each, card=cards.get(each.execution.id, each.card)) for each in board.rows)
        return replace(board, rows=rows)

    async def post(self, record: BoardRecord, board: Board) -> bool:
        """Have the message of a board posted; it is ended at once if the board has ended meanwhile.

        Returns:
            False when that was asked for before.
        """
        if not await self.boards.post(record, board):
            return False
        kept = await self.boards.of(record.subscriber)
        if record.message_id() not in [each.message_id() for each in kept]:
            await self.boards.close(record.subscriber, record.message_id(), by=record.owner)
        return True

    async def renew(self, record: BoardRecord, board: Board) -> None:
        """Post a board again; its current message says so once the next one is there."""
        wanted = replace(record, posted_at=self.now(), before=record.posted_at)
        written, _ = await self.boards.change(
            record.subscriber, record.id, lambda known: wanted if known == record else known
        )
        if written == wanted:
            await self.post(wanted, board)

    async def end(self, record: BoardRecord, *, by: str = "") -> tuple[BoardRecord | None, bool]:
        """End a board: first its messages, so that the next round ends what a crash has left.

        Returns:
            The board, if it was posted again meanwhile: then it goes on; and whether replicas hold its end.
        """
        for posted_at in filter(None, (record.posted_at, record.before)):
            await self.boards.close(record.subscriber, record.message_id(posted_at), by=by)
        ended = await self.boards.change(
            record.subscriber,
            record.id,
            lambda known: known if known and known.posted_at != record.posted_at else None,
        )
        # Somebody may have asked for the message before the record was deleted; who does so later ends it: see `post`.
        await self.boards.close(record.subscriber, record.message_id(), by=by)
        return ended


class BoardRequests:
    """Serves what people ask for about boards."""

    def __init__(self, maker: BoardMaker, rules: Rules) -> None:
        self._maker, self._boards, self._rules = maker, maker.boards, rules

    async def make(self, channel: Subscriber, workflow: str, *, owner: str) -> BoardMade:
        """Give a channel a board of all that it follows, or of one workflow; one that it has is posted again.

        Raises:
            InvalidInput: the channel does not follow that workflow, or has too many boards.
        """
        board = await in_time(self._maker.drawn(channel, workflow))
        if workflow and board.is_empty and not await self._is_followed(channel, workflow):
            line = f"/execution subscribe workflow {workflow} here"
            raise InvalidInput(InputProblem.BOARD_NOT_FOLLOWED, word=workflow, line=line)
        new = BoardRecord(subscriber=channel, workflow=workflow, owner=owner, posted_at=self._maker.now())
        record, is_safe = await in_time(self._boards.change(channel, new.id, lambda known: known or new))
        if record is None:
            raise InvalidInput(InputProblem.TOO_MANY_BOARDS, word=str(MOST_BOARDS))
        if record == new:
            await in_time(self._maker.post(record, board))
        elif record.before is None and await self._may_be_renewed(record):
            await in_time(self._maker.renew(record, board))
        _audit("board.created" if record == new else "board.renewed", record)
        return BoardMade(record, record == new, is_safe)

    async def of(self, channel: Subscriber) -> tuple[tuple[BoardRecord, str], ...]:
        """The boards of a channel, each with the timestamp of its message; empty while Slack does not show it."""
        found = []
        for record in await in_time(self._boards.of(channel)):
            with suppress(Unreadable):  # another version of the bot wrote it
                post = await in_time(self._boards.find(record))
                found.append((record, post.receipt.ts if post and post.receipt else ""))
        return tuple(found)

    async def end(self, channel: Subscriber, board: str, *, by: str) -> tuple[BoardRecord | None, bool]:
        """End the board of a channel with this id; the channel reads that `by` did it.

        Returns:
            The board, None if there was none; and whether replicas hold its end.
        """
        found = [each for each in await in_time(self._boards.of(channel)) if each.id == board]
        if not found:
            return None, True
        left, is_safe = await in_time(self._maker.end(found[0], by=by))
        while left is not None:
            left, is_safe = await in_time(self._maker.end(left, by=by))
        _audit("board.ended", found[0], why="unsubscribed")
        return found[0], is_safe

    async def end_named(self, channel: Subscriber, workflow: str, *, by: str) -> tuple[BoardRecord | None, bool]:
        """Like `end`, for the board about `workflow`; without one, for the only board that the channel has.

        Raises:
            InvalidInput: it has several.
        """
        found = await in_time(self._boards.of(channel))
        named = [each for each in found if each.id == board_id(channel, workflow)]
        if not named and not workflow and len(found) > 1:
            raise InvalidInput(InputProblem.SEVERAL_BOARDS, line=f"/execution board workflow {found[0].workflow} stop")
        meant = named or ([] if workflow else list(found))
        return await self.end(channel, meant[0].id, by=by) if meant else (None, True)

    async def _may_be_renewed(self, record: BoardRecord) -> bool:
        """Whether Slack shows the message, or another version of the bot wrote it, so that only a new one is edited."""
        try:
            post = await in_time(self._boards.find(record))
        except Unreadable as error:
            error.report(record.message_id())
            return True
        return post is not None and post.receipt is not None

    async def _is_followed(self, channel: Subscriber, workflow: str) -> bool:
        """Whether runs of a workflow may come; a rule about a label or a project may find runs of any workflow."""
        rules = await in_time(self._rules.of(channel))
        return any(
            rule.kind in {RuleKind.LABEL, RuleKind.PROJECT} or normal(workflow) in map(normal, rule.values)
            for rule in rules
        )


class BoardWorker:
    """Keeps all boards up to date."""

    def __init__(self, maker: BoardMaker) -> None:
        self._maker, self._boards, self._now = maker, maker.boards, maker.now
        self._seen: dict[str, tuple[str, datetime]] = {}
        """Message → what it was drawn from, and when time alone makes it look different."""

    async def run_once(self) -> float:
        """Update all boards, if it is this copy's turn; returns the seconds until the next check."""
        try:
            records = await self._boards.all() if await self._boards.begin_round(every=EVERY) else ()
        except StoreUnavailable as error:
            log.warning("boards.store_away", error=str(error))
            return CHECK_SECONDS
        for record in records:
            try:
                await self._update(record)
            except StoreUnavailable as error:
                log.warning("boards.store_away", error=str(error))
            except Unreadable as error:
                error.report(record.message_id())
            except Exception:  # a bug must not stop the other boards
                log.exception("boards.update_failed", board=record.id)
        if records:
            kept = {record.message_id() for record in records}
            self._seen = {message: seen for message, seen in self._seen.items() if message in kept}
        return CHECK_SECONDS

    async def _update(self, record: BoardRecord) -> None:
        post = await self._boards.find(record)
        if post is None:
            await self._begin(record)
        elif not post.is_ending:
            record = await self._close_before(record, post)
            await self._bring_up_to_date(record, post)

    async def _begin(self, record: BoardRecord) -> None:
        """Post a message that a copy of the bot did not get to post; or end a board that the notifier gave up."""
        board = await self._maker.drawn(record.subscriber, record.workflow)
        if await self._maker.post(record, board):
            return
        if await self._boards.find(record) is None:  # otherwise somebody else has posted it since this was read
            left, _ = await self._maker.end(record)
            if left is None:
                _audit("board.ended", record, why="undeliverable")

    async def _close_before(self, record: BoardRecord, post: Post) -> BoardRecord:
        """Once the next message is there, have the previous one say so."""
        if record.before is None or post.receipt is None:
            return record
        await self._boards.close(record.subscriber, record.message_id(record.before))
        without = replace(record, before=None)
        await self._boards.change(record.subscriber, record.id, lambda known: without if known == record else known)
        return without

    async def _bring_up_to_date(self, record: BoardRecord, post: Post) -> None:
        version, now, message = await self._boards.version(record.subscriber), self._now(), record.message_id()
        seen, until = self._seen.get(message, ("", now))
        if seen == version and now < until:
            return
        board = await self._maker.drawn(record.subscriber, record.workflow)
        if post.board is None or _drawn(post.board, now) != _drawn(board, now):
            is_old = now - record.posted_at >= LASTS and post.receipt is not None and record.before is None
            if is_old and (post.board is None or is_news(board, post.board)):
                await self._maker.renew(record, board)
            elif not await self._boards.show(record, board, revision=post.revision):
                return
        self._seen[message] = (version, board.oldest + SHOWN_FOR if board.oldest else _LATEST)


def _drawn(board: Board, now: datetime) -> list[Block]:
    """What a board shows, whatever the workspace."""
    return board_blocks(board, "C", now=now, address="https://slack.com/")


def _audit(event: str, record: BoardRecord, *, why: str = "") -> None:
    audit(
        event,
        why=why,
        team=record.subscriber.team_id,
        subscriber=record.subscriber.id,
        board=record.id,
        owner=record.owner,
    )
