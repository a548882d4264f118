"""Promises of listeners' own calls while Slack wants to be left alone."""

from __future__ import annotations

import time

import pytest

from bot.blocks import buttons
from bot.errors import StoreUnavailable
from tests.unit.handlers.conftest import ID, World

INFO = "conversations.info"


@pytest.fixture
def here(world: World) -> World:
    """A channel that can be subscribed."""
    world.slack.results[INFO] = {"channel": {"id": "C1", "is_member": True}}
    return world


async def test_a_short_pause_is_waited_for(here: World) -> None:
    """Whoever asks hears nothing of it, and Slack nothing before the time that it named."""
    here.slack.refusing[INFO] = ["1"]
    began = time.monotonic()
    await here.command(f"subscribe {ID} here")
    assert len(here.slack.called(INFO)) == 2
    assert time.monotonic() - began >= 1
    assert here.room.asked == [("subscribe", "C1", ID, None, "U1")]


async def test_a_long_pause_is_told_and_obeyed_by_all(here: World) -> None:
    """One sentence says when to try again; until then nobody calls, whoever learned of it."""
    here.slack.refusing[INFO] = ["30"]
    await here.command(f"subscribe {ID} here")
    assert "Try again in 30 s" in here.told
    assert here.limits.until[INFO] == pytest.approx(time.monotonic() + 30, abs=5)
    await here.command(f"subscribe {ID} here")
    assert "Try again in" in here.slack.answers[1]["text"]
    assert (len(here.slack.called(INFO)), here.room.asked) == (1, [])


async def test_the_home_tab_comes_after_the_pause(world: World) -> None:
    """It cannot be answered, so what is not drawn would be missed."""
    world.slack.refusing["views.publish"] = ["1"]
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert len(world.slack.called("views.publish")) == 2
    assert not world.slack.refusing


async def test_a_trigger_does_not_wait(world: World) -> None:
    """It lives three seconds: the person presses again, and is told when."""
    world.slack.refusing["views.open"] = ["2"]
    await world.press(buttons.SHOW_STEPS)
    assert "Try again in 2 s" in world.told
    assert len(world.slack.called("views.open")) == 1


async def test_a_modal_that_may_not_be_drawn_is_explained_beside_it(world: World) -> None:
    """Slack is not asked to show the sentence there, which it would refuse as well."""
    world.slack.refusing["views.update"] = ["30", "30"]
    await world.press(buttons.SHOW_STEPS)
    assert "Try again in 30 s" in world.told
    assert len(world.slack.called("views.update")) == 1


async def test_a_pause_of_nothing_is_a_second(world: World) -> None:
    """Slack is not asked again and again in the same moment."""
    world.slack.refusing["views.open"] = ["0"] * 100
    await world.press(buttons.SHOW_STEPS)
    assert "Try again in 1 s" in world.told
    assert len(world.slack.called("views.open")) == 1


async def test_a_store_that_is_away_does_not_keep_people_from_slack(world: World) -> None:
    """What it remembers of Slack's limits is worth less than the answer."""
    world.limits.error = StoreUnavailable("away")
    world.slack.refusing["views.update"] = ["1"]
    await world.press(buttons.SHOW_STEPS)
    assert len(world.slack.called("views.open")) == 1
    assert len(world.slack.called("views.update")) == 2
