"""Every error that the bot raises on purpose, as a class with values.

    BotError
    ├── InvalidInput                what was typed or pressed cannot be used: `.problem`, `.values`
    │   └── NotAllowed              the person may not use the bot, or not there
    ├── TooManyRequests             a person asks faster than allowed: `.retry_after`
    ├── TooManySubscriptions        a person or channel follows as much as allowed: `.most`
    ├── TooManyRules                a person or channel has as many rules as allowed: `.most`
    ├── SettingsInvalid             settings are missing or wrong: `.problems`, all of them at once
    │   └── StateDirInUse           another bot runs on STATE_DIR
    ├── PortUnavailable             the bot cannot listen on an address
    ├── StoreUnavailable            Redis or Valkey does not answer
    │   ├── StoreFull               it has no memory left
    │   ├── StoreReadOnly           it takes no writes at present
    │   └── StoreNotOurs            it belongs to another bot: `.differences`
    ├── GCSError
    │   ├── ExecutionNotFound       never existed, other project, or deleted
    │   │   └── ExecutionGone       GCS says explicitly that it existed (HTTP 410)
    │   ├── GCSForbidden            the IAM user may not read executions
    │   │   ├── GCSListForbidden    nor list them
    │   │   └── GCSActionForbidden  nor cancel or retry them
    │   ├── GCSBadCredentials       keys or token refused: stop calling, since repeats get a key blocked
    │   ├── GCSMisdirected          no such API there: wrong region, endpoint or path
    │   ├── GCSThrottled            `.retry_after`
    │   ├── GCSUnavailable          no answer, time-out, 5xx
    │   │   ├── GCSAbsent           a 404 that does not come from GCS
    │   │   └── GCSTooLate          no answer within the time of the request
    │   └── GCSMalformed            an answer that is not an execution
    │       ├── GCSRequestRefused   GCS calls our request malformed
    │       │   └── GCSActionRefused    GCS refuses to cancel or retry: `.code`
    │       └── GCSTooLarge         the answer is larger than what is read: `.most`
    └── SlackError                  `.code` is Slack's code
        ├── RateLimited             `.retry_after`
        ├── Undeliverable           this destination cannot be reached
        ├── MessageGone             the message to edit does not exist any more
        ├── NotEditable             the message exists, but Slack does not let the bot edit it
        ├── PayloadRejected         Slack refuses the content: try a plainer one
        ├── OutcomeUnknown          sent, but nobody knows whether it arrived
        ├── UnknownRefusal          a code that the bot does not know: wait, and end nothing
        │   └── SlackSuspended      admins allow no messages there for now
        ├── SlackUnavailable        certainly not applied; try again later
        └── SlackBadCredentials     the app itself is refused: stop sending, report unhealthy

Does not live here: which code of a vendor means which error (`bot.slack.errors`, `bot.gcs.errors`), the sentence that
people read (`bot.blocks.sentences`), what to do about an error (the workers and the listeners). Raised by `gcs`,
`slack`, `store`, `subscriptions` and `handlers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class BotError(Exception):
    """A failure of a known kind. `str()` is a detail for logs; it holds no secret."""

    @property
    def words(self) -> str:
        """What went wrong, for `/readyz`, which strangers may read: no address, path, id or foreign text."""
        return type(self).__name__


class InputProblem(StrEnum):
    """What is wrong with something that was typed or pressed, and the values that come with it."""

    UNKNOWN_WORD = "unknown_word"
    """`word`."""
    MISSPELLED_WORD = "misspelled_word"
    """`word`, and `line`: the command that was probably meant."""
    INCOMPLETE_ID = "incomplete_id"
    """`word` is part of an id, or more than one."""
    NOT_AN_ID = "not_an_id"
    WHICH_LANGUAGE = "which_language"
    """`verb`."""
    MISSING_VERB = "missing_verb"
    """`verb`: one that would fit."""
    SUBSCRIBE_MEANT = "subscribe_meant"
    """Words that belong to `subscribe` stand without it. `line`: the command with it."""
    SEVERAL_VERBS = "several_verbs"
    """`verbs`."""
    MISSING_ID = "missing_id"
    """`verb`."""
    SEVERAL_IDS = "several_ids"
    """`verb`."""
    UNWANTED_ID = "unwanted_id"
    """`verb`."""
    HERE_AND_ME = "here_and_me"
    """`verb`."""
    ELSEWHERE = "elsewhere"
    """A channel or another person is named."""
    SEVERAL_LEVELS = "several_levels"
    """`verb`."""
    UNWANTED_LEVEL = "unwanted_level"
    """`verb` and `level`."""
    NOT_NAMED = "not_named"
    """No execution has `word` in its name."""
    NOT_NAMED_NOR_BEGUN = "not_named_nor_begun"
    """Nor has one of the newest an id that begins with `word`."""
    NOTHING_NAMED = "nothing_named"
    """A message has neither an id nor a name of an execution in it."""
    NOT_THEIR_CHANNEL = "not_their_channel"
    """The person is not in the channel that they chose in a modal."""
    OTHER_ORGANISATION = "other_organisation"
    """The person belongs to another organisation that shares the channel."""
    GUEST = "guest"
    NOT_LISTED = "not_listed"
    """The person is neither among the allowed people nor in an allowed user group."""
    GROUP_UNREADABLE = "group_unreadable"
    """The person is not among the allowed people, and an allowed user group cannot be read."""
    NO_OPERATOR = "no_operator"
    """The person is not among those who may cancel and retry executions."""
    OPERATORS_UNREADABLE = "operators_unreadable"
    """The person is not among the operators, and a user group of operators cannot be read."""
    PERSON_UNKNOWN = "person_unknown"
    """Slack does not say what the person is to the workspace."""
    PERSON_UNNAMED = "person_unnamed"
    """Other organisations share the channel, and the bot may not look up whose person it is."""
    MEMBERS_ONLY = "members_only"
    """Guests and people of other organisations do not decide that, even if they may ask."""
    NOT_A_MEMBER = "not_a_member"
    """The person is not in the private channel that they ask about."""
    AUDIENCE_UNKNOWN = "audience_unknown"
    """Slack does not say who reads a conversation."""
    CHANNEL_NOT_APPROVED = "channel_not_approved"
    """Other organisations share the channel, and nobody has approved that the bot writes there."""
    CHANNEL_HAS_GROWN = "channel_has_grown"
    """Other organisations read the channel than those that the button names."""
    CHANNEL_NOT_SHARED = "channel_not_shared"
    """There is nothing to approve."""
    CHANNEL_NOT_LISTED = "channel_not_listed"
    """The bot may not be used in this channel."""
    NOT_FOLLOWED = "not_followed"
    """What is not followed cannot be muted. `line`: the command that follows it."""
    WHICH_HOURS = "which_hours"
    """When is it to be quiet? `verb`."""
    WHICH_ZONE = "which_zone"
    """Neither Slack nor the person names the zone that they live in, or the person's words mean none. `verb`."""
    UNKNOWN_ZONE = "unknown_zone"
    """A modal was sent with words that mean no time zone."""
    WHICH_SPAN = "which_span"
    """For how long is something to be muted? `verb`."""
    CARD_ENDED = "card_ended"
    """The card belongs to no subscription any more. `execution_id`."""
    RULE_ENDED = "rule_ended"
    """The button belongs to a rule that has ended."""
    MISSING_RULE = "missing_rule"
    """What is to be followed is not named. `kind`: a `RuleKind`."""
    MISSING_WORKFLOW = "missing_workflow"
    """A modal was sent without the workflow that is to be followed."""
    LISTS_REFUSED = "lists_refused"
    """GCS does not show its list, without which no rule finds anything."""
    NOT_A_LABEL = "not_a_label"
    """`word` is not of the form `key=value`."""
    BOARD_NEEDS_CHANNEL = "board_needs_channel"
    """A board was asked for in a direct message."""
    BOARD_NOT_FOLLOWED = "board_not_followed"
    """The channel follows no runs of the workflow `word`. `line`: the command that has them followed."""
    TOO_MANY_BOARDS = "too_many_boards"
    """The channel has `word` boards, as many as it may."""
    SEVERAL_BOARDS = "several_boards"
    """Which one is to end? `line`: the command that ends one of them."""
    OTHER_CHANNEL = "other_channel"
    """The button names another channel than the one where it was pressed."""
    OTHER_PERSON = "other_person"
    """The button deletes another person's data."""
    UNKNOWN_BUTTON = "unknown_button"
    """The button is none of the bot's, or carries what none does."""
    NOT_IN_CHANNEL = "not_in_channel"
    CHANNEL_KIND = "channel_kind"
    """The app has no scope for this kind of conversation."""
    CHANNEL_ARCHIVED = "channel_archived"
    CHANNEL_REFUSED = "channel_refused"
    """`code`: Slack's code of an `Undeliverable` or an `UnknownRefusal`."""


