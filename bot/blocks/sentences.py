"""The sentence that people read for each error, such as an unknown execution, in one catalogue.

Lives here: `sentence`, for an error; `undeliverable_reason`, for Slack's code of a destination that cannot be reached;
the notes that a reply adds as a warning. Does not live here: the errors and their values (`bot.errors`), which steps of
an execution failed (`bot.blocks.failed_steps`), how a sentence is escaped and laid out (`bot.blocks.replies`,
`bot.blocks.step_list`). Called by `handlers` and by `bot.blocks.thread`.
"""

from __future__ import annotations

from math import ceil

from bot.blocks.language import N_, _
from bot.blocks.text import listed, number
from bot.errors import (
    BotError,
    ExecutionGone,
    ExecutionNotFound,
    GCSAbsent,
    GCSActionForbidden,
    GCSActionRefused,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSListForbidden,
    GCSMalformed,
    GCSMisdirected,
    GCSRequestRefused,
    GCSThrottled,
    GCSTooLarge,
    GCSUnavailable,
    InputProblem,
    InvalidInput,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackSuspended,
    StoreFull,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
    TooManyRequests,
    TooManyRules,
    TooManySubscriptions,
    UnknownRefusal,
)

_EXAMPLE = "`e19d3faf-9f04-9685-e5c0-fbe8d40b96cd`"

_ERRORS: dict[type, str] = {
    BotError: N_("Something went wrong. Try again in a minute."),
    StoreUnavailable: N_(
        "I cannot reach my own memory right now. Nothing that you follow is lost; try again in a minute."
    ),
    StoreFull: N_(
        "My own memory is full, so I cannot take that on. Nothing that you follow is lost; let this "
        "bot's operator know."
    ),
    StoreReadOnly: N_(
        "My own memory accepts no changes right now. Nothing that you follow is lost; try again in a minute."
    ),
    StoreNotOurs: N_(
        "My memory belongs to another bot right now, so I can do nothing. Nothing that you follow is "
        "lost; let this bot's operator know."
    ),
    GCSError: N_("GeneContainer Service did not answer as expected. Try again in a minute."),
    ExecutionNotFound: N_(
        "GeneContainer Service knows no such execution: check the id. It may have been deleted, or "
        "be in another project."
    ),
    ExecutionGone: N_("That execution was deleted from GeneContainer Service."),
    GCSForbidden: N_(
        "I am not allowed to read that execution. Ask this bot's operator to grant its IAM user `gcs:executions:get`."
    ),
    GCSListForbidden: N_(
        "I am not allowed to search by name; an id works. "
        "Ask this bot's operator to grant its IAM user `gcs:executions:list`."
    ),
    GCSActionForbidden: N_(
        "I am not allowed to cancel or retry executions. Ask this bot's operator to grant its IAM user the right to "
        "operate them."
    ),
    GCSBadCredentials: N_(
        "GeneContainer Service rejects my credentials. Ask this bot's operator to run `execution-bot check`."
    ),
    GCSMisdirected: N_(
        "I have the wrong address of GeneContainer Service. Ask this bot's operator to check "
        "`GCS_REGION` and `GCS_ENDPOINT`."
    ),
    GCSThrottled: N_("GeneContainer Service is asking me to slow down. Try again in a minute."),
    GCSUnavailable: N_(
        "GeneContainer Service is not answering right now. Try again in a minute; you still follow "
        "everything you followed."
    ),
    GCSAbsent: N_(
        'Something other than GeneContainer Service answered "not found". Check the id; if it is '
        "right, the service has a problem: try again in a minute."
    ),
    GCSMalformed: N_(
        "GeneContainer Service sent something that is not an execution. Try again; if it keeps "
        "happening, ask this bot's operator to check its log."
    ),
    GCSTooLarge: N_(
        "GeneContainer Service's answer about that execution is larger than I can read. Ask this "
        "bot's operator to raise `GCS_MAX_ANSWER_MIB`."
    ),
    GCSRequestRefused: N_(
        "GeneContainer Service rejects my request as malformed. Ask this bot's operator to check its log."
    ),
    SlackError: N_("Slack did not accept that. Try again in a minute."),
    UnknownRefusal: N_(
        "Slack refuses that for a reason I do not know. Try again in a few minutes; if it keeps "
        "happening, ask this bot's operator to check its log."
    ),
    SlackSuspended: N_("Your organisation's admins have suspended messages here. Ask them, then try again."),
    SlackBadCredentials: N_("Slack rejects my token. Ask this bot's operator to run `execution-bot check`."),
}
"""By class. A class that is missing here has the sentence of the class above it."""

