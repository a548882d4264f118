"""Between the simulated Slack and the page: its state as a `Screen`, and what people do as calls to it.

Lives here: `Binding`, which knows who has read what and what was dismissed. Does not live here: routes (`server`),
looks (`screen`), Slack's own behaviour (`sandbox.slack`). Called by `server`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from sandbox.page.markup import Html
from sandbox.page.message import Message
from sandbox.page.mrkdwn import Viewer, mrkdwn
from sandbox.page.own import own, reading
from sandbox.page.render import blocks
from sandbox.page.screen import Conversation, Hint, Modal, Person, Screen
from sandbox.slack import Channel, Ephemeral, Interaction, Slack
from sandbox.slack import Message as SlackMessage

Row = dict[str, Any]
Act = Callable[[Row], Awaitable[Row]]


WORKSPACE = "Sandbox lab"


class NoSuchChannel(Exception):
    """The channel does not exist, or this person cannot see it."""


class Binding:
    """The simulated Slack as the people of the page see it."""

    def __init__(self, slack: Slack, people: Sequence[str]) -> None:
        self._slack = slack
        self._workspace = slack.workspace
        self._people = tuple(people)
        self._read: dict[tuple[str, str], str] = {}
        self._dismissed: set[str] = set()
        self._at_home: set[str] = set()
        self._visits: set[asyncio.Task[Interaction]] = set()
        self._hints: tuple[Hint, ...] = ()
        self.stages: Mapping[str, Callable[[], None]] = {}
        """What the sandbox can do at a press, by name: named by a hint's `stages`."""
        self._alarm = ""
        self._own_version = 0
        self._own_change = asyncio.Event()
        self.acts: dict[str, Act] = {
            "command": self._command,
            "say": self._say,
            "shortcut": self._shortcut,
            "press": self._press,
            "submit": self._submit,
            "close": self._close,
            "dismiss": self._dismiss,
            "stage": self._set_stage,
        }

    # -- what people see --

    @property
    def version(self) -> str:
        """Differs after each visible change."""
        return f"{self._workspace.version}.{self._own_version}"

    async def wait_past(self, version: str) -> None:
        """Return once the version differs from `version`."""
        while self.version == version:
            own = asyncio.create_task(self._own_change.wait())
            changed = asyncio.create_task(self._workspace.changed.wait())
            try:
                await asyncio.wait({own, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                own.cancel()
                changed.cancel()

    def show(self, *, hints: Sequence[Hint] | None = None, alarm: str | None = None) -> None:
        """Change the page's own texts: hints and alarm."""
        self._hints = self._hints if hints is None else tuple(hints)
        self._alarm = self._alarm if alarm is None else alarm
        self._own_version += 1
        self._own_change.set()
        self._own_change = asyncio.Event()

    def forget_what_was_read(self) -> None:
        """Everything is new to everybody again."""
        self._read.clear()

    async def leave(self) -> None:
        """Cancel what still waits for the app."""
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def front(self, me: str) -> str:
        """The address of the first screen of a person."""
        me = me if me in self._people else self._people[0]
        return f"/c/{self._channels(me)[0].id}?me={me}"

    def read_by(self, me: str) -> None:
        """What is drawn and said for this request is in the language of `me`, as the bot's words are."""
        reading(self._workspace.users[me].locale if me in self._people else "")

    def screen(self, *, me: str, channel: str, thread: str, tab: str, zone: tzinfo, is_seen: bool) -> Screen:
        """What `me` sees in a channel; `NoSuchChannel` if it is not visible."""
        me = me if me in self._people else self._people[0]
        conversations = {one.id: one for one in self._channels(me)}
        if channel not in conversations:
            raise NoSuchChannel(channel)
        self._visit_home(me, is_home=conversations[channel].is_im and tab == "home")
        first_unread = self._first_unread(me, channel)
        if is_seen:
            self._read[me, channel] = self._last(channel)
        viewer = self._viewer(me, zone)
        self.read_by(me)
        return Screen(
            workspace=WORKSPACE,
            me=self._person(me),
            people=tuple(self._person(one) for one in self._people),
            conversations=tuple(self._conversation(me, one) for one in conversations.values()),
            conversation=self._conversation(me, conversations[channel]),
            messages=self._log(me, channel, viewer),
            now=viewer.now,
            tab=tab if conversations[channel].is_im else "messages",
            home=self._home(me, viewer),
            thread_ts=thread,
            thread=self._thread(me, channel, thread, viewer),
            modal=self._modal(me, viewer),
            hints=self._hints,
            alarm=self._alarm,
            version=self.version,
            first_unread=first_unread,
            shortcuts=self._shortcuts(is_message=False),
        )

    def _shortcuts(self, *, is_message: bool) -> tuple[tuple[str, str], ...]:
        """Name and callback id of each shortcut of the app, of one kind."""
        return tuple((one.name, one.callback_id) for one in self._slack.shortcuts if one.is_message is is_message)

    def _first_unread(self, me: str, channel: str) -> str:
        """The ts of the first message that `me` has not seen; empty if there is none."""
        seen = self._read.get((me, channel), "")
        news = (one.ts for one in self._workspace.messages[channel] if _is_top(one) and one.ts > seen)
        return next(news, "")

    def _channels(self, me: str) -> list[Channel]:
        self._workspace.im(me)
        seen = [
            one for one in self._workspace.channels.values() if me in one.members or not (one.is_im or one.is_private)
        ]
        return sorted(seen, key=lambda one: one.is_im)

    def _person(self, user: str) -> Person:
        return Person(user, self._workspace.users[user].name)

    def _conversation(self, me: str, channel: Channel) -> Conversation:
        read = self._read.get((me, channel.id), "")
        fresh = [one for one in self._workspace.messages[channel.id] if one.ts > read and one.user != me]
        name = self._workspace.users[self._workspace.bot_user].name if channel.is_im else channel.name
        return Conversation(channel.id, name, is_dm=channel.is_im, is_private=channel.is_private, unread=len(fresh))

    def _last(self, channel: str) -> str:
        return max((one.ts for one in self._workspace.messages[channel]), default="")

    def _viewer(self, me: str, zone: tzinfo) -> Viewer:
        return Viewer(
            id=me,
            locale=self._workspace.users[me].locale,
            zone=zone,
            now=datetime.now(UTC).astimezone(zone),
            users={one.id: one.name for one in self._workspace.users.values()},
            channels={one.id: one.name for one in self._channels(me) if not one.is_im},
        )

    def _log(self, me: str, channel: str, viewer: Viewer) -> tuple[Message, ...]:
        everything = self._workspace.messages[channel]
        tops = [one for one in everything if _is_top(one)]
        drawn = [self._message(one, viewer, [r for r in everything if _is_reply_to(r, one)]) for one in tops]
        drawn += [self._private(one, viewer) for one in self._ephemerals(me, channel) if not one.thread_ts]
        return tuple(sorted(drawn, key=lambda one: one.at))

    def _ephemerals(self, me: str, channel: str) -> list[Ephemeral]:
        mine = [one for one in self._workspace.ephemerals.get(me, ()) if one.channel == channel]
        return [one for one in mine if one.ts not in self._dismissed]

    def _thread(self, me: str, channel: str, thread: str, viewer: Viewer) -> tuple[Message, ...]:
        if not thread:
            return ()
        whole = [one for one in self._workspace.messages[channel] if thread in {one.ts, one.thread_ts}]
        drawn = [self._message(one, viewer, ()) for one in whole]
        drawn += [self._private(one, viewer) for one in self._ephemerals(me, channel) if one.thread_ts == thread]
        return tuple(sorted(drawn, key=lambda one: one.at))

    def _message(self, one: SlackMessage, viewer: Viewer, replies: Sequence[SlackMessage]) -> Message:
        author = self._workspace.users[one.user]
        return Message(
            key=one.ts,
            author=author.name,
            at=_moment(one.ts, viewer),
            body=_body(one, viewer),
            channel=one.channel,
            ts=one.ts,
            is_bot=author.is_bot,
            edits=len(one.edits),
            is_marked=bool(one.edits) and not one.blocks,
            replies=len(replies),
            last_reply=_moment(replies[-1].ts, viewer) if replies else None,
            thread_ts=one.thread_ts or "",
            shortcuts=self._shortcuts(is_message=True),
        )

    def _private(self, one: Ephemeral, viewer: Viewer) -> Message:
        return Message(
            key=f"only-{one.ts}",
            author="Slack" if one.is_notice else self._workspace.users[self._workspace.bot_user].name,
            at=_moment(one.ts, viewer),
            body=_body(one, viewer),
            channel=one.channel,
            ephemeral=one.ts,
            is_bot=not one.is_notice,
            is_broken=one.is_notice,
        )

    def _visit_home(self, me: str, *, is_home: bool) -> None:
        """Notify the app that its Home was opened, in the background: without an app this takes seconds."""
        if is_home and me not in self._at_home:
            self._at_home.add(me)
            visit = asyncio.create_task(self._slack.open_home(me))
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
        elif not is_home:
            self._at_home.discard(me)

    def _home(self, me: str, viewer: Viewer) -> Html | None:
        home = self._workspace.homes.get(me)
        return blocks(home.body["blocks"], viewer) if home else None

    def _modal(self, me: str, viewer: Viewer) -> Modal | None:
        stack = self._workspace.modals.get(me)
        if not stack:
            return None
        top = stack[-1]
        title, submit, close = (str((top.body.get(key) or {}).get("text", "")) for key in ("title", "submit", "close"))
        return Modal(top.id, title, blocks(top.body.get("blocks", []), viewer), submit=submit, close=close)

    # -- what people do --

    async def _command(self, data: Row) -> Row:
        command, _, words = str(data["text"]).partition(" ")
        if command != "/execution":
            return {"error": own("{command} is not a valid command here. Try /execution help.", command=command)}
        await self._slack.command(data["me"], data["channel"], _escaped(words.strip()), command=command)
        return {}  # if it failed, Slack's own notice says so

    async def _say(self, data: Row) -> Row:
        words = self._as_sent(str(data["text"]))
        self._slack.say(data["me"], data["channel"], words, thread_ts=data.get("thread") or None)
        return {}

    def _as_sent(self, words: str) -> str:
        """What Slack's own client makes of a text: escaped, with names behind an `@` as mentions."""
        escaped = _escaped(words)
        for user in self._workspace.users.values():
            escaped = re.sub(rf"(?<!\S)@{re.escape(user.name)}(?![\w-])", f"<@{user.id}>", escaped)
        return escaped

    async def _shortcut(self, data: Row) -> Row:
        place = {"channel": str(data["channel"]), "ts": str(data["ts"])} if data.get("ts") else {}
        return _result(await self._slack.shortcut(data["me"], str(data["callback_id"]), **place))

    async def _press(self, data: Row) -> Row:
        place = {key: str(data[key]) for key in ("channel", "ts", "ephemeral", "view") if data.get(key)}
        if data.get("home"):
            place = {"view": self._workspace.homes[data["me"]].id}
        return _result(
            await self._slack.press(data["me"], action_id=data["action_id"], value=data.get("value"), **place)
        )

    async def _submit(self, data: Row) -> Row:
        values = {one["action_id"]: _entered(one) for one in data["values"]}
        done = await self._slack.submit(data["me"], data["view"], values)
        answer = done.ack_body if isinstance(done.ack_body, dict) else {}
        return {**_result(done), "errors": answer.get("errors", {})}

    async def _close(self, data: Row) -> Row:
        await self._slack.close(data["me"], data["view"])
        return {}

    async def _dismiss(self, data: Row) -> Row:
        self._dismissed.add(str(data["ephemeral"]))
        self.show()
        return {}

    async def _set_stage(self, data: Row) -> Row:
        self.stages[data["stage"]]()
        return {}


def _is_top(one: SlackMessage) -> bool:
    return not one.thread_ts or one.is_broadcast


def _is_reply_to(reply: SlackMessage, one: SlackMessage) -> bool:
    return reply.thread_ts == one.ts


def _moment(ts: str, viewer: Viewer) -> datetime:
    return datetime.fromtimestamp(float(ts), viewer.zone)


def _body(one: SlackMessage | Ephemeral, viewer: Viewer) -> Html:
    return blocks(one.blocks, viewer) if one.blocks else mrkdwn(one.text, viewer)


def _escaped(words: str) -> str:
    """Of what is typed, Slack escapes three characters."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _result(done: Interaction) -> Row:
    return {} if done.acked else {"error": own("That did not work: {error}", error=done.error)}


def _entered(field: Row) -> Any:
    """The entered value as the simulated Slack expects it: a single choice as its value, nothing as None."""
    value = field["value"]
    if field["type"] == "radio_buttons":
        return next(iter(value), None)
    return value if value != "" else None
