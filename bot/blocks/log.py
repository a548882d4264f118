"""The log of an execution: each change that was seen, and what became of it for those who ask.

Lives here: `log_message`, `log_modal`. Does not live here: what became of a change (`bot.domain.fates`), what Slack's
codes mean (`bot.blocks.sentences`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.blocks import text, words
from bot.blocks.language import N_, _, ngettext
from bot.blocks.links import message_link
from bot.blocks.message import Block, Message, context, message, section, view
from bot.blocks.sentences import undeliverable_reason
from bot.domain.change import ChangeKind
from bot.domain.execution import Phase
from bot.domain.fates import Fate, FateKind, LaneState, Log, QuietTime, Seen, fates_of

CALLBACK_ID = "log"
TITLE = N_("Log")
IN_MESSAGE, IN_MODAL = 15, 40
"""How many changes are shown: the newest."""
_IN_SECTION = 5
_LATE = timedelta(minutes=1)
"""A change that was sent later than this shows when."""
_REASON_LIMIT = 160
_NAME_LIMIT = 40


def log_message(log: Log, lanes: Sequence[LaneState], execution_id: str, *, address: str) -> Message:
    """The log as a reply, for `lanes`: of the person who asks, and of the channel. `address`: of Slack's messages."""
    head, lines, notes = _parts(log, lanes, execution_id, address, IN_MESSAGE)
    return message([section(head), *_sections(lines), context(*notes, text.code(execution_id))], head, *lines, *notes)


def log_modal(log: Log, lanes: Sequence[LaneState], execution_id: str, *, address: str) -> Block:
    """The same as a modal."""
    head, lines, notes = _parts(log, lanes, execution_id, address, IN_MODAL)
    blocks = [section(head), *_sections(lines), context(*notes, text.code(execution_id))]
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID)


def _parts(
    log: Log, lanes: Sequence[LaneState], execution_id: str, address: str, most: int
) -> tuple[str, list[str], list[str]]:
    """The first line, a line for each change, the newest first, and what is left out."""
    if not lanes:  # nor do they read here that others follow it
        shape = _("{name}: neither you nor this channel has followed it, so I sent nothing.")
        return shape.format(name=text.code(execution_id)), [], []
    name = words.name(log.snapshot.execution) if log.snapshot else text.escape(execution_id)
    bold = f"*{words.unstarred(name)}*"
    changes = list(zip(*(fates_of(log, lane) for lane in lanes), strict=True))[::-1]
    if not changes:
        return _("{name}: nothing has changed yet.").format(name=bold), [], []
    lines = [
        _line(
            pairs[0][0],
            [
                _whose(lane, _fate(seen, fate, log.now, address))
                for lane, (seen, fate) in zip(lanes, pairs, strict=True)
            ],
        )
        for pairs in changes[:most]
    ]
    left = log.dropped + sum(pairs[0][0].times for pairs in changes[most:])
    older = text.plural("{number} earlier change is not shown", "{number} earlier changes are not shown", left)
    head = _("{name}: what changed, and what I sent").format(name=bold)
    return head, lines, [_("Newest first"), older if left else ""]


def _sections(lines: Sequence[str]) -> list[Block | None]:
    return [section(*lines[start : start + _IN_SECTION]) for start in range(0, len(lines), _IN_SECTION)]


def _line(seen: Seen, fates: Sequence[str]) -> str:
    return f"{text.date(seen.at)} · {_change(seen)}\n↳ {' · '.join(fates)}"


def _whose(lane: LaneState, fate: str) -> str:
    shape = _("you: {fate}") if lane.subscriber_id[:1] in {"U", "W"} else _("here: {fate}")
    return shape.format(fate=fate)


def _change(seen: Seen) -> str:
    """What happened, in a few words."""
    match seen.kind:
        case ChangeKind.PROGRESS:
            counted = words.counts(seen.finished, seen.total)
            shape = ngettext("{counts} ({number} change)", "{counts} ({number} changes)", seen.times)
            line = shape.format(counts=counted, number=text.number(seen.times)) if seen.times > 1 else counted
            return f"▸ {line}"
        case ChangeKind.STEP_FAILED | ChangeKind.SLOW | ChangeKind.DEADLINE:
            step = text.escape(seen.step, _NAME_LIMIT)
            shape = _("{state}: {name}") if step else "{state}"
            return f"⚠️ {shape.format(state=_warning(seen), name=step)}"
        case ChangeKind.ENDED:
            ended = _("no longer followed")
            return f"⏹ {ended}"
        case _:
            return _phase(seen)