_SLOW_DOWN = N_("Slack did not accept that: it is asking me to slow down. Try again in {seconds} s.")
_ACTION_REFUSED = N_("GeneContainer Service refused that with the code {code}.")
_TOO_FAST = N_("You are sending more than I accept from one person at once. Try again in {seconds} s.")
_FOLLOWS_TOO_MUCH = {
    True: N_(
        "You follow {most} executions, which is the limit for one person. Stop following one of them "
        "(`/execution list` shows them), then try again."
    ),
    False: N_(
        "This channel follows {most} executions, which is the limit for one channel. Stop following "
        "one of them here (`/execution list here` shows them), then try again."
    ),
}
"""For a person (True), and for a channel."""
_TOO_MANY_RULES = {
    True: N_(
        "You have {most} subscriptions to new executions, which is the limit for one person. Stop "
        "one of them (`/execution list` shows them), then try again."
    ),
    False: N_(
        "This channel has {most} subscriptions to new executions, which is the limit for one "
        "channel. Stop one of them here (`/execution list here` shows them), then try again."
    ),
}
"""The same for rules."""
_TRIGGER_EXPIRED = N_("That took too long to open. Press the button again.")

_PROBLEMS: dict[InputProblem, str] = {
    InputProblem.UNKNOWN_WORD: N_("I do not know {word}. `/execution help` shows what I know."),
    InputProblem.MISSPELLED_WORD: N_("I do not know {word}. Did you mean {line}?"),
    InputProblem.INCOMPLETE_ID: N_("{word} is not a whole execution id: it looks like {example}."),
    InputProblem.NOT_AN_ID: N_("That is not an execution id. It looks like {example}."),
    InputProblem.WHICH_LANGUAGE: N_("Which language? {usage}; `auto` is the language of your Slack."),
    InputProblem.MISSING_VERB: N_("Say what to do, and with which execution: {usage}."),
    InputProblem.SUBSCRIBE_MEANT: N_("Did you mean {line}?"),
    InputProblem.SEVERAL_VERBS: N_("I cannot do {verbs} at once: one at a time, please."),
    InputProblem.MISSING_ID: N_("Which execution? {usage}, with its name, part of its name, or its id."),
    InputProblem.SEVERAL_IDS: N_("One execution at a time, please: {usage}."),
    InputProblem.UNWANTED_ID: N_(
        "{verb} takes no id and no name: {usage}. To see one execution: `/execution <{which}>`."
    ),
    InputProblem.HERE_AND_ME: N_("Either `here`, for this channel, or `me`: {usage}."),
    InputProblem.ELSEWHERE: N_(
        "What you type is for you, or with `here` for the channel that you type in. For another channel, type it "
        "there; other people type it themselves."
    ),
    InputProblem.SEVERAL_LEVELS: N_("One of `failures`, `final`, `milestones` and `steps`, please: {usage}."),
    InputProblem.UNWANTED_LEVEL: N_("{level} only works with `subscribe`; here, type {usage}."),
    InputProblem.NOT_FOLLOWED: N_("That execution is not followed, so there is nothing to mute. To follow it: {line}."),
    InputProblem.WHICH_HOURS: N_("When are your quiet hours? {usage}, in your local time."),
    InputProblem.WHICH_ZONE: N_("Which time zone are you in? {usage}, for example `Asia/Shanghai` or `UTC`."),
    InputProblem.UNKNOWN_ZONE: N_(
        "Which time zone are you in? Enter a large city in it, or a name such as `Asia/Shanghai`."
    ),
    InputProblem.WHICH_SPAN: N_("For how long? {usage}."),
    InputProblem.NOT_NAMED: N_("No execution has {word} in its name. `/execution help` shows what I understand."),
    InputProblem.NOT_NAMED_NOR_BEGUN: N_(
        "No execution has {word} in its name, and none of the newest has an id that begins with it. "
        "`/execution help` shows what I understand."
    ),
    InputProblem.NOTHING_NAMED: N_("I found no execution in that message. Enter its name or id below."),
    InputProblem.NOT_THEIR_CHANNEL: N_(
        "You are not in that channel, so I cannot follow anything for it. Choose one of yours."
    ),
    InputProblem.OTHER_ORGANISATION: N_(
        "I only answer people of the workspace that I am installed in. Ask one of them to check for you."
    ),
    InputProblem.GUEST: N_("I do not answer guests of this workspace. Ask a full member to check for you."),
    InputProblem.NOT_LISTED: N_(
        "You are not among the people who may use me. Ask this bot's operator to add you or one of your user groups."
    ),
    InputProblem.GROUP_UNREADABLE: N_(
        "I cannot read the user group that may use me. Try again in a minute; if it keeps happening, "
        "ask this bot's operator to run `execution-bot check`."
    ),
    InputProblem.NO_OPERATOR: N_(
        "You are not among the people who may cancel and retry executions. "
        "Ask this bot's operator to add you or one of your user groups."
    ),
    InputProblem.OPERATORS_UNREADABLE: N_(
        "I cannot read the user group that may cancel and retry executions. Try again in a minute; "
        "if it keeps happening, ask this bot's operator to run `execution-bot check`."
    ),
    InputProblem.PERSON_UNKNOWN: N_(
        "Slack is not showing me who you are right now, so I cannot answer. Try again in a minute."
    ),
    InputProblem.PERSON_UNNAMED: N_(
        "Other organisations share this channel, and I am not allowed to look up who you are. Send "
        "me a direct message, or ask this bot's operator to grant me `users:read`."
    ),
    InputProblem.MEMBERS_ONLY: N_("Only a full member of this workspace can decide that. Ask one of them."),
    InputProblem.NOT_A_MEMBER: N_(
        "You are not in that channel, so I cannot do anything for it. Join it, then ask there."
    ),
    InputProblem.AUDIENCE_UNKNOWN: N_(
        "I cannot see who can read this conversation, so I share nothing here. Ask in a channel that "
        "I am in; if this is a channel, invite me with `/invite`."
    ),
    InputProblem.CHANNEL_HAS_GROWN: N_(
        "The organisations in this channel are not those that this button names. Check who can read "
        "it now, and press the new button."
    ),
    InputProblem.CHANNEL_NOT_APPROVED: N_(
        "This channel is shared with another organisation, so I post nothing here until a member of this workspace "
        "approves that."
    ),
    InputProblem.CHANNEL_NOT_SHARED: N_(
        "This channel is not shared with another organisation, so I can post here without approval."
    ),
    InputProblem.CHANNEL_NOT_LISTED: N_(
        "I am not allowed in this channel. Send me a direct message, or ask this bot's operator to allow it."
    ),
    InputProblem.CARD_ENDED: N_("That card is no longer updated. Use {line} to see where the execution stands."),
    InputProblem.BOARD_NEEDS_CHANNEL: N_("A board is for a channel: type {line} there."),
    InputProblem.BOARD_NOT_FOLLOWED: N_(
        "This channel follows no runs of the workflow {word}, so a board of them would stay empty. "
        "Follow them with {line}, then try again."
    ),
    InputProblem.TOO_MANY_BOARDS: N_("This channel has {word} boards, which is the limit: end one first."),
    InputProblem.SEVERAL_BOARDS: N_("This channel has several boards. Say which one to end, for example {line}."),
    InputProblem.OTHER_CHANNEL: N_("That button belongs to another channel, so it does nothing here: press it there."),
    InputProblem.OTHER_PERSON: N_("That button is somebody else's. Type `/execution forget-me` for one of your own."),
    InputProblem.UNKNOWN_BUTTON: N_(
        "I do not know that button: it may be from another version of me. Open its window again, or type `/execution`, "
        "to get a new one."
    ),
    InputProblem.NOT_IN_CHANNEL: N_(
        "I am not in this channel, so I cannot post here. Invite me with `/invite`, then try again."
    ),
    InputProblem.CHANNEL_KIND: N_(
        "I cannot follow executions for this kind of conversation. Leave out `here` to get notifications yourself."
    ),
    InputProblem.CHANNEL_ARCHIVED: N_("This channel is archived, so I cannot post here."),
    InputProblem.RULE_ENDED: N_("That was stopped already, so there is nothing to do."),
    InputProblem.MISSING_RULE: N_("Which ones? For example: {rule}."),
    InputProblem.MISSING_WORKFLOW: N_("Which workflow? Enter its name or its id."),
    InputProblem.LISTS_REFUSED: N_(
        "I am not allowed to read the list of executions, so I would find no new ones. Ask this bot's operator to "
        "grant its IAM user `gcs:executions:list`."
    ),
    InputProblem.NOT_A_LABEL: N_(
        "{word} is not a label. A label is a key and a value with `=` between them and no spaces: `batch=panel-7`."
    ),
    InputProblem.CHANNEL_REFUSED: N_("I cannot follow executions for this channel: {reason}."),
}
"""By problem. Its values are shown as code; `usage` is the right line for its `verb`."""

