"""Short replies to the person who typed a command or pressed a button; only that person sees them.

Lives here: one function per reply. Does not live here: the summary of an execution (`bot.blocks.cards`), the sentences
for errors (`bot.blocks.sentences`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import buttons, text, words
from bot.blocks.home import Item, item_line, unreadable_line
from bot.blocks.language import _
from bot.blocks.levels import level_words
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.blocks.sentences import NOT_APPROVED
from bot.domain.access import NOBODY
from bot.domain.model import Level, Snapshot, Subscriber, Subscription

LIST_SHOWN = 20
"""At most this many subscriptions in one list."""


def subscribed(subscription: Subscription, snapshot: Snapshot, *, note: str = "", is_held: bool = False) -> Message:
    """A new subscription: who follows, and at which level.

    `note` is a warning. `is_held` offers the approval without which nothing is posted in the channel.
    """
    where = "in a direct message" if subscription.subscriber.is_person else "in the channel"
    level = f"Told {where}: {level_words(subscription.level)}."
    more = [buttons.approve_channel(subscription.subscriber.id)] if is_held else []
    return _about(f"{_who(subscription.subscriber)} now.", subscription, snapshot, level, note, more)


def already_subscribed(subscription: Subscription, snapshot: Snapshot, *, note: str = "") -> Message:
    """The same subscription existed already."""
    level = f"Told: {level_words(subscription.level)}."
    return _about(f"{_who(subscription.subscriber)} already.", subscription, snapshot, level, note)


def level_changed(subscription: Subscription, snapshot: Snapshot, *, was: Level, note: str = "") -> Message:
    """The subscription existed already, with another level."""
    level = f"Told from now on: {level_words(subscription.level)} (was: {level_words(was)})."
    return _about(f"{_who(subscription.subscriber)} still.", subscription, snapshot, level, note)


def unsubscribed(subscriber: Subscriber, execution_id: str, *, note: str = "") -> Message:
    """The subscription ended; `note` is a warning."""
    return _line("🔕", f"{_who_not(subscriber)} {_id(execution_id)} any more.", execution_id, note)


def not_subscribed(subscriber: Subscriber, execution_id: str, *, note: str = "") -> Message:
    """There was no subscription to end."""
    return _line("🔕", f"{_who_not(subscriber)} {_id(execution_id)}; nothing to end.", execution_id, note)


def nothing_to_follow(snapshot: Snapshot, *, now: datetime) -> Message:
    """No subscription was made: the execution has succeeded, so it will not change."""
    execution = snapshot.execution
    took = words.elapsed_words(execution, now)
    done = words.counts(execution.steps_finished, execution.steps_total)
    facts = " · ".join(filter(None, (done, f"after {took}" if took else "")))
    state = f"{words.name(execution)} is {words.snapshot_word(snapshot)} ({facts})"
    line = f"{state}: there is nothing left to follow."
    return _line(words.snapshot_icon(snapshot), line, execution.id)


def refreshed(snapshot: Snapshot) -> Message:
    """The execution was polled, and its card will be edited in a moment."""
    line = f"Looked again: {words.name(snapshot.execution)} is {words.snapshot_word(snapshot)}."
    return _line("🔄", line, snapshot.execution.id)


def channel_list(followed: Message, channel_id: str, *, approver: str) -> Message:
    """What a channel follows that other organisations share, and who approved that the bot posts there."""
    if approver:
        who = "somebody" if approver == NOBODY else f"<@{text.identifier(approver)}>"
        line = f"This channel is shared with another organisation; {who} approved that I post here."
        row = [buttons.revoke_channel(channel_id)]
    else:
        line, row = text.prose(_(NOT_APPROVED)), [buttons.approve_channel(channel_id)]
    return Message((*followed.blocks, *filter(None, (section(line), actions(row)))), f"{followed.text}\n{line}")


def channel_approved(channel_id: str, approver: str, *, note: str = "") -> Message:
    """A member approved a shared channel; `note` is a warning."""
    line = f"<@{text.identifier(approver)}> approved that I post in this channel. What was waiting comes now."
    return message([section(f"✅ {line}", note), actions([buttons.revoke_channel(channel_id)])], line, note)


def channel_revoked(channel_id: str, *, note: str = "") -> Message:
    """A member withdrew that; `note` is a warning."""
    line = "I post nothing in this channel any more until somebody approves it again."
    return message([section(f"🔕 {line}", note), actions([buttons.approve_channel(channel_id)])], line, note)


def forget_question(user_id: str) -> Message:
    """What is deleted, and the button that does it, for the person who asked."""
    lines = (
        "Everything that you follow ends; the cards that I sent you stay in Slack as they are.",
        "Channels go on following what you had them follow. When I cannot post there, nobody is told in person.",
        "What I could not deliver to you or for you is deleted too. Log lines with your id stay with those who run me.",
    )
    head = "Shall I delete what I keep about you?"
    return message([section(f"*{head}*", *lines), actions([buttons.delete_my_data(user_id)])], head, *lines)


def forgotten(subscriptions: int, owned: int, letters: int, channels: int) -> Message:
    """What was deleted: subscriptions, ownership of channels' subscriptions, dead letters, names in records."""
    deleted = [
        text.count(subscriptions, "subscription") + " of yours" if subscriptions else "",
        text.count(letters, "undelivered message") if letters else "",
        f"your name in {text.count(owned, 'subscription')} of channels, which go on" if owned else "",
        f"your name in the records of {text.count(channels, 'channel')}" if channels else "",
    ]
    found = ", ".join(filter(None, deleted))
    line = f"I deleted {found}." if found else "There was nothing to delete: I keep nothing about you."
    more = "Log lines with your id stay with those who run me, and our messages stay in Slack."
    return message([section(f"🗑️ {line}"), context(more)], line, more)