def _warning(seen: Seen) -> str:
    if seen.kind is ChangeKind.STEP_FAILED:
        return text.plural("{number} step failed", "{number} steps failed", seen.failed)
    return _("slower than usual") if seen.kind is ChangeKind.SLOW else _("stops soon")


def _phase(seen: Seen) -> str:
    phase = words.phase_word(seen.phase)
    if seen.kind is ChangeKind.VANISHED:
        return f"{words.icon(Phase.DELETING)} *{_(words.DELETED)}*"
    if seen.kind is ChangeKind.REOPENED:
        return f"♻️ {_('Retried: {phases}').format(phases=phase)}"
    return f"{words.icon(seen.phase)} {f'*{phase}*' if seen.kind is ChangeKind.OUTCOME else phase}"


_FATES = {
    FateKind.DELIVERED: N_("sent"),
    FateKind.IN_DOUBT: N_("maybe sent: I am checking in Slack"),
    FateKind.DROPPED: N_("not sent: no longer followed by then"),
    FateKind.NOT_FOLLOWED: N_("not followed then"),
}


def _fate(seen: Seen, fate: Fate, now: datetime, address: str) -> str:  # noqa: PLR0911  # a sentence for each
    """What became of a change, in a few words."""
    match fate.kind:
        case FateKind.SENT:
            return _when(_linked(_("sent"), fate, address), seen, fate)
        case FateKind.MERGED:
            return _when(_linked(_("sent with a later one"), fate, address), seen, fate)
        case FateKind.BELOW:
            shape = _("not sent; level {level} includes it") if fate.level else _("not sent at any level")
            return shape.format(level=text.code(fate.level.value if fate.level else ""))
        case FateKind.QUIET:
            return _waits(fate.quiet)
        case FateKind.WAITING:
            is_soon = fate.next_at is None or fate.next_at - now < _LATE
            return _coming(fate.quiet) if is_soon else _next(_("queued for Slack"), fate.next_at)
        case FateKind.REFUSED:
            return _next(_("refused: {reason}").format(reason=_reason(fate.code)), fate.next_at)
        case FateKind.GIVEN_UP:
            return _("gave up: {reason}").format(reason=_reason(fate.code))
        case _:
            return _(_FATES[fate.kind])


def _next(line: str, next_at: datetime | None) -> str:
    """`line`, and when it is tried next."""
    return line if next_at is None else _("{line}; next try {time}").format(line=line, time=text.date(next_at))


def _when(link: str, seen: Seen, fate: Fate) -> str:
    """The message, and when it was sent and why so late, if it was late."""
    if fate.at is None or fate.at - seen.at < _LATE:
        return link
    shape = _("{sent} {time}")
    if fate.quiet is not None:
        shape = _("{sent} {time}, after the mute") if fate.quiet.is_mute else _("{sent} {time}, after quiet hours")
    return shape.format(sent=link, time=text.date(fate.at))


def _coming(waited_for: QuietTime | None) -> str:
    """It is sent in a moment; what has waited for the end of a quiet time may come with other ends in one message."""
    if waited_for is None:
        return _("on its way")
    return _("the mute is over; on its way") if waited_for.is_mute else _("quiet hours are over; on its way")


def _waits(quiet: QuietTime | None) -> str:
    if quiet is None or quiet.until is None:
        return _("muted until it ends")
    shape = _("muted until {time}") if quiet.is_mute else _("quiet hours until {time}")
    return shape.format(time=text.date(quiet.until))


def _reason(code: str) -> str:
    return text.prose(undeliverable_reason(code), _REASON_LIMIT).rstrip(".")


def _linked(label: str, fate: Fate, address: str) -> str:
    """`label` as a link to the message, where that is known."""
    return message_link(label, address=address, channel_id=fate.channel, ts=fate.ts, thread_ts=fate.thread_ts)
