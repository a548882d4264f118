"""Promises of the table of Slack's codes."""

from __future__ import annotations

import pytest

from bot.errors import SlackError, SlackUnavailable, Undeliverable, slack_error


@pytest.mark.parametrize(
    ("code", "kind"), [("", SlackUnavailable), ("update_failed", SlackUnavailable), ("never_heard_of", Undeliverable)]
)
def test_a_code_stands_for_an_error(code: str, kind: type[SlackError]) -> None:
    """An unknown code is not tried for ever; an answer without any was a gateway's, and is tried again."""
    assert type(slack_error(code)) is kind
