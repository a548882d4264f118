"""What people do: each interaction is delivered to the app, and its acknowledgement, or the lack of it, is shown.

Lives here: commands, presses, submissions, closed views, shortcuts, events. Does not live here: what the payloads look
like (`payloads`), transport (`socket_mode`, `http_mode`). Called through `server`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.slack import payloads
from sandbox.slack.blockkit import view_problems
from sandbox.slack.delivery import Ack, NotDelivered, Parcel
from sandbox.slack.passes import Passes, Reply
from sandbox.slack.refusal import Refused
from sandbox.slack.responses import answer
from sandbox.slack.rows import Row, message_row, view_row
from sandbox.slack.state import Block, Ephemeral, View, Workspace
from sandbox.slack.views import change, put_on_top

Deliver = Callable[[Parcel], Awaitable[Ack]]


@dataclass
class Interaction:
    """How an interaction ended."""

    acked: bool = False
    acked_in: float = 0.0
    """Seconds."""
    ack_body: Any = None
    error: str = ""
    """`operation_timeout`, `dispatch_failed`, or why the body of the acknowledgement was refused."""
    attempts: int = 1
    trigger_id: str = ""
    response_url: str = ""


class Interactions:
    """All interactions of one workspace."""

    def __init__(self, workspace: Workspace, passes: Passes, deliver: Deliver, base_url: Callable[[], str]) -> None:
        self.retry_delays: tuple[float, ...] = (0.0, 1.0, 5.0)
        """Seconds before an event is sent again; Slack uses 0, 60 and 300."""
        self.echoes = 0
        """How often each event is sent again although it was acked: its ack was lost on the way."""
        self.modal_delay = 0.0
        """Seconds until a modal shows the app's answer to its submission, which has arrived."""
        self._workspace = workspace
        self._passes = passes
        self._deliver = deliver
        self._base_url = base_url

    async def command(self, user: str, channel: str, text: str, command: str) -> Interaction:
        """Type a slash command."""
        place = self._workspace.channels[channel]
        payload = payloads.command(self._workspace, user, place, command, text)
        passes = self._with_passes(payload, user, channel)
        done = await self._deliver_once(Parcel("slash_commands", payload), passes)
        if not done.acked:
            self._notice(user, channel, f'{command} failed with the error "{done.error}"')
        elif isinstance(done.ack_body, dict) and (done.ack_body.get("text") or done.ack_body.get("blocks")):
            self._show_response(done, Reply(user, channel, self._workspace.now()))
        return done

    async def press(self, user: str, where: Pressed, action_id: str, value: str | None) -> Interaction:
        """Press a button, or choose from a menu."""
        block_id, element = payloads.find_action(where.blocks, action_id, value)
        payload = payloads.interaction(self._workspace, "block_actions", user) | where.row
        payload["actions"] = [payloads.action(element, block_id, value, self._workspace.next_ts())]
        if where.channel:
            interaction = self._with_passes(payload, user, where.channel, where.ts, is_ephemeral=where.is_ephemeral)
        else:
            interaction = self._with_trigger(payload, user)
        done = await self._deliver_once(Parcel("interactive", payload), interaction)
        if not done.acked:
            self._notice(user, where.channel or self._workspace.im(user).id, f'The button failed: "{done.error}"')
        return done

    async def submit(self, user: str, view: View, values: dict[str, Any]) -> Interaction:
        """Submit a modal."""
        payload = payloads.interaction(self._workspace, "view_submission", user)
        state = payloads.state(view, values)
        payload |= {"view": view_row(self._workspace, view, state), "response_urls": self._addresses(user, view, state)}
        done = await self._deliver_once(Parcel("interactive", payload), self._with_trigger(payload, user))
        if done.acked:
            await asyncio.sleep(self.modal_delay)
            self._apply_response(done, view)
        else:
            self._notice(user, self._workspace.im(user).id, f'The form failed: "{done.error}"')
        return done

    def _addresses(self, user: str, view: View, state: Row) -> list[Row]:
        """One response_url for each channel that was chosen in a field which asks for that."""
        found = []
        for block in view.body["blocks"]:
            element = block.get("element") or {}
            if block["type"] == "input" and element.get("response_url_enabled"):
                block_id, action_id = block["block_id"], element.get("action_id", "")
                entered = state[block_id][action_id]
                channel = entered.get("selected_conversation") or entered.get("selected_channel")
                if channel:
                    url = f"{self._base_url()}/response/{self._passes.reply(user, channel)}"
                    about = {"block_id": block_id, "action_id": action_id}
                    found.append({**about, "channel_id": channel, "response_url": url})
        return found

    async def close(self, user: str, view: View) -> Interaction | None:
        """Close a modal; the app is notified only if it asked for that."""
        self._drop(view)
        if not view.body.get("notify_on_close"):
            return None
        payload = payloads.interaction(self._workspace, "view_closed", user)
        payload |= {"view": view_row(self._workspace, view), "is_cleared": False}
        return await self._deliver_once(Parcel("interactive", payload), Interaction())

    async def shortcut(self, user: str, callback_id: str, channel: str, ts: str) -> Interaction:
        """Use a global shortcut, or with `channel` and `ts` one on a message."""
        payload = payloads.interaction(self._workspace, "message_action" if ts else "shortcut", user)
        payload |= {"callback_id": callback_id, "action_ts": self._workspace.next_ts()}
        if not ts:
            return await self._deliver_once(Parcel("interactive", payload), self._with_trigger(payload, user))
        where = self.message(channel, ts)
        payload |= {key: where.row[key] for key in ("channel", "message")} | {"message_ts": ts}
        return await self._deliver_once(Parcel("interactive", payload), self._with_passes(payload, user, channel, ts))

    async def event(self, payload: Row) -> Interaction:
        """Send the app an event; repeat it while the app does not acknowledge."""
        body = payloads.event(self._workspace, payload, self._workspace.next_id("Ev"))
        done, reason = Interaction(), ""
        for attempt, delay in enumerate((None, *self.retry_delays)):
            await asyncio.sleep(delay or 0)
            done.attempts = attempt + 1
            try:
                await self._deliver_into(done, Parcel("events_api", body, attempt, reason))
            except NotDelivered as failure:
                reason = failure.reason
            else:
                break
        for echo in range(self.echoes if done.acked else 0):
            done.attempts += 1
            await self._deliver_once(Parcel("events_api", body, echo + 1, "timeout"), done)
        return done

    def message(self, channel: str, ts: str) -> Pressed:
        """A message in which to press something."""
        message = self._workspace.message(channel, ts)
        if message is None:
            raise LookupError(f"there is no message {ts} in {channel}")
        container = {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False}
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        row = self._in_channel(channel, container) | {"message": message_row(self._workspace, message)}
        return Pressed(message.blocks, row, channel, ts)

    def ephemeral(self, user: str, ts: str) -> Pressed:
        """An ephemeral message in which to press something; payloads do not include its content."""
        shown = next((each for each in self._workspace.ephemerals.get(user, ()) if each.ts == ts), None)
        if shown is None:
            raise LookupError(f"{user} sees no ephemeral message {ts}")
        container = {"type": "message", "message_ts": ts, "channel_id": shown.channel, "is_ephemeral": True}
        return Pressed(shown.blocks, self._in_channel(shown.channel, container), shown.channel, ts, is_ephemeral=True)

    def view(self, view_id: str) -> Pressed:
        """A view in which to press something."""
        view = self.find_view(view_id)
        container = {"type": "view", "view_id": view_id}
        return Pressed(view.body["blocks"], {"container": container, "view": view_row(self._workspace, view)})

    def find_view(self, view_id: str) -> View:
        """The view with that id; LookupError if there is none."""
        view = self._workspace.view(view_id)
        if view is None:
            raise LookupError(f"there is no view {view_id}")
        return view

    def _in_channel(self, channel: str, container: Row) -> Row:
        name = payloads.channel_name(self._workspace.channels[channel])
        return {"container": container, "channel": {"id": channel, "name": name}, "state": {"values": {}}}

    def _with_trigger(self, payload: Row, user: str) -> Interaction:
        payload["trigger_id"] = self._passes.trigger(user)
        return Interaction(trigger_id=payload["trigger_id"])

    def _with_passes(
        self, payload: Row, user: str, channel: str, ts: str = "", *, is_ephemeral: bool = False
    ) -> Interaction:
        done = self._with_trigger(payload, user)
        reply = self._passes.reply(user, channel, ts, is_ephemeral=is_ephemeral)
        done.response_url = payload["response_url"] = f"{self._base_url()}/response/{reply}"
        return done

    async def _deliver_once(self, parcel: Parcel, done: Interaction) -> Interaction:
        try:
            await self._deliver_into(done, parcel)
        except NotDelivered as failure:
            done.error = failure.shown
        return done

    async def _deliver_into(self, done: Interaction, parcel: Parcel) -> None:
        before = time.monotonic()
        try:
            ack = await self._deliver(parcel)
        except NotDelivered as failure:
            done.error = failure.shown
            raise
        done.acked, done.error, done.ack_body = True, "", ack.body
        done.acked_in = time.monotonic() - before

    def _show_response(self, done: Interaction, reply: Reply) -> None:
        try:
            answer(self._workspace, reply, done.ack_body)
        except Refused as refused:
            done.error = refused.code

    def _apply_response(self, done: Interaction, view: View) -> None:
        body = done.ack_body if isinstance(done.ack_body, dict) else {}
        action = body.get("response_action")
        if action in {"update", "push"} and view_problems(body.get("view")):
            done.error = "invalid_view"
            self._notice(view.user, self._workspace.im(view.user).id, f'The form failed: "{done.error}"')
            return
        if action == "errors":
            view.errors = body["errors"]
            self._workspace.touch()
        elif action == "clear":
            self._workspace.modals.pop(view.user, None)
            self._workspace.touch()
        elif action == "update":
            change(self._workspace, view, body["view"])
        elif action == "push":
            put_on_top(self._workspace, view.user, body["view"])
        else:
            self._drop(view)

    def _drop(self, view: View) -> None:
        stack = self._workspace.modals.get(view.user, [])
        stack[:] = [other for other in stack if other.id != view.id]
        self._workspace.touch()

    def _notice(self, user: str, channel: str, text: str) -> None:
        self._workspace.show_ephemeral(Ephemeral(channel, self._workspace.next_ts(), user, text, is_notice=True))


@dataclass(frozen=True)
class Pressed:
    """The place where a person presses something."""

    blocks: list[Block]
    row: Row
    """The payload's fields about the place."""
    channel: str = ""
    """Empty in a view."""
    ts: str = ""
    is_ephemeral: bool = False
