"""A bare environment, and settings that are loaded from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import SettingsInvalid
from bot.settings import NAMES, Settings
from bot.settings.fields import SECRETS

MINIMAL = {
    "SLACK_BOT_TOKEN": "xoxb-1-secret",
    "SLACK_APP_TOKEN": "xapp-1-secret",
    "GCS_AK": "AKONE",
    "GCS_SK": "sk-secret",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any of the bot's variables, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    for name in [*NAMES, *(f"{name}_FILE" for name in SECRETS)]:
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Settings:
    """Settings from the minimal environment with `changes`; None removes a variable."""
    for name, value in (MINIMAL | changes).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    return Settings.load()


def problems(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> list[str]:
    """The problems that are reported for a wrong environment."""
    with pytest.raises(SettingsInvalid) as caught:
        load(monkeypatch, **changes)
    return caught.value.problems