NAME_OR_ID = N_("name or id")
"""What stands between `<` and `>` in a line to type."""
NAME = N_("name")
"""The same where only a name fits."""

_USAGE: dict[str, str] = {
    "summary": "/execution <{which}>",
    "subscribe": "/execution subscribe <{which}> [here] [failures|final|milestones|steps]",
    "unsubscribe": "/execution unsubscribe <{which}> [here]",
    "log": "/execution log <{which}>",
    "mute": "/execution mute <{which}> [here] [1h|8h|tomorrow|end] [everything]",
    "unmute": "/execution unmute <{which}> [here]",
    "quiet": "/execution quiet <22:00-07:00|off> [zone] [everything]",
    "board": "/execution board [workflow <name>] [stop]",
    "list": "/execution list [here]",
    "running": "/execution running",
    "failed": "/execution failed",
    "overview": "/execution",
    "forget-me": "/execution forget-me",
    "language": "/execution language <en|zh|auto> [here]",
    "help": "/execution help",
}
"""The right line, by the verb of `handlers.vocabulary`."""

_RULES: dict[str, str] = {
    "workflow": "/execution subscribe workflow germline-wgs",
    "label": "/execution subscribe label batch=panel-7",
    "project": "/execution subscribe project genomics",
}
"""A line that has new executions followed, by the kind of the rule."""

