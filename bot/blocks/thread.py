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
from bot.blocks.language import N_, _
from bot.blocks.levels import subscription_words
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.blocks.quiet import notice_line
from bot.blocks.sentences import undeliverable_reason
from bot.blocks.warnings import owner_mention, warning_lines, warning_words
from bot.domain.change import Change, ChangeKind, EndReason
from bot.domain.execution import REOPENABLE_PHASES, Execution, Phase
from bot.domain.following import Level, Subscription
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
    late = text.date(last.at) if now - last.at > _LATE else ""
    owner = owner_mention(changes, subscription)
    sign = "⚠️" if warning else _sign(changes)
    if warning or is_announced(changes, subscription):
        why = buttons.why(execution.id) if any(each.fails for each in changes) else None
        head = section(f"{sign} *{words.unstarred(title)}*", *causes, accessory=why)
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
    """The bot stops following an execution, which ends the subscription: why."""
    why = _end_reason(change)
    shape, name = _("No longer following {name}."), words.name(execution)
    head = shape.format(name=f"*{words.unstarred(name)}*")
    return message(
        [section(f"⏹ {head}", why), context(text.date(change.at), text.code(execution.id))],
        text.sentences((shape.format(name=name), why)),
    )


def notice_message(notice: Change, execution: Execution) -> Message:
    """Somebody changed the level of a channel's subscription, muted or ended it: who."""
    line = _deed(notice)
    shape = _("{name}: {sentence}")
    return message(
        [context(f"{_NOTICE_SIGNS[notice.kind]} {line}")], shape.format(name=words.name(execution), sentence=line)
    )


def owner_notice_message(notice: Change, subscription: Subscription, execution: Execution) -> Message:
    """To the owner of a channel's subscription, in person: what somebody else did to it."""
    name, where, line = words.name(execution), text.destination(subscription.subscriber), _deed(notice, is_there=True)
    shape = _("You set up {channel} to follow {name}: {sentence}")
    bold = shape.format(name=f"*{words.unstarred(name)}*", channel=where, sentence=line)
    is_over = notice.kind is ChangeKind.STOPPED
    return message(
        [
            section(f"{_NOTICE_SIGNS[notice.kind]} {bold}"),
            actions([_follow_it_here(subscription)] if is_over else []),
            context(text.code(subscription.execution_id)),
        ],
        shape.format(name=name, channel=where, sentence=line),
    )


def _follow_it_here(subscription: Subscription) -> Block:
    return buttons.subscribe(subscription.execution_id, _("Follow it here"))


def _deed(notice: Change, *, is_there: bool = False) -> str:
    """Who did what, as read in the channel or elsewhere; unnamed if their data was deleted meanwhile."""
    return text.tight(_said(notice, text.person(notice.by), is_there))


def _said(notice: Change, who: str, is_there: bool) -> str:
    if notice.kind is ChangeKind.STOPPED:
        shape = (
            _("{person} stopped following this execution there.")
            if is_there
            else _("{person} stopped following this execution here.")
        )
        return shape.format(person=who)
    if line := notice_line(notice, who, is_there=is_there):
        return line
    known = [each for each in Level if each.value == notice.level]
    level = (
        subscription_words(known[0], announces_success=notice.announces_success) if known else text.escape(notice.level)
    )
    there, here = (
        _("{person} changed the notifications there: {level}."),
        _("{person} changed the notifications here: {level}."),
    )
    return (there if is_there else here).format(person=who, level=level)


_NOTICE_SIGNS = {
    ChangeKind.STOPPED: "⏹",
    ChangeKind.LEVEL: "🔔",
    ChangeKind.MUTED: "🔕",
    ChangeKind.UNMUTED: "🔔",
}


def _end_reason(change: Change) -> str:
    match change.why:
        case EndReason.NO_RETRY:
            shape = _("It was not retried, so I stopped following it. State: {phase}.")
            return shape.format(phase=words.phase_word(change.phase))
        case EndReason.DELETED:
            return _("It was deleted from GeneContainer Service, so I stopped following it.")
        case _:
            return _("The subscription has ended.")


def card_left_message(execution: Execution) -> Message:
    """In the thread of a card that Slack does not let the bot edit: the card is no longer kept up to date."""
    line = _("Slack does not let me edit the card above, so it stays as it is. Changes still come here.")
    shape = _("{name}: {sentence}")
    return message([context(f"⚠️ {line}")], shape.format(name=words.name(execution), sentence=line))


def undeliverable_message(subscription: Subscription, execution: Execution | None, code: str) -> Message:
    """To the owner, in person: their channel cannot be reached, why by Slack's `code`, and what can be done."""
    name = words.name(execution) if execution else text.escape(subscription.execution_id)
    where, because = text.destination(subscription.subscriber), text.prose(undeliverable_reason(code)).rstrip(".")
    shape = _("I can no longer notify {channel} about {name}: {reason}.")
    remedy = _("I ended that subscription. Once this is fixed, follow it again; or follow the execution here yourself.")
    bold = shape.format(channel=where, name=f"*{words.unstarred(name)}*", reason=because)
    return message(
        [
            section(f"⚠️ {bold}", remedy),
            actions([_follow_it_here(subscription)]),
            context(text.code(subscription.execution_id)),
        ],
        shape.format(channel=where, name=name, reason=because),
        remedy,
    )


def held_message(subscription: Subscription, execution: Execution, code: str) -> Message:
    """To the owner, in person: why messages to their channel are held, and what releases them."""
    name, where = words.name(execution), text.destination(subscription.subscriber)
    shape = _("I have a message about {name} for {channel}.")
    why = _("It is on hold: {reason}.").format(reason=text.prose(undeliverable_reason(code)).rstrip("."))
    remedy = released(code)
    bold = shape.format(channel=where, name=f"*{words.unstarred(name)}*")
    return message(
        [
            section(f"⏸️ {bold}", why, remedy),
            actions([_follow_it_here(subscription)]),
            context(text.code(subscription.execution_id)),
        ],
        text.sentences((shape.format(channel=where, name=name), why)),
        remedy,
    )


_RELEASED = N_("It will be sent then.")
_RELEASES = {
    "channel_not_approved": N_("Type `/execution list here` in the channel and press the button to have it sent."),
}
"""What releases held messages, by why they are held."""


def released(code: str) -> str:
    """What releases held messages, by why they are held."""
    return _(_RELEASES.get(code, _RELEASED))


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
    return _("so it had probably failed or been cancelled between two polls") if is_missed else ""


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
