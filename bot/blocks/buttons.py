"""Every button: its action id, what it carries, and when it is shown.

Lives here: the `verb_noun` constants that `handlers` listens to, what buttons carry and how it is read, and one builder
per button. Does not live here: what a press does (`handlers.actions`). Called by `bot.blocks` and `handlers`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from bot.blocks import text
from bot.blocks.language import Language, _
from bot.blocks.levels import level_words
from bot.blocks.message import Block, button, choice, confirm, overflow, pick, select
from bot.blocks.readers import readers_line
from bot.domain.access import Readers
from bot.domain.acting import Action, Question
from bot.domain.following import Level, Rule, Subscriber, Subscription
from bot.domain.quiet import MuteFor

SUBSCRIBE_EXECUTION = "subscribe_execution"
UNSUBSCRIBE_EXECUTION = "unsubscribe_execution"
SHOW_STEPS = "show_steps"
SHOW_WHY = "show_why"
CHOOSE = "choose"
"""A menu. Each of its choices carries the action id of what it does, and the value of that."""
ASK_UNSUBSCRIBE = "ask_unsubscribe"
SHOW_EXECUTION = "show_execution"
REFRESH_SUMMARY = "refresh_summary"
REFRESH_CARD = "refresh_card"
SHARE_EXECUTION = "share_execution"
APPROVE_CHANNEL = "approve_channel"
REVOKE_CHANNEL = "revoke_channel"
DELETE_MY_DATA = "delete_my_data"
PREVIOUS_PAGE = "previous_page"
NEXT_PAGE = "next_page"
REFRESH_STEPS = "refresh_steps"
OPEN_FOLLOW = "open_follow"
OPEN_WORKFLOW = "open_workflow"
OPEN_HOURS = "open_hours"
END_HOURS = "end_hours"
CHOOSE_MY_LEVEL = "choose_my_level"
CHOOSE_LANGUAGE = "choose_language"
PREVIOUS_HOME = "previous_home"
NEXT_HOME = "next_home"
SHOW_DETAILS = "show_details"
SHOW_LEVELS = "show_levels"
SHOW_LOG = "show_log"
CHOOSE_LEVEL = "choose_level"
CHOOSE_SUCCESS = "choose_success"
END_RULE = "end_rule"
KEEP_RULE = "keep_rule"
END_BOARD = "end_board"
CHOOSE_MUTE = "choose_mute"
MUTE_EXECUTION = "mute_execution"
UNMUTE_EXECUTION = "unmute_execution"
NO_MUTE = "off"
"""What is chosen in the modal to end a mute."""
ASK_ACTION = "ask_action"
DO_ACTION = "do_action"

IN_CHANNEL, IN_THREAD = "channel", "thread"
"""The values of `choose_success`."""
AUTO = "auto"
"""In place of a language: that of the person's Slack."""

_LANGUAGES = {Language.ENGLISH: "English", Language.CHINESE: "简体中文"}

_SEPARATOR, _CHOICE = "|", ":"
_ID_LIMIT = 240
"""At most this many characters of an id go into a button. A real id has 36; Slack refuses values over 2,000."""


class ActionValue(NamedTuple):
    """What a button carries: an execution and, if the button belongs to a subscription, its subscriber."""

    execution_id: str
    subscriber_id: str = ""
    """Empty for the person who presses."""
    level: str = ""
    """The level at which is followed, or for how long is muted; empty for none in particular."""


class Entry(NamedTuple):
    """An entry of the menu."""

    label: str
    verb: str
    """What it does: an action id."""
    value: str
    """As a button's."""


def action_value(execution_id: str, subscriber: Subscriber | None = None) -> str:
    """The `value` of a button: `execution_id`, or `execution_id|subscriber_id`."""
    execution_id = execution_id[:_ID_LIMIT]
    return execution_id if subscriber is None else f"{execution_id}{_SEPARATOR}{subscriber.id}"


def parse_action_value(value: str) -> ActionValue:
    """The inverse of `action_value`."""
    execution_id, subscriber_id, level = [*value.split(_SEPARATOR, 2), "", ""][:3]
    return ActionValue(execution_id, subscriber_id, level)


def subscribe(execution_id: str, label: str = "") -> Block:
    """Subscribes the person who presses; `label` is in the reader's language."""
    return button(label or _("Follow"), SUBSCRIBE_EXECUTION, action_value(execution_id))


def show(execution_id: str) -> Block:
    """Shows one of several executions to the person who presses."""
    return button(_("Show"), SHOW_EXECUTION, action_value(execution_id))