def subscription_list(
    items: Sequence[Item], *, now: datetime, unreadable: Sequence[str] = (), command: str = "/execution"
) -> Message:
    """What the person or the channel follows."""
    problem = unreadable_line(unreadable, command)
    if not items and problem:
        return message([section(problem)], problem)
    if not items:
        hint = f"`{command} subscribe` and an id follows one."
        return message([section("No executions are followed here.", hint)], "No executions are followed here.", hint)
    title = f"{text.count(len(items), 'subscription')}"
    hidden = len(items) - LIST_SHOWN
    more = f"… and {hidden:,} more" if hidden > 0 else ""
    sections = [_list_section(subscription, snapshot, now) for subscription, snapshot in items[:LIST_SHOWN]]
    lines = [_list_words(subscription, snapshot) for subscription, snapshot in items[:LIST_SHOWN]]
    return message(
        [section(f"*{title}*"), *sections, context(more), section(problem)], f"{title}:", *lines, more, problem
    )


def help_text(command: str = "/execution") -> Message:
    """The commands and levels."""
    lines = [f"`{command}{f' {usage}' if usage else ''}` {what}" for usage, what in _USAGE]
    levels = ", ".join(f"`{level.value}` ({level_words(level)})" for level in Level)
    more = f"How much is told: {levels}. `here` means this channel instead of you."
    return message([section("*Follow workflow executions*", *lines), section(more)], *lines, more)


def error_reply(sentence: str, hint: str | None = None, *, approvable: str = "") -> Message:
    """Why it did not work and, optionally, what to do. Both are escaped here.

    `approvable` is the id of a channel whose approval would help.
    """
    shown = text.prose(sentence).strip() or "Something went wrong."
    advice = text.prose(hint or "")
    row = [buttons.approve_channel(approvable)] if approvable else []
    return message([section(f"⚠️ {shown}"), context(advice), actions(row)], shown, advice)


_USAGE = [
    ("&lt;id&gt;", "shows an execution, to you alone"),
    ("subscribe &lt;id&gt; [here] [progress|phase|final]", "follows it, for you or for this channel"),
    ("unsubscribe &lt;id&gt; [here]", "stops that"),
    ("list", "shows what is followed"),
    ("forget-me", "deletes what I keep about you"),
    ("help", "shows this"),
]


def _about(
    head: str,
    subscription: Subscription,
    snapshot: Snapshot,
    level: str,
    note: str = "",
    more: Sequence[Block] = (),
) -> Message:
    execution = snapshot.execution
    state = f"{words.snapshot_word(snapshot)} · {words.progress(execution)}"
    named = f"{words.snapshot_icon(snapshot)} *{words.unstarred(words.name(execution))}* · {state}"
    warning = text.prose(note)
    row = [*more, buttons.steps(execution.id), buttons.unsubscribe(subscription)]
    counts = words.counts(execution.steps_finished, execution.steps_total)
    return message(
        [
            section(f"🔔 {head}", named, f"⚠️ {warning}" if warning else ""),
            context(level.rstrip("."), text.code(execution.id)),
            actions(row),
        ],
        f"{head} {words.subject_words(execution)}: {words.snapshot_word(snapshot)}, {counts}.",
        level,
        warning,
    )


def _line(sign: str, line: str, execution_id: str, note: str = "") -> Message:
    warning = text.prose(note)
    shown = section(f"{sign} {line}", f"⚠️ {warning}" if warning else "")
    return message([shown, context(text.code(execution_id))], line, warning)


def _who(subscriber: Subscriber) -> str:
    return "You follow this execution" if subscriber.is_person else "This channel follows this execution"


def _who_not(subscriber: Subscriber) -> str:
    return "You do not follow" if subscriber.is_person else "This channel does not follow"


def _id(execution_id: str) -> str:
    return text.escape(execution_id) or "(no id)"


def _list_section(subscription: Subscription, snapshot: Snapshot | None, now: datetime) -> dict[str, object] | None:
    return section(item_line(subscription, snapshot, now), text.code(subscription.execution_id))


def _list_words(subscription: Subscription, snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return f"{text.escape(subscription.execution_id)}: not looked at yet"
    execution = snapshot.execution
    counts = words.counts(execution.steps_finished, execution.steps_total)
    return f"{words.subject_words(execution)}: {words.snapshot_word(snapshot)}, {counts}"
