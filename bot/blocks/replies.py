"""Short replies to the person who typed a command or pressed a button; only that person sees them.

Lives here: one function per reply. Does not live here: the summary of an execution (`bot.blocks.cards`), the sentences
for errors (`bot.blocks.sentences`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bot.blocks import buttons, text, words
from bot.blocks.failed_steps import Failure, failure_lines, failure_words
from bot.blocks.items import Item, item_line, unreadable_line
from bot.blocks.language import N_, Language, _
from bot.blocks.levels import level_words
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.blocks.readers import readers_line
from bot.blocks.sentences import HAS_GROWN, NAME, NAME_OR_ID, NOT_APPROVED
from bot.domain.access import NOBODY, NOBODY_ELSE, Readers
from bot.domain.execution import FAILED_PHASES
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.snapshot import Snapshot

CAUSES_SHOWN = 2
"""At most this many lines say why a run failed that is followed only now."""

HERE_SHOWN = 5
"""At most this many of a channel's, beside a person's own."""

CHANNELS_SHOWN = 3
"""At most this many of those that follow the same are named."""

LIST_SHOWN = 15
"""At most this many subscriptions in one list."""


class Twice(NamedTuple):
    """Where else the same person reads of an execution that they, or their channel, follow now."""

    channels: Sequence[str] = ()
    """Channels that they are in, and that follow it, too."""
    in_person: bool = False
    """Whether they do, beside the channel that follows it now."""


ONCE = Twice()


def subscribed(
    subscription: Subscription,
    snapshot: Snapshot,
    *,
    note: str = "",
    is_held: bool = False,
    readers: Readers = NOBODY_ELSE,
    is_above_card: bool = False,
    twice: Twice = ONCE,
) -> Message:
    """A new subscription: who follows what, and where its card is, which says the rest.

    `note` is a warning. `is_held` offers the approval without which nothing is posted in a channel that `readers` read.
    `is_above_card`: the reply stays in direct messages, and the card comes as the next one.
    """
    if is_above_card:
        shape = _("You follow {name} now. Its card comes below.")
    elif subscription.subscriber.is_person:
        shape = _("You follow {name} now. Its card comes as a direct message.")
    elif is_held:
        shape = _("This channel follows {name} now.")
    else:
        shape = _("This channel follows {name} now. Its card comes as a message.")
    more = [buttons.approve_channel(subscription.subscriber.id, readers)] if is_held else []
    return _about(shape, subscription, snapshot, note=note, more=more, twice=twice)


def already_subscribed(
    subscription: Subscription, snapshot: Snapshot, *, note: str = "", twice: Twice = ONCE
) -> Message:
    """The same subscription existed already."""
    mine, theirs = _("You already follow {name}: {level}."), _("This channel already follows {name}: {level}.")
    shape = mine if subscription.subscriber.is_person else theirs
    return _about(shape, subscription, snapshot, note=note, twice=twice)


def level_changed(
    subscription: Subscription, snapshot: Snapshot, *, was: Level, note: str = "", twice: Twice = ONCE
) -> Message:
    """The subscription existed already, with another level."""
    mine = _("Your notifications about {name} are now: {level} (was: {before}).")
    theirs = _("This channel's notifications about {name} are now: {level} (was: {before}).")
    shape = mine if subscription.subscriber.is_person else theirs
    return _about(shape, subscription, snapshot, note=note, twice=twice, before=level_words(was))


def unsubscribed(subscriber: Subscriber, execution_id: str, *, note: str = "") -> Message:
    """The subscription ended; `note` is a warning."""
    is_person = subscriber.is_person
    line = _("You no longer follow it.") if is_person else _("This channel no longer follows it.")
    return _line("🔕", line, execution_id, note)


def not_subscribed(subscriber: Subscriber, execution_id: str, *, note: str = "") -> Message:
    """There was no subscription to end."""
    line = (
        _("You do not follow it, so there is nothing to stop.")
        if subscriber.is_person
        else _("This channel does not follow it, so there is nothing to stop.")
    )
    return _line("🔕", line, execution_id, note)


def nothing_to_follow(snapshot: Snapshot) -> Message:
    """No subscription was made: the execution has succeeded, so it will not change."""
    execution = snapshot.execution
    took = words.time_words(snapshot)
    done = words.counts(execution.steps_finished, execution.steps_total)
    facts = _("{counts} in {duration}").format(counts=done, duration=took) if done and took else done or took
    shape = _("{phase}: {name} ({facts}). There is nothing left to follow.")
    values = {"phase": words.snapshot_word(snapshot), "facts": facts}
    name, sign = words.name(execution), words.snapshot_icon(snapshot)
    bold = shape.format(name=f"*{words.unstarred(name)}*", **values)
    blocks = [section(f"{sign} {bold}"), context(text.code(execution.id)), actions([buttons.steps(execution.id)])]
    return message(blocks, shape.format(name=name, **values), text.escape(execution.id))


def also_here(followed: Message, items: Sequence[Item], *, now: datetime) -> Message:
    """What a person follows, and then what the channel follows in which they ask."""
    if not items:
        return followed
    title = text.plural(
        "This channel follows {number} execution", "This channel follows {number} executions", len(items)
    )
    more = _("{command} shows everything this channel follows.").format(command="`/execution list here`")
    shown = items[:HERE_SHOWN]
    blocks = [section(f"*{title}*"), *(_list_section(*item, now) for item in shown), context(more)]
    lines = [title, *(_list_words(*item) for item in shown), more]
    return Message((*followed.blocks, *filter(None, blocks)), "\n".join((followed.text, *lines)))


def stop_question(value: str) -> Message:
    """Asks whether a channel should stop following; `value` is what the menu carried."""
    question = _("Nobody in this channel will get notifications about this execution any more.")
    return message([section(question), actions([buttons.stop_here(value)])], question)


def channel_list(
    followed: Message, channel_id: str, *, approver: str, readers: Readers = NOBODY_ELSE, has_grown: bool = False
) -> Message:
    """What a channel follows that other organisations share, who these are, and who approved that the bot posts there.

    `has_grown`: another one has joined since.
    """
    if approver and not has_grown:
        shape = _("This channel is shared with another organisation; {person} approved that I post here.")
        if approver == NOBODY:  # the person's data was deleted
            shape = _("This channel is shared with another organisation; somebody approved that I post here.")
        line = shape.format(person=text.person(approver))
        row = [buttons.revoke_channel(channel_id)]
    else:
        line, row = (
            text.prose(_(HAS_GROWN if has_grown else NOT_APPROVED)),
            [buttons.approve_channel(channel_id, readers)],
        )
    line = text.sentences((line, text.prose(readers_line(readers)))) if readers.organisations else line
    return Message((*followed.blocks, *filter(None, (section(line), actions(row)))), f"{followed.text}\n{line}")


def channel_approved(channel_id: str, approver: str, *, note: str = "", readers: Readers = NOBODY_ELSE) -> Message:
    """A member approved that `readers` read what is posted in a channel; `note` is a warning."""
    shape = _("{person} approved that I post in this channel. What was waiting comes now.")
    line = shape.format(person=text.person(approver))
    line = text.sentences((line, text.prose(readers_line(readers)))) if readers.organisations else line
    return message([section(f"✅ {line}", note), actions([buttons.revoke_channel(channel_id)])], line, note)


def channel_revoked(channel_id: str, *, note: str = "", readers: Readers = NOBODY_ELSE) -> Message:
    """A member withdrew that; `note` is a warning."""
    line = _("I will not post in this channel until somebody approves it again.")
    return message([section(f"🔕 {line}", note), actions([buttons.approve_channel(channel_id, readers)])], line, note)


def forget_question(user_id: str) -> Message:
    """What is deleted, and the button that does it, for the person who asked."""
    lines = (
        _("You stop following everything; the cards I sent you stay in Slack as they are."),
        _(
            "Channels keep following what you set up for them. If I cannot post there, nobody gets a "
            "direct message about it."
        ),
        _("What I could not deliver to you or for you is deleted too. My operators keep log lines with your id."),
    )
    head = _("Shall I delete what I keep about you?")
    return message([section(f"*{head}*", *lines), actions([buttons.delete_my_data(user_id)])], head, *lines)


def forgotten(subscriptions: int, owned: int, letters: int, channels: int) -> Message:
    """What was deleted: subscriptions, ownership of channels' subscriptions, dead letters, names in records."""
    deleted = [
        text.plural("{number} subscription of yours", "{number} subscriptions of yours", subscriptions),
        text.plural("{number} undelivered message", "{number} undelivered messages", letters),
        text.plural(
            "your name in {number} subscription of a channel (it goes on)",
            "your name in {number} subscriptions of channels (they go on)",
            owned,
        ),
        text.plural(
            "your name in the records of {number} channel", "your name in the records of {number} channels", channels
        ),
    ]
    amounts = (subscriptions, letters, owned, channels)
    found = text.listed(part for part, amount in zip(deleted, amounts, strict=True) if amount)
    line = _("There is nothing to delete: I keep nothing about you.")
    if found:
        line = _("I deleted {data}.").format(data=found)
    more = _("My operators keep log lines with your id, and our messages stay in Slack.")
    return message([section(f"🗑️ {line}"), context(more)], line, more)


