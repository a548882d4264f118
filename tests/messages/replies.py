"""Examples of the short replies to the person who typed a command or pressed a button.

Lives here: the examples. Does not live here: the sentences for errors (`tests.messages.errors`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta

from msgspec.structs import replace

from bot.blocks import Message, conversation, matches, quiet, replies
from bot.blocks.language import _
from bot.blocks.replies import Twice
from bot.blocks.sentences import (
    NOT_APPROVED,
    UNSAFE_DECIDED,
    UNSAFE_MUTED,
    UNSAFE_SUBSCRIBED,
    UNSAFE_UNSUBSCRIBED,
    sentence,
)
from bot.domain.access import NOBODY, Readers
from bot.domain.execution import Phase
from bot.domain.following import Quiet, Subscription
from bot.domain.quiet import MuteFor, QuietHours
from bot.domain.search import Found, Match
from bot.errors import ExecutionNotFound, InputProblem, InvalidInput
from tests.messages import world
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import CHANNEL, CHANNEL_SUBSCRIPTION, ID, LEVELS, NOW, OWN_SUBSCRIPTION, PERSON, snapshot

REPLY = Goal("short reply", wide=220, narrow=330, is_held=True)
CONFIRMATION = Goal("confirmation", wide=130, narrow=180, is_held=True)
_ITEMS = (
    (OWN_SUBSCRIPTION, snapshot()),
    (replace(OWN_SUBSCRIPTION, level=LEVELS[-1]), snapshot(world.FAILED)),
    (replace(OWN_SUBSCRIPTION, execution_id=world.OTHER_ID), None),
)


def _subscribed(subscription: Subscription) -> Callable[[], Message]:
    return lambda: replies.subscribed(subscription, snapshot())


def _list_here(approver: str, *, has_grown: bool = False) -> Callable[[], Message]:
    listed = ((CHANNEL_SUBSCRIPTION, snapshot()),)
    return lambda: replies.channel_list(
        replies.subscription_list(listed, now=NOW),
        CHANNEL,
        approver=approver,
        readers=Readers(frozenset({"T0OTHER", "T0THIRD"}), ("Acme",)) if has_grown else Readers(),
        has_grown=has_grown,
    )


def _unknown_id() -> Message:
    return replies.error_reply(sentence(ExecutionNotFound()))


def _not_approved() -> Message:
    shown = sentence(InvalidInput(InputProblem.CHANNEL_NOT_APPROVED))
    return replies.error_reply(shown, approvable=CHANNEL)


FOLLOWING = (
    Example("Followed", "By a person.", _subscribed(OWN_SUBSCRIPTION), CONFIRMATION),
    Example("Followed here", "By a channel.", _subscribed(CHANNEL_SUBSCRIPTION), CONFIRMATION),
    Example(
        "Followed, in a channel, too",
        "In one that the person is in.",
        lambda: replies.subscribed(OWN_SUBSCRIPTION, snapshot(), twice=Twice(channels=(CHANNEL,))),
        REPLY,
    ),
    Example(
        "Followed here, in person, too",
        "By the person who asks.",
        lambda: replies.subscribed(CHANNEL_SUBSCRIPTION, snapshot(), twice=Twice(in_person=True)),
        REPLY,
    ),
    Example(
        "Followed here, not approved",
        "Another organisation shares the channel.",
        lambda: replies.subscribed(CHANNEL_SUBSCRIPTION, snapshot(), note=_(NOT_APPROVED), is_held=True),
    ),
    Example(
        "Followed, unsafely",
        "The store has fewer copies than it should.",
        lambda: replies.subscribed(OWN_SUBSCRIPTION, snapshot(), note=_(UNSAFE_SUBSCRIBED)),
    ),
    Example(
        "Followed already",
        "Nothing changed.",
        lambda: replies.already_subscribed(OWN_SUBSCRIPTION, snapshot()),
        REPLY,
    ),
    Example(
        "Followed at another level",
        "The level changed.",
        lambda: replies.level_changed(OWN_SUBSCRIPTION, snapshot(), was=LEVELS[-1]),
        REPLY,
    ),
    Example(
        "Followed, failed already",
        "A retry would be sent.",
        lambda: replies.subscribed(OWN_SUBSCRIPTION, snapshot(world.FAILED)),
    ),
    Example(
        "Nothing left to follow",
        "It has succeeded.",
        lambda: replies.nothing_to_follow(snapshot(world.SUCCEEDED)),
        REPLY,
    ),
    Example(
        "Stopped",
        "By a person.",
        lambda: replies.unsubscribed(OWN_SUBSCRIPTION.subscriber, ID),
        REPLY,
    ),
    Example(
        "Stopped here, unsafely",
        "For a channel, while the store has fewer copies than it should.",
        lambda: replies.unsubscribed(CHANNEL_SUBSCRIPTION.subscriber, ID, note=_(UNSAFE_UNSUBSCRIBED)),
    ),
    Example(
        "Nothing to stop",
        "The person did not follow it.",
        lambda: replies.not_subscribed(OWN_SUBSCRIPTION.subscriber, ID),
        REPLY,
    ),
    Example("Stop here?", "A choice of a menu.", lambda: replies.stop_question(f"{ID}|{world.CHANNEL}"), REPLY),
)

_HITS = Found(
    (
        Match(ID, world.NAME, "Running", "germline-wgs", world.STARTED),
        Match(world.OTHER_ID, "germline-wgs-03-11-080000-13", "Failed", "germline-wgs", world.NOW - timedelta(days=1)),
    )
)
_MANY_HITS = Found(_HITS.matches[:1] * 8, 23)

_AT_NIGHT = replace(OWN_SUBSCRIPTION, hours=Quiet(since=NOW, until=NOW + timedelta(hours=9), holds_failures=True))

_WISHES = (
    ("Muted", "For some hours.", OWN_SUBSCRIPTION, world.MUTED),
    ("Muted here", "A channel, failures too.", CHANNEL_SUBSCRIPTION, world.MUTED_ALL),
    ("Muted into quiet hours", "In person: these end later.", _AT_NIGHT, world.MUTED),
    ("Muted until it ends", "In person.", OWN_SUBSCRIPTION, Quiet()),
    ("Muted here until it ends", "A channel.", CHANNEL_SUBSCRIPTION, Quiet()),
)


def _muted(subscription: Subscription, wish: Quiet) -> Callable[[], Message]:
    return lambda: quiet.muted_reply(replace(subscription, muted=wish), snapshot())


MUTING = (
    *(Example(title, when, _muted(subscription, wish), REPLY) for title, when, subscription, wish in _WISHES),
    Example("Unmuted", "In person.", lambda: quiet.unmuted_reply(OWN_SUBSCRIPTION, snapshot(), now=NOW), REPLY),
    Example("Unmuted at night", "In quiet hours.", lambda: quiet.unmuted_reply(_AT_NIGHT, snapshot(), now=NOW), REPLY),
    Example(
        "Unmuted here", "A channel.", lambda: quiet.unmuted_reply(CHANNEL_SUBSCRIPTION, snapshot(), now=NOW), REPLY
    ),
    Example(
        "Not muted",
        "There is nothing to end.",
        lambda: quiet.unmuted_reply(OWN_SUBSCRIPTION, None, now=NOW, is_changed=False),
        REPLY,
    ),
    Example(
        "Unmuted, unsafely",
        "The store has fewer copies than it should.",
        lambda: quiet.unmuted_reply(OWN_SUBSCRIPTION, snapshot(), now=NOW, note=_(UNSAFE_MUTED)),
    ),
    Example(
        "Several to mute",
        "A part of two names was typed.",
        lambda: matches.to_mute(_HITS, OWN_SUBSCRIPTION.subscriber, MuteFor.HOUR, is_silent=False),
    ),
    Example(
        "Several to unmute",
        "The same.",
        lambda: matches.to_unmute(_HITS, OWN_SUBSCRIPTION.subscriber, now=NOW),
    ),
)

NIGHTS = QuietHours(begins=time(22), ends=time(7), zone="Asia/Shanghai")


def _hours(hours: QuietHours | None, *, is_new: bool = True) -> Callable[[], Message]:
    return lambda: quiet.hours_reply(hours, NOW, is_new=is_new)


HOURS = (
    Example("Quiet hours", "`/execution quiet 22:00-07:00`.", _hours(NIGHTS)),
    Example("Quiet hours, failures too", "With `everything`.", _hours(replace(NIGHTS, holds_failures=True))),
    Example("No quiet hours any more", "`/execution quiet off`.", _hours(None), REPLY),
    Example("No quiet hours", "`/execution quiet` alone.", _hours(None, is_new=False), REPLY),
)

LISTS = (
    Example("Overview", "`/execution` alone.", lambda: matches.overview(_ITEMS[:2], now=NOW)),
    Example("Overview, empty", "Nothing is followed.", lambda: matches.overview((), now=NOW)),
    Example("Several to show", "A part of two names was typed.", lambda: matches.to_show(_HITS)),
    Example(
        "Several to follow",
        "A part of many names was typed after `subscribe`.",
        lambda: matches.to_follow(_MANY_HITS, CHANNEL_SUBSCRIPTION.subscriber, level=LEVELS[1]),
    ),
    Example(
        "Several to stop",
        "The same after `unsubscribe`.",
        lambda: matches.to_stop(_HITS, OWN_SUBSCRIPTION.subscriber, now=NOW),
    ),
    Example("Running", "`/execution running`.", lambda: matches.in_phase(_MANY_HITS, Phase.RUNNING)),
    Example("Running, none", "Nothing runs.", lambda: matches.in_phase(Found(), Phase.RUNNING)),
    Example("Failed", "`/execution failed`.", lambda: matches.in_phase(_HITS, Phase.FAILED)),
    Example("Failed, none", "Nothing has failed.", lambda: matches.in_phase(Found(), Phase.FAILED)),
    Example(
        "List in a channel",
        "A person asks in a channel that follows something.",
        lambda: replies.also_here(
            replies.subscription_list((), now=NOW, is_person=True), ((CHANNEL_SUBSCRIPTION, snapshot()),), now=NOW
        ),
    ),
    Example("List", "What a person follows.", lambda: replies.subscription_list(_ITEMS, now=NOW)),
    Example("List, empty", "Nothing is followed.", lambda: replies.subscription_list((), now=NOW), REPLY),
    Example(
        "List, long",
        "More than are shown.",
        lambda: replies.subscription_list((_ITEMS[0],) * 23, now=NOW),
    ),
    Example(
        "List, unreadable",
        "The store holds what this version cannot read.",
        lambda: replies.subscription_list((), now=NOW, unreadable=(ID, world.OTHER_ID)),
        REPLY,
    ),
    Example("List of a shared channel", "A member approved it.", _list_here(PERSON)),
    Example("List of a shared channel, nobody named", "Who approved it is deleted.", _list_here(NOBODY)),
    Example("List of a shared channel, not approved", "Nobody approved it.", _list_here("")),
    Example(
        "List of a shared channel that has grown",
        "Another organisation joined after the approval; the bot may read the name of one.",
        _list_here(PERSON, has_grown=True),
    ),
)

OTHERS = (
    Example("Help", "`/execution help`.", replies.help_text),
    Example(
        "Language", "`/execution language zh`.", lambda: replies.language_chosen(OWN_SUBSCRIPTION.subscriber), REPLY
    ),
    Example(
        "Language here",
        "`/execution language zh here`.",
        lambda: replies.language_chosen(CHANNEL_SUBSCRIPTION.subscriber),
        REPLY,
    ),
    Example("Channel approved", "By a member.", lambda: replies.channel_approved(CHANNEL, PERSON), REPLY),
    Example(
        "Approval withdrawn",
        "By a member, while the store has fewer copies than it should.",
        lambda: replies.channel_revoked(CHANNEL, note=_(UNSAFE_DECIDED)),
    ),
    Example("Delete my data?", "`/execution forget-me`.", lambda: replies.forget_question(PERSON)),
    Example("Data deleted", "After the press.", lambda: replies.forgotten(2, 1, 1, 3), REPLY),
    Example("No data", "There was nothing.", lambda: replies.forgotten(0, 0, 0, 0), REPLY),
    Example("An error", "Every sentence of the tables below looks like this.", _unknown_id, REPLY),
    Example("An error with a button", "One that a button may mend.", _not_approved, REPLY),
)

TYPED = (
    Example(
        "Not understood",
        "Prose in direct messages, or after the bot's name: once an hour.",
        lambda: conversation.not_understood(sentence(InvalidInput(InputProblem.NOT_NAMED, word="thanks a lot"))),
        REPLY,
    ),
    Example(
        "Followed, above the card",
        "Typed in direct messages.",
        lambda: replies.subscribed(OWN_SUBSCRIPTION, snapshot(), is_above_card=True),
        CONFIRMATION,
    ),
    Example(
        "Answered elsewhere",
        "Asked in a channel where the bot cannot write.",
        lambda: conversation.elsewhere(replies.language_chosen(OWN_SUBSCRIPTION.subscriber), CHANNEL),
        REPLY,
    ),
)

REPLIES = Surface(
    "Replies",
    "To the person who typed a command or pressed a button; nobody else sees them.",
    Place.PRIVATE,
    (*FOLLOWING, *MUTING, *HOURS, *LISTS, *OTHERS, *TYPED),
)
