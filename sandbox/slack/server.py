"""The simulated Slack: one workspace, its Web API and delivery to the app on 127.0.0.1, and methods to act as a person.

Lives here: `Slack`, which combines the parts and starts and stops them. Does not live here: the parts. Called by the
demo, by end-to-end tests and by the page.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from sandbox.slack.catalogue import all_scopes
from sandbox.slack.delivery import Ack, Parcel
from sandbox.slack.hearing import Hearing
from sandbox.slack.http_mode import HTTPMode
from sandbox.slack.interactions import Interaction, Interactions
from sandbox.slack.passes import Passes
from sandbox.slack.refusal import Refused
from sandbox.slack.responses import answer
from sandbox.slack.socket_mode import Disconnect, SocketMode
from sandbox.slack.state import Channel, Ephemeral, Message, Shortcut, User, View, Workspace
from sandbox.slack.web_api import Call, Tokens, WebAPI

T = TypeVar("T")


class Slack:
    """A workspace with one app in it. `async with Slack() as slack:` serves it on a free port."""

    def __init__(  # noqa: PLR0913  # each has a default; together they are one app in one workspace
        self,
        *,
        bot_token: str = "xoxb-sandbox-bot",
        app_token: str = "xapp-sandbox-app",
        signing_secret: str = "sandbox-signing-secret",
        team_id: str = "T0SANDBOX",
        scopes: Collection[str] | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: SSLContext | None = None,
        ack_seconds: float = 3.0,
        events: Collection[str] = (),
        shortcuts: Collection[Shortcut] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        """`host` is the name in addresses; it listens on 127.0.0.1 in any case. With `tls` it serves https and wss.

        `events` of messages are sent to the app (`hearing`); all others are, whatever it is subscribed to. `shortcuts`
        are what the page offers.
        """
        self._host, self._tls = host, tls
        self.bot_token, self.app_token, self.signing_secret = bot_token, app_token, signing_secret
        self.workspace = Workspace(team_id, now=now)
        self.request_url: str | None = None
        """Where the app receives signed HTTP requests; None: it uses Socket Mode."""
        self.port = port
        self.shortcuts = tuple(shortcuts)
        self._passes = Passes(now)
        self.sockets = SocketMode(self.workspace.app_id, app_token, ack_seconds)
        self._http = HTTPMode(signing_secret, ack_seconds, now)
        self._tokens = Tokens(bot_token, app_token, frozenset(all_scopes() if scopes is None else scopes))
        self._api = WebAPI(self.workspace, self._tokens, self._passes, socket_url=self._socket_url)
        self._people = Interactions(self.workspace, self._passes, self._deliver, lambda: self.url)
        self.hearing = Hearing(self.workspace, self._people.event, self._may_hear)
        self.hearing.events |= set(events)
        self.workspace.ears = self.hearing
        self.faults, self.limits = self._api.faults, self._api.limits
        self._runner: web.AppRunner | None = None

    # -- start and stop --

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._api.handle)
        app.router.add_get("/link", self.sockets.handle)
        app.router.add_post("/response/{name}", self._respond)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close everything; may be called twice."""
        await self.hearing.stop()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address it listens on."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    @property
    def api_url(self) -> str:
        """The Web API's base, as the SDK wants it."""
        return f"{self.url}/api/"

    @property
    def calls(self) -> list[Call]:
        """Every call of the Web API so far."""
        return self._api.calls

    # -- the workspace and its members --

    def grant(self, scopes: Collection[str]) -> None:
        """Reinstall the app with these scopes; the token stays the same."""
        self._tokens.scopes = frozenset(scopes)

    def revoke(self, refusal: str = "token_revoked") -> None:
        """Refuse the bot's token from now on; with an empty `refusal`, accept it again."""
        self._tokens.bot_refusal = refusal

    async def uninstall(self) -> Interaction:
        """Remove the app from the workspace: its token dies, and it is sent the event; its sockets stay open for it."""
        self.revoke("account_inactive")
        return await self.event({"type": "app_uninstalled"})

    def add_user(self, name: str, *, tz: str = "Europe/London", **more: str) -> str:
        """Add a person; returns the id. `more` has other fields of `User`, as of a guest."""
        user = User(self.workspace.next_id("U"), name, tz, **more)  # type: ignore[arg-type]  # they are texts
        self.workspace.users[user.id] = user
        self.workspace.touch()
        return user.id

    def add_channel(
        self,
        name: str,
        *,
        private: bool = False,
        members: Collection[str] = (),
        bot_is_member: bool = True,
        archived: bool = False,
    ) -> str:
        """Add a channel; returns the id."""
        everyone = {*members, *([self.workspace.bot_user] if bot_is_member else [])}
        channel = Channel(self.workspace.next_id("C"), name, private, archived, everyone)
        return self.workspace.add(channel).id

    def invite_bot(self, channel: str) -> None:
        """Add the bot to a channel."""
        self.workspace.channels[channel].members.add(self.workspace.bot_user)
        self.workspace.touch()

    def remove_bot(self, channel: str) -> None:
        """Remove the bot from a channel."""
        self.workspace.channels[channel].members.discard(self.workspace.bot_user)
        self.workspace.touch()

    async def share(self, channel: str, team_id: str = "T0OTHER", *, is_pending: bool = False) -> None:
        """Share a channel with another organisation, or invite it; only the first is an event."""
        place = self.workspace.channels[channel]
        (place.invited if is_pending else place.connected).add(team_id)
        self.workspace.touch()
        if not is_pending:
            place.invited.discard(team_id)
            await self.event({"type": "channel_shared", "connected_team_id": team_id, "channel": channel})

    async def unshare(self, channel: str, team_id: str = "T0OTHER") -> None:
        """End that."""
        place = self.workspace.channels[channel]
        place.connected.discard(team_id)
        self.workspace.touch()
        event = {"type": "channel_unshared", "previously_connected_team_id": team_id, "channel": channel}
        await self.event(event | {"is_ext_shared": bool(place.connected)})

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        self.workspace.channels[channel].is_archived = True
        self.workspace.touch()

    def deactivate(self, user: str) -> None:
        """Deactivate a person's account."""
        self.workspace.users[user].deleted = True
        self.workspace.touch()

    # -- what people do --

    def say(self, user: str, channel: str, text: str, *, thread_ts: str | None = None, **more: Any) -> Message:
        """Post a message as a person; `more` has other fields of `Message`. The app may hear of it."""
        return self.workspace.post(Message(channel, self.workspace.next_ts(), user, text, [], thread_ts, **more))

    async def types(self, user: str, channel: str, text: str, **more: Any) -> list[Interaction]:
        """The same, and how the events ended that the app was sent."""
        return await self.hearing.during(lambda: self.say(user, channel, text, **more))

    async def edits(self, message: Message, text: str) -> list[Interaction]:
        """Edit a message as the person who wrote it."""
        return await self.hearing.during(lambda: self.workspace.edit(message, text=text, blocks=[]))

    async def deletes(self, message: Message) -> list[Interaction]:
        """Delete a message as the person who wrote it."""
        return await self.hearing.during(lambda: self.workspace.delete(message))

    async def joins(self, user: str, channel: str) -> list[Interaction]:
        """Join a channel."""
        self.workspace.channels[channel].members.add(user)
        self.workspace.touch()
        return await self.hearing.during(lambda: self.hearing.joined(user, channel))

    async def command(self, user: str, channel: str, text: str, *, command: str = "/execution") -> Interaction:
        """Type a slash command."""
        return await self._people.command(user, channel, text, command)

    async def press(
        self,
        user: str,
        *,
        action_id: str,
        value: str | None = None,
        channel: str = "",
        ts: str = "",
        ephemeral: str = "",
        view: str = "",
    ) -> Interaction:
        """Press a button in a message (channel and ts), an ephemeral (its ts) or a view (its id)."""
        if view:
            where = self._people.view(view)
        else:
            where = self._people.ephemeral(user, ephemeral) if ephemeral else self._people.message(channel, ts)
        return await self._people.press(user, where, action_id, value)

    async def submit(self, user: str, view_id: str, values: dict[str, Any] | None = None) -> Interaction:
        """Submit a modal with values by action_id."""
        return await self._people.submit(user, self._people.find_view(view_id), values or {})

    async def close(self, user: str, view_id: str) -> Interaction | None:
        """Close a modal."""
        return await self._people.close(user, self._people.find_view(view_id))

    async def open_home(self, user: str) -> Interaction:
        """Open the app's Home tab."""
        channel = self.workspace.im(user).id
        return await self.event({"type": "app_home_opened", "user": user, "channel": channel, "tab": "home"})

    async def shortcut(self, user: str, callback_id: str, *, channel: str = "", ts: str = "") -> Interaction:
        """Use a shortcut, on a message if there is one."""
        return await self._people.shortcut(user, callback_id, channel, ts)

    async def event(self, payload: dict[str, Any]) -> Interaction:
        """Send the app an event."""
        return await self._people.event(payload)

    @property
    def echoes(self) -> int:
        """How often each event is sent again although it was acked."""
        return self._people.echoes

    @echoes.setter
    def echoes(self, number: int) -> None:
        self._people.echoes = number

    @property
    def modal_delay(self) -> float:
        """Seconds until a modal shows the app's answer to its submission, which has arrived."""
        return self._people.modal_delay

    @modal_delay.setter
    def modal_delay(self, seconds: float) -> None:
        self._people.modal_delay = seconds

    @property
    def retry_delays(self) -> tuple[float, ...]:
        """Seconds before an event that was not acked is sent again."""
        return self._people.retry_delays

    @retry_delays.setter
    def retry_delays(self, delays: tuple[float, ...]) -> None:
        self._people.retry_delays = delays

    # -- what people see --

    def messages(self, channel: str) -> list[Message]:
        """All messages of a channel, replies included, oldest first."""
        return list(self.workspace.messages[channel])

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The replies to a message, oldest first."""
        return [message for message in self.messages(channel) if message.thread_ts == ts]

    def dm(self, user: str) -> str:
        """The channel of a person's direct messages with the bot."""
        return self.workspace.im(user).id

    def ephemerals(self, user: str, channel: str | None = None) -> list[Ephemeral]:
        """Messages that only that person sees, oldest first."""
        seen = self.workspace.ephemerals.get(user, ())
        return [each for each in seen if channel in {None, each.channel}]

    def views(self, user: str) -> list[View]:
        """The open modals of a person, the one in front last."""
        return list(self.workspace.modals.get(user, ()))

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 60.0) -> T:  # noqa: ASYNC109  # the error lists what is there
        """The first true result of `predicate`, which is called again after each change."""
        try:
            async with asyncio.timeout(timeout):
                while not (found := predicate()):
                    await self.workspace.changed.wait()
                return found
        except TimeoutError:
            raise TimeoutError(f"not within {timeout:g} s; there is:\n{self.transcript()}") from None

    def transcript(self) -> str:
        """Everything that people see, one line each."""
        lines = [
            f"{self.workspace.channels[message.channel].name} {message.ts} {message.user}: {message.text}"
            for messages in self.workspace.messages.values()
            for message in messages
        ]
        lines += [
            f"only {user} {each.ts}: {each.text}" for user, seen in self.workspace.ephemerals.items() for each in seen
        ]
        lines += [f"view {view.id} of {user}" for user, stack in self.workspace.modals.items() for view in stack]
        return "\n".join(lines) or "nothing"

    # -- sockets --

    async def disconnect_sockets(self, reason: Disconnect = "refresh_requested") -> None:
        """End the app's connections, with or without notice."""
        await self.sockets.disconnect(reason)

    @property
    def refuse_connections(self) -> bool:
        """Whether new Socket Mode connections are refused."""
        return self.sockets.refuses

    @refuse_connections.setter
    def refuse_connections(self, refuses: bool) -> None:
        self.sockets.refuses = refuses

    async def verify_url(self) -> bool:
        """Send the app at `request_url` the challenge, as Slack does when an address is entered."""
        body = {"type": "url_verification", "challenge": "sandbox-challenge", "token": "sandbox-verification"}
        answered = (await self._deliver(Parcel("events_api", body))).body
        challenge = answered.get("challenge", answered.get("text")) if isinstance(answered, dict) else answered
        return bool(challenge == "sandbox-challenge")

    def _may_hear(self, scope: str) -> bool:
        is_reachable = self.request_url is not None or self.sockets.connections > 0
        return is_reachable and not self._tokens.bot_refusal and scope in self._tokens.scopes

    def _socket_url(self) -> str | None:
        if self.sockets.refuses:
            return None
        return f"{self.url.replace('http', 'ws', 1)}/link?ticket={self.sockets.ticket()}&app_id={self.workspace.app_id}"

    async def _deliver(self, parcel: Parcel) -> Ack:
        if self.request_url is None:
            return await self.sockets.deliver(parcel)
        return await self._http.deliver(self.request_url, parcel)

    async def _respond(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.text())
            if not isinstance(body, dict):
                return web.Response(status=400, text="invalid_payload")
            answer(self.workspace, self._passes.redeem_reply(request.match_info["name"]), body)
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        except Refused as refused:
            status = 404 if refused.code.endswith("_url") else 400
            return web.Response(status=status, text=refused.code)
        return web.Response(text="ok")
