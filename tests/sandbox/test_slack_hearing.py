"""Which messages the simulated Slack sends the app: as Slack does, and only if the app is subscribed and may hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from tests.sandbox.slack_rig import World, by_socket, world

BOT = "<@U0BOT>"
ALL = ("message.im", "message.channels", "app_mention")


@pytest.fixture
async def at() -> AsyncIterator[World]:
    """A workspace whose app is subscribed to everything."""
    async with world(events=ALL) as opened:
        yield opened


def listening(at: World) -> tuple[AsyncApp, list[dict[str, Any]]]:
    """An app that keeps the events that it is sent."""
    secret, heard = at.slack.signing_secret, list[dict[str, Any]]()
    app = AsyncApp(client=at.client, signing_secret=secret, ignoring_self_events_enabled=False)

    async def listen(ack: AsyncAck, event: dict[str, Any]) -> None:
        heard.append(event)
        await ack()

    app.event("message")(listen)
    app.event("app_mention")(listen)
    return app, heard


async def test_direct_messages_are_heard(at: World) -> None:
    """Of the person, and the app's own with its bot_id."""
    app, heard = listening(at)
    async with by_socket(at, app):
        direct = at.slack.dm(at.you)
        await at.slack.types(at.you, direct, "list")
        posted = await at.client.chat_postMessage(channel=direct, text="nothing")
        await at.client.chat_update(channel=direct, ts=posted["ts"], text="something")
        await at.client.chat_delete(channel=direct, ts=posted["ts"])
        async with asyncio.timeout(60):
            while len(heard) < 4:  # noqa: ASYNC110  # the app's own are sent in the background
                await asyncio.sleep(0.01)
    typed, own, changed, deleted = heard
    assert (typed["type"], typed["channel_type"], typed["user"], typed["text"]) == ("message", "im", at.you, "list")
    assert not {"bot_id", "subtype", "thread_ts", "edited"} & typed.keys()
    assert (own["bot_id"], own["user"], "subtype" in own) == ("B0SANDBOX", "U0BOT", False)
    assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "something")
    assert changed["previous_message"]["text"] == "nothing"
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", posted["ts"])
    assert deleted["ts"] != posted["ts"]


async def test_a_mention_comes_twice(at: World) -> None:
    """As a mention and as a message of the channel; with `edited` after an edit; never in direct messages."""
    app, heard = listening(at)
    async with by_socket(at, app):
        parent = at.slack.say(at.you, at.channel, "hello")
        await at.slack.types(at.you, at.channel, f"{BOT} list", thread_ts=parent.ts)
        message = at.slack.messages(at.channel)[-1]
        await at.slack.edits(message, f"{BOT} list here")
        await at.slack.types(at.you, at.slack.dm(at.you), f"{BOT} list")
    mentions = [event for event in heard if event["type"] == "app_mention"]
    assert [event["text"] for event in mentions] == [f"{BOT} list", f"{BOT} list here"]
    assert ["edited" in event for event in mentions] == [False, True]
    assert {event["thread_ts"] for event in mentions} == {parent.ts}
    assert {event["ts"] for event in mentions} == {message.ts}


async def test_broadcasts_and_joins_have_a_subtype(at: World) -> None:
    """Other apps' messages have a bot_id."""
    app, heard = listening(at)
    async with by_socket(at, app):
        parent = at.slack.say(at.you, at.channel, "hello")
        other = at.slack.add_user("other")
        await at.slack.joins(other, at.channel)
        await at.slack.types(at.you, at.channel, "all", thread_ts=parent.ts, is_broadcast=True)
        await at.slack.types(other, at.channel, f"{BOT} x", bot_id="B0OTHER")
    kinds = [(event["type"], event.get("subtype"), event.get("bot_id")) for event in heard if event["text"] != "hello"]
    assert sorted(kinds, key=str) == [
        ("app_mention", None, "B0OTHER"),
        ("message", "channel_join", None),
        ("message", "thread_broadcast", None),
        ("message", None, "B0OTHER"),
    ]


async def test_an_echo_is_the_same_event(at: World) -> None:
    """Sent again with the same id, although it was acked."""
    app, heard = listening(at)
    at.slack.echoes = 2
    async with by_socket(at, app):
        (done,) = await at.slack.types(at.you, at.slack.dm(at.you), "list")
    assert (done.attempts, [event["text"] for event in heard]) == (3, ["list"] * 3)
    assert len({event["ts"] for event in heard}) == 1


@pytest.mark.parametrize(("events", "scopes"), [((), None), (ALL, {"chat:write"})], ids=["unsubscribed", "no scope"])
async def test_not_everything_is_sent(events: tuple[str, ...], scopes: set[str] | None) -> None:
    """Neither without a subscription, nor without the scope, nor where the bot is not."""
    async with world(events=events, scopes=scopes) as at:
        app, heard = listening(at)
        async with by_socket(at, app):
            await at.slack.types(at.you, at.slack.dm(at.you), "list")
            await at.slack.types(at.you, at.channel, f"{BOT} list")
            at.slack.grant({"im:history", "channels:history", "app_mentions:read"})
            at.slack.hearing.events |= set(ALL)
            at.slack.remove_bot(at.channel)
            await at.slack.types(at.you, at.channel, f"{BOT} list")
        assert heard == []
