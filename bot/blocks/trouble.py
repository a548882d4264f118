"""What needs somebody's attention in an execution: a word in the headline, and one line below it.

Lives here: `trouble_of`, which names the most urgent trouble: a step failed, the time limit is near, something is slow,
it waits for long, GCS does not answer. Does not live here: when something is slow (`bot.domain.alarms`), the message
about it in the thread (`bot.blocks.warnings`). Called by `bot.blocks.cards`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.blocks import causes, text, words
from bot.blocks.failed_steps import Failure, group_line
from bot.blocks.groups import MRKDWN, PLAIN, Ink
from bot.blocks.language import N_, _, ngettext
from bot.domain import alarms, estimate
from bot.domain.execution import FAILED_PHASES, Execution, Step
from bot.domain.snapshot import Snapshot, Unseen

CLOSE = timedelta(hours=1)
"""A time limit within this time is trouble."""

_NAME_LIMIT = 40
_UNSEEN = {
    Unseen.AWAY: N_("GCS has not answered since {time}; the data below is older."),
    Unseen.REFUSED: N_("GCS has denied me access since {time}; the data below is older."),
    Unseen.UNREADABLE: N_("I have not been able to read GCS's answers since {time}; the data below is older."),
    Unseen.TOO_LARGE: N_("GCS's answers have been too large for me since {time}; the data below is older."),
    Unseen.MISSING: N_("GCS has not shown this execution since {time}; the data below is older."),
}
_PARTIAL = N_("GCS's answer is too large for me, so step counts are missing or old.")


class Trouble(NamedTuple):
    """What is wrong."""

    shape: str
    """What the headline says in place of the phase, with `{phase}` in it."""
    line: str
    plain: str
    """The same in plain text."""
    icon: str = "⚠️"


_Say = Callable[[Ink], str]


def trouble_of(snapshot: Snapshot, *, now: datetime) -> Trouble | None:
    """The most urgent trouble; None when there is none, or the execution has ended."""
    if snapshot.execution.is_terminal or snapshot.is_vanished:
        return None
    return next(
        filter(None, (find(snapshot, now) for find in (_failed, _late, _slow, _waiting, _unseen, _partial))), None
    )


def failure(execution: Execution, ink: Ink) -> str:
    """Why an execution failed: by most or the first of its failed steps, else by what GCS says of it.

    Empty unless it failed.
    """
    if execution.phase not in FAILED_PHASES:
        return ""
    if together := many_failed(execution, ink):
        return together
    failed = execution.failed_steps
    if failed and (failed[0].reason or failed[0].message):
        return _cause(failed[0].name, failed[0], ink)
    return _cause(failed[0].name if len(failed) == 1 else "", execution, ink)


def many_failed(execution: Execution, ink: Ink = MRKDWN) -> str:
    """What most of the failed steps have in common, on one line; empty where they are few, or not alike."""
    return group_line(Failure.of_execution(execution), lambda name: ink.bold(name, _NAME_LIMIT))


def is_time_limit(snapshot: Snapshot) -> bool:
    """Whether its time limit is the likely cause of a failure."""
    execution = snapshot.execution
    return words.timed_out(execution.phase, execution.reason, estimate.time_taken(snapshot), execution.timeout)


def unseen_line(snapshot: Snapshot, ink: Ink = MRKDWN) -> str:
    """That GCS does not show the execution, and since when; empty while it does."""
    since = snapshot.unreachable_since
    return "" if since is None else _(_UNSEEN[snapshot.unseen]).format(time=_date(since, ink))


def _said(shape: str, say: _Say) -> Trouble:
    return Trouble(shape, say(MRKDWN), say(PLAIN))


def _failed(snapshot: Snapshot, _now: datetime) -> Trouble | None:
    failed = snapshot.execution.failed_steps
    if not failed:
        return None
    shape = ngettext("{phase}, {number} step failed", "{phase}, {number} steps failed", len(failed))
    shape = shape.format(phase="{phase}", number=Failure.of_execution(snapshot.execution).counted(len(failed)))
    others, beside = words.others_go_on(snapshot.execution), _("{cause}; {others}")

    def line(ink: Ink) -> str:
        cause = many_failed(snapshot.execution, ink) or _cause(failed[0].name, failed[0], ink)
        if snapshot.failed_at is not None:
            when = text.ago(snapshot.failed_at) if ink is MRKDWN else text.utc(snapshot.failed_at)
            shape = _("{cause}, {time}") if len(failed) == 1 else _("{cause}; the last one {time}")
            cause = shape.format(cause=cause, time=when)
        return beside.format(cause=cause, others=others) if others else cause

    return _said(shape, line)


def _cause(name: str, of: Execution | Step, ink: Ink) -> str:
    say = causes.cause if ink is MRKDWN else causes.cause_words
    return say(text.cut(name, _NAME_LIMIT), of.reason, of.message, of.message_zh, of.reason_zh)


def _late(snapshot: Snapshot, now: datetime) -> Trouble | None:
    execution = snapshot.execution
    deadline = execution.deadline
    if deadline is None or deadline - now > CLOSE:
        return None
    limit = text.span(execution.timeout or timedelta())
    if deadline <= now:
        line = _("It reached its time limit of {limit} {time}, but GCS has not stopped it yet.")
        return _said(_("{phase}, past its time limit"), lambda ink: line.format(limit=limit, time=_date(deadline, ink)))
    near = _("GCS will stop it {time}: its time limit is {limit}.")
    return _said(_("{phase}, stops soon"), lambda ink: near.format(limit=limit, time=_date(deadline, ink)))


def _slow(snapshot: Snapshot, _now: datetime) -> Trouble | None:
    shape = _("{phase}, slower than usual")
    if snapshot.slow_steps:
        slow = snapshot.slow_steps[0]
        line = _("{step} is taking longer than usual: usually at most {duration}.")
        usual = text.span(slow.usual)
        return _said(shape, lambda ink: line.format(step=ink.bold(slow.name, _NAME_LIMIT), duration=usual))
    if alarms.SLOW not in snapshot.raised or snapshot.usual is None:
        return None
    most = text.span(alarms.usual_most(snapshot.usual))
    whole = _("It is taking longer than usual: usually at most {duration}.").format(duration=most)
    return Trouble(shape, whole, whole)


def _waiting(snapshot: Snapshot, _now: datetime) -> Trouble | None:
    execution = snapshot.execution
    if snapshot.usual_wait is None or execution.created_at is None:
        return None
    line, since = _("It has been waiting since {time}, usually at most {duration}."), execution.created_at
    most = text.span(snapshot.usual_wait)
    said = _said(_("{phase} for longer than usual"), lambda ink: line.format(time=_date(since, ink), duration=most))
    return said._replace(icon="⏳")


def _unseen(snapshot: Snapshot, _now: datetime) -> Trouble | None:
    if snapshot.unreachable_since is None:
        return None
    return _said(_("{phase} when last seen"), lambda ink: unseen_line(snapshot, ink))


def _partial(snapshot: Snapshot, _now: datetime) -> Trouble | None:
    return Trouble("{phase}", _(_PARTIAL), _(_PARTIAL)) if snapshot.execution.is_partial else None


def _date(moment: datetime, ink: Ink) -> str:
    return text.date(moment) if ink is MRKDWN else text.utc(moment)


def outlook_words(snapshot: Snapshot, *, now: datetime, moment: Callable[[datetime], str] = text.date) -> str:
    """When it is done, as likely as not, and how long such runs take; empty where too few are known."""
    outlook = estimate.outlook_of(snapshot, now=now)
    if outlook is None:
        return ""
    low, high = text.span(outlook.usual_low), text.span(outlook.usual_high)
    if outlook.is_open:
        return _("usually {low} – {high}").format(low=low, high=high)
    shape = _("likely done {time} (usually {low} – {high})")
    return shape.format(time=moment(outlook.done_at(now)), low=low, high=high)