_UNDELIVERABLE: dict[str, str] = {
    "channel_not_found": N_("the channel does not exist, or is private and I am not in it: invite me there"),
    "not_in_channel": N_("I am not in that channel: invite me there"),
    "is_archived": N_("the channel is archived"),
    "restricted_action": N_("a workspace rule forbids me to post there"),
    "restricted_action_read_only_channel": N_("the channel is read-only"),
    "restricted_action_thread_only_channel": N_("the channel allows replies only"),
    "restricted_action_non_threadable_channel": N_("the channel allows no threads"),
    "restricted_action_thread_locked": N_("the thread is locked"),
    "messages_tab_disabled": N_("the app's messages tab is switched off"),
    "cannot_reply_to_message": N_("that message takes no replies"),
    "user_not_found": N_("that person is not in this workspace"),
    "users_not_found": N_("that person is not in this workspace"),
    "user_disabled": N_("that account is deactivated"),
    "user_not_visible": N_("that person is not visible to me"),
    "cannot_dm_bot": N_("bots cannot be messaged"),
    "not_allowed_token_type": N_("I am not allowed to post there"),
    "no_permission": N_("I am not allowed to post there, most likely because I am not in it: invite me there"),
    "access_denied": N_("I have no access there: ask an admin of the workspace to let me in"),
    "team_access_not_granted": N_(
        "the channel is in another workspace: ask an admin of the organisation to add me to that one"
    ),
    "ekm_access_denied": N_("the organisation's admins have suspended messages there: ask them"),
    "slack_connect_canvas_sharing_blocked": N_("a Slack Connect rule forbids it"),
    "slack_connect_file_link_sharing_blocked": N_("a Slack Connect rule forbids it"),
    "as_user_not_supported": N_("I am not allowed to post there"),
    "channel_not_approved": N_(
        "the channel is shared with another organisation, and no member has approved that I post there"
    ),
    "channel_has_grown": N_(
        "another organisation has joined the channel since a member approved that I post there, so a member "
        "has to approve it again"
    ),
    "person_not_allowed": N_("that person may not use me any more"),
    "channel_not_listed": N_("I am no longer allowed in that channel: ask this bot's operator to allow it"),
}
"""Slack's codes for a destination that cannot be reached, each with what a person can do about it."""


