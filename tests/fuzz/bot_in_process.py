"""A whole bot in this process, in HTTP mode, between the simulated GCS and Slack; and what Slack sends it.

Lives here: `Bot` (the port, its log, its store), and `Scene` (people, channels, and real requests to change). Does not
live here: what is changed, and what has to hold then (`test_requests`). Called by the conftest.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
import structlog
from redis import Redis
from structlog.testing import capture_logs

import handlers
from bot.app.gcs_account import gcs_account
from bot.app.service import opened_store
from bot.app.workspace import WorkspaceRuntime
from bot.blocks import buttons
from bot.clock import ClockSkew
from bot.gcs.http import HTTPClient
from bot.settings import Settings
from bot.slack.client import slack_session
from handlers import Middleware
from sandbox import story
from sandbox.gcs import GCS
from sandbox.slack import Slack
from sandbox.slack.delivery import Ack, NotDelivered, Parcel
from tests.ports import free_ports

RESPONSE_URL, TRIGGER, EVENT = "https://response.invalid", "1.trigger.invalid", "Ev0INVALID"
"""What stands in the templates where each request gets a pass of its own."""


@dataclass
class Bot:
    """The bot, and what it did."""

    url: str
    slack: Slack
    middleware: Middleware
    redis: Redis
    session: aiohttp.ClientSession
    log: list[structlog.typing.EventDict] = field(repr=False)
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    async def takes(self, body: bytes, content_type: str) -> int:
        """Send a signed request, and return its status once all that follows from it is done."""
        headers = _signed(self.slack.signing_secret, body) | {"Content-Type": content_type}
        async with self.session.post(self.url, data=io.BytesIO(body), headers=headers) as response:
            await response.read()
        assert await self.middleware.drain(timedelta(seconds=60)) == 0
        return response.status

    def subscriptions(self) -> set[tuple[str, str]]:
        """Subscriber and owner of each subscription in the store."""
        rows: list[Any] = [self.redis.hgetall(key) for key in self.redis.scan_iter("*:subs:*")]
        return {(subscriber, row.split("|")[1]) for found in rows for subscriber, row in found.items()}

    def keep(self) -> None:
        """Let each example begin with the store as it is now, without what expires."""
        keys = [str(key) for key in self.redis.scan_iter() if self.redis.ttl(key) == -1]
        self._kept = {key: self.redis.dump(key) for key in keys}

    def begin(self) -> None:
        """Begin an example: a failure must come again with the same one, whatever was before."""
        self.log.clear()
        self.slack.calls.clear()
        with self.redis.pipeline() as pipeline:
            pipeline.flushall()
            for key, value in self._kept.items():
                pipeline.restore(key, 0, value)
            pipeline.execute()

    def posted(self) -> int:
        """How many messages there are that several people read: who may not ask reads that in direct messages."""
        channels = self.slack.workspace.channels
        return sum(len(found) for name, found in self.slack.workspace.messages.items() if not channels[name].is_im)


@dataclass
class Scene:
    """Who is there, and what Slack sends when they do something."""

    member: str
    guest: str
    outsider: str
    lab: str
    """A channel with all of them and the bot."""
    ids: list[str] = field(default_factory=list)
    """Ids of channels, workspaces and executions, which may stand in a wrong place; of no person."""
    requests: dict[str, dict[str, Parcel]] = field(default_factory=dict, repr=False)
    """Person → what they do → the request."""


@asynccontextmanager
async def bot_in_process(url: str) -> AsyncIterator[tuple[Bot, Scene]]:
    """A bot on the store at `url`."""
    async with AsyncExitStack() as stack:
        gcs = await stack.enter_async_context(GCS(quota_per_minute=1_000_000))
        slack = await stack.enter_async_context(Slack())
        slack.limits.is_on = False
        (port,) = free_ports(1)
        settings = _settings(gcs, slack, url, port)
        store = await stack.enter_async_context(opened_store(settings, None))
        http = await stack.enter_async_context(HTTPClient(settings.network, clock=ClockSkew()))
        session = await stack.enter_async_context(slack_session(settings.network))
        account = gcs_account(settings, store, http)
        runtime = WorkspaceRuntime(settings, store, account, session, ClockSkew())
        made: list[Middleware] = []
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        register = handlers.register

        def registered(*args: Any, **more: Any) -> Middleware:
            made.append(register(*args, **more))
            return made[0]

        patch.setattr("handlers.register", registered)
        log = stack.enter_context(capture_logs())
        identity = await runtime.identified(asyncio.Event())
        assert identity is not None
        await stack.enter_async_context(runtime.connected(identity, lambda: timedelta(seconds=5)))
        # A connection for each request: the bot closes one that waits while the next example is thought of.
        connector = aiohttp.TCPConnector(force_close=True)
        sending = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        redis = stack.enter_context(Redis.from_url(url, decode_responses=True, encoding_errors="surrogateescape"))
        bot = Bot(f"http://127.0.0.1:{port}/slack/events", slack, made[0], redis, sending, log)
        slack.request_url = bot.url
        scene = await _scene(bot, gcs)
        bot.keep()
        yield bot, scene


def _settings(gcs: GCS, slack: Slack, url: str, port: int) -> Settings:
    settings: dict[str, Any] = {
        "slack_bot_token": slack.bot_token,
        "slack_signing_secret": slack.signing_secret,
        "slack_api_url": slack.api_url,
        "gcs_endpoint": gcs.url,
        "iam_endpoint": gcs.url,
        "gcs_project_id": gcs.project_id,
        "gcs_ak": gcs.access_key,
        "gcs_sk": gcs.secret_key,
        "gcs_quota": 100_000,
        "person_requests_per_minute": 100_000,
        "redis_url": url,
        "listen_host": "127.0.0.1",
        "port": port,
    }
    return Settings(**settings)


def _signed(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a body that comes from Slack, which may be any bytes."""
    moment = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"v0:{moment}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={digest}"}


