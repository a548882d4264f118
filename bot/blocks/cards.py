"""One execution as a whole: the summary for one person, the summary for a channel, and the card.

Lives here: `execution_summary`, `shared_summary`, `execution_card`: state and name, what is wrong, how far it is, its
steps in groups, one grey line, two buttons and a menu. Does not live here: messages about single changes
(`bot.blocks.thread`, `bot.blocks.outcome`). Called by `handlers` (summaries) and the notifier (card).

Nothing on a card goes stale: what runs is shown by when it started, and every time has its day. Slack's plan block is
not used: Slack shows it folded, and no field opens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from bot.blocks import buttons, facts, text, words
from bot.blocks.groups import MRKDWN, PLAIN, ROOM, Ink, grouped, step_lines
from bot.blocks.language import _
from bot.blocks.levels import level_words, subscription_words
from bot.blocks.message import OPTIONS_LIMIT, Block, Message, actions, header, message, section
from bot.blocks.quiet import muted_note
from bot.blocks.trouble import (
    Trouble,
    failure,
    is_time_limit,
    many_failed,
    outlook_words,
    trouble_of,
    unseen_line,
)
from bot.domain.acting import Action
from bot.domain.execution import FAILED_PHASES, Execution, Phase, Step
from bot.domain.following import Subscription
from bot.domain.snapshot import Snapshot

_NAME_LIMIT = 64
"""How much of a name is in the first line where another follows that says what is wrong. GCS allows as much."""


_HEADLINE_WIDTH = 28
"""How many letters of a headline stand beside each other on a phone."""


def execution_summary(
    snapshot: Snapshot, *, now: datetime, subscription: Subscription | None, offer: Action | None = None
) -> Message:
    """The summary that one person asked for; `subscription` is that person's own, if there is one.

    `offer`: what the person may have GCS do.
    """
    execution = snapshot.execution
    following = _("You follow it: {level}").format(level=level_words(subscription.level)) if subscription else ""
    entries = [buttons.refresh_summary(execution.id), buttons.details(execution.id), buttons.share(execution.id)]
    row = [buttons.steps(execution.id)]
    if _has_failed(snapshot):  # that comes first; following has its place in the menu
        row.insert(0, buttons.why(execution.id))
        entries += [buttons.stop(subscription) if subscription else buttons.follow(execution.id)]
    elif subscription is not None:
        row.append(buttons.unsubscribe(subscription))
    elif not _is_over(snapshot):
        row.append(buttons.subscribe(execution.id))
    if offer:
        entries.append(buttons.action_entry(execution.id, offer))
    return _message(snapshot, now, [following], [*row, buttons.menu(entries)])


def shared_summary(snapshot: Snapshot, *, now: datetime, shared_by: str) -> Message:
    """The summary that one person shares with a channel; its button subscribes the person who presses it."""
    execution = snapshot.execution
    row, entries = [buttons.steps(execution.id)], [buttons.details(execution.id)]
    if _has_failed(snapshot):
        row.insert(0, buttons.why(execution.id))
        entries.append(buttons.follow(execution.id))
    elif not _is_over(snapshot):
        row.append(buttons.subscribe(execution.id))
    sharer = _("shared by {person}").format(person=text.person(shared_by))
    return _message(snapshot, now, [sharer], [*row, buttons.menu(entries)])


def execution_card(snapshot: Snapshot, subscription: Subscription, *, now: datetime) -> Message:
    """The first message of the thread, edited with every change; once the subscription ends it offers a new one."""
    execution_id = snapshot.execution.id
    steps, details = buttons.steps(execution_id), buttons.details(execution_id)
    if subscription.is_ending:
        # Other subscriptions may still wait for a retry; this one does not.
        snapshot = replace(snapshot, retry_until=None)
        row = [] if snapshot.is_vanished else [steps]
        if not _is_over(snapshot):
            row.append(buttons.follow_again(subscription))
        if not snapshot.is_vanished:
            row.append(buttons.menu([details]))
        return _message(snapshot, now, [_ending_words(subscription)], row)
    level, muted = (
        _("notify: {level}").format(
            level=subscription_words(subscription.level, announces_success=subscription.announces_success)
        ),
        muted_note(subscription, now),
    )
    is_person = subscription.subscriber.is_person
    menu = [buttons.refresh_card(subscription), details, buttons.levels(subscription), buttons.stop(subscription)]
    if muted:
        menu.insert(0, buttons.unmute_entry(subscription))
    row, more = [steps], [buttons.share_card(subscription)]
    if _has_failed(snapshot):  # that comes first; following has its place in the menu
        row = [buttons.why(execution_id), steps]
        if not is_person:
            more.insert(0, buttons.follow(execution_id))
    elif not is_person:
        row.append(buttons.subscribe(execution_id))
    menu[-2:-2] = more[: OPTIONS_LIMIT - len(menu)]
    return _message(snapshot, now, [level, muted, facts.retry_line(snapshot.retry_until)], [*row, buttons.menu(menu)])


def _message(snapshot: Snapshot, now: datetime, notes: Sequence[str], row: Sequence[Block]) -> Message:
    """State and name; what is wrong; how far; steps; one grey line of `notes` and the like; buttons."""
    trouble = trouble_of(snapshot, now=now)
    headline, wrong = _headline(snapshot, trouble), _trouble_line(snapshot, trouble, MRKDWN)
    room = ROOM - text.rows(wrong) - text.rows(headline, _HEADLINE_WIDTH) + 1
    is_cause_shown, groups = _is_cause_shown(snapshot), grouped(_steps(snapshot))
    blocks = [
        header(headline),
        section(wrong),
        section(_status_line(snapshot, now)),
        section(*step_lines(snapshot, groups, is_cause_shown=is_cause_shown, room=room)),
        facts.grey_line(snapshot, *notes, _stale(snapshot, trouble)),
        actions(row),
    ]
    same = step_lines(snapshot, groups, ink=PLAIN, is_cause_shown=is_cause_shown, room=room)
    return message(blocks, *_plain_lines(snapshot, trouble, now), *same, facts.as_of_words(snapshot), *notes)


def _headline(snapshot: Snapshot, trouble: Trouble | None) -> str:
    word = words.plain_snapshot_word(snapshot)
    icon = trouble.icon if trouble else words.snapshot_icon(snapshot)
    state = trouble.shape.format(phase=word) if trouble else word
    name = words.plain_name(snapshot.execution)
    return _("{icon} {state}: {name}").format(
        icon=icon, state=state, name=text.cut(name, _NAME_LIMIT) if trouble else name
    )


def _trouble_line(snapshot: Snapshot, trouble: Trouble | None, ink: Ink) -> str:
    """What is wrong, or why it has failed."""
    execution = snapshot.execution
    if trouble is not None:
        return trouble.line if ink is MRKDWN else trouble.plain
    if snapshot.is_vanished:
        return _("GCS no longer knows it. Last seen: {phase}.").format(phase=words.phase_word(execution.phase))
    lines = [failure(execution, ink), words.time_out_note(execution.timeout) if is_time_limit(snapshot) else ""]
    return "\n".join(filter(None, lines))


def _status_line(snapshot: Snapshot, now: datetime) -> str:
    """How far it is and since when; once it has ended, how long it took and which step took longest."""
    execution = snapshot.execution
    done = f"*{words.counts(execution.steps_finished, execution.steps_total)}*"
    if _is_at_rest(snapshot):
        return " · ".join(filter(None, (_taken(snapshot, done), _longest(execution))))
    bar = text.bar(execution.steps_finished or 0, execution.steps_total) if execution.steps_total else ""
    counted = " ".join(filter(None, (bar, done)))
    return " · ".join(filter(None, (counted, words.time_words(snapshot), outlook_words(snapshot, now=now))))


def _taken(snapshot: Snapshot, done: str) -> str:
    if not snapshot.execution.is_terminal or not (took := words.time_words(snapshot)):
        return done
    return _("{counts} in {duration}").format(counts=done, duration=took)


def _longest(execution: Execution) -> str:
    """The step that took longest; nothing where there is no other to compare it with."""
    timed = [(step.elapsed, step) for step in execution.steps if step.is_finished and step.elapsed]
    if len(timed) < 2:  # noqa: PLR2004  # two to compare
        return ""
    elapsed, step = max(timed, key=lambda pair: pair[0])
    return _("longest: {step}, {duration}").format(
        step=words.step_name(step), duration=text.span(elapsed or timedelta())
    )


def _plain_lines(snapshot: Snapshot, trouble: Trouble | None, now: datetime) -> list[str]:
    """State, name, cause, time: in the order in which a notification is read."""
    execution = snapshot.execution
    word = words.snapshot_word(snapshot)
    state = trouble.shape.format(phase=word) if trouble else word
    named = text.escape(execution.title, _NAME_LIMIT) or words.name(execution)
    counted = words.counts(execution.steps_finished, execution.steps_total)
    timed = words.time_words(snapshot, text.utc)
    if execution.is_terminal and timed:
        counted, timed = _("{counts} in {duration}").format(counts=counted, duration=timed), ""
    outlook = "" if _is_at_rest(snapshot) else outlook_words(snapshot, now=now, moment=text.utc)
    return [
        _("{state}: {name}").format(state=state, name=named),
        _trouble_line(snapshot, trouble, PLAIN),
        " · ".join(filter(None, (counted, timed, outlook))),
    ]


def _steps(snapshot: Snapshot) -> tuple[Step, ...]:
    """The steps that a message has lines for: of an execution that has ended, those that failed."""
    return snapshot.execution.failed_steps if _is_at_rest(snapshot) else snapshot.execution.steps


def _is_cause_shown(snapshot: Snapshot) -> bool:
    """Whether the line about trouble says why steps failed: many that are alike, or the first one."""
    failed = snapshot.execution.failed_steps
    is_first = bool(failed and (failed[0].reason or failed[0].message))
    is_said = not snapshot.execution.is_terminal or is_first or bool(many_failed(snapshot.execution))
    return not snapshot.is_vanished and bool(failed) and is_said and snapshot.execution.phase != Phase.SUCCEEDED


def _stale(snapshot: Snapshot, trouble: Trouble | None) -> str:
    """That GCS does not answer, where something more urgent stands above."""
    since = snapshot.unreachable_since
    if since is None or (trouble is not None and trouble.line == unseen_line(snapshot)):
        return ""
    return _("⚠️ not seen since {time}").format(time=text.date(since))


def _is_over(snapshot: Snapshot) -> bool:
    """Whether no change can follow; failed and cancelled executions may be retried."""
    return snapshot.is_vanished or snapshot.execution.phase == Phase.SUCCEEDED


def _has_failed(snapshot: Snapshot) -> bool:
    """Whether there is something to explain, about which GCS can still be asked."""
    execution = snapshot.execution
    is_failing = bool(execution.failed_steps) and not execution.is_terminal
    return not snapshot.is_vanished and (execution.phase in FAILED_PHASES or is_failing)


def _is_at_rest(snapshot: Snapshot) -> bool:
    return snapshot.is_vanished or snapshot.execution.is_terminal


def _ending_words(subscription: Subscription) -> str:
    if subscription.ended_by:
        person = text.person(subscription.ended_by)
        return _("no longer followed: stopped by {person}").format(person=person)
    return _("no longer followed")
