"""Promises of the command line: exit codes, what is printed where, and that the log holds no secret."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from bot import __version__
from bot.app import checks, service
from bot.app.checks import CheckResult
from bot.app.cli import app, set_up_logging
from bot.errors import SettingsInvalid, SlackBadCredentials
from bot.settings import NAMES, Settings

MINIMAL = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "GCS_AK": "AK", "GCS_SK": "sk"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An environment without settings; logging is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, arguments, env=env or {})


def settings(**changes: str) -> Settings:
    """Settings as `run` would load them."""
    return Settings(**{name.lower(): value for name, value in (MINIMAL | changes).items()})  # type: ignore[arg-type]


def test_version_needs_no_settings() -> None:
    """`--version` answers anywhere."""
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"{__version__}\n")


@pytest.mark.parametrize("command", ["run", "check"])
def test_wrong_settings_are_listed_and_exit_with_2(command: str) -> None:
    """All problems on stderr, nothing on stdout, exit code 2."""
    result = invoke(command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "SLACK_BOT_TOKEN is missing" in result.stderr
    assert "GCS_AK is missing" in result.stderr


def test_check_prints_a_line_each_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What works has its tick; what does not has its cross, its remedy, and makes the exit code 1."""

    async def report(_settings: Settings) -> list[CheckResult]:
        return [
            CheckResult("Store", True, "answers"),
            CheckResult("Slack token", False, "invalid_auth", "Copy it anew."),
        ]

    monkeypatch.setattr(checks, "check", report)
    result = invoke("check", env=MINIMAL)
    assert result.exit_code == 1
    assert result.stdout == "✓ Store: answers\n✗ Slack token: invalid_auth\n  → Copy it anew.\n"


def test_check_exits_with_0_when_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts can rely on the exit code."""

    async def report(_settings: Settings) -> list[CheckResult]:
        return [CheckResult("Store", True, "answers")]

    monkeypatch.setattr(checks, "check", report)
    assert invoke("check", env=MINIMAL).exit_code == 0


def test_run_serves_until_the_service_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` hands the settings to the service, on a loop, and ends with it."""
    seen: list[Settings] = []

    async def serve(given: Settings) -> None:
        assert asyncio.get_running_loop().is_running()
        seen.append(given)

    monkeypatch.setattr(service, "run", serve)
    assert invoke("run", env=MINIMAL).exit_code == 0
    assert [given.slack_bot_token.get_secret_value() for given in seen] == ["xoxb-1"]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SettingsInvalid(["STATE_DIR is in use."]), 2, "STATE_DIR is in use."),
        (SlackBadCredentials("invalid_auth"), 1, "The bot stopped: invalid_auth"),
        (OSError(98, "address already in use"), 1, "address already in use"),
    ],
)
def test_a_start_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, line: str) -> None:
    """No traceback for what the operator can mend: a line on stderr and an exit code."""

    async def serve(_settings: Settings) -> None:
        raise error

    monkeypatch.setattr(service, "run", serve)
    result = invoke("run", env=MINIMAL)
    assert result.exit_code == code
    assert line in result.stderr
    assert "Traceback" not in result.output


def test_the_log_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Our own events and the warnings of libraries have the same form."""
    set_up_logging(settings())
    structlog.get_logger().info("watcher.settled", revision=3)
    logging.getLogger("slack_bolt").warning("slow")
    logging.getLogger("slack_bolt").info("chatter")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["revision"]) == ("watcher.settled", "info", 3)
    assert (theirs["event"], theirs["level"]) == ("slow", "warning")


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the level that was set nothing is written."""
    set_up_logging(settings(LOG_LEVEL="warning", LOG_FORMAT="text"))
    structlog.get_logger().info("watcher.settled")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_looks_like_a_secret_is_blotted_out(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Even when somebody logs one, in an event, in a traceback or in a library's line."""
    set_up_logging(settings(LOG_FORMAT=form))
    error = RuntimeError("redis://:hunter2@db and wss://x/?ticket=hunter2&app=1")
    structlog.get_logger().error("service.failed", token="xoxb-hunter2", exc_info=error)
    logging.getLogger("slack_sdk").error("https://hooks.slack.com/commands/hunter2 xapp-1-hunter2")
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "app=1" in written
