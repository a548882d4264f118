"""Messages in the thread while an execution runs, and the last message of a subscription.

Lives here: `change_message`, `ended_message`, `card_left_message`, and messages to owners: `undeliverable_message`,
`held_message`. Does not live here: outcomes (`bot.blocks.outcome`), the card (`bot.blocks.cards`). Called by the
notifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from bot.blocks import buttons, text, words
from bot.blocks.language import _
from bot.blocks.levels import level_words
from bot.blocks.message import Message, actions, context, message, section
from bot.blocks.sentences import undeliverable_reason
from bot.blocks.warnings import owner_mention, warning_lines, warning_words
from bot.domain.model import REOPENABLE_PHASES, Change, ChangeKind, EndReason, Execution, Level, Phase, Subscription
from bot.domain.priority import is_announced

_NAMES_SHOWN = 5
_MOVES = frozenset({ChangeKind.PHASE, ChangeKind.REOPENED})
_LATE = timedelta(minutes=1)
"""A change older than this is shown with its time; otherwise Slack's own time of the message is enough."""


def change_message(
    changes: Sequence[Change], subscription: Subscription, execution: Execution, *, now: datetime
) -> Message:
    """One message for one or more changes, oldest first: the state before and after them, not those between.

    In the thread of a card a line is enough. What needs attention, or is seen outside the thread, begins with state and
    name.
    """
    last, warning = changes[-1], warning_words(changes)
    state, name = words.phase_word(last.phase or execution.phase), words.name(execution)
    if warning:
        title = _("{state}, {warning}: {name}").format(state=state, warning=warning, name=name)
    else:
        title = _("{state}: {name}").format(state=state, name=name)
    causes = warning_lines(changes, execution)
    names_steps = subscription.level.names_steps(last.total)
    phases, progress = _phases(changes), _progress(changes, names_steps=names_steps)
    finished = _finished(changes) if names_steps else ""
    line = " · ".join(filter(None, (phases, progress, finished, _missed_end(changes))))
    duration = words.change_elapsed(last, execution)
    took = _("after {duration}").format(duration=text.span(duration)) if duration is not None else ""
    late = _("at {time}").format(time=text.date(last.at)) if now - last.at > _LATE else ""
    owner = owner_mention(changes, subscription)
    sign = "⚠️" if warning else _sign(changes)
    if warning or is_announced(changes, subscription.subscriber):
        head = section(f"{sign} *{words.unstarred(title)}*", *causes)
        blocks = [head, context(line, took, late, owner)]
    elif phases:  # a new phase is a paragraph, progress a small line
        blocks = [section(f"{sign} {line or title}"), context(took, late)]
    else:
        blocks = [context(f"{sign} {line or title}", took, late)]
    rest = " · ".join(filter(None, (line, took, owner)))
    if warning:
        return message(blocks, f"⚠️ {title}", *causes, rest)
    return message(blocks, " · ".join(filter(None, (title, rest))))


def ended_message(change: Change, execution: Execution) -> Message:
    """The bot stops watching an execution, which ends the subscription: why."""
    why = _end_reason(change)
    head = f"⏹ No longer following *{words.unstarred(words.name(execution))}*."
    return message(
        [section(head, why), context(text.date(change.at), text.code(execution.id))],
        f"No longer following {words.subject_words(execution)}. {why}",
    )


def notice_message(notice: Change, execution: Execution) -> Message:
    """Somebody changed what a channel is told, or ended it: who."""
    line = f"{_who(notice)} {_deed(notice)}"
    return message([context(f"{_NOTICE_SIGNS[notice.kind]} {line}")], f"{words.subject_words(execution)}: {line}")


def owner_notice_message(notice: Change, subscription: Subscription, execution: Execution) -> Message:
    """To the owner of a channel's subscription, in person: what somebody else did to it."""
    shown, where = words.unstarred(words.name(execution)), _destination(subscription)
    line = f"{_who(notice)} {_deed(notice)}"
    is_over = notice.kind is ChangeKind.STOPPED
    row = [buttons.subscribe(subscription.execution_id, "Follow it here")] if is_over else []
    return message(
        [
            section(f"{_NOTICE_SIGNS[notice.kind]} About *{shown}* in {where}, which you had it follow: {line}"),
            actions(row),
            context(text.code(subscription.execution_id)),
        ],
        f"About {shown} in {where}, which you had it follow: {line}",
    )


def _who(notice: Change) -> str:
    """The person; unnamed if their data was deleted meanwhile."""
    return f"<@{text.identifier(notice.by)}>" if notice.by else "Somebody"


def _deed(notice: Change) -> str:
    if notice.kind is ChangeKind.STOPPED:
        return "stopped following this execution here."
    known = [level for level in Level if level.value == notice.level]
    told = level_words(known[0]) if known else text.escape(notice.level)
    return f"changed what is told here: {told}."


_NOTICE_SIGNS = {ChangeKind.STOPPED: "⏹", ChangeKind.LEVEL: "🔔"}


def _end_reason(change: Change) -> str:
    match change.why:
        case EndReason.NO_RETRY:
            return text.prose(f"No retry came, so I stopped watching; it stays {change.phase}.")
        case EndReason.DELETED:
            return "It was deleted from GeneContainer Service, so I stopped watching."
        case _:
            return "The subscription was ended."


