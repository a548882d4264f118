"""What an error answer of GCS, its gateway or IAM means: from status and error code to our errors, in one table.

Lives here: reading error bodies of every shape, the table, and `QuotaSpent`, for a call that was not sent. Does not
live here: what to do about an error (the client retries or stops, the workers inform people). Called by the siblings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from bot.domain.snapshot import Unseen
from bot.errors import (
    GCS_AWAY,
    ExecutionGone,
    ExecutionNotFound,
    GCSAbsent,
    GCSActionForbidden,
    GCSActionRefused,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMalformed,
    GCSMisdirected,
    GCSRequestRefused,
    GCSThrottled,
    GCSTooLarge,
    GCSUnavailable,
)
from bot.gcs import values
from bot.gcs.body import mend
from bot.gcs.http import Response

_ANY_CODE = ""
_ANY_STATUS = 0

_TABLE: dict[tuple[int, str], type[GCSError]] = {
    (_ANY_STATUS, "APIGW.0308"): GCSThrottled,
    (_ANY_STATUS, "APIG.0308"): GCSThrottled,
    (404, "APIGW.0101"): GCSMisdirected,
    (404, "APIG.0101"): GCSMisdirected,
    (401, _ANY_CODE): GCSBadCredentials,
    (403, _ANY_CODE): GCSForbidden,
    (404, _ANY_CODE): ExecutionNotFound,
    (405, _ANY_CODE): GCSMisdirected,
    (408, _ANY_CODE): GCSUnavailable,
    (410, _ANY_CODE): ExecutionGone,
    (425, _ANY_CODE): GCSUnavailable,
    (429, _ANY_CODE): GCSThrottled,
}
"""By status and error code (reference 1.7), rows with a code first. Of the other statuses, 3xx means
`GCSMisdirected`, 4xx `GCSRequestRefused` (our own mistake), 5xx `GCSUnavailable`."""

_IAM_TABLE: dict[int, type[GCSError]] = {
    400: GCSBadCredentials,  # each repeat of a refused login brings the account closer to being locked
    401: GCSBadCredentials,
    403: GCSBadCredentials,
    404: GCSMisdirected,
}
"""Statuses that mean something else when IAM answers."""

_GATEWAY_CODES = ("APIGW.", "APIG.")

DEFAULT_RETRY_AFTER = timedelta(seconds=5)
"""How long to wait after a 429 that names no time: the upper end of what the vendor advises."""
LONGEST_RETRY_AFTER = timedelta(hours=1)
"""How long to wait at most: the quota is per minute, so a server that asks for more has a wrong clock."""

MOST_LEVELS, MOST_PARTS = 4, 100
"""How deep an error body is searched for a code and a message, and at most how many parts of a level."""

_SHAPES = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))


class QuotaSpent(GCSThrottled):
    """Not sent: no call is left in our share of the quota."""


@dataclass(frozen=True)
class ErrorBody:
    """What an error body says, cut and without secrets."""

    code: str = ""
    message: str = ""
    request_id: str = ""
    is_error: bool = False
    """Whether it is a JSON object with a code or a message, as the errors of GCS and of its gateway are."""

    @property
    def is_from_gcs(self) -> bool:
        """Whether GCS itself may have written it, rather than its gateway or a proxy."""
        return self.is_error and not self.code.startswith(_GATEWAY_CODES)


def error_body(response: Response) -> ErrorBody:
    """Read an error body: the three documented shapes, flat or within other objects and lists, or any text (1.7).

    Half a character in it must not keep a deletion from being recognised.
    """
    try:
        content = json.loads(mend(response.content))
    except (ValueError, RecursionError):
        content = None
    code, message = _code_and_message(content)
    is_error = bool(code or message)
    if isinstance(content, dict) and not is_error:
        # Not quoted: it may hold `encoded_authorization_message` and the like.
        message = "an error of unknown shape"
    elif not is_error:
        message = response.content[:1000].decode("utf-8", "replace")
    request_id = content.get("request_id") if isinstance(content, dict) else None
    if not isinstance(request_id, str) or not request_id:
        request_id = response.headers.get("x-request-id", "")
    request_id = re.sub(r"[^\w.-]", "", request_id)[:64]
    return ErrorBody(
        values.safe(code.upper() if code.upper().startswith(_GATEWAY_CODES) else code, 40),
        values.safe(message, 200),
        request_id,
        is_error,
    )


def gcs_error(response: Response) -> GCSError:
    """The error for a response other than 2xx."""
    body, status = error_body(response), response.status_code
    detail = f"HTTP {status} {body.code}: {body.message}".strip(" :")
    kind = _kind(status, body)
    if kind is GCSThrottled:
        return GCSThrottled(detail, retry_after=retry_after(response), request_id=body.request_id)
    return kind(detail, request_id=body.request_id)


def action_error(response: Response) -> GCSError:
    """The same for a call that would change an execution: a refusal is then usually not the bot's mistake."""
    error, body = gcs_error(response), error_body(response)
    if isinstance(error, GCSForbidden):
        return GCSActionForbidden(str(error))
    if isinstance(error, GCSRequestRefused):
        return GCSActionRefused(str(error), code=body.code or str(response.status_code))
    return error