HAS_GROWN = N_(
    "Another organisation has joined this channel since a member approved that I post here, so I "
    "post nothing until a member approves it again. Messages wait until then."
)
"""The note for a channel whose approval does not cover all who read it."""

NOT_APPROVED = N_(
    "This channel is shared with another organisation, so I post nothing here until a member of "
    "this workspace approves that. Messages wait until then."
)
"""The note for a channel that follows and has not been approved."""

UNSAFE_SUBSCRIBED = N_(
    "My memory has fewer copies right now than it should; if its server fails, I forget that. To "
    "be sure, follow it again in a minute."
)
UNSAFE_UNSUBSCRIBED = N_(
    "My memory has fewer copies right now than it should; if its server fails, I forget that. To "
    "be sure, stop following again in a minute."
)
UNSAFE_MUTED = N_(
    "My memory has fewer copies right now than it should; if its server fails, I forget that. To "
    "be sure, mute or unmute it again in a minute."
)
UNSAFE_DECIDED = N_(
    "My memory has fewer copies right now than it should; if its server fails, I forget that. To "
    "be sure, press the button again in a minute."
)
"""The notes for a change that fewer replicas of the store hold than are configured."""


def sentence(error: BotError) -> str:  # noqa: PLR0911  # one for each kind with values
    """What the person who asked reads: one or two sentences, not yet escaped for Slack."""
    match error:
        case InvalidInput():
            return _input_sentence(error)
        case GCSActionRefused():
            return _(_ACTION_REFUSED).format(code=_code(error.code))
        case RateLimited():
            return _(_SLOW_DOWN).format(seconds=max(1, ceil(error.retry_after.total_seconds())))
        case TooManyRequests():
            return _(_TOO_FAST).format(seconds=max(1, ceil(error.retry_after.total_seconds())))
        case TooManySubscriptions() | TooManyRules():
            shapes = _FOLLOWS_TOO_MUCH if isinstance(error, TooManySubscriptions) else _TOO_MANY_RULES
            return _(shapes[error.is_person]).format(most=number(error.most))
        case SlackError() if "trigger" in error.code:
            return _(_TRIGGER_EXPIRED)
        case _:
            return _(next(_ERRORS[kind] for kind in type(error).__mro__ if kind in _ERRORS))


def undeliverable_reason(code: str) -> str:
    """Why a destination cannot be reached and how to fix it: a clause, not yet escaped for Slack."""
    known = _UNDELIVERABLE.get(code)
    return _(known) if known else _("Slack refuses it ({code})").format(code=_code(code))


def _input_sentence(error: InvalidInput) -> str:
    shown = {name: _code(value) for name, value in error.values.items()}
    if "verb" in error.values:
        shown["usage"] = _code(_USAGE[str(error.values["verb"])].format(which=_(NAME_OR_ID)))
    if error.problem is InputProblem.MISSING_RULE:
        shown["rule"] = _code(_RULES[str(error.values.get("kind", "workflow"))])
    if "execution_id" in error.values:
        shown["line"] = _code(f"/execution {error.values['execution_id']}")
    if "code" in error.values:
        shown["reason"] = undeliverable_reason(str(error.values["code"]))
    return _(_PROBLEMS[error.problem]).format(**{"example": _EXAMPLE, "which": _(NAME_OR_ID), **shown})


def _code(value: str | tuple[str, ...]) -> str:
    """A value in a code span, which it cannot end; several values are listed."""
    if isinstance(value, tuple):
        return listed(map(_code, value))
    return f"`{value.replace('`', '')}`"