def subscription_list(
    items: Sequence[Item],
    *,
    now: datetime,
    unreadable: Sequence[str] = (),
    most: int = LIST_SHOWN,
    is_person: bool = False,
) -> Message:
    """What the person or the channel follows; the first `most`."""
    problem = unreadable_line(unreadable)
    if not items and problem:
        return message([section(problem)], problem)
    if not items:
        line = _("You follow no executions.") if is_person else _("No executions are followed here.")
        hint = _("Type {command} and a name or an id to follow one.").format(command="`/execution subscribe`")
        return message([section(line, hint)], line, hint)
    title = text.plural("{number} execution", "{number} executions", len(items))
    hidden = len(items) - most
    more = _("… and {number} more").format(number=text.number(hidden)) if hidden > 0 else ""
    sections = [_list_section(subscription, snapshot, now) for subscription, snapshot in items[:most]]
    lines = [_list_words(subscription, snapshot) for subscription, snapshot in items[:most]]
    return message([section(f"*{title}*"), *sections, context(more), section(problem)], title, *lines, more, problem)


def help_text(language: Language | None = None) -> Message:
    """The commands and levels, and the language that the person has chosen; None for that of their Slack."""
    which, name = (text.escape(f"<{_(word)}>") for word in (NAME_OR_ID, NAME))
    lines = [f"`/execution {usage.format(which=which, name=name)}` {_(what)}" for usage, what in _USAGE]
    shape = _("{level} ({meaning})")
    levels = text.series(shape.format(level=f"`{level.value}`", meaning=level_words(level)) for level in Level)
    more = _("Notification levels: {levels}. `here` means this channel instead of you.").format(levels=levels)
    example = _("For example, {line} notifies this channel when an execution with germline in its name ends.").format(
        line=f"`/execution {HELP_EXAMPLE}`"
    )
    title = _("Follow workflow executions")
    read = section(_("Your language"), accessory=buttons.language(language))
    return message([section(f"*{title}*", *lines), section(more, example), read], *lines, more, example)


