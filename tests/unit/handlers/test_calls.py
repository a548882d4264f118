"""Promises of listeners' own calls after a 429."""

from __future__ import annotations

import time

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.errors import SlackError, StoreUnavailable
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID
from tests.unit.handlers.tiny_slack import OURS

INFO = "conversations.info"
FAILED = {"ok": False, "error": "internal_error"}


@pytest.fixture
def here(world: World) -> World:
    """A channel that can be subscribed."""
    world.slack.results[INFO] = {"channel": {"id": "C1", "is_member": True, "is_private": False, **OURS}}
    return world


async def test_a_short_pause_is_waited_for(here: World) -> None:
    """The person does not notice, and Slack is not called before the time that it named."""
    here.slack.refusing[INFO] = ["1"]
    began = time.monotonic()
    await here.command(f"subscribe {ID} here")
    assert len(here.slack.called(INFO)) == 2
    assert time.monotonic() - began >= 1
    assert here.subscriptions.asked == [("subscribe", "C1", ID, None, "U1")]


async def test_a_long_pause_is_explained_and_shared(here: World) -> None:
    """One sentence says when to try again; until then no copy of the bot calls."""
    here.slack.refusing[INFO] = ["30"]
    await here.command(f"subscribe {ID} here")
    assert "Try again in 30 s" in here.reply
    assert here.limits.until[INFO] == pytest.approx(time.monotonic() + 30, abs=5)
    await here.command(f"subscribe {ID} here")
    assert "Try again in" in here.slack.answers[1]["text"]
    assert (len(here.slack.called(INFO)), here.subscriptions.asked) == (1, [])


async def test_the_home_tab_comes_after_the_pause(world: World) -> None:
    """The tab takes no answer, so the person would see neither the list nor a sentence."""
    world.slack.refusing["views.publish"] = ["1"]
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert len(world.slack.called("views.publish")) == 2
    assert not world.slack.refusing


async def test_a_trigger_does_not_wait(world: World) -> None:
    """It lives three seconds: the person reads when to press again."""
    world.slack.refusing["views.open"] = ["2"]
    await world.press(buttons.SHOW_STEPS)
    assert "Try again in 2 s" in world.reply
    assert len(world.slack.called("views.open")) == 1


async def test_a_limited_modal_is_explained_beside_it(world: World) -> None:
    """The sentence is not sent to the modal, which Slack would refuse as well."""
    world.slack.refusing["views.update"] = ["30", "30"]
    await world.press(buttons.SHOW_STEPS)
    assert "Try again in 30 s" in world.reply
    assert len(world.slack.called("views.update")) == 1


async def test_a_pause_of_zero_is_a_second(world: World) -> None:
    """The call is not repeated again and again at once."""
    world.slack.refusing["views.open"] = ["0"] * 100
    await world.press(buttons.SHOW_STEPS)
    assert "Try again in 1 s" in world.reply
    assert len(world.slack.called("views.open")) == 1


@pytest.mark.parametrize("method", [INFO, "views.update", "views.publish", "users.info"])
async def test_a_call_that_fails_once_is_repeated(here: World, method: str) -> None:
    """The person does not notice."""
    here.slack.first_results[method] = [FAILED]
    await here.command(f"subscribe {ID} here")
    await here.press(buttons.SHOW_STEPS)
    await here.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert "Slack" not in str(here.slack.answers)
    assert len(here.slack.called(method)) == 2
    assert "That did not work" not in str(here.slack.called("views.update"))


async def test_a_call_that_fails_often_is_explained(here: World) -> None:
    """It is repeated twice, and then the person reads that Slack is the cause."""
    here.slack.results[INFO] = FAILED
    await here.command(f"subscribe {ID} here")
    assert (len(here.slack.called(INFO)), here.reply) == (3, sentence(SlackError("")))


async def test_a_home_that_failed_is_tried_soon(world: World) -> None:
    """Its person sees an empty one, or what was true an hour ago."""
    world.slack.results["views.publish"] = FAILED
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert [user_id for user_id, _home in world.middleware.workspace.homes.due()] == ["U1"]
    del world.slack.results["views.publish"]
    await world.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    assert world.middleware.workspace.homes.due() == []


async def test_a_trigger_is_used_once(world: World) -> None:
    """It is spent, whatever became of it."""
    world.slack.first_results["views.open"] = [FAILED]
    await world.press(buttons.SHOW_STEPS)
    assert (len(world.slack.called("views.open")), world.reply) == (1, sentence(SlackError("")))


async def test_calls_go_out_without_the_store(world: World) -> None:
    """The answer is worth more than what the store remembers of Slack's limits."""
    world.limits.error = StoreUnavailable("away")
    world.slack.refusing["views.update"] = ["1"]
    await world.press(buttons.SHOW_STEPS)
    assert len(world.slack.called("views.open")) == 1
    assert len(world.slack.called("views.update")) == 2
