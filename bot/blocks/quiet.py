"""Words about quiet times: on the card, in the modal, in the thread, and in replies.

Lives here: all of them. Does not live here: what a quiet time holds back (`bot/store/outbox/prelude.lua`), its moments
(`bot.domain.quiet`). Called by the other modules of `bot.blocks` and by `handlers`.
"""

from __future__ import annotations

from datetime import datetime, time

from bot.blocks import buttons, text, words
from bot.blocks.language import N_, _
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.domain.change import Change, ChangeKind
from bot.domain.following import Quiet, Subscription
from bot.domain.quiet import MuteFor, QuietHours
from bot.domain.snapshot import Snapshot

SPANS = {
    MuteFor.HOUR: N_("1 hour"),
    MuteFor.EIGHT_HOURS: N_("8 hours"),
    MuteFor.TOMORROW: N_("Until tomorrow, 9:00"),
    MuteFor.END: N_("Until it ends"),
}
"""The choices in the modal."""


def muted_note(subscription: Subscription, now: datetime) -> str:
    """On a card: until when it is muted; empty if it is not."""
    quiet = subscription.muted
    if quiet is None or not quiet.is_on(now):
        return ""
    if quiet.until is None:
        return _("🔕 muted until it ends, failures too") if quiet.holds_failures else _("🔕 muted until it ends")
    shape = _("🔕 muted until {time}, failures too") if quiet.holds_failures else _("🔕 muted until {time}")
    return shape.format(time=text.date(quiet.until))


def mute_block(subscription: Subscription, now: datetime) -> list[Block | None]:
    """In the modal: for how long it can be muted, or how to end that."""
    quiet = subscription.muted
    if quiet is not None and quiet.is_on(now):
        lines = f"*{_head(subscription, quiet)}*", _failures(quiet.holds_failures)
        return [section(*lines), actions([buttons.choose_unmute()])]
    what = _("Mute it for a while. What happens meanwhile comes afterwards.")
    loud = [(_(label), span.value) for span, label in SPANS.items()]
    silent = [(_(label), f"{span.value}!") for span, label in SPANS.items()]
    groups = [(_("Failures still come through"), loud), (_("Failures wait too"), silent)]
    return [section(what), actions([buttons.choose_mute(groups)])]


_MUTED, _MUTED_THERE = (
    N_("{person} muted this execution here until {time}."),
    N_("{person} muted this execution there until {time}."),
)
_TO_THE_END, _TO_THE_END_THERE = (
    N_("{person} muted this execution here until it ends."),
    N_("{person} muted this execution there until it ends."),
)
_UNMUTED, _UNMUTED_THERE = (
    N_("{person} unmuted this execution here."),
    N_("{person} unmuted this execution there."),
)


def notice_line(notice: Change, who: str, *, is_there: bool = False) -> str:
    """In the thread of a channel, or elsewhere (`is_there`): who muted an execution, or ended that.

    Empty for another notice.
    """
    match notice.kind:
        case ChangeKind.MUTED if notice.until is None:
            shape = _TO_THE_END_THERE if is_there else _TO_THE_END
        case ChangeKind.MUTED:
            shape = _MUTED_THERE if is_there else _MUTED
        case ChangeKind.UNMUTED:
            shape = _UNMUTED_THERE if is_there else _UNMUTED
        case _:
            return ""
    return _(shape).format(person=who, time=text.date(notice.until or notice.at))


def muted_reply(subscription: Subscription, snapshot: Snapshot | None, *, note: str = "") -> Message:
    """An execution was muted; `note` is a warning."""
    quiet, holds_failures = subscription.muted or Quiet(), False
    if quiet.until is None:
        later = _("What happens meanwhile comes when it ends.")
    elif hours := _hours_on(subscription, quiet.until):
        shape = _("Your quiet hours last until {time}: what happens meanwhile comes then.")
        later, holds_failures = shape.format(time=text.date(hours.until or quiet.until)), hours.holds_failures
    else:
        later = _("What happens meanwhile comes then.")
    failures = _failures(quiet.holds_failures or holds_failures)
    lines = (_head(subscription, quiet), text.sentences((later, failures)))
    row = [buttons.unmute(subscription)]
    return _reply("🔕", lines, subscription, snapshot, note, row)


