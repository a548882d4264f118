"""Promises of the modals that open at Home: a workflow is followed, and quiet hours are chosen, without typing."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from msgspec.structs import replace

from bot.blocks import buttons
from bot.blocks.hours_modal import Chosen, hours_modal
from bot.blocks.language import Language, speaking
from bot.blocks.rule_modal import Wanted, rule_modal
from bot.domain.following import Level, RuleKind
from bot.domain.quiet import QuietHours
from bot.errors import GCSListForbidden, StoreUnavailable, TooManyRules
from sandbox.slack.blockkit import view_problems
from tests.unit.handlers.conftest import HOME, World
from tests.unit.handlers.doubles import RULE
from tests.unit.handlers.test_follow import HOSTILE, MEMBERS, shown, submits

NIGHTS = QuietHours(begins=time(22), ends=time(7), zone="Asia/Shanghai")
WORKFLOW = RuleKind.WORKFLOW


async def opens(world: World, action_id: str) -> dict[str, Any]:
    """Somebody presses a button at Home; returns the modal."""
    await world.press(action_id, "home", **HOME)
    return shown(world)


def starts(view: dict[str, Any]) -> dict[str, Any]:
    """How the fields begin."""
    fields = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
    begin = ("initial_value", "initial_time", "initial_option", "initial_conversation")
    found = {name: next((field[each] for each in begin if each in field), "") for name, field in fields.items()}
    return {name: each["value"] if isinstance(each, dict) else each for name, each in found.items()}


@pytest.mark.parametrize("language", Language)
def test_modals_are_within_slacks_limits(language: Language) -> None:
    """Whatever stands in them."""
    with speaking(language):
        assert view_problems(rule_modal(Wanted(HOSTILE, "C1", "?"), problem=HOSTILE)) == []
        assert view_problems(hours_modal(Chosen(zone=HOSTILE), is_on=True, problem=HOSTILE)) == []


async def test_a_workflow_is_followed(world: World) -> None:
    """For oneself, at the level of rules where nothing else is chosen; or for a channel."""
    world.slack.results[MEMBERS] = {"members": ["U1"]}
    view = await opens(world, buttons.OPEN_WORKFLOW)
    assert starts(view) == {"workflow": "", "channel": "", "level": "failures"}
    done = await submits(world, view, workflow="`germline-wgs`", level="failures")
    assert "You follow runs of the workflow `germline-wgs` from now on." in str(done)
    assert "actions" not in [block["type"] for block in done["blocks"]]
    await submits(world, view, workflow="全外显子 检测", level="steps", channel="C1")
    assert world.subscriptions.asked == [
        ("make", "U1", WORKFLOW, ("germline-wgs",), Level.FAILURES, "U1"),
        ("make", "C1", WORKFLOW, ("全外显子 检测",), Level.STEPS, "U1"),
    ]


@pytest.mark.parametrize(
    ("has_run", "workflows", "says"),
    [(False, 0, ["Nothing like that has run"]), (True, 2, ["Several workflows have this name"]), (True, 1, [])],
)
async def test_a_name_of_none_or_several_says_so(world: World, has_run: bool, workflows: int, says: list[str]) -> None:
    """One sentence; it is followed all the same."""
    world.subscriptions.rules.has_run, world.subscriptions.rules.workflows = has_run, workflows
    done = str(await submits(world, await opens(world, buttons.OPEN_WORKFLOW), workflow="germline-wgs"))
    assert "from now on" in done
    assert [each for each in ("Nothing like that has run", "Several workflows have this name") if each in done] == says


@pytest.mark.parametrize(("name", "says"), [("", "Which workflow?"), ("a b c d e f g", "I do not know")])
async def test_a_wrong_name_is_mended(world: World, name: str, says: str) -> None:
    """The modal keeps what was entered."""
    again = await submits(world, await opens(world, buttons.OPEN_WORKFLOW), workflow=name, level="final")
    assert says in again["blocks"][0]["text"]["text"]
    assert starts(again) == {"workflow": name, "channel": "", "level": "final"}
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("error", [GCSListForbidden(), TooManyRules(20, is_person=True)])
async def test_what_is_refused_is_said_there(world: World, error: Exception) -> None:
    """By GCS, or by a limit; without the store there is nothing to mend."""
    view = await opens(world, buttons.OPEN_WORKFLOW)
    world.subscriptions.error = error
    again = await submits(world, view, workflow="germline-wgs")
    assert "⚠️" in again["blocks"][0]["text"]["text"]
    assert again["submit"]
    world.subscriptions.error = StoreUnavailable("away")
    assert "my own memory" in str(await submits(world, view, workflow="germline-wgs"))


async def test_nobody_follows_for_others(world: World) -> None:
    """A field of a modal can hold any channel."""
    world.slack.results[MEMBERS] = {"members": ["U2"]}
    again = await submits(world, await opens(world, buttons.OPEN_WORKFLOW), workflow="germline-wgs", channel="C1")
    assert "You are not in that channel" in str(again)
    assert world.subscriptions.asked == []


async def test_quiet_hours_are_chosen(world: World) -> None:
    """Usual ones in the zone of their Slack are proposed; Home shows what was chosen."""
    world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "tz": "Asia/Shanghai"}}
    view = await opens(world, buttons.OPEN_HOURS)
    usual = {"begins": "22:00", "ends": "07:00", "zone": "Asia/Shanghai", "failures": "come"}
    assert starts(view) == usual
    done = await submits(world, view, **(usual | {"begins": "21:30", "zone": "paris", "failures": "wait"}))
    assert "Your quiet hours are 21:30 to 07:00" in str(done)
    chosen = replace(NIGHTS, begins=time(21, 30), zone="Europe/Paris", holds_failures=True)
    assert world.subscriptions.asked == [("choose_hours", "U1", chosen)]


async def test_quiet_hours_are_changed_or_ended(world: World) -> None:
    """The modal begins as they are; where there are none, none can be ended."""
    assert buttons.END_HOURS not in str(await opens(world, buttons.OPEN_HOURS))
    world.subscriptions.quiet.kept = replace(NIGHTS, holds_failures=True)
    view = await opens(world, buttons.OPEN_HOURS)
    assert starts(view) == {"begins": "22:00", "ends": "07:00", "zone": "Asia/Shanghai", "failures": "wait"}
    assert buttons.END_HOURS in str(view)
    await world.press(buttons.END_HOURS, "off", view={"id": "V1", **view}, response_url=None, channel=None)
    assert world.subscriptions.asked == [("choose_hours", "U1", None)]
    assert "You have no quiet hours now" in str(shown(world))


async def test_an_unknown_zone_is_asked_for(world: World) -> None:
    """Also where none was typed, and Slack says none."""
    view = await opens(world, buttons.OPEN_HOURS)
    for zone in ("mars", ""):
        again = await submits(world, view, begins="23:00", ends="06:00", zone=zone)
        assert "Which time zone are you in?" in again["blocks"][0]["text"]["text"]
        assert starts(again) == {"begins": "23:00", "ends": "06:00", "zone": zone, "failures": "come"}
    assert world.subscriptions.asked == []


@pytest.mark.parametrize("begins", ["", "x", "25:00"])
async def test_a_time_that_is_none_changes_nothing(world: World, begins: str) -> None:
    """Slack sends times only; others may send anything."""
    view = await opens(world, buttons.OPEN_HOURS)
    await submits(world, view, begins=begins, ends="06:00", zone="UTC")
    assert world.subscriptions.asked == []


async def test_home_knows_the_readers_zone(world: World) -> None:
    """Their day is theirs; and their rules are there."""
    world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "tz": "Asia/Shanghai"}}
    world.subscriptions.rules.items = ((RULE, 0),)
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert world.subscriptions.zone == "Asia/Shanghai"
    assert buttons.END_RULE in str(world.slack.called("views.publish")[-1]["view"])
