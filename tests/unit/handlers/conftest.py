"""Bolt with the bot's listeners between a tiny Slack and doubles of what they call.

Lives here: the world of a test, and what it sends as Slack would. Does not live here: what answers in it
(`tiny_slack`, `doubles`, `store_doubles`). Called by pytest and the tests of this folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.acting import Acting
from bot.blocks import buttons
from bot.domain.access import AccessRules
from bot.slack.client import Identity, SlackClient
from bot.slack.inbound.dispatch import dispatch
from bot.slack.inbound.payloads import checked
from bot.slack.languages import Languages
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers import App, Middleware, register
from tests.unit.handlers.doubles import ID, NOW, FakeSubscriptions
from tests.unit.handlers.store_doubles import FakeChannels, FakeChoices, FakePauses, FakeRequests
from tests.unit.handlers.tiny_slack import TinySlack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ALL = AccessRules()
"""All members may ask, everywhere."""
HOME = {"view": {"id": "V9", "type": "home", "callback_id": ""}, "response_url": None, "channel": None}
MODAL = {
    "view": {
        "id": "V7",
        "type": "modal",
        "callback_id": "steps",
        "private_metadata": json.dumps({"execution_id": ID, "page": 0}),
    },
    "response_url": None,
    "channel": None,
}
"""Where something is pressed: on the Home tab, and in a modal of steps."""
IN_MENU = {
    *(buttons.REFRESH_CARD, buttons.REFRESH_SUMMARY, buttons.SHARE_EXECUTION),
    *(buttons.SHOW_DETAILS, buttons.SHOW_LEVELS, buttons.ASK_UNSUBSCRIBE),
}
"""What entries of the menu do, and no button does."""


def action_of(action_id: str, value: str) -> dict[str, Any]:
    """What Slack says was pressed or chosen."""
    if action_id not in IN_MENU:
        return {"type": "button", "block_id": "b", "action_id": action_id, "value": value}
    option = {"text": {"type": "plain_text", "text": "…"}, "value": f"{action_id}:{value}"}
    return {"type": "overflow", "block_id": "b", "action_id": buttons.CHOOSE, "selected_option": option}


def modal(view: dict[str, Any]) -> dict[str, Any]:
    """A press in a modal that the bot has opened."""
    opened = {"id": "V8", "type": "modal", "callback_id": "levels", "private_metadata": view["private_metadata"]}
    return {"view": opened, "response_url": None, "channel": None}


@dataclass
class World:
    """Everything that a test of a listener needs."""

    slack: TinySlack
    subscriptions: FakeSubscriptions
    app: App
    middleware: Middleware
    limits: FakePauses
    channels: FakeChannels
    requests: FakeRequests
    choices: FakeChoices
    said: int = 0
    """How often somebody has typed to the bot."""

    async def send(self, body: dict[str, Any]) -> BoltResponse:
        """One signed request through Bolt; returns the answer to Slack once the listener is done."""
        response = await self.deliver(body)
        assert await self.middleware.drain(timedelta(seconds=10)) == 0
        return response

    async def arrives(self, body: dict[str, Any]) -> BoltResponse:
        """One request as it arrives, with what makes it the same as another one."""
        response = await dispatch(self.app, checked(body))
        assert await self.middleware.drain(timedelta(seconds=10)) == 0
        return response

    async def deliver(self, body: dict[str, Any]) -> BoltResponse:
        """The same, without waiting for the listener."""
        is_event = body.get("type") == "event_callback"
        is_command = "command" in body
        raw = json.dumps(body) if is_event else urlencode(body if is_command else {"payload": json.dumps(body)})
        stamp = str(int(time.time()))
        signature = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=raw) or ""
        headers = {
            "x-slack-signature": signature,
            "x-slack-request-timestamp": stamp,
            "content-type": "application/json" if is_event else "application/x-www-form-urlencoded",
        }
        return await self.app.async_dispatch(AsyncBoltRequest(body=raw, headers=cast("Any", headers)))

    async def command(
        self, text: str, *, channel: str = "C1", command: str = "/execution", **more: str
    ) -> BoltResponse:
        """Someone types a slash command."""
        body = {"command": command, "text": text, "team_id": "T1", "user_id": "U1", "channel_id": channel}
        return await self.send(body | {"response_url": f"{self.slack.url}/hook", "trigger_id": "t.1"} | more)

    async def press(self, action_id: str, value: str = ID, **more: Any) -> BoltResponse:
        """Someone presses a button in a message, or chooses an entry of its menu."""
        return await self.send(self.press_of(action_id, value) | more)

    def press_of(self, action_id: str, value: str = ID) -> dict[str, Any]:
        """What Slack sends then."""
        return {
            "type": "block_actions",
            "user": {"id": "U1", "team_id": "T1"},
            "team": {"id": "T1"},
            "channel": {"id": "C1"},
            "trigger_id": "t.1",
            "response_url": f"{self.slack.url}/hook",
            "actions": [action_of(action_id, value)],
        }

    async def chooses(self, action_id: str, value: str = ID, **more: Any) -> BoltResponse:
        """Someone chooses from a menu in a message what a button with this action id does."""
        option = {"text": {"type": "plain_text", "text": "…"}, "value": f"{action_id}:{value}"}
        action = {"type": "overflow", "block_id": "b", "action_id": buttons.CHOOSE, "selected_option": option}
        return await self.press(buttons.CHOOSE, actions=[action], **more)

    async def event(self, event: dict[str, Any]) -> BoltResponse:
        """Slack sends an event."""
        return await self.send({"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event})

    async def says(self, text: str, **more: Any) -> list[dict[str, Any]]:
        """Someone types to the bot: in their direct messages, or else after its name. Returns how it answered."""
        self.said += 1
        event = {"type": "message", "channel": "D1", "user": "U1", "ts": f"1772620000.{self.said:06d}", "text": text}
        seen = len(self.slack.calls)
        body = {"type": "event_callback", "team_id": "T1", "event_id": f"Ev{self.said}", "event": event | more}
        await self.arrives(body)
        posts = {"chat.postMessage", "chat.postEphemeral"}
        return [call for method, call in self.slack.calls[seen:] if method in posts]

    @property
    def reply(self) -> str:
        """The text of the one answer that the person got."""
        (answer,) = self.slack.answers
        return str(answer["text"])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The listeners of one workspace, registered as in production, in front of a tiny Slack."""
    async with made() as world:
        yield world


