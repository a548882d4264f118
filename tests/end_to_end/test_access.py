"""Who may use the bot, as Slack says: guests, other organisations, lists of people, groups and channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox import story
from sandbox.slack import Fault, Slack
from tests.end_to_end.conftest import SCOPES, World, made
from tests.end_to_end.people import Person, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, BOB, LAB = "U0SANDBOX001", "U0SANDBOX002", "C0SANDBOX003"
"""The ids that a world's two people and its channel get."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world in which nothing about access is set."""
    async with made(tmp_path_factory.mktemp("open")) as world:
        world.slack.limits.is_on = False
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listed_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world with one listed person, one group and one channel."""
    lists: dict[str, Any] = {"ALLOWED_USERS": ALICE, "ALLOWED_USER_GROUPS": "S0LAB", "ALLOWED_CHANNELS": LAB}
    async with made(tmp_path_factory.mktemp("listed"), **lists) as world:
        world.slack.limits.is_on = False
        assert (world.alice, world.bob, world.lab) == (ALICE, BOB, LAB)
        yield world


@pytest.fixture
def granted(open_world: World) -> Iterator[Slack]:
    """The Slack of that world, with all scopes again after the test."""
    yield open_world.slack
    open_world.slack.grant(SCOPES)


def joined(world: World, **who: str) -> Person:
    """A new person of this kind, in a channel with the bot."""
    user = world.slack.add_user("erin", **who)
    return Person(world, world.slack.add_channel("den", members=(user,)), user)


def lookups(world: World) -> list[str]:
    """The people whom the bot asked Slack about."""
    return [call.args["user"] for call in world.slack.calls if call.method == "users.info"]


GUESTS: list[dict[str, str]] = [{"guest": "multi"}, {"guest": "single"}]
OUTSIDERS: list[dict[str, str]] = [{"team_id": "T0OTHER"}, {"team_id": "T0OTHER", "enterprise_id": "E0OTHER"}]


@pytest.mark.parametrize("who", [*GUESTS, *OUTSIDERS])
async def test_others_are_refused_everywhere(open_world: World, who: dict[str, str]) -> None:
    """Command, button, Home tab, words and shortcuts: one sentence each, and GCS is not asked for them."""
    erin, dave = joined(open_world, **who), Person.new(open_world)
    execution = open_world.gcs.play(story.happy(3), by_hand=True)
    sentence = "do not answer guests" if "guest" in who else "only answer people of the workspace"
    assert sentence in (await erin.types(f"subscribe {execution}")).text
    await dave.presses("Share to channel", await dave.types(execution))
    shared = await dave.card(dave.channel)
    assert sentence in (await erin.gets("Follow", shared)).text
    await open_world.slack.open_home(erin.id)
    await erin.home(sentence)
    assert not erin.dm
    seen = len(erin.read)
    await erin.says(f"<@U0BOT> subscribe {execution}", erin.channel)
    assert sentence in (await erin.next_answer(seen)).text
    assert sentence in (await erin.asks(f"subscribe {execution}")).text
    await erin.says("list")  # once an hour, so that two bots do not talk for ever
    await open_world.slack.shortcut(erin.id, "follow_execution")
    await erin.modal(sentence)
    assert len(erin.dm) == 3
    assert lookups(open_world).count(erin.id) == 1  # the event of the Home tab shows the app's own ids


async def test_without_the_scope_guests_are_served(open_world: World, granted: Slack) -> None:
    """A workspace that declined the optional scope: guests count as members, outsiders are still refused."""
    granted.grant(SCOPES - {"users:read"})
    erin, frank = joined(open_world, guest="multi"), joined(open_world, team_id="T0OTHER")
    assert "You follow no executions." in (await erin.types("list")).text
    assert "only answer people of the workspace" in (await frank.types("list")).text
    assert frank.id not in lookups(open_world)
    await granted.share(frank.channel)
    seen = len(frank.read)
    await frank.says("<@U0BOT> list", frank.channel)  # the event says that the channel is shared, not whose he is
    assert "I am not allowed to look up who you are" in (await frank.next_answer(seen)).text


@pytest.mark.parametrize("fault", [{"kind": "error", "error": "internal_error"}, {"kind": "status"}])
async def test_an_unknown_person_is_asked_to_wait(tmp_path: Path, fault: dict[str, Any]) -> None:
    """While Slack does not say who somebody is, though it is asked three times, they are refused; afterwards served."""
    async with made(tmp_path) as world:
        world.slack.faults.add(Fault(method="users.info", times=3, **fault))
        carol = Person.new(world)
        assert "is not showing me who you are right now" in (await carol.types("list")).text
        assert "You follow no executions." in (await carol.types("list")).text


async def test_ten_requests_are_one_lookup(tmp_path: Path) -> None:
    """Never more than one call about the same person at once."""
    async with made(tmp_path) as world:
        world.slack.faults.add(Fault(kind="slow", method="users.info", delay=0.5, times=1))
        typed = [world.slack.command(world.alice, world.lab, "list") for _ in range(10)]
        await asyncio.gather(*typed)
        await world.slack.wait_for(lambda: len(world.slack.ephemerals(world.alice)) == 10)
        assert [call.method for call in world.slack.calls].count("users.info") == 1


@pytest.mark.parametrize(
    ("settings", "who"),
    [({"ALLOW_GUESTS": "true"}, GUESTS[0]), ({"ALLOW_EXTERNAL": "true"}, OUTSIDERS[0])],
)
async def test_the_operator_may_allow_them(tmp_path: Path, settings: dict[str, Any], who: dict[str, str]) -> None:
    """With the setting they are answered like everybody."""
    async with made(tmp_path, **settings) as world:
        assert "You follow no executions." in (await joined(world, **who).types("list")).text


async def test_lists_hold_in_every_way(listed_world: World) -> None:
    """Listed people and members of a group are served there and in direct messages; nobody else, nowhere else."""
    slack = listed_world.slack
    slack.workspace.usergroups["S0LAB"] = {BOB}
    alice, bob = Person(listed_world, LAB, ALICE), Person(listed_world, LAB, BOB)
    carol = joined(listed_world)
    for each in (alice, bob):
        assert "You follow no executions." in (await each.types("list")).text
    assert "not among the people" in (await carol.types("list")).text
    await slack.open_home(carol.id)
    assert "not among the people" in words(await carol.home("not among"))
    elsewhere = Person(listed_world, carol.channel, ALICE)
    assert "am not allowed in this channel" in (await elsewhere.types("list")).text
    assert "You follow no executions." in (await Person(listed_world, slack.dm(ALICE), ALICE).types("list")).text


@pytest.mark.parametrize("why", ["scope", "plan", "gone"])
async def test_an_unreadable_group_lets_nobody_in(tmp_path: Path, why: str) -> None:
    """Its members read that it cannot be read; listed people are served."""
    async with made(tmp_path, ALLOWED_USERS=ALICE, ALLOWED_USER_GROUPS="S0LAB") as world:
        world.slack.grant(SCOPES - {"usergroups:read"} if why == "scope" else SCOPES)
        world.slack.workspace.is_paid = why != "plan"
        world.slack.workspace.usergroups = {} if why == "gone" else {"S0LAB": {BOB}}
        bob, alice = Person(world, LAB, BOB), Person(world, LAB, ALICE)
        assert "cannot read the user group" in (await bob.types("list")).text
        assert "You follow no executions." in (await alice.types("list")).text
        (refused,) = [line for line in world.bot.logged("handlers.refused") if line["error"] == "group_unreadable"]
        assert refused["kind"] == "NotAllowed"
