"""A person at work in Slack who types, presses buttons by their labels, and reads.

Lives here: `Person`, which fails a test where Slack would have shown an error. Does not live here: what they should
read (the tests). A test that takes a person of its own shares nothing with others in the same world.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.slack import Interaction
from sandbox.slack.state import Ephemeral, Message, View

if TYPE_CHECKING:  # the conftest has these people in it
    from tests.end_to_end.conftest import World

PATIENCE = 60.0
"""How long a test waits for what a busy machine may delay, in seconds."""

Shown = Ephemeral | Message | View


@dataclass
class Person:
    """A person in a world, and the channel where they sit."""

    world: World
    channel: str
    id: str
    done: list[Interaction] = field(default_factory=list)
    """Everything that they typed and pressed."""

    @classmethod
    def new(cls, world: World, **channel: Any) -> Person:
        """A new person with a channel of their own; `channel` has the arguments of `add_channel`."""
        user = world.slack.add_user("carol")
        return cls(world, world.slack.add_channel("den", members=(user,), **channel), user)

    async def types(self, text: str, *, within: float = PATIENCE) -> Ephemeral:
        """Type `/execution text`; returns the response, which only they see."""
        seen = len(self.read)
        self._took(await self.world.slack.command(self.id, self.channel, text))
        return await self.next_answer(seen, within=within)

    async def says(self, text: str, channel: str = "") -> list[Interaction]:
        """Type a message in direct messages with the bot, or in `channel`; returns the events that the bot was sent."""
        place = channel or self.world.slack.dm(self.id)
        sent = await self.world.slack.types(self.id, place, text)
        for done in sent:
            self._took(done)
        return sent

    async def asks(self, text: str, *, within: float = PATIENCE) -> Message:
        """Type `text` in direct messages with the bot; returns the bot's answer."""
        seen = len(self.dm)
        await self.says(text)
        await self.world.slack.wait_for(lambda: len(self.dm) > seen + 1, within)
        return self.dm[seen + 1]

    async def presses(self, label: str, shown: Shown) -> Interaction:
        """Press the button, or choose the entry of a menu, that says `label`."""
        button = button_of(shown, label)
        where: dict[str, str]
        if isinstance(shown, View):
            where = {"view": shown.id}
        else:
            where = {"ephemeral": shown.ts} if isinstance(shown, Ephemeral) else {"ts": shown.ts}
            where["channel"] = shown.channel
        pressed = await self.world.slack.press(self.id, action_id=button["action_id"], value=button["value"], **where)
        self._took(pressed)
        return pressed

    async def chooses(self, label: str, shown: Message) -> Interaction:
        """Choose `label` from the menu of a message."""
        menus = [element for element in _elements(shown) if element["type"] == "overflow"]
        menu, option = next((menu, each) for menu in menus for each in menu["options"] if each["text"]["text"] == label)
        where = {"ts": shown.ts, "channel": shown.channel}
        pressed = await self.world.slack.press(self.id, action_id=menu["action_id"], value=option["value"], **where)
        self._took(pressed)
        return pressed

    async def submits(self, view: View, **values: Any) -> Interaction:
        """Submit a form with what was entered in its fields."""
        done = await self.world.slack.submit(self.id, view.id, values)
        self._took(done)
        return done

    async def picks(self, action_id: str, value: str, shown: View | Ephemeral) -> Interaction:
        """Choose from a list."""
        where = {"view": shown.id} if isinstance(shown, View) else {"ephemeral": shown.ts, "channel": shown.channel}
        done = await self.world.slack.press(self.id, action_id=action_id, value=value, **where)
        self._took(done)
        return done

    async def gets(self, label: str, shown: Shown) -> Ephemeral:
        """Press a button whose response comes beside the message; returns the response."""
        seen = len(self.read)
        await self.presses(label, shown)
        return await self.next_answer(seen)

    async def next_answer(self, seen: int, *, within: float = PATIENCE) -> Ephemeral:
        """The response that comes after the first `seen`."""
        await self.world.slack.wait_for(lambda: len(self.read) > seen, within)
        return self.read[seen]

    @property
    def read(self) -> list[Ephemeral]:
        """The messages that only they have seen so far."""
        return self.world.slack.ephemerals(self.id)

    @property
    def dm(self) -> list[Message]:
        """What the bot wrote to them."""
        return self.world.slack.messages(self.world.slack.dm(self.id))

    async def modal(self, text: str) -> View:
        """The modal in front of them, once it says `text`."""
        views = self.world.slack.views
        await self.world.slack.wait_for(lambda: any(text in words(view) for view in views(self.id)), PATIENCE)
        return views(self.id)[-1]

    async def home(self, text: str) -> View:
        """Their Home tab, once it says `text`."""
        homes = self.world.slack.workspace.homes
        await self.world.slack.wait_for(lambda: self.id in homes and text in words(homes[self.id]), PATIENCE)
        return homes[self.id]

    async def card(self, channel: str = "", *, text: str = "") -> Message:
        """The first message in `channel`, or in their direct messages, once it says `text`."""
        place = channel or self.world.slack.dm(self.id)
        messages = self.world.slack.messages
        await self.world.slack.wait_for(lambda: any(text in words(each) for each in messages(place)[:1]), PATIENCE)
        return messages(place)[0]

    def _took(self, done: Interaction) -> None:
        self.done.append(done)
        assert done.acked, done.error
        assert done.acked_in < 3


def words(shown: Shown) -> str:
    """All words of a message or view, plain text and blocks, as they are read."""
    body = shown.body if isinstance(shown, View) else shown.blocks
    before = "" if isinstance(shown, View) else f"{shown.text}\n"
    return f"{before}{json.dumps(body, ensure_ascii=False)}".replace("\u00a0", " ")


def labels(shown: Shown) -> list[str]:
    """The words on its buttons, and in their menu."""
    return [button["text"]["text"] for button in _buttons(shown)]


def button_of(shown: Shown, label: str) -> dict[str, Any]:
    """The button that says `label`."""
    return next(button for button in _buttons(shown) if button["text"]["text"] == label)


def _buttons(shown: Shown) -> list[dict[str, Any]]:
    return [choice for element in _elements(shown) for choice in _choices(element)]


def _elements(shown: Shown) -> list[dict[str, Any]]:
    blocks: Sequence[dict[str, Any]] = shown.body["blocks"] if isinstance(shown, View) else shown.blocks
    rows = (block["elements"] if block["type"] == "actions" else [block.get("accessory")] for block in blocks)
    return [element for row in rows for element in row if element]


def _choices(element: dict[str, Any]) -> list[dict[str, Any]]:
    """A button, or each entry of a menu as a button."""
    return [
        {"type": "button", "action_id": element["action_id"], **option}
        for options in (element.get("options", ()), *(group["options"] for group in element.get("option_groups", ())))
        for option in options
    ] or [element]
