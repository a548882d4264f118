"""Every error that the bot raises on purpose.

    BotError                        `.sentence` is fit for the person who asked
    ├── InvalidInput                what was typed or pressed cannot be used
    ├── SettingsInvalid             start-up: settings missing or wrong, all of them at once
    ├── StoreUnavailable            Redis or Valkey does not answer, is full or read-only
    ├── GCSError
    │   ├── ExecutionNotFound       never existed, other project, or deleted
    │   │   └── ExecutionGone       GCS says explicitly that it existed (HTTP 410)
    │   ├── GCSForbidden            the IAM user may not read executions
    │   ├── GCSBadCredentials       keys or token refused: stop calling, a key gets blocked by repeats
    │   ├── GCSMisdirected          no such API there: wrong region, endpoint or path
    │   ├── GCSThrottled            `.retry_after`
    │   ├── GCSUnavailable          no answer, time-out, 5xx
    │   │   ├── GCSAbsent           «not found», said by something else in its place
    │   │   └── GCSTooLate          no answer within the time of the question
    │   └── GCSMalformed            an answer that is no execution
    └── SlackError
        ├── RateLimited             `.retry_after`
        ├── Undeliverable           this destination is dead: `.code` is Slack's code
        ├── MessageGone             the message to edit is not there any more
        ├── PayloadRejected         Slack refuses the content: try a plainer one
        ├── OutcomeUnknown          sent, but nobody knows whether it arrived
        ├── SlackUnavailable        certainly not applied; try again later
        └── SlackBadCredentials     the app itself is refused: stop sending, go unhealthy

Does not live here: which code of a vendor means which error (`bot.slack.errors`, `bot.gcs.errors`), what to do about an
error (the workers), how it is shown (`bot.blocks.replies`). Raised by `gcs`, `slack`, `store` and `subscriptions`;
turned into a sentence by `handlers.middleware`.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil


class BotError(Exception):
    """What can go wrong in a way we know. `str()` is for logs, `.sentence` is for people; neither has secrets."""

    sentence = "Something went wrong. Try again in a minute."

    def __init__(self, detail: str = "", *, sentence: str | None = None) -> None:
        super().__init__(detail or sentence or self.sentence)
        if sentence is not None:
            self.sentence = sentence


class InvalidInput(BotError):
    """What was typed or pressed cannot be used; the sentence says what to do instead."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence=sentence)


class SettingsInvalid(BotError):
    """Settings are missing or wrong. `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreUnavailable(BotError):
    """The store does not answer or does not take writes."""

    sentence = "I cannot reach my own memory right now. Nothing that you follow is lost; try again in a minute."


class GCSError(BotError):
    """GCS did not give us an execution."""

    sentence = "GeneContainer Service did not answer as expected. Try again in a minute."

    def __init__(self, detail: str = "", *, sentence: str | None = None, request_id: str = "") -> None:
        super().__init__(f"{detail} (request {request_id})" if request_id else detail, sentence=sentence)
        self.request_id = request_id


class ExecutionNotFound(GCSError):
    """No such execution for these credentials."""

    sentence = (
        "GeneContainer Service knows no such execution: check the id, or it was deleted or is in another project."
    )


class ExecutionGone(ExecutionNotFound):
    """There was such an execution; it was deleted."""

    sentence = "That execution was deleted from GeneContainer Service."


class GCSForbidden(GCSError):
    """The bot's IAM user lacks a permission."""

    sentence = (
        "I am not allowed to read that execution. Ask whoever runs this bot to grant its IAM user `gcs:executions:get`."
    )


class GCSBadCredentials(GCSError):
    """Keys, token or clock are refused."""

    sentence = "GeneContainer Service refuses my credentials. Ask whoever runs this bot to run `execution-bot check`."


class GCSMisdirected(GCSError):
    """The gateway knows no such API: region, endpoint or path are wrong."""

    sentence = (
        "I am pointed at the wrong GeneContainer address. "
        "Ask whoever runs this bot to check `GCS_REGION` and `GCS_ENDPOINT`."
    )


class GCSThrottled(GCSError):
    """The quota is used up for now."""

    sentence = "GeneContainer Service asks me to slow down. Try again in a minute."

    def __init__(self, detail: str = "", *, retry_after: timedelta, request_id: str = "") -> None:
        super().__init__(detail, request_id=request_id)
        self.retry_after = retry_after


class GCSUnavailable(GCSError):
    """No answer, or an answer that says the service is in trouble."""

    sentence = "GeneContainer Service does not answer right now. Try again in a minute; what you follow stays followed."


class GCSAbsent(GCSUnavailable):
    """«Not found», but not in GCS's words: a proxy said it, or a gateway that has lost its way."""

    sentence = (
        "Something in the place of GeneContainer Service says «not found». Check the id; if it is right, the service "
        "is in trouble: try again in a minute."
    )


class GCSTooLate(GCSUnavailable):
    """No answer, or not all of it, within the time that the question had."""


class GCSMalformed(GCSError):
    """An answer came that is no execution."""

    sentence = (
        "GeneContainer Service sent something that is not an execution. "
        "Try again; if it stays, tell whoever runs this bot to look at its log."
    )


GCS_AWAY = (GCSUnavailable, GCSMalformed, GCSMisdirected)
"""What means that no GCS is to be reached: nothing answers, or what answers is not GCS. An address that was good once
knows no such API while the gateway is in trouble. The others are GCS's own word, or ours: it refuses, or we hold back.
"""


class SlackError(BotError):
    """Slack did not do what was asked. `code` is Slack's own word."""

    sentence = "Slack did not take my answer. Try again in a minute."

    def __init__(self, code: str = "", detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class RateLimited(SlackError):
    """Slack says when to come back."""

    def __init__(self, retry_after: timedelta) -> None:
        seconds = retry_after.total_seconds()
        super().__init__("ratelimited", f"retry after {seconds:g} s")
        self.retry_after = retry_after
        self.sentence = f"Slack did not take that now: it asks me to slow down. Try again in {max(1, ceil(seconds))} s."


class Undeliverable(SlackError):
    """The destination cannot be reached, and will not be by trying again."""


class MessageGone(SlackError):
    """The message to edit was deleted or is closed for edits: post anew."""


class PayloadRejected(SlackError):
    """Slack refuses the content, not the destination."""


class OutcomeUnknown(SlackError):
    """The request left, the answer did not come: it may or may not have been applied."""


class SlackUnavailable(SlackError):
    """The request certainly had no effect, and may have later."""


class SlackBadCredentials(SlackError):
    """Token or app are refused, or a scope is missing."""

    sentence = "Slack refuses my token. Ask whoever runs this bot to run `execution-bot check`."
