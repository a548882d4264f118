"""A simulated Slack with two people and a channel, and the real SDK and Bolt as its clients.

Does not live here: the tests (`test_slack_*`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Slack

CARD: list[dict[str, Any]] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Running* 3 of 12"}},
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "show_steps",
                "value": "exec-1",
                "text": {"type": "plain_text", "text": "Steps"},
            },
            {
                "type": "button",
                "action_id": "refresh_card",
                "value": "exec-1",
                "text": {"type": "plain_text", "text": "Refresh"},
            },
        ],
    },
]
MODAL: dict[str, Any] = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Steps"},
    "callback_id": "steps",
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "asked",
            "label": {"type": "plain_text", "text": "Execution"},
            "element": {"type": "plain_text_input", "action_id": "execution_id"},
        }
    ],
}
MARK: dict[str, Any] = {"event_type": "execution_message", "event_payload": {"lane": "l1"}}


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class World:
    """The workspace as tests use it."""

    slack: Slack
    client: AsyncWebClient
    session: aiohttp.ClientSession
    clock: Clock
    you: str
    channel: str

    async def code(self, method: str, **arguments: Any) -> str:
        """Slack's code for a refused call; empty if it succeeded."""
        try:
            await self.client.api_call(method, json=arguments)
        except SlackApiError as error:
            return str(error.response["error"])
        return ""


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[World]:
    """A running workspace; everything is closed afterwards."""
    clock = Clock()
    async with (
        Slack(now=settings.pop("now", clock), **settings) as slack,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
    ):
        you = slack.add_user("You")
        channel = slack.add_channel("sequencing", members=(you,))
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session, retry_handlers=[])
        yield World(slack, client, session, clock, you, channel)


def bolt(at: World) -> AsyncApp:
    """A Bolt app connected to this simulated Slack."""
    return AsyncApp(
        name="app", client=at.client, signing_secret=at.slack.signing_secret, request_verification_enabled=True
    )


@asynccontextmanager
async def by_socket(at: World, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """The app, connected by Socket Mode."""
    handler = AsyncSocketModeHandler(app, at.slack.app_token, ping_interval=1)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # ships half its types
    await at.slack.sockets.connected()
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # ships half its types


@asynccontextmanager
async def by_http(at: World, app: AsyncApp) -> AsyncIterator[str]:
    """The app, receiving signed HTTP requests."""
    runner = web.AppRunner(app.web_app("/slack/events"), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    at.slack.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        yield at.slack.request_url
    finally:
        await runner.cleanup()
