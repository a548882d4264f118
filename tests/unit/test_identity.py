"""Promises of answers of Slack at the wire: one that does not name the bot, or the channel, is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.errors import OutcomeUnknown
from bot.network import Network
from bot.slack.client import SlackClient, is_shared, organisations_of, slack_session

WELL = {"ok": True, "team_id": "T1", "user_id": "U1", "bot_id": "B1"}


@pytest.fixture
async def slack() -> AsyncIterator[tuple[SlackClient, list[Any]]]:
    """A client, and what the server answers, in order."""
    answers: list[Any] = []

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(answers.pop(0))

    app = web.Application()
    for method in ("auth.test", "conversations.info"):
        app.router.add_route("*", f"/api/{method}", answer)
    async with TestServer(app) as server, slack_session(Network()) as session:
        yield SlackClient("xoxb-1", base_url=str(server.make_url("/api/")), session=session), answers


@pytest.mark.parametrize("name", ["team_id", "user_id"])
@pytest.mark.parametrize("value", [None, "", "no id", "<T1>", ["T1"], {"id": "T1"}, 1])
async def test_an_answer_without_ids_is_none(slack: tuple[SlackClient, list[Any]], name: str, value: object) -> None:
    """It is asked again, and who the bot was before stays: the store's owner record and all marks rest on that."""
    client, answers = slack
    answers += [{**WELL, name: value}, WELL, {**WELL, name: value}]
    with pytest.raises(OutcomeUnknown, match="no_identity"):
        await client.identity()
    known = await client.identity()
    with pytest.raises(OutcomeUnknown):
        await client.identity()
    assert await client.known_identity() == known


async def test_a_page_of_a_proxy_is_none(slack: tuple[SlackClient, list[Any]]) -> None:
    """Neither names anybody."""
    client, answers = slack
    answers += [{"ok": True}]
    with pytest.raises(OutcomeUnknown):
        await client.identity()


@pytest.mark.parametrize("channel", [None, {}, [], "C1", {"id": ""}, {"is_ext_shared": False}])
async def test_a_channel_without_id_is_none(slack: tuple[SlackClient, list[Any]], channel: object) -> None:
    """It would look like a channel that no other organisation reads."""
    client, answers = slack
    answers += [{"ok": True, "channel": channel}]
    with pytest.raises(OutcomeUnknown, match="no_channel"):
        await client.channel("C1")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, []),
        ({"connected_team_ids": ["T2", "T1"], "pending_connected_team_ids": ["E3"]}, ["E3", "T2"]),
        ({"shared_team_ids": ["T1", "T5", "T2"], "internal_team_ids": ["T1", "T5"]}, ["T2"]),
        ({"shared_team_ids": ["E1", "T2"]}, ["T2"]),
        ({"connected_team_ids": None, "shared_team_ids": "T2", "pending_connected_team_ids": [1, {}]}, []),
    ],
    ids=str,
)
def test_other_organisations_are_distinguished_from_ours(said: dict[str, Any], expected: list[str]) -> None:
    """Other workspaces of our organisation are ours; what cannot be read names nobody."""
    assert sorted(organisations_of(said, frozenset({"T1", "E1"}))) == expected


CHANNEL: dict[str, Any] = {"id": "C1", "is_im": False, "is_ext_shared": False, "is_pending_ext_shared": False}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, False),
        ({"is_ext_shared": True}, True),
        ({"is_pending_ext_shared": True}, True),
        ({"is_ext_shared": None}, True),
        ({"is_pending_ext_shared": None}, True),
        ({"is_ext_shared": "false"}, True),
        ({"is_ext_shared": None, "is_shared": False}, False),
        ({"is_ext_shared": None, "is_shared": True}, True),
        ({"is_pending_ext_shared": None, "pending_connected_team_ids": []}, False),
        ({"is_pending_ext_shared": None, "pending_connected_team_ids": ["T2"]}, True),
        ({"pending_connected_team_ids": ["T2"]}, True),
        ({"pending_shared": ["T2"], "pending_connected_team_ids": []}, True),
        ({"is_mpim": True, "is_ext_shared": None}, True),
        ({"is_im": True, "is_ext_shared": None, "is_pending_ext_shared": None}, False),
        ({"is_im": None, "is_ext_shared": None}, True),
        ({"is_im": True, "is_ext_shared": True}, True),
    ],
    ids=str,
)
def test_what_slack_leaves_out_counts_as_shared(said: dict[str, Any], expected: bool) -> None:
    """Except in direct messages, of which it says less and which nobody else can join; both yes and no is yes."""
    assert is_shared({name: value for name, value in (CHANNEL | said).items() if value is not None}) is expected
