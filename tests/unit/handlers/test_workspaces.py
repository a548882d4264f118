"""Promises of workspaces: a second one in the same process shares nothing with the first."""

from __future__ import annotations

from tests.unit.handlers.conftest import World, made
from tests.unit.handlers.doubles import ID
from tests.unit.handlers.tiny_slack import OURS

INFO = "conversations.info"


async def test_each_workspace_answers_its_own_people(world: World) -> None:
    """The answer goes to the Slack that the request came from, and the subscriber is of its workspace."""
    async with made("T2") as other:
        await other.command(ID, team_id="T2")
        assert other.subscriptions.asked == [("summary", "T2", ID, "U1")]
        assert "deepvariant" in other.reply
        await world.command(ID)
        assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
        assert len(other.slack.answers) == 1


async def test_a_pause_binds_one_workspace_only(world: World) -> None:
    """Slack counts calls by workspace: a 429 in one says nothing about the other."""
    async with made("T2") as other:
        world.slack.refusing[INFO] = ["30"]
        other.slack.results[INFO] = {"channel": {"id": "C1", "is_member": True, "is_private": False, **OURS}}
        await world.command(f"subscribe {ID} here")
        await other.command(f"subscribe {ID} here", team_id="T2")
        assert "Try again in" in world.reply
        assert other.subscriptions.asked == [("subscribe", "C1", ID, None, "U1")]


async def test_people_of_the_other_workspace_are_refused(world: World) -> None:
    """In a shared channel, each workspace answers only its own people."""
    async with made("T2") as other:
        await other.command(ID, team_id="T1")
        assert "only answer people of the workspace" in other.reply
        assert (world.subscriptions.asked, other.subscriptions.asked) == ([], [])