class InvalidInput(BotError):
    """What was typed or pressed cannot be used."""

    def __init__(self, problem: InputProblem, **values: str | tuple[str, ...]) -> None:
        """`InputProblem` says which values a problem has. They hold what was typed, so no log gets them."""
        super().__init__(problem.value)
        self.problem, self.values = problem, values


class NotAllowed(InvalidInput):
    """The person may not use the bot, or not there."""


class TooManyRequests(BotError):
    """One person asks faster than allowed."""

    def __init__(self, retry_after: timedelta, *, is_repeated: bool = False) -> None:
        """`is_repeated`: the person has read this refusal a moment ago."""
        super().__init__(f"next one in {retry_after.total_seconds():g} s")
        self.retry_after, self.is_repeated = retry_after, is_repeated


class TooManySubscriptions(BotError):
    """A person or a channel follows as many executions as allowed."""

    def __init__(self, most: int, *, is_person: bool) -> None:
        super().__init__(f"{most} subscriptions")
        self.most, self.is_person = most, is_person


class TooManyRules(BotError):
    """A person or a channel has as many rules as allowed."""

    def __init__(self, most: int, *, is_person: bool) -> None:
        super().__init__(f"{most} rules")
        self.most, self.is_person = most, is_person


class SettingsInvalid(BotError):
    """Settings are missing or wrong. `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StateDirInUse(SettingsInvalid):
    """Another bot runs on STATE_DIR."""


class PortUnavailable(BotError):
    """The bot cannot listen on an address."""

    def __init__(self, host: str, port: int, why: str) -> None:
        """`why`: the system's words."""
        super().__init__(f"port {port} on {host} cannot be used ({why}): end what uses it, or choose another")


