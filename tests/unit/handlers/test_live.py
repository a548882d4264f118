"""Promises of a Home tab that somebody looks at: it changes by itself, seldom, and only while they look."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from bot.blocks import buttons
from bot.errors import StoreUnavailable
from bot.slack.open_homes import LIVE_SECONDS, MOST, UPDATE_SECONDS, OpenHomes
from bot.subscriptions import Subscriptions
from handlers import LiveHomes
from tests.unit.handlers.conftest import HOME, World, made

OPENED = {"type": "app_home_opened", "user": "U1", "tab": "home"}


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@dataclass
class Watched:
    """Listeners, and what keeps Homes up to date, by one clock."""

    world: World
    clock: Clock
    live: LiveHomes

    async def later(self, seconds: float) -> int:
        """Let time pass, and everything be done that is due; returns how many Homes were published."""
        before = len(self.published)
        self.clock.now += seconds
        await self.live.run_once()
        return len(self.published) - before

    @property
    def published(self) -> list[dict[str, Any]]:
        """All Homes so far."""
        return self.world.slack.called("views.publish")

    @property
    def shown(self) -> str:
        """The last one."""
        view = self.published[-1]["view"]
        return str(view if isinstance(view, dict) else json.loads(view))


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Nobody looks yet."""
    async with made() as world:
        clock = Clock()
        workspace = world.middleware.workspace
        object.__setattr__(workspace, "homes", OpenHomes(clock))
        world.slack.results["views.publish"] = {"view": {"hash": "1.a"}}
        yield Watched(world, clock, LiveHomes(cast("Subscriptions", world.subscriptions), workspace))


async def test_nothing_is_done_for_who_does_not_look(watched: Watched) -> None:
    """Neither read nor sent."""
    await watched.later(UPDATE_SECONDS)
    assert (watched.world.subscriptions.asked, watched.world.slack.calls) == ([], [])


async def test_a_home_changes_while_it_is_open(watched: Watched) -> None:
    """At most every half a minute, and only where something is new; then for Slack's hash of what it shows."""
    await watched.world.event(OPENED)
    watched.world.subscriptions.followed_at_home = 2
    assert await watched.later(UPDATE_SECONDS - 1) == 0
    assert await watched.later(1) == 1
    assert "Running (2)" in watched.shown
    assert watched.published[-1]["hash"] == "1.a"
    assert [await watched.later(UPDATE_SECONDS) for _ in range(3)] == [0, 0, 0]


async def test_a_home_is_live_for_ten_minutes(watched: Watched) -> None:
    """The last time it says that it is no longer; then nothing is read for it."""
    await watched.world.event(OPENED)
    assert "for ten minutes" in watched.shown
    assert await watched.later(LIVE_SECONDS) == 1
    assert "Open this tab again" in watched.shown
    asked = len(watched.world.subscriptions.asked)
    watched.world.subscriptions.followed_at_home = 2
    assert await watched.later(UPDATE_SECONDS) == 0
    assert len(watched.world.subscriptions.asked) == asked


async def test_pressing_there_is_looking_there(watched: Watched) -> None:
    """The page that the person turned to is the one that is kept up to date."""
    watched.world.subscriptions.followed_at_home = 20
    await watched.world.event(OPENED)
    await watched.later(LIVE_SECONDS - 1)
    await watched.world.press(buttons.NEXT_HOME, "1", **HOME)
    watched.world.subscriptions.followed_at_home = 21
    assert await watched.later(LIVE_SECONDS - 1) == 1
    assert "Executions 16 to 21 of 21" in watched.shown


async def test_another_copy_goes_on_alone(watched: Watched) -> None:
    """Slack says that somebody else has published it since: two copies never take turns."""
    await watched.world.event(OPENED)
    watched.world.subscriptions.followed_at_home = 2
    watched.world.slack.results["views.publish"] = {"ok": False, "error": "hash_conflict"}
    assert await watched.later(UPDATE_SECONDS) == 1
    assert await watched.later(UPDATE_SECONDS) == 0


@pytest.mark.parametrize("error", [StoreUnavailable("away"), None])
async def test_a_failure_is_tried_again(watched: Watched, error: Exception | None) -> None:
    """Not at once: the store, or Slack, has other work then."""
    await watched.world.event(OPENED)
    watched.world.subscriptions.followed_at_home = 2
    if error is None:
        watched.world.slack.broken.add("views.publish")
    watched.world.subscriptions.error = error
    await watched.later(UPDATE_SECONDS)
    assert await watched.later(1) == 0
    watched.world.subscriptions.error = None
    watched.world.slack.broken.clear()
    assert await watched.later(UPDATE_SECONDS) == 1


async def test_who_may_not_ask_has_no_live_home(watched: Watched) -> None:
    """A refusal is published once."""
    watched.world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "is_restricted": True}}
    await watched.world.event(OPENED)
    assert "guests" in watched.shown
    assert await watched.later(UPDATE_SECONDS) == 0


async def test_what_was_followed_is_there_soon(watched: Watched) -> None:
    """Who uses the modal that opens on Home looks at Home next."""
    await watched.world.event(OPENED)
    watched.world.middleware.workspace.homes.hurry("U1")
    watched.world.subscriptions.followed_at_home = 2
    assert await watched.later(0) == 1


def test_many_open_homes_change_less_often() -> None:
    """All together they stay within Slack's limits; those that nobody has opened for longest are forgotten first."""
    clock = Clock()
    homes = OpenHomes(clock)
    for number in range(MOST + 1):
        homes.put_off(homes.seen(f"U{number}", 0))
    assert homes.find("U0") is None
    clock.now += UPDATE_SECONDS + 1
    assert len(homes.due()) <= 21
    clock.now += LIVE_SECONDS
    assert len(homes.due()) == MOST