async def _scene(bot: Bot, gcs: GCS) -> Scene:
    slack = bot.slack
    member, guest = slack.add_user("alice"), slack.add_user("bob", guest="multi")
    outsider = slack.add_user("carol", team_id="T0OTHER")
    everybody = (member, guest, outsider)
    lab = slack.add_channel("lab", members=everybody)
    hidden = slack.add_channel("hidden", private=True)
    execution_id = gcs.play(story.happy(3), by_hand=True)
    gcs.step(execution_id, to="running 1/3")
    scene = Scene(member, guest, outsider, lab)
    scene.ids = [
        lab,
        hidden,
        slack.dm(member),
        slack.workspace.team_id,
        "T0OTHER",
        execution_id,
        f"{execution_id}|{lab}",
    ]
    scene.ids += [f"{execution_id}|{hidden}", "app_home_opened", "block_actions", "share_execution", "modal", "home"]
    requests = await _captured(bot, scene, execution_id)
    for text in (f"subscribe {execution_id}", f"subscribe {execution_id} here"):
        await slack.command(member, lab, text)
        assert await bot.middleware.drain(timedelta(seconds=60)) == 0
    assert bot.subscriptions() == {(member, member), (lab, member)}
    for person in everybody:
        scene.requests[person] = {name: _as_if(parcel, scene, person, slack) for name, parcel in requests.items()}
    return scene


async def _captured(bot: Bot, scene: Scene, execution_id: str) -> dict[str, Parcel]:
    """What Slack sends when the member does everything that can be done."""
    slack, requests = bot.slack, {}
    deliver = slack._people._deliver

    async def captured(parcel: Parcel) -> Ack:
        actions = parcel.payload.get("actions", [{}])
        name = parcel.payload.get("text") or actions[0].get("action_id") or parcel.payload.get("event", {}).get("type")
        requests[f"{parcel.kind} {name or parcel.payload.get('type')}"] = parcel
        if parcel.payload.get("type") == "view_submission":  # the modal stays open for other requests
            raise NotDelivered("http_error", "dispatch_failed")
        ack = await deliver(parcel)
        assert await bot.middleware.drain(timedelta(seconds=60)) == 0
        return ack

    slack._people._deliver = captured
    for text in (
        "help",
        "forget-me",
        "list",
        "list here",
        execution_id,
        f"subscribe {execution_id} here",
        f"subscribe {execution_id}",
    ):
        await slack.command(scene.member, scene.lab, text)
    await slack.open_home(scene.member)
    await _press_everything(bot, scene)
    await slack.submit(scene.member, slack.views(scene.member)[-1].id)
    typed = {"user": scene.member, "text": f"<@U0BOT> subscribe {execution_id}", "ts": slack.workspace.next_ts()}
    await slack.event(typed | {"type": "message", "channel": slack.dm(scene.member), "channel_type": "im"})
    await slack.event(typed | {"type": "app_mention", "channel": scene.lab, "thread_ts": typed["ts"]})
    said = slack.say(scene.member, scene.lab, f"is {execution_id} done?")
    await slack.shortcut(scene.member, "follow_this_execution", channel=scene.lab, ts=said.ts)
    await slack.shortcut(scene.member, "follow_execution")
    entered = {"query": execution_id, "channel": scene.lab, "level": "final"}
    await slack.submit(scene.member, slack.views(scene.member)[-1].id, entered)
    await slack.command(scene.member, scene.lab, f"unsubscribe {execution_id} here")
    for kind in ("channel_shared", "channel_unshared"):
        await slack.event({"type": kind, "channel": scene.lab, "connected_team_id": "T0OTHER"})
    await slack.event({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}})
    slack._people._deliver = deliver
    pressed = requests["interactive subscribe_execution"].payload
    for action_id, value in _on_cards(execution_id, scene.lab):
        action = pressed["actions"][0] | {"action_id": action_id, "value": value}
        if action_id == buttons.CHOOSE:
            action = action | {"type": "overflow", "selected_option": {"value": action.pop("value")}}
        requests[f"interactive {action_id} of {value}"] = Parcel("interactive", pressed | {"actions": [action]})
    return requests