class StoreUnavailable(BotError):
    """The store does not answer, or cannot do what was requested."""

    def __init__(self, words: str = "the store does not answer", detail: str = "") -> None:
        """`words` are ours, `detail` may name addresses and paths."""
        super().__init__(f"{words} ({detail})" if detail else words)
        self._words = words

    @property
    def words(self) -> str:
        """As with `BotError`."""
        return self._words


class StoreFull(StoreUnavailable):
    """The store has no memory left."""


class StoreReadOnly(StoreUnavailable):
    """The store takes no writes at present."""


class StoreNotOurs(StoreUnavailable):
    """The store belongs to another workspace or GCS account, or holds rows of a version too far from this one."""

    def __init__(self, differences: Mapping[str, tuple[str, str]]) -> None:
        """`differences`: field of the owner record → its value there, and this bot's own."""
        found = "; ".join(
            f"{name} {theirs}" + (f", not {own}" if own else "") for name, (theirs, own) in differences.items()
        )
        super().__init__(f"the store is not this bot's: {found}")
        self.differences = differences


class GCSError(BotError):
    """GCS did not give us an execution."""

    meaning = "no execution"
    """For `words`."""

    def __init__(self, detail: str = "", *, request_id: str = "") -> None:
        super().__init__(f"{detail} (request {request_id})" if request_id else detail)
        self.request_id = request_id

    @property
    def words(self) -> str:
        """As with `BotError`."""
        return f"{type(self).__name__}: {self.meaning}"


class ExecutionNotFound(GCSError):
    """No such execution for these credentials."""


class ExecutionGone(ExecutionNotFound):
    """The execution existed and was deleted."""