def card_left_message(execution: Execution) -> Message:
    """In the thread of a card that Slack does not let the bot edit: the card is no longer kept up to date."""
    line = "Slack does not let me edit the card above, so it stays as it is. Changes still come here."
    return message([context(f"⚠️ {line}")], f"{words.subject_words(execution)}: {line}")


def undeliverable_message(subscription: Subscription, execution: Execution | None, code: str) -> Message:
    """To the owner, in person: their channel cannot be reached, why by Slack's `code`, and what can be done."""
    shown = words.unstarred(words.name(execution)) if execution else text.escape(subscription.execution_id)
    where = _destination(subscription)
    because = text.prose(undeliverable_reason(code)).rstrip(".")
    remedy = "I ended that subscription. Once this is mended, subscribe again; or follow the execution here yourself."
    return message(
        [
            section(f"⚠️ I cannot tell {where} about *{shown}* any more: {because}.", remedy),
            actions([buttons.subscribe(subscription.execution_id, "Follow it here")]),
            context(text.code(subscription.execution_id)),
        ],
        f"I cannot tell {where} about {shown} any more: {because}.",
        remedy,
    )


def held_message(subscription: Subscription, execution: Execution, code: str) -> Message:
    """To the owner, in person: why messages to their channel are held, and what releases them."""
    shown, where = words.unstarred(words.name(execution)), _destination(subscription)
    why = f"I hold it back: {text.prose(undeliverable_reason(code))}."
    remedy = _RELEASES.get(code, "What waits comes then.")
    return message(
        [
            section(f"⏸️ I have something to tell {where} about *{shown}*.", why, remedy),
            actions([buttons.subscribe(subscription.execution_id, "Follow it here")]),
            context(text.code(subscription.execution_id)),
        ],
        f"I have something to tell {where} about {shown}. {why}",
        remedy,
    )


_RELEASES = {
    "channel_not_approved": "Type `/execution list here` in the channel and press the button; what waits comes then."
}
"""What releases held messages, by why they are held."""


def _destination(subscription: Subscription) -> str:
    kind = "@" if subscription.subscriber.is_person else "#"
    return f"<{kind}{text.identifier(subscription.subscriber.id)}>"


def _sign(changes: Iterable[Change]) -> str:
    kinds = {change.kind for change in changes}
    if ChangeKind.REOPENED in kinds:
        return "♻️"
    moved = [change.phase for change in changes if change.kind in _MOVES and change.phase]
    return words.icon(moved[-1]) if moved else "▸"


def _phases(changes: Sequence[Change]) -> str:
    """The phases in order: "Pending → Running", "Retried: Failed → Retrying"."""
    moves = [change for change in changes if change.kind in _MOVES and change.phase]
    if not moves:
        return ""
    path = [phase for phase in (moves[0].phase_before, *(move.phase for move in moves)) if phase]
    # Many phases in one message are rare; the first and the last ones matter then.
    shown = path if len(path) <= _NAMES_SHOWN else [path[0], "…", *path[-2:]]
    line = " → ".join(words.phase_word(phase) if phase != "…" else phase for phase in shown)
    is_retried = any(move.kind is ChangeKind.REOPENED for move in moves)
    return _("Retried: {phases}").format(phases=line) if is_retried else line


def _missed_end(changes: Sequence[Change]) -> str:
    """That an end was missed, if a retry proves it: an end may be shorter than the time between two polls."""
    known = {*REOPENABLE_PHASES, Phase.DELETING, ""}  # a failed deletion can be retried too
    is_missed = any(each.kind is ChangeKind.REOPENED and each.phase_before not in known for each in changes)
    return _("so it had probably failed or been cancelled between two looks") if is_missed else ""


def _progress(changes: Sequence[Change], *, names_steps: bool) -> str:
    """How the count changed: "3 → 5 of 12 steps". After a retry it may be lower than before.

    Where not each step has a line, nobody has read the count before: "98 of 195 steps · 50 %".
    """
    counted = [change for change in changes if change.finished is not None]
    if not counted:
        return ""
    last = counted[-1]
    before, now = counted[0].finished_before, words.counts(last.finished, last.total)
    if not names_steps and any(change.kind is ChangeKind.PROGRESS for change in counted):
        return f"{now} · {text.percent(100 * (last.finished or 0) // last.total)}" if last.total else now
    if before is None or before == last.finished:
        return now if any(change.kind is ChangeKind.PROGRESS for change in counted) else ""
    return f"{text.number(before)} → {now}"


def _has_gap(changes: Sequence[Change]) -> bool:
    """Whether changes between these are missing: the store keeps a limited number of waiting changes."""
    counted = [change for change in changes if change.finished is not None]
    return any(after.finished_before not in {None, before.finished} for before, after in pairwise(counted))


def _finished(changes: Sequence[Change]) -> str:
    names = list(dict.fromkeys(name for change in changes for name in change.finished_steps))
    shown = [text.escape(name) for name in names[:_NAMES_SHOWN]]
    if not shown:
        return ""
    if _has_gap(changes):
        return _("{steps} and others finished").format(steps=text.series(shown))
    if (more := len(names) - _NAMES_SHOWN) > 0:
        return _("{steps} and {number} more finished").format(steps=text.series(shown), number=text.number(more))
    return _("{steps} finished").format(steps=text.series(shown))