IN_MENU = (
    *(buttons.REFRESH_CARD, buttons.REFRESH_SUMMARY, buttons.SHARE_EXECUTION, buttons.SHOW_DETAILS),
    *(buttons.SHOW_LEVELS, buttons.ASK_UNSUBSCRIBE, buttons.UNSUBSCRIBE_EXECUTION),
)
"""What entries of the menu do."""


def _on_cards(execution_id: str, channel: str) -> list[tuple[str, str]]:
    """Buttons of cards and notices, which only the notifier posts, each with its value."""
    bound = f"{execution_id}|{channel}"
    return [
        *((buttons.CHOOSE, f"{verb}:{bound}") for verb in IN_MENU),
        (buttons.SUBSCRIBE_EXECUTION, bound),
        (buttons.UNSUBSCRIBE_EXECUTION, bound),
        (buttons.APPROVE_CHANNEL, channel),
        (buttons.REVOKE_CHANNEL, channel),
    ]


async def _press_everything(bot: Bot, scene: Scene) -> None:
    """Press each kind of button once that the answers, the Home tab and the modals show."""
    slack, pressed, is_done = bot.slack, set(), False
    while not is_done:
        is_done = True
        shown = [
            ({"channel": each.channel, "ephemeral": each.ts}, each.blocks) for each in slack.ephemerals(scene.member)
        ]
        shown += [({"view": view.id}, view.body["blocks"]) for view in slack.views(scene.member)]
        shown += [({"view": view.id}, view.body["blocks"]) for view in slack.workspace.homes.values()]
        for where, blocks in shown:
            for element in [part for block in blocks for part in block.get("elements", ()) if part.get("value")]:
                if element["action_id"] not in pressed:
                    pressed.add(element["action_id"])
                    await slack.press(scene.member, action_id=element["action_id"], value=element["value"], **where)
                    is_done = False
                    break


def _as_if(parcel: Parcel, scene: Scene, person: str, slack: Slack) -> Parcel:
    """The request as if another person had made it, with places for its passes."""
    team = slack.workspace.users[person].team_id or slack.workspace.team_id
    text = json.dumps(parcel.payload).replace(scene.member, person)
    payload = json.loads(text)
    if "user_id" in payload:
        payload["team_id"] = team
    if isinstance(payload.get("user"), dict):
        payload["user"]["team_id"] = team
    for name, place in (("response_url", RESPONSE_URL), ("trigger_id", TRIGGER), ("event_id", EVENT)):
        if name in payload:
            payload[name] = place
    return Parcel(parcel.kind, payload)


def with_passes(payload: Any, slack: Slack, person: str, channel: str) -> Any:
    """A request with passes of its own in the places for them."""
    text = json.dumps(payload)
    text = text.replace(RESPONSE_URL, f"{slack.url}/response/{slack._passes.reply(person, channel)}")
    text = text.replace(EVENT, slack.workspace.next_id("Ev"))
    return json.loads(text.replace(TRIGGER, slack._passes.trigger(person)))


def body_of(kind: str, payload: Any) -> tuple[bytes, str]:
    """The body of a request of a kind, and its content type."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    is_form = kind == "slash_commands" and isinstance(payload, dict)
    form = payload if is_form else {"payload": json.dumps(payload)}
    return urlencode(form, errors="surrogatepass").encode(), "application/x-www-form-urlencoded"