@asynccontextmanager
async def made(
    team_id: str = "T1",
    enterprise_id: str = "",
    rules: AccessRules = ALL,
    scopes: Collection[str] = (),
    acting: Acting | None = None,
) -> AsyncIterator[World]:
    """The same, for a workspace of its own, perhaps of an organisation, or with other rules, or optional scopes.

    With `acting` some may cancel and retry.
    """
    slack, subscriptions, limits = TinySlack(team_id=team_id), FakeSubscriptions(), FakePauses(team_id)
    channels, choices = FakeChannels(), FakeChoices()
    server = web.Application()
    server.add_routes([web.route("*", "/api/{method}", slack.api), web.post("/hook", slack.hook)])
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        client = AsyncWebClient(token="xoxb-1", base_url=f"{slack.url}/api/", session=session, retry_handlers=[])
        app = App(signing_secret=SECRET, client=client, ignoring_self_events_enabled=False)
        known = SlackClient("xoxb-1", base_url=f"{slack.url}/api/", session=session)
        workspace = Workspace(
            identity=Identity(team_id, "UBOT", "B1", frozenset(scopes), enterprise_id),
            slack=known,
            languages=Languages(known, choices),
            limits=limits,
            rules=rules,
            channels=channels,
            now=lambda: NOW,
        )
        requests = FakeRequests()
        middleware = register(
            app,
            subscriptions=cast("Subscriptions", subscriptions),
            workspace=workspace,
            requests=requests,
            acting=acting,
        )
        yield World(slack, subscriptions, app, middleware, limits, channels, requests, choices)
    await runner.cleanup()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts."""
    monkeypatch.setattr("bot.slack.responses.WAIT_SECONDS", 0.001)
