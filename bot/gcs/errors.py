"""What a refusal by GCS, its gateway or IAM means: from status and error code to our error tree, in one table.

Lives here: reading error bodies of every shape, and the table. Does not live here: what to do about an error (the
client retries or holds back, the rooms tell people). Called by `bot.gcs.client` and `bot.gcs.auth`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from bot.errors import (
    ExecutionGone,
    ExecutionNotFound,
    GCSAbsent,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMisdirected,
    GCSRequestRefused,
    GCSThrottled,
    GCSUnavailable,
)
from bot.gcs import values
from bot.gcs.http import Answer

DEFAULT_RETRY_AFTER = timedelta(seconds=5)
"""After a 429 that names no time: the upper end of what the vendor advises."""
LONGEST_RETRY_AFTER = timedelta(hours=1)
"""A server that asks for more has a wrong clock; the quota is counted by the minute."""

_NO_SUCH_API = frozenset({"APIGW.0101", "APIG.0101"})
_OF_THE_GATEWAY = ("APIGW.", "APIG.")
_THROTTLED = frozenset({"APIGW.0308", "APIG.0308"})
_KINDS: dict[int, type[GCSError]] = {
    401: GCSBadCredentials,
    403: GCSForbidden,
    404: ExecutionNotFound,
    405: GCSMisdirected,
    408: GCSUnavailable,
    410: ExecutionGone,
    425: GCSUnavailable,
}
"""By status, where the code says no more. Of the rest, 3xx is `GCSMisdirected`, 4xx a mistake of ours, 5xx trouble."""

_GONE = frozenset({404, 410})
"""What GCS says of an execution that it does not know, and any server of a page that it does not have."""

_SHAPES = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))


@dataclass(frozen=True)
class Refusal:
    """What an error body says, cut and without secrets."""

    code: str = ""
    message: str = ""
    request_id: str = ""
    is_error: bool = False
    """Whether it is a JSON object with a code or a message, as the errors of GCS and of its gateway are."""

    @property
    def is_of_gcs(self) -> bool:
        """Whether GCS itself may have said it."""
        return self.is_error and not self.code.startswith(_OF_THE_GATEWAY)


def refusal(answer: Answer) -> Refusal:
    """Read an error body: the three documented shapes, flat or one object deeper, or any text (reference 1.7)."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    code, message = _code_and_message(said)
    is_error = bool(code or message)
    if isinstance(said, dict) and not is_error:
        # It is not quoted: it may hold `encoded_authorization_message` and the like.
        message = "an error of unknown shape"
    elif not is_error:
        message = answer.body[:1000].decode("utf-8", "replace")
    request_id = said.get("request_id") if isinstance(said, dict) else None
    if not isinstance(request_id, str) or not request_id:
        request_id = answer.headers.get("x-request-id", "")
    request_id = re.sub(r"[^\w.-]", "", request_id)[:64]
    return Refusal(values.safe(code, 40), values.safe(message, 200), request_id, is_error)


def failure(answer: Answer) -> GCSError:
    """The error that an answer other than 2xx stands for."""
    said, status = refusal(answer), answer.status
    detail = f"HTTP {status} {said.code}: {said.message}".strip(" :")
    if status == httpx.codes.TOO_MANY_REQUESTS or said.code in _THROTTLED:
        return GCSThrottled(detail, retry_after=retry_after(answer), request_id=said.request_id)
    if status == httpx.codes.NOT_FOUND and said.code in _NO_SUCH_API:
        return GCSMisdirected(detail, request_id=said.request_id)
    if status in _GONE and not said.is_of_gcs:
        return GCSAbsent(detail, request_id=said.request_id)
    if status in _KINDS:
        return _KINDS[status](detail, request_id=said.request_id)
    if httpx.codes.is_client_error(status):
        return GCSRequestRefused(detail, request_id=said.request_id)
    kind = GCSMisdirected if httpx.codes.is_redirect(status) else GCSUnavailable
    return kind(detail, request_id=said.request_id)


def iam_failure(answer: Answer) -> GCSError:
    """The same for IAM, whose refusals speak of the account, and may quote what was sent: no message is kept."""
    said, status = refusal(answer), answer.status
    detail = f"IAM: HTTP {status} {said.code}".strip()
    if status in {400, 401, 403}:  # each repeat brings the account nearer to being locked
        return GCSBadCredentials(detail, request_id=said.request_id)
    if status == httpx.codes.NOT_FOUND:
        return GCSMisdirected(detail, request_id=said.request_id)
    found = failure(Answer(status, answer.headers, b"{}"))
    if isinstance(found, GCSThrottled):
        return GCSThrottled(detail, retry_after=found.retry_after, request_id=said.request_id)
    return type(found)(detail, request_id=said.request_id)


def retry_after(answer: Answer) -> timedelta:
    """How long `Retry-After` asks to wait: seconds or a date, within bounds; a default where it says nothing."""
    text = answer.headers.get("retry-after", "").strip()
    wait = DEFAULT_RETRY_AFTER
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=min(int(text[:9]), LONGEST_RETRY_AFTER.total_seconds()))
    elif text:
        try:
            wait = parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)
        except (ValueError, OverflowError):
            wait = DEFAULT_RETRY_AFTER
    return min(max(wait, timedelta(seconds=1)), LONGEST_RETRY_AFTER)


def _code_and_message(said: Any) -> tuple[str, str]:
    if not isinstance(said, dict):
        return "", ""
    nested = [value for value in said.values() if isinstance(value, dict)]
    for level in (said, *nested):
        for code_key, message_key in _SHAPES:
            code, message = level.get(code_key), level.get(message_key)
            if isinstance(code, str | int) or isinstance(message, str):
                return str(code or "")[:200], message if isinstance(message, str) else ""
    return "", ""