def show_one(executions: Sequence[tuple[str, str]]) -> Block:
    """Shows the one of several executions that is chosen to the person who does: pairs of label and id."""
    return pick(SHOW_EXECUTION, _("Show …"), [(label, action_value(each)) for label, each in executions])


def follow_this(execution_id: str, subscriber: Subscriber, level: Level | None = None) -> Block:
    """Subscribes a person or a channel to one of several executions, at the level that was asked for."""
    value = action_value(execution_id, subscriber)
    return button(_("Follow"), SUBSCRIBE_EXECUTION, f"{value}{_SEPARATOR}{level.value}" if level else value)


def follow_again(subscription: Subscription) -> Block:
    """Subscribes the same person or channel again."""
    return button(_("Follow again"), SUBSCRIBE_EXECUTION, _bound(subscription))


def unsubscribe(subscription: Subscription) -> Block:
    """Ends the subscription. A channel's button asks for confirmation, since it affects everyone in the channel."""
    if subscription.subscriber.is_person:
        return button(_("Stop following"), UNSUBSCRIBE_EXECUTION, _bound(subscription))
    confirmation = confirm(
        _("Stop following here?"),
        _("Nobody in this channel will get notifications about this execution any more."),
        _("Stop following"),
        _("Keep following"),
    )
    return button(_("Stop following here"), UNSUBSCRIBE_EXECUTION, _bound(subscription), confirm=confirmation)


def stop_mine(execution_id: str) -> Block:
    """Ends the subscription of the person who presses, beside that of a channel, which goes on."""
    return button(_("Stop following it myself"), UNSUBSCRIBE_EXECUTION, action_value(execution_id))


def steps(execution_id: str) -> Block:
    """Opens the list of all steps."""
    return button(_("Steps"), SHOW_STEPS, action_value(execution_id))


def why(execution_id: str) -> Block:
    """Opens what is known about a failure."""
    return button(_("Why"), SHOW_WHY, action_value(execution_id))


def end_menu(subscription: Subscription, *, is_followed: bool) -> Block | None:
    """What else can be done about an execution that has ended; `is_followed`: a retry would be posted.

    A menu cannot ask whether one of its choices is meant, so a channel's following is stopped by a question of its own.
    """
    choices = []
    if not subscription.subscriber.is_person:
        choices.append(_choice(_("Share to channel"), SHARE_EXECUTION, action_value(subscription.execution_id)))
        if is_followed:
            choices.append(_choice(_("Stop following here …"), ASK_UNSUBSCRIBE, _bound(subscription)))
    elif is_followed:
        choices.append(_choice(_("Stop following"), UNSUBSCRIBE_EXECUTION, _bound(subscription)))
    return overflow(CHOOSE, choices) if choices else None


def _choice(label: str, action_id: str, value: str) -> tuple[str, str]:
    return label, f"{action_id}{_CHOICE}{value}"


def parse_choice(value: str) -> tuple[str, str]:
    """What a choice of a menu carries: the action id of what it does, and the value of that; empty for a button's."""
    action_id, separator, rest = value.partition(_CHOICE)
    return (action_id, rest) if separator else ("", value)


def stop_here(value: str) -> Block:
    """Ends a channel's subscription, after the question whether that is meant; `value` as with `unsubscribe`."""
    return button(_("Stop following here"), UNSUBSCRIBE_EXECUTION, value, style="danger")


def menu(entries: Sequence[Entry]) -> Block:
    """The menu beside the buttons of a card or a summary."""
    return overflow(CHOOSE, [_choice(*entry) for entry in entries])


def refresh_summary(execution_id: str) -> Entry:
    """Replaces an ephemeral summary by a current one."""
    return Entry(_("Refresh"), REFRESH_SUMMARY, action_value(execution_id))


def refresh_card(subscription: Subscription) -> Entry:
    """Polls the execution and edits the card."""
    return Entry(_("Refresh"), REFRESH_CARD, _bound(subscription))


def details(execution_id: str) -> Entry:
    """Opens the modal with all that is known about the execution."""
    return Entry(_("Details"), SHOW_DETAILS, action_value(execution_id))


def show_log(execution_id: str, channel: Subscriber | None = None) -> Block:
    """Shows which changes of an execution were sent to the person, and to a channel that they see."""
    return button(_("Log"), SHOW_LOG, action_value(execution_id, channel))


def show_steps(execution_id: str) -> Entry:
    """Opens the list of all steps."""
    return Entry(_("Steps"), SHOW_STEPS, action_value(execution_id))


def show_why(execution_id: str) -> Entry:
    """Opens what is known about a failure."""
    return Entry(_("Why"), SHOW_WHY, action_value(execution_id))


def follow(execution_id: str) -> Entry:
    """Subscribes the person who chooses it."""
    return Entry(_("Follow"), SUBSCRIBE_EXECUTION, action_value(execution_id))