def language_chosen(subscriber: Subscriber) -> Message:
    """In which language the bot writes from now on; said in that language."""
    # Translators: say that it is your language: "I write to you in Chinese from now on."
    mine = _("I write to you in English from now on.")
    # Translators: say that it is your language: "I write to this channel in Chinese from now on."
    theirs = _("I write to this channel in English from now on.")
    line = mine if subscriber.is_person else theirs
    return message([section(f"🌐 {line}")], line)


def error_reply(sentence: str, *, approvable: str = "", readers: Readers = NOBODY_ELSE) -> Message:
    """Why it did not work, and what to do; `sentence` is escaped here.

    `approvable` is the id of a channel whose approval would help, which `readers` read.
    """
    shown = text.prose(sentence).strip() or _("Something went wrong.")
    row = [buttons.approve_channel(approvable, readers)] if approvable else []
    return message([section(f"⚠️ {shown}"), actions(row)], shown)


HELP_EXAMPLE = "subscribe germline here final"
"""A line that parses."""

_USAGE = [
    (
        "{which}",
        N_("shows an execution, only to you; part of its name or 8 digits of its id will do"),
    ),
    (
        "subscribe {which} [here] [failures|final|milestones|steps]",
        N_("follows it, for you or for this channel"),
    ),
    (
        "subscribe workflow {name} [here]",
        N_("follows every new run of it; `label batch=panel-7` and `project genomics` work too"),
    ),
    ("unsubscribe {which} [here]", N_("stops following it")),
    (
        "mute {which} [here] [1h|8h|tomorrow|end] [everything]",
        N_("mutes it for a while, failures only with `everything`; `unmute` ends that"),
    ),
    (
        "quiet &lt;22:00-07:00|off&gt; [zone] [everything]",
        N_("sends you only failures at these hours, or nothing with `everything`"),
    ),
    (
        "board [workflow {name}] [stop]",
        N_("keeps one message in this channel that shows what the channel follows"),
    ),
    ("log {which}", N_("shows what changed, and what I sent you and this channel, or why not")),
    ("running", N_("shows what is running")),
    ("failed", N_("shows what has failed")),
    ("list", N_("shows what is followed")),
    ("language &lt;en|zh|auto&gt; [here]", N_("chooses the language, for you or for this channel")),
    ("forget-me", N_("deletes what I keep about you")),
    ("help", N_("shows this")),
]