def may_have_acted(error: GCSError) -> bool:
    """Whether a call that failed with `error` may still have changed the execution."""
    is_lost = isinstance(error, GCSUnavailable | GCSMalformed)
    return is_lost and not isinstance(error, GCSRequestRefused)


def unseen(error: GCSError) -> Unseen:
    """Why GCS did not show an execution."""
    if isinstance(error, GCSTooLarge):
        return Unseen.TOO_LARGE
    if isinstance(error, GCSMalformed) and not isinstance(error, GCSRequestRefused):
        return Unseen.UNREADABLE
    return Unseen.AWAY if isinstance(error, GCS_AWAY) else Unseen.REFUSED


def iam_error(response: Response) -> GCSError:
    """The error for a response of IAM other than 2xx; its message is dropped, since it may quote what was sent."""
    body, status = error_body(response), response.status_code
    detail = f"IAM: HTTP {status} {body.code}".strip()
    kind = _IAM_TABLE.get(status) or _kind(status, ErrorBody())
    if kind is GCSThrottled:
        return GCSThrottled(detail, retry_after=retry_after(response), request_id=body.request_id)
    return kind(detail, request_id=body.request_id)


def _kind(status: int, body: ErrorBody) -> type[GCSError]:
    kind = _TABLE.get((status, body.code)) or _TABLE.get((_ANY_STATUS, body.code)) or _TABLE.get((status, _ANY_CODE))
    if kind is not None and issubclass(kind, ExecutionNotFound) and not body.is_from_gcs:
        return GCSAbsent  # any server answers "not found" for a page that it does not have
    if kind is not None:
        return kind
    if httpx.codes.is_client_error(status):
        return GCSRequestRefused
    return GCSMisdirected if httpx.codes.is_redirect(status) else GCSUnavailable


def retry_after(response: Response) -> timedelta:
    """How long `Retry-After` asks to wait: seconds or a date, within bounds; a default if it says nothing."""
    text = response.headers.get("retry-after", "").strip()
    wait = DEFAULT_RETRY_AFTER
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=min(int(text[:9]), LONGEST_RETRY_AFTER.total_seconds()))
    elif text:
        try:
            wait = parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)
        except (ValueError, OverflowError):
            wait = DEFAULT_RETRY_AFTER
    return min(max(wait, timedelta(seconds=1)), LONGEST_RETRY_AFTER)


def _code_and_message(content: Any) -> tuple[str, str]:
    """The first code and message, from the outside to the inside; empty where there is none."""
    level = [content]
    for _ in range(MOST_LEVELS):
        for each in level:
            for code_key, message_key in _SHAPES if isinstance(each, dict) else ():
                code, message = values.code(each.get(code_key)), values.prose(each.get(message_key))
                if code or message:
                    return code, message
        level = [inner for each in level for inner in _inside(each)][:MOST_PARTS]
    return "", ""


def _inside(content: Any) -> Iterable[Any]:
    """The parts of an object or a list."""
    return content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