def share(execution_id: str) -> Entry:
    """Posts a summary to the channel; in a direct message it asks to which one."""
    return Entry(_("Share to channel"), SHARE_EXECUTION, action_value(execution_id))


def share_card(subscription: Subscription) -> Entry:
    """Asks with which channel to share a summary: where the card is, everybody has it already."""
    if subscription.subscriber.is_person:
        return share(subscription.execution_id)
    return Entry(_("Share elsewhere …"), SHARE_EXECUTION, _bound(subscription))


def levels(subscription: Subscription) -> Entry:
    """Opens the modal in which the level is chosen."""
    return Entry(_("Notifications …"), SHOW_LEVELS, _bound(subscription))


def stop(subscription: Subscription) -> Entry:
    """Ends the subscription; of a channel it asks first, since it affects everyone there."""
    if subscription.subscriber.is_person:
        return Entry(_("Stop following"), UNSUBSCRIBE_EXECUTION, _bound(subscription))
    return Entry(_("Stop following here …"), ASK_UNSUBSCRIBE, _bound(subscription))


def ask_action(execution_id: str, action: Action, label: str = "") -> Block:
    """Asks whether an execution is to be cancelled or retried; `label` is in the reader's language."""
    return button(label or _action(action), ASK_ACTION, _asking(execution_id, action))


def action_entry(execution_id: str, action: Action) -> Entry:
    """The same in a menu."""
    return Entry(_action(action), ASK_ACTION, _asking(execution_id, action))


def _action(action: Action) -> str:
    return _("Cancel …") if action is Action.CANCEL else _("Retry …")


def _asking(execution_id: str, action: Action) -> str:
    return f"{execution_id[:_ID_LIMIT]}{_SEPARATOR}{action.value}"


def parse_asking(value: str) -> tuple[str, Action]:
    """What `ask_action` carries.

    Raises:
        ValueError: it was not written by it.
    """
    execution_id, _separator, action = value.partition(_SEPARATOR)
    return execution_id, Action(action)


def do_action(question: Question) -> Block:
    """Answers a question with yes; it carries what was asked, so that nothing else is done."""
    asked_at = question.asked_at.timestamp()
    parts = [question.execution_id[:_ID_LIMIT], question.action.value, question.state, question.act, f"{asked_at:.3f}"]
    is_cancel = question.action is Action.CANCEL  # which cannot be taken back
    label, style = (_("Cancel it"), "danger") if is_cancel else (_("Retry it"), "primary")
    return button(label, DO_ACTION, _SEPARATOR.join(parts), style=style)


