"""Promises of events about the app and its channels.

Lives here: what Slack says that nobody asked for. Does not live here: messages to the bot (`test_conversation`), the
Home tab (`test_home`). Called by pytest.
"""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.unit.handlers.conftest import World
from tests.unit.handlers.tiny_slack import SHARED


async def test_an_uninstalled_app_is_logged(world: World) -> None:
    """Those who run the bot can see why nothing works any more."""
    with capture_logs() as logs:
        await world.event({"type": "app_uninstalled"})
    (line,) = [line for line in logs if line["event"] == "handlers.app_gone"]
    assert (line["reason"], line["team_id"]) == ("app_uninstalled", "T1")


async def test_events_of_sharing_are_noted(world: World) -> None:
    """Shared: at once. Unshared: only what Slack says now opens a channel, since an event may come late."""
    await world.event({"type": "channel_shared", "channel": "C1", "connected_team_id": "T2"})
    assert not world.channels.records["T1/C1"].is_open
    world.slack.results["conversations.info"] = SHARED
    await world.event({"type": "channel_unshared", "channel": "C1", "is_ext_shared": False})
    assert not world.channels.records["T1/C1"].is_open
    del world.slack.results["conversations.info"]
    await world.event({"type": "channel_unshared", "channel": "C1", "is_ext_shared": False})
    assert world.channels.records["T1/C1"].is_open
