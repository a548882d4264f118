"""Promises of `bot.app.logs`: one form for all lines, and no secret in any."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.app.logs import set_up_logging
from bot.settings import Settings

MINIMAL = {"slack_bot_token": "xoxb-1", "slack_app_token": "xapp-1", "gcs_ak": "AK", "gcs_sk": "sk"}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is restored afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def settings(**changes: str) -> Settings:
    """Settings as `run` would load them."""
    return Settings(**(MINIMAL | {name.lower(): value for name, value in changes.items()}))  # type: ignore[arg-type]


def test_the_log_has_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The bot's events and the warnings of libraries have the same form."""
    set_up_logging(settings())
    structlog.get_logger().info("watcher.settled", revision=3)
    logging.getLogger("slack_bolt").warning("slow")
    logging.getLogger("slack_bolt").info("chatter")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["revision"]) == ("watcher.settled", "info", 3)
    assert (theirs["event"], theirs["level"]) == ("slow", "warning")


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing below the configured level is written."""
    set_up_logging(settings(LOG_LEVEL="warning", LOG_FORMAT="text"))
    structlog.get_logger().info("watcher.settled")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_looks_like_a_secret_is_redacted(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """In an event, in a traceback, and in a library's line."""
    set_up_logging(settings(LOG_FORMAT=form))
    error = RuntimeError("redis://:hunter2@db and wss://x/?ticket=hunter2&app=1")
    structlog.get_logger().error("service.failed", token="xoxb-hunter2", exc_info=error)
    logging.getLogger("slack_sdk").error("https://hooks.slack.com/commands/hunter2 xapp-1-hunter2")
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "app=1" in written