class GCSForbidden(GCSError):
    """The bot's IAM user lacks a permission."""

    meaning = "the IAM user may not read executions"


class GCSListForbidden(GCSForbidden):
    """The bot's IAM user may not list executions."""

    meaning = "the IAM user may not list executions"


class GCSActionForbidden(GCSForbidden):
    """The bot's IAM user may not cancel or retry executions."""

    meaning = "the IAM user may not cancel or retry executions"


class GCSBadCredentials(GCSError):
    """Keys, token or clock are refused."""

    meaning = "the credentials, or this machine's clock, were refused"


class GCSMisdirected(GCSError):
    """The gateway knows no such API: region, endpoint or path are wrong."""

    meaning = "there is no such API"


class GCSThrottled(GCSError):
    """The quota is used up for now."""

    meaning = "the quota is used up"

    def __init__(self, detail: str = "", *, retry_after: timedelta, request_id: str = "") -> None:
        super().__init__(detail, request_id=request_id)
        self.retry_after = retry_after


class GCSUnavailable(GCSError):
    """No answer, or one that says the service has a problem."""

    meaning = "no answer"


class GCSAbsent(GCSUnavailable):
    """A 404 that does not come from GCS: a proxy answered, or a gateway that does not find its API."""


class GCSTooLate(GCSUnavailable):
    """No answer, or only part of it, within the time that the request had."""


class GCSMalformed(GCSError):
    """The answer is not an execution."""

    meaning = "the answer is not an execution"


class GCSRequestRefused(GCSMalformed):
    """GCS calls our request malformed: a mistake in the bot, or a change of the API."""


class GCSActionRefused(GCSRequestRefused):
    """GCS refuses to cancel or retry the execution, mostly because of its state."""

    def __init__(self, detail: str = "", *, code: str, request_id: str = "") -> None:
        """`code`: GCS's own, or the HTTP status where it has none."""
        super().__init__(detail, request_id=request_id)
        self.code = code


class GCSTooLarge(GCSMalformed):
    """The answer is larger than what is read."""

    def __init__(self, most: int) -> None:
        """`most`: bytes that would have been read."""
        super().__init__(f"an answer of more than {most >> 20} MiB")
        self.most = most


GCS_AWAY = (GCSUnavailable, GCSMalformed, GCSMisdirected)
"""The errors after which GCS counts as unreachable: nothing answers, or what answers is not GCS.

`GCSMisdirected` is one of them because a gateway with a problem denies an API that it served before. All other errors
are GCS's own decision, or the bot's to make no calls.
"""


_CODE = re.compile(r"[a-z][a-z0-9_]{0,60}")


class SlackError(BotError):
    """Slack did not do what the bot requested. `code` is Slack's code, or one of `bot.slack.errors`."""

    def __init__(self, code: str = "", detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail

    @property
    def words(self) -> str:
        """Slack's code, if it looks like one."""
        return self.code if _CODE.fullmatch(self.code) else type(self).__name__


class RateLimited(SlackError):
    """Slack says when to call again."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("ratelimited", f"retry after {retry_after.total_seconds():g} s")
        self.retry_after = retry_after


class Undeliverable(SlackError):
    """The destination cannot be reached, and trying again will not help."""


class MessageGone(SlackError):
    """The message to edit, or the thread to reply in, was deleted: post a new one."""


class NotEditable(SlackError):
    """The message exists, but Slack does not let the bot edit it: leave it as it is."""


class PayloadRejected(SlackError):
    """Slack refuses the content, not the destination."""


class OutcomeUnknown(SlackError):
    """The request left and no answer came: it may or may not have been applied."""


class UnknownRefusal(SlackError):
    """Slack refuses with a code that the bot does not know. That is never the reason to end anything: try later."""


class SlackSuspended(UnknownRefusal):
    """The organisation's admins have suspended messages there, which they end some day: wait as for an unknown code."""


class SlackUnavailable(SlackError):
    """The request certainly had no effect, and may succeed later."""


class SlackBadCredentials(SlackError):
    """Token or app are refused, or a scope is missing."""