def parse_question(value: str) -> Question:
    """What `do_action` carries.

    Raises:
        ValueError: it was not written by it.
    """
    try:
        execution_id, action, state, act, asked_at = value.split(_SEPARATOR)
        at = dt.datetime.fromtimestamp(float(asked_at), dt.UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("no moment") from error
    return Question(execution_id=execution_id, action=Action(action), state=state, act=act, asked_at=at)


def choose_level(level: Level) -> Block:
    """Chooses a level in its modal."""
    return button(_("Choose"), CHOOSE_LEVEL, level.value)


def choose_success(subscription: Subscription) -> Block:
    """Has successes posted to the channel, too, or in the thread only: the value is the one that is not set."""
    if subscription.announces_success:
        return button(_("In the thread only"), CHOOSE_SUCCESS, IN_THREAD)
    return button(_("Also send to channel"), CHOOSE_SUCCESS, IN_CHANNEL)


def choose_mute(groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Block:
    """Chooses in the modal for how long an execution is muted: groups of pairs of label and value."""
    return select(CHOOSE_MUTE, _("Mute …"), groups)


def choose_unmute() -> Block:
    """Ends that, in the modal."""
    return button(_("Unmute"), CHOOSE_MUTE, NO_MUTE)


def mute(execution_id: str, subscriber: Subscriber, span: MuteFor, *, is_silent: bool) -> Block:
    """Mutes one of several executions for as long as was asked for."""
    value = _SEPARATOR.join((action_value(execution_id, subscriber), f"{span.value}{'!' if is_silent else ''}"))
    return button(_("Mute"), MUTE_EXECUTION, value)


def parse_span(value: str) -> tuple[MuteFor, bool] | None:
    """For how long something is muted, and whether failures are, too; None for what says neither."""
    span, mark, rest = value.partition("!")
    return (MuteFor(span), bool(mark)) if span in set(MuteFor) and not rest else None


def unmute(subscription: Subscription) -> Block:
    """The same, below a reply."""
    return button(_("Unmute"), UNMUTE_EXECUTION, _bound(subscription))


def unmute_entry(subscription: Subscription) -> Entry:
    """The same, in the menu of a card."""
    return Entry(_("Unmute"), UNMUTE_EXECUTION, _bound(subscription))


def approve_channel(channel_id: str, readers: Readers | None = None) -> Block:
    """Lets the bot write in a channel that other organisations share; asks for confirmation, which names them.

    It carries a digest of them: an approval is about those who were named, and nobody who has joined since.
    """
    others = readers or Readers()
    value = _SEPARATOR.join(filter(None, (channel_id[:_ID_LIMIT], others.digest)))
    confirmation = confirm(
        _("Post in this channel?"),
        text.sentences((readers_line(others), _("They will see what I post about every execution followed here."))),
        _("Approve"),
        _("Not now"),
    )
    return button(_("Approve this channel"), APPROVE_CHANNEL, value, style="primary", confirm=confirmation)


def revoke_channel(channel_id: str) -> Block:
    """Withdraws that."""
    return button(_("Withdraw approval"), REVOKE_CHANNEL, channel_id[:_ID_LIMIT])


def delete_my_data(user_id: str) -> Block:
    """Deletes what is kept about the person who presses; carries who that is."""
    confirmation = confirm(
        _("Delete your data?"),
        _("You stop following everything right away. This cannot be undone."),
        _("Delete"),
        _("Keep my data"),
    )
    return button(_("Delete my data"), DELETE_MY_DATA, user_id, style="danger", confirm=confirmation)


def end_rule(rule: Rule, *, is_at_home: bool = False) -> Block:
    """Ends a rule, after a question, since it ends whatever it follows; at Home, which is in no channel, also one's."""
    is_here = not (rule.subscriber.is_person or is_at_home)
    label = _("Stop following here") if is_here else _("Stop following")
    confirmation = confirm(
        _("Stop following here?") if is_here else _("Stop following?"),
        _("New executions will no longer be followed, nor will those that are followed only because of this."),
        _("Stop following"),
        _("Keep following"),
    )
    return button(label, END_RULE, action_value(rule.id, rule.subscriber), confirm=confirmation)


def keep_rule(rule: Rule) -> Block:
    """Has a rule last longer that would end soon."""
    return button(_("Keep following"), KEEP_RULE, action_value(rule.id, rule.subscriber), style="primary")


def end_board(channel: Subscriber, board_id: str) -> Entry:
    """Ends the board of a channel."""
    return Entry(_("Stop this board"), END_BOARD, action_value(board_id, channel))


def previous_page(page: int) -> Block:
    """Shows the previous page of the steps. The value of all three page buttons is the page to show."""
    return button(_("← Previous"), PREVIOUS_PAGE, str(page - 1))


def next_page(page: int) -> Block:
    """Shows the next page of the steps."""
    return button(_("Next →"), NEXT_PAGE, str(page + 1))


def open_follow() -> Block:
    """Opens the modal in which a person follows an execution, for themselves or for a channel."""
    return button(_("Follow an execution …"), OPEN_FOLLOW, "new", style="primary")


def open_workflow() -> Block:
    """Opens the modal in which a workflow is named whose new runs are followed."""
    return button(_("Follow a workflow …"), OPEN_WORKFLOW, "home")


def open_hours() -> Block:
    """Opens the modal in which the person chooses their quiet hours."""
    return button(_("Quiet hours …"), OPEN_HOURS, "home")


def end_hours() -> Block:
    """Ends them, in that modal."""
    return button(_("No quiet hours"), END_HOURS, NO_MUTE)


def my_level(level: Level) -> Block:
    """Chooses the level at which the person follows where they name none."""
    return choice(CHOOSE_MY_LEVEL, [(level_words(each), each.value) for each in Level], level.value)


def language(chosen: Language | None) -> Block:
    """Chooses the language that the person reads; None is that of their Slack. Languages have their own names."""
    options = [(_("Same as in Slack"), AUTO), *((name, language.value) for language, name in _LANGUAGES.items())]
    return choice(CHOOSE_LANGUAGE, options, chosen or AUTO)


def previous_home(page: int) -> Block:
    """Shows the previous page of the Home tab. The value is the page to show."""
    return button(_("← Previous"), PREVIOUS_HOME, str(page - 1))


def next_home(page: int) -> Block:
    """Shows the next page of the Home tab."""
    return button(_("Next →"), NEXT_HOME, str(page + 1))


def refresh_page(page: int) -> Block:
    """Shows the same page of the steps with current data."""
    return button(_("Refresh"), REFRESH_STEPS, str(page))


def _bound(subscription: Subscription) -> str:
    return action_value(subscription.execution_id, subscription.subscriber)
