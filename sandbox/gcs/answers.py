"""What the simulated GCS answers, before it is sent.

Lives here: `Answer`, `Refusal` and the error forms of the gateway, of GCS and of IAM (reference 1.7). Does not live
here: when to use them. Called by all of `sandbox.gcs`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

NO_SUCH_EXECUTION = "GCS.4040001"
"""Invented: the reference has no service code for it, only says that it is not the gateway's."""
BAD_LIST_QUERY = "GCS.4000001"
BAD_ACTION = "GCS.4000002"
WRONG_STATE = "GCS.4000003"
"""Invented likewise."""


@dataclass(frozen=True)
class Answer:
    """Status, body and extra headers. Text and bytes go out as they are, anything else as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def payload(self, request_id: str) -> bytes:
        """The body's bytes; errors of the gateway and of GCS include `request_id`."""
        body = self.body
        if isinstance(body, dict) and "error_code" in body:
            body = body | {"request_id": body.get("request_id", request_id)}
        if isinstance(body, bytes):
            return body
        return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()


class Refusal(Exception):
    """Raised to end a request early with `answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def error(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error in the form of the gateway and of GCS."""
    return Answer(status, {"error_msg": message, "error_code": code}, headers)


def bad_credentials(why: str) -> Answer:
    """401 of the gateway."""
    return error(401, "APIGW.0301", f"Incorrect IAM authentication information: {why}")


def token_expired() -> Answer:
    """401 that asks for a new token."""
    return error(401, "APIGW.0307", "The token must be updated.")


def forbidden() -> Answer:
    """403 of the gateway."""
    return error(403, "APIGW.0302", "The IAM user is not allowed to access the API.")


def no_such_api() -> Answer:
    """404 of the gateway: wrong host, path or method."""
    return error(404, "APIGW.0101", "The API does not exist or has not been published in the environment")


def no_such_execution() -> Answer:
    """404 of GCS."""
    return error(404, NO_SUCH_EXECUTION, "The execution does not exist.")


def bad_action() -> Answer:
    """400 of GCS: the body names no action that it knows."""
    return error(400, BAD_ACTION, "The action is invalid.")


def wrong_state(action: str, status: str) -> Answer:
    """400 of GCS: the execution is in no state for this action."""
    return error(400, WRONG_STATE, f"The execution is {status}. The action {action} is not allowed in this state.")


def throttled(limit: int, retry_after: str) -> Answer:
    """429 of the gateway."""
    message = f"The throttling threshold has been reached: policy user over ratelimit,limit:{limit},time:1 minute"
    answer = error(429, "APIG.0308", message)
    return Answer(answer.status, answer.body, {"Retry-After": retry_after} if retry_after else {})


def unavailable(status: int) -> Answer:
    """5xx of the gateway."""
    return error(status, "APIGW.0201", "Backend timeout" if status == 504 else "Backend unavailable")


def proxy_page(status: int) -> Answer:
    """What a proxy in between answers: HTML instead of JSON."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>"
    return Answer(status, f"{page}\r\n</html>\r\n", content_type="text/html")


def iam_error(status: int, title: str, message: str) -> Answer:
    """An error in the form of IAM."""
    return Answer(status, {"error": {"code": status, "message": message, "title": title}})