def _about(  # what can be said of a subscription
    shape: str,
    subscription: Subscription,
    snapshot: Snapshot,
    *,
    note: str,
    twice: Twice,
    more: Sequence[Block] = (),
    before: str = "",
) -> Message:
    """One line of this `shape`, and the button that undoes it; more lines only where something is wrong, or twice."""
    execution = snapshot.execution
    values = {"level": level_words(subscription.level), "before": before}
    name, warning, also = words.name(execution), text.prose(note), _twice(twice)
    failure = Failure.of_execution(execution) if execution.phase in FAILED_PHASES else None
    row = [*more, *([buttons.why(execution.id)] if failure else []), buttons.unsubscribe(subscription)]
    lines = [
        f"🔔 {shape.format(name=f'*{words.unstarred(name)}*', **values)}",
        *(failure_lines(failure, CAUSES_SHOWN) if failure else []),
        f"⚠️ {warning}" if warning else "",
    ]
    if twice.in_person:  # with a button of its own
        below = [section(also), actions([buttons.stop_mine(execution.id)])]
    else:
        lines, below = [*lines, also], []
    return message(
        [section(*lines), actions(row), *below],
        shape.format(name=name, **values),
        *(failure_words(failure, CAUSES_SHOWN) if failure else ()),
        warning,
        also,
    )


def _twice(twice: Twice) -> str:
    """That a person reads of it twice; empty where they do not."""
    if twice.in_person:
        return _("You follow it yourself too, so you get notified twice.")
    if not twice.channels:
        return ""
    channels = text.listed(text.channel(each) for each in twice.channels[:CHANNELS_SHOWN])
    return _("It is followed in {channels} too, so you get notified twice.").format(channels=channels)


def _line(sign: str, line: str, execution_id: str, note: str = "") -> Message:
    warning = text.prose(note)
    shown = section(f"{sign} {line}", f"⚠️ {warning}" if warning else "")
    return message([shown, context(text.code(execution_id))], line, warning, text.escape(execution_id))


def _list_section(subscription: Subscription, snapshot: Snapshot | None, now: datetime) -> dict[str, object] | None:
    return section(item_line(subscription, snapshot, now), text.code(subscription.execution_id))


def _list_words(subscription: Subscription, snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return _("{id}: no data from GCS yet").format(id=text.escape(subscription.execution_id))
    return _state_line(snapshot)


def _state_line(snapshot: Snapshot) -> str:
    """Name, phase and counts, as one line."""
    execution = snapshot.execution
    return _("{execution}: {phase}, {counts}").format(
        execution=words.subject_words(execution),
        phase=words.snapshot_word(snapshot),
        counts=words.counts(execution.steps_finished, execution.steps_total),
    )
