"""Promises of the command line: exit codes, and what is printed where."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from bot import __version__
from bot.app import checks, repairs, service
from bot.app.checks import CheckResult
from bot.app.cli import app
from bot.errors import PortUnavailable, SettingsInvalid, SlackBadCredentials
from bot.settings import NAMES, Settings

MINIMAL = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "GCS_AK": "AK", "GCS_SK": "sk"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An environment without settings; logging is restored afterwards."""
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
            CheckResult("Slack token", False, "invalid_auth", "Copy it again."),
        ]

    monkeypatch.setattr(checks, "check", report)
    result = invoke("check", env=MINIMAL)
    assert result.exit_code == 1
    assert result.stdout == "✓ Store: answers\n✗ Slack token: invalid_auth\n  → Copy it again.\n"


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
        (SlackBadCredentials("invalid_auth"), 1, "The bot stopped: Slack refuses SLACK_BOT_TOKEN (invalid_auth)"),
        (
            PortUnavailable("::1", 80, "Permission denied"),
            1,
            "stopped: port 80 on ::1 cannot be used (Permission denied)",
        ),
    ],
)
def test_a_start_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, line: str) -> None:
    """No traceback for what the operator can fix: a line on stderr and an exit code."""

    async def serve(_settings: Settings) -> None:
        raise error

    monkeypatch.setattr(service, "run", serve)
    result = invoke("run", env=MINIMAL)
    assert result.exit_code == code
    assert line in result.stderr
    assert "Traceback" not in result.output


def test_an_export_prints_nothing_of_its_own(tmp_path: Path) -> None:
    """The file may be standard output, where another line would be no letter."""
    commands = typer.Typer()
    repairs.add_to(commands, lambda _work: [("a letter", None)])
    result = CliRunner().invoke(commands, ["dead-letters", "export", str(tmp_path / "letters")])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 written.\n")
    assert (tmp_path / "letters").read_text() == "a letter\n"
