"""What a failed call to Slack means: one table of Slack's codes, one translation of every failure into `bot.errors`.

Lives here: `slack_error` (a code), `call_error` (an exception of the SDK or of aiohttp), `response_error` (what a
`response_url` returns). Does not live here: the classes (`bot.errors`), what people read (`bot.blocks.sentences`), what
callers do about an error. Called by the siblings and by the notifier.

The distinction that matters: did the call certainly have no effect (`SlackUnavailable`, `RateLimited`, every refusal),
or may it have been applied (`OutcomeUnknown`)? Everything that fails after the request left is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.errors import (
    MessageGone,
    NotEditable,
    OutcomeUnknown,
    PayloadRejected,
    RateLimited,
    SlackBadCredentials,
    SlackError,
    SlackSuspended,
    SlackUnavailable,
    Undeliverable,
    UnknownRefusal,
)

FAILURES = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError, AttributeError, ValueError)
"""What a call through the SDK raises. The last two are how it fails on a body that is not a JSON object."""

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
"""Failures before the request left: no connection, or a proxy that opens none."""

DEFAULT_RETRY_AFTER = timedelta(seconds=1)
"""How long to wait after a 429 without a usable `Retry-After`."""

_REDIRECTS = range(300, 400)
"""Status codes of a redirect, which is not followed: a reply goes to Slack and nowhere else."""

LONGEST_RETRY_AFTER = timedelta(minutes=10)
"""How long a 429 is obeyed at most before Slack is asked again: one header must not silence a workspace for days."""

_MAX_DIGITS = 9
"""At most this many digits of `Retry-After` are a number of seconds."""

_RATE_LIMITED = frozenset({"ratelimited", "rate_limited"})

_CODES: dict[type[SlackError], frozenset[str]] = {
    SlackBadCredentials: frozenset(
        "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope "
        "app_missing accesslimited two_factor_setup_required method_deprecated deprecated_endpoint".split()
    ),
    MessageGone: frozenset("message_not_found thread_not_found".split()),
    NotEditable: frozenset("cant_update_message edit_window_closed is_inactive".split()),
    PayloadRejected: frozenset(
        "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text metadata_too_large "
        "metadata_must_be_sent_from_app invalid_metadata_format invalid_metadata_schema block_mismatch "
        "markdown_text_conflict invalid_arguments too_many_attachments".split()
    ),
    SlackUnavailable: frozenset(
        "service_unavailable team_added_to_org org_login_required update_failed request_timeout "
        "message_limit_exceeded".split()
    ),
    OutcomeUnknown: frozenset("internal_error fatal_error".split()),
    SlackSuspended: frozenset({"ekm_access_denied"}),
    Undeliverable: frozenset(
        "channel_not_found not_in_channel is_archived restricted_action restricted_action_read_only_channel "
        "restricted_action_thread_only_channel restricted_action_non_threadable_channel "
        "restricted_action_thread_locked messages_tab_disabled cannot_reply_to_message user_not_found users_not_found "
        "user_disabled user_not_visible cannot_dm_bot not_allowed_token_type no_permission access_denied "
        "team_access_not_granted slack_connect_canvas_sharing_blocked "
        "slack_connect_file_link_sharing_blocked as_user_not_supported".split()
    ),
}
"""Slack's codes by what they mean. A code that is missing here is an `UnknownRefusal`.

Only those of `Undeliverable` end a subscription; `bot.blocks.sentences` has a clause for each of them.
"""

KNOWN_CODES = _RATE_LIMITED.union(*_CODES.values())
"""Every code that means something to the bot: few enough for a label of a metric."""


def is_about_token(error: SlackError) -> bool:
    """Whether Slack's code says that the token, or the app, is refused; a missing scope concerns some methods only."""
    return error.code in _CODES[SlackBadCredentials] - {"missing_scope"}


def is_answer(error: SlackError) -> bool:
    """Whether Slack itself answered, with a code that means something to the bot: then it is not away."""
    return error.code in KNOWN_CODES


def slack_error(code: str, detail: str = "", *, wait: timedelta = DEFAULT_RETRY_AFTER) -> SlackError:
    """The error for Slack's `code`; an unknown one ends nothing, since Slack may mean a minute of maintenance by it.

    `wait` is what Slack said with it in `Retry-After`; only a rate limit uses it.
    """
    if code in _RATE_LIMITED:
        return RateLimited(wait)
    for kind, codes in _CODES.items():
        if code in codes:
            return kind(code, detail)
    return UnknownRefusal(code, detail)


def retry_after(headers: Mapping[str, str]) -> timedelta:
    """When Slack wants to be called again. Slack sends whole seconds; anything else counts as not said."""
    seconds = headers.get("Retry-After") or headers.get("retry-after") or ""
    is_usable = seconds.isdecimal() and len(seconds) <= _MAX_DIGITS
    return min(timedelta(seconds=int(seconds)), LONGEST_RETRY_AFTER) if is_usable else DEFAULT_RETRY_AFTER


def call_error(error: Exception) -> SlackError:
    """What one of `FAILURES` means."""
    if isinstance(error, SlackApiError):
        return _api_error(error)
    if isinstance(error, _NOT_SENT):
        return SlackUnavailable("no_connection", type(error).__name__)
    if isinstance(error, aiohttp.ClientError | OSError | SlackClientError):  # OSError includes TimeoutError
        return OutcomeUnknown("no_answer", type(error).__name__)
    return OutcomeUnknown("no_json", type(error).__name__)


def response_error(status: int, headers: Mapping[str, str], body: str) -> SlackError | None:
    """What the response of a `response_url` means; None if Slack accepted the reply. The body is text or JSON."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(retry_after(headers))
    is_gone = "expired_url" in body or "used_url" in body or status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
    if is_gone or status in _REDIRECTS:
        return Undeliverable("expired_url" if is_gone else "redirected")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return SlackUnavailable(f"http_{status}")
    if "invalid_blocks" in body or "msg_blocks_too_long" in body or "no_text" in body:
        return PayloadRejected("invalid_blocks")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OutcomeUnknown(f"http_{status}")
    is_refused = status != HTTPStatus.OK or '"ok":false' in body.replace(" ", "")
    return PayloadRejected(f"http_{status}") if is_refused else None


def _api_error(error: SlackApiError) -> SlackError:
    """What a refusal means. With a code it is Slack's own; without one it comes from something in front of Slack."""
    # The SDK attaches its own response, or aiohttp's when the body was not JSON.
    response = error.response
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    data = getattr(response, "data", None)
    answer = data if isinstance(data, dict) else {}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(retry_after(headers))
    code = str(answer.get("error", ""))
    if not code:
        return OutcomeUnknown(f"http_{status}")
    return slack_error(code, str(answer.get("needed", "")), wait=retry_after(headers))
