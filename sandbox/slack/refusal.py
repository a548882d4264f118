"""How the Web API refuses a call. Raised by its methods, turned into an answer by `web_api`."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The call has no effect; `code` is Slack's error code, `more` are further fields of the answer."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


def invalid(code: str, problems: list[str]) -> Refused:
    """The refusal of invalid content, with every problem listed."""
    lines = [f"[ERROR] {problem}" for problem in problems]
    return Refused(code, errors=problems, response_metadata={"messages": lines})
