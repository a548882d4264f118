"""manifest.yaml asks for what the code uses, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.app.checks import GROUPS_SCOPE, GUESTS_SCOPE, OPTIONAL, SCOPES
from handlers import COMMANDS, EVENTS, SHORTCUTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manifest() -> dict[str, Any]:
    """The manifest as Slack reads it."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yaml").read_text(encoding="utf-8"))
    return loaded


def test_every_command_has_a_handler(manifest: dict[str, Any]) -> None:
    """The manifest and the handlers name the same slash commands."""
    assert {row["command"] for row in manifest["features"]["slash_commands"]} == set(COMMANDS)


def test_every_event_has_a_handler(manifest: dict[str, Any]) -> None:
    """The app asks for exactly the events that have a handler."""
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == set(EVENTS)


def test_scopes_are_checked_and_explained(manifest: dict[str, Any]) -> None:
    """The manifest, `execution-bot check` and docs/scopes.md name the same scopes."""
    explained = re.findall(
        r"^\| `([a-z_:]+)` \|", (ROOT / "docs" / "scopes.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    optional = manifest["oauth_config"]["scopes"]["bot_optional"]
    assert set(optional) == {GUESTS_SCOPE, GROUPS_SCOPE, *OPTIONAL}
    assert set(scopes) == SCOPES | set(optional) == set(explained)
    assert len(scopes) == len(explained) == len(SCOPES) + len(optional)


def test_every_shortcut_has_a_handler(manifest: dict[str, Any]) -> None:
    """Each of its type, with texts within Slack's limits."""
    shortcuts = manifest["features"]["shortcuts"]
    assert {row["callback_id"]: row["type"] for row in shortcuts} == SHORTCUTS
    assert all(len(row["name"]) <= 24 and len(row["description"]) <= 150 for row in shortcuts)


def test_people_can_press_and_type(manifest: dict[str, Any]) -> None:
    """Buttons, the Home tab and messages to the app are enabled; Socket Mode needs no address."""
    assert manifest["settings"]["interactivity"]["is_enabled"]
    assert manifest["settings"]["socket_mode_enabled"]
    home = manifest["features"]["app_home"]
    assert home["home_tab_enabled"]
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"]


def test_texts_are_within_slacks_limits(manifest: dict[str, Any]) -> None:
    """Names and descriptions are within Slack's limits."""
    shown = manifest["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4000
    (command,) = manifest["features"]["slash_commands"]
    assert len(command["command"]) <= 32
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000
