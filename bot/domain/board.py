"""Boards: one message in a channel that shows what the channel follows.

Lives here: `BoardRecord`, and `board_of`, which decides what has a line of its own and what shares one. Pure. Does not
live here: where it is drawn from (`bot.boards`), how it looks (`bot.blocks.board`). Called by those and by `bot.store`.

What failed is never only counted while there is room for its name: a board is bounded by what one message may hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from msgspec.structs import replace

from bot.domain import alarms
from bot.domain.estimate import outlook_of
from bot.domain.execution import FAILED_PHASES, WAITING_PHASES, Execution, Phase, Step, Value
from bot.domain.following import Subscriber
from bot.domain.home import STEPS_KEPT, TEXT_KEPT, ended_at, ends_of, kept_of
from bot.domain.past import stem_of
from bot.domain.rules import normal
from bot.domain.snapshot import Board, BoardGroup, Followed, Snapshot

FAILED_ALONE, TROUBLED_ALONE, RUNNING_ALONE = 5, 4, 5
"""At most this many executions of each kind have a line of their own."""

LEAST_GROUP = 3
"""So many that run share a line where there are more than `RUNNING_ALONE`."""

NAMED_BYTES = 1_200
"""How much room there is for the names of those that failed and have no line of their own."""

NAME_KEPT = 18
"""At most this much of such a name, its end, in characters: runs differ there."""

GROUPS = 6
"""At most this many lines for what runs, and as many for what has ended."""

LASTS = timedelta(hours=24)
"""How long one message is edited: then the next one is posted, so that the board does not sink."""

GONE = "Deleted"
"""Stands for the phase of executions that GCS does not know any more."""

_DONE_STEP = timedelta(minutes=5)
"""To what the end of several executions is rounded: up."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


class BoardRecord(Value, frozen=True, kw_only=True):
    """That a channel has a board, and which message it is."""

    subscriber: Subscriber
    """The channel."""
    workflow: str = ""
    """As it was typed; empty for all that the channel follows."""
    owner: str
    """User id of the person who asked for it; empty once that person's data was deleted."""
    posted_at: datetime
    """When the present message was asked for: names it, so that no two are the same."""
    before: datetime | None = None
    """The same of the message before it, as long as that does not say that the board goes on elsewhere."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits that stand for what it shows in which channel: a board that is made twice is one."""
        return board_id(self.subscriber, self.workflow)

    def message_id(self, posted_at: datetime | None = None) -> str:
        """What stands for one of its messages in place of an execution id; by default for the present one."""
        milliseconds = (posted_at or self.posted_at).timestamp() * 1000
        return f"{self.id}-b-{round(milliseconds):x}"


def board_id(channel: Subscriber, workflow: str) -> str:
    """`BoardRecord.id` of a board about `workflow`."""
    return sha256(f"{channel.id}\n{normal(workflow)}".encode()).hexdigest()[:16]


def board_of(followed: Followed, ended: Sequence[Snapshot], workflow: str = "", *, now: datetime) -> Board:
    """What a channel's board shows that follows `followed`, and until lately followed `ended`."""
    seen = ends_of(followed, ended) + [snapshot for _, snapshot in followed.items if snapshot is not None]
    shown = [snapshot for snapshot in seen if is_of(workflow, snapshot.execution)]
    going = sorted((each for each in shown if not each.is_over), key=_began)
    over = sorted((each for each in shown if each.is_over), key=ended_at, reverse=True)
    failed, fine = _split(over, _has_failed)
    troubled, running = _split(going, _is_in_trouble)
    running = sorted([*troubled[TROUBLED_ALONE:], *running], key=_began)
    alone, folded = _folded(running)
    ends = [ended_at(each) for each in over]
    unseen = [each.unreachable_since for each in going if each.unreachable_since]
    rows = [kept_of(each) for each in failed[:FAILED_ALONE]]
    rows += [_brief(each) for each in (*troubled[:TROUBLED_ALONE], *alone)]
    named = _first(_named(failed[FAILED_ALONE:]))
    waiting = sum(map(_is_waiting, going))
    return Board(
        workflow=workflow,
        rows=tuple(rows),
        groups=(*named, *_first(_going(folded, now)), *_first(_ended(fine))),
        failed=len(failed),
        running=len(going) - waiting,
        waiting=waiting,
        succeeded=sum(_phase(each) == Phase.SUCCEEDED for each in fine),
        others=sum(_phase(each) != Phase.SUCCEEDED for each in fine),
        unseen_since=min(unseen, default=None),
        newest=max([*ends, *map(_began, going)], default=None),
        oldest=min(ends, default=None),
    )


def is_of(workflow: str, execution: Execution) -> bool:
    """Whether an execution is a run of a workflow, by its name or id; of all of them if that is empty."""
    return not workflow or normal(workflow) in {normal(execution.workflow_name), normal(execution.workflow_id)}


def is_news(board: Board, before: Board) -> bool:
    """Whether it is worth a new message: something runs, or has begun or ended since `before`."""
    is_newer = (board.newest or _EARLIEST) > (before.newest or _EARLIEST)
    return bool(board.running or board.waiting) or is_newer


def _split(found: Iterable[Snapshot], is_first: Callable[[Snapshot], bool]) -> tuple[list[Snapshot], list[Snapshot]]:
    """Those for which it is true, and the others."""
    first: list[Snapshot] = []
    others: list[Snapshot] = []
    for snapshot in found:
        (first if is_first(snapshot) else others).append(snapshot)
    return first, others