def unmuted_reply(
    subscription: Subscription, snapshot: Snapshot | None, *, now: datetime, is_changed: bool = True, note: str = ""
) -> Message:
    """An execution is not muted any more, or was not; `note` is a warning."""
    line = _("It is not muted.")
    if is_changed:
        is_person = subscription.subscriber.is_person
        line = (
            _("You get notifications about this execution again.")
            if is_person
            else _("This channel gets notifications about it again.")
        )
        later = _("What was waiting comes now.")
        if hours := _hours_on(subscription, now):
            shape = _("Your quiet hours last until {time}: what was waiting comes then.")
            later = shape.format(time=text.date(hours.until or now))
        line = text.sentences((line, later))
    return _reply("🔔", (line,), subscription, snapshot, note)


def _hours_on(subscription: Subscription, moment: datetime) -> Quiet | None:
    """The quiet hours in which a moment lies; None where it lies in none."""
    hours = subscription.hours
    return hours if hours is not None and hours.is_on(moment) else None


def _head(subscription: Subscription, quiet: Quiet) -> str:
    is_person = subscription.subscriber.is_person
    if quiet.until is None:
        return _("No notifications until it ends.") if is_person else _("No notifications here until it ends.")
    shape = _("No notifications until {time}.") if is_person else _("No notifications here until {time}.")
    return shape.format(time=text.date(quiet.until))


def _failures(holds_failures: bool) -> str:
    return _("Failures wait too.") if holds_failures else _("Failures still come through.")


def _reply(
    sign: str,
    lines: tuple[str, ...],
    subscription: Subscription,
    snapshot: Snapshot | None,
    note: str,
    row: list[Block] | None = None,
) -> Message:
    named = f"*{words.unstarred(words.name(snapshot.execution))}*" if snapshot else ""
    warning = text.prose(note)
    head, *more = lines
    return message(
        [
            section(f"{sign} {head}", named, *more, f"⚠️ {warning}" if warning else ""),
            context(text.code(subscription.execution_id)),
            actions(row or []),
        ],
        *lines,
        warning,
    )


def hours_reply(hours: QuietHours | None, now: datetime, *, is_new: bool) -> Message:
    """The quiet hours of a person: chosen, withdrawn, or as they are."""
    example = "`/execution quiet 22:00-07:00`"
    if hours is None:
        if is_new:
            line, hint = _("You have no quiet hours now. What was waiting comes now, unless it is muted."), ""
        else:
            line, hint = _("You have no quiet hours."), _("To have some: {line}.").format(line=example)
        return message([section(f"🔔 {line}"), context(hint)], line, hint)
    hint = _("To change them: {line}. To turn them off: {off}.").format(line=example, off="`/execution quiet off`")
    line = _hours(hours)
    following = hours.at(now)
    at = following.since if following and following.since and following.since > now else None
    more = [
        _("They next begin {time}.").format(time=text.date(at)) if at else "",
        _("What happens meanwhile comes when they are over; everything that ended is in one message."),
        _through(hours),
    ]
    rest = text.sentences(more)
    return message([section(f"🔕 {line}", rest), context(hint)], line, rest, hint)


def hours_lines(hours: QuietHours | None) -> tuple[str, str]:
    """The quiet hours of a person, on the Home tab."""
    return (_hours(hours), _through(hours)) if hours else (_("You have no quiet hours."), "")


def _hours(hours: QuietHours) -> str:
    shape = _("Your quiet hours are {begin} to {end}, every day, in the time zone {zone}.")
    return shape.format(begin=_clock(hours.begins), end=_clock(hours.ends), zone=text.code(hours.zone))


def _through(hours: QuietHours) -> str:
    return _failures(hours.holds_failures)


def _clock(moment: time) -> str:
    return moment.isoformat("minutes")