def _has_failed(snapshot: Snapshot) -> bool:
    return snapshot.execution.phase in FAILED_PHASES and not snapshot.is_vanished


def _is_waiting(snapshot: Snapshot) -> bool:
    return snapshot.execution.phase in WAITING_PHASES


def _is_in_trouble(snapshot: Snapshot) -> bool:
    """Whether somebody may have to look after it. That GCS does not answer is said once, for all."""
    return bool(
        snapshot.execution.failed_steps
        or snapshot.slow_steps
        or snapshot.usual_wait
        or not {alarms.SLOW, alarms.DEADLINE}.isdisjoint(snapshot.raised)
    )


def _began(snapshot: Snapshot) -> datetime:
    return snapshot.execution.created_at or _EARLIEST


def _phase(snapshot: Snapshot) -> str:
    return GONE if snapshot.is_vanished else snapshot.execution.phase


def _title(snapshot: Snapshot) -> str:
    execution = snapshot.execution
    return execution.workflow_name or execution.workflow_id or stem_of(execution.name)


def _name(snapshot: Snapshot) -> str:
    return snapshot.execution.name or snapshot.execution.id


def _by_title(found: Iterable[Snapshot]) -> list[tuple[str, str, list[Snapshot]]]:
    """Those with one workflow in one phase together, the largest group first."""
    groups: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in found:
        groups[_title(snapshot), _phase(snapshot)].append(snapshot)
    return sorted(((*key, group) for key, group in groups.items()), key=lambda each: -len(each[2]))


def _folded(running: Sequence[Snapshot]) -> tuple[list[Snapshot], list[Snapshot]]:
    """Which of those that run have a line of their own, and which share one."""
    if len(running) <= RUNNING_ALONE:
        return list(running), []
    alone: list[Snapshot] = []
    folded: list[Snapshot] = []
    for *_, group in _by_title(running):
        is_small = len(group) < LEAST_GROUP and len(alone) + len(group) <= RUNNING_ALONE
        (alone if is_small else folded).extend(group)
    return alone, folded


def _named(failed: Sequence[Snapshot]) -> Iterator[BoardGroup]:
    left = NAMED_BYTES
    for title, phase, group in _by_title(failed):
        names: list[str] = []
        for whole in map(_name, group):
            name = whole if len(whole) <= NAME_KEPT else f"…{whole[1 - NAME_KEPT :]}"
            left -= len(name.encode(errors="replace"))
            if left < 0:
                break
            names.append(name)
        yield BoardGroup(title, phase, len(group), tuple(names), at=ended_at(group[0]))


def _going(folded: Sequence[Snapshot], now: datetime) -> Iterator[BoardGroup]:
    for title, phase, group in _by_title(folded):
        counted = [each.execution for each in group if each.execution.steps_total]
        outlooks = [outlook_of(each, now=now) for each in group]
        known = [each.done_at(now) for each in outlooks if each and not each.is_open]
        yield BoardGroup(
            title,
            phase,
            len(group),
            steps_finished=sum(each.steps_finished or 0 for each in counted),
            steps_total=sum(each.steps_total or 0 for each in counted),
            at=_rounded(max(known)) if len(known) == len(group) else None,
        )


def _ended(fine: Sequence[Snapshot]) -> Iterator[BoardGroup]:
    for title, phase, group in _by_title(fine):
        names = (_name(group[0]),) if len(group) == 1 else ()
        yield BoardGroup(title, phase, len(group), names, at=ended_at(group[0]))


def _first(groups: Iterable[BoardGroup]) -> list[BoardGroup]:
    """As many groups as there is room for; the others are one for each phase."""
    every = list(groups)
    if len(every) <= GROUPS:
        return every
    rest: dict[str, BoardGroup] = {}
    for group in every[GROUPS - 1 :]:
        known = rest.get(group.phase, BoardGroup("", group.phase, 0))
        rest[group.phase] = replace(known, number=known.number + group.number, names=known.names + group.names)
    return [*every[: GROUPS - 1], *rest.values()]


def _rounded(moment: datetime) -> datetime:
    over = (moment - _EARLIEST) % _DONE_STEP
    return moment + (_DONE_STEP - over if over else timedelta())


def _brief(snapshot: Snapshot) -> Snapshot:
    """As much of an execution that goes on as its line needs."""
    execution = snapshot.execution
    failed = [
        replace(step, message=step.message[:TEXT_KEPT], message_zh=step.message_zh[:TEXT_KEPT], resources={})
        if number < STEPS_KEPT
        else Step(name="", phase=step.phase)
        for number, step in enumerate(execution.failed_steps)
    ]
    brief = Execution(
        id=execution.id,
        name=execution.name,
        phase=execution.phase,
        action=execution.action,
        steps_total=execution.steps_total,
        steps_finished=execution.steps_finished,
        steps=tuple(failed),
        created_at=execution.created_at,
        timeout=execution.timeout,
    )
    return Snapshot(
        execution=brief,
        revision=snapshot.revision,
        seen_at=snapshot.seen_at,
        usual=snapshot.usual,
        by_steps=snapshot.by_steps,
        slow_steps=snapshot.slow_steps,
        raised=snapshot.raised,
        is_interrupted=snapshot.is_interrupted,
        usual_wait=snapshot.usual_wait,
    )
