"""A real Bolt app against the simulated Slack: both modes, what people do, and what they see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.views import put_on_top
from tests.sandbox.slack_rig import CARD, MODAL, World, bolt, by_http, by_socket, world

SECOND: dict[str, Any] = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Done"},
    "callback_id": "done",
    "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "Followed."}}],
}


@pytest.fixture
async def at() -> AsyncIterator[World]:
    """A workspace in real time, because Bolt checks the time of signatures; acks time out fast."""
    async with world(now=time.time, ack_seconds=0.5) as opened:
        yield opened


@pytest.fixture(params=["socket", "http"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the app receives requests."""
    return str(request.param)


def reached(at: World, app: AsyncApp, mode: str) -> AbstractAsyncContextManager[Any]:
    """The app, connected in that mode."""
    return by_socket(at, app) if mode == "socket" else by_http(at, app)


async def test_command_is_acked_and_answered(at: World, mode: str) -> None:
    """A command is acked; only the person sees the app's response."""
    app = bolt(at)

    @app.command("/execution")
    async def listen(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any]) -> None:
        await ack()
        await respond(text=f"you said {command['text']}", blocks=CARD)

    async with reached(at, app, mode):
        done = await at.slack.command(at.you, at.channel, "list")
        shown = await at.slack.wait_for(lambda: at.slack.ephemerals(at.you, at.channel))
    assert done.acked
    assert done.acked_in < 0.5
    assert [each.text for each in shown] == ["you said list"]
    assert at.slack.messages(at.channel) == []


async def test_ack_with_text_is_shown(at: World, mode: str) -> None:
    """Text in the ack is shown too."""
    app = bolt(at)

    @app.command("/execution")
    async def listen(ack: AsyncAck) -> None:
        await ack("at once")

    async with reached(at, app, mode):
        await at.slack.command(at.you, at.channel, "help")
    assert [each.text for each in at.slack.ephemerals(at.you)] == ["at once"]


async def test_missing_ack_is_shown_as_timeout(at: World, mode: str) -> None:
    """A person whose command is not acked in time sees Slack's own error."""
    app, end = bolt(at), asyncio.Event()

    @app.command("/execution")
    async def listen(ack: AsyncAck) -> None:
        with suppress(asyncio.CancelledError):
            await end.wait()
        await ack()

    async with reached(at, app, mode):
        done = await at.slack.command(at.you, at.channel, "list")
        end.set()
    assert (done.acked, done.error) == (False, "operation_timeout")
    assert at.slack.ephemerals(at.you)[0].text == '/execution failed with the error "operation_timeout"'


async def test_no_connection_is_a_failed_dispatch(at: World) -> None:
    """Without any connection a command fails at once."""
    done = await at.slack.command(at.you, at.channel, "list")
    assert done.error == "dispatch_failed"
    assert at.slack.ephemerals(at.you)[0].is_notice


async def test_press_includes_its_message(at: World, mode: str) -> None:
    """A press includes value, message and channel; its response_url can replace the message."""
    app = bolt(at)

    @app.action("refresh_card")
    async def listen(ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any]) -> None:
        await ack()
        await respond(text=f"was {body['message']['text']} {body['actions'][0]['value']}", replace_original=True)

    posted = await at.client.chat_postMessage(channel=at.channel, text="card", blocks=CARD)
    async with reached(at, app, mode):
        await at.slack.press(at.you, channel=at.channel, ts=posted["ts"], action_id="refresh_card")
        await at.slack.wait_for(lambda: at.slack.messages(at.channel)[0].edits)
    assert at.slack.messages(at.channel)[0].text == "was card exec-1"


async def test_pressed_ephemeral_can_be_deleted(at: World) -> None:
    """A button in an ephemeral works, and delete_original removes the ephemeral."""
    app = bolt(at)

    @app.action("show_steps")
    async def listen(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond(delete_original=True)

    shown = await at.client.chat_postEphemeral(channel=at.channel, user=at.you, text="card", blocks=CARD)
    async with by_socket(at, app):
        await at.slack.press(at.you, ephemeral=shown["message_ts"], action_id="show_steps")
        await at.slack.wait_for(lambda: not at.slack.ephemerals(at.you))


async def test_response_in_a_channel_without_the_bot(at: World) -> None:
    """Everyone sees an in_channel response, even if the bot is not a member."""
    app = bolt(at)
    at.slack.remove_bot(at.channel)

    @app.command("/execution")
    async def listen(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond(text="for all", response_type="in_channel")

    async with by_socket(at, app):
        await at.slack.command(at.you, at.channel, "share")
        await at.slack.wait_for(lambda: at.slack.messages(at.channel))
    assert at.slack.messages(at.channel)[0].text == "for all"


async def test_modal_from_open_to_submit(at: World, mode: str) -> None:
    """A command opens a modal; the app receives the values; errors keep it open, a plain ack closes it."""
    app = bolt(at)

    @app.command("/execution")
    async def ask(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.view("steps")
    async def take(ack: AsyncAck, view: dict[str, Any]) -> None:
        typed = view["state"]["values"]["asked"]["execution_id"]["value"]
        await (ack() if typed else ack(response_action="errors", errors={"asked": "say which"}))

    async with reached(at, app, mode):
        await at.slack.command(at.you, at.channel, "ask")
        (view,) = await at.slack.wait_for(lambda: at.slack.views(at.you))
        await at.slack.submit(at.you, view.id)
        assert view.errors == {"asked": "say which"}
        await at.slack.submit(at.you, view.id, {"execution_id": "exec-1"})
    assert at.slack.views(at.you) == []


@pytest.mark.parametrize(("asked", "open_views"), [("update", 1), ("push", 2), ("clear", 0)])
async def test_submission_response_with_a_view(at: World, asked: str, open_views: int) -> None:
    """The ack of a submission can change the modal, push another, or close all."""
    app = bolt(at)

    @app.view("steps")
    async def take(ack: AsyncAck) -> None:
        await (ack(response_action="clear") if asked == "clear" else ack(response_action=asked, view=SECOND))

    view = put_on_top(at.slack.workspace, at.you, MODAL)
    async with by_socket(at, app):
        await at.slack.submit(at.you, view.id, {"execution_id": "exec-1"})
    assert len(at.slack.views(at.you)) == open_views
    assert all(each.body["title"]["text"] == "Done" for each in at.slack.views(at.you)[-1:])


async def test_submission_response_with_an_invalid_view(at: World) -> None:
    """An invalid view in an ack is refused."""
    app = bolt(at)

    @app.view("steps")
    async def take(ack: AsyncAck) -> None:
        await ack(response_action="update", view=SECOND | {"blocks": []})

    view = put_on_top(at.slack.workspace, at.you, MODAL)
    async with by_socket(at, app):
        assert (await at.slack.submit(at.you, view.id, {"execution_id": "exec-1"})).error == "invalid_view"
    assert view.body["title"]["text"] == "Steps"


async def test_closed_modal_notifies_only_on_request(at: World) -> None:
    """The app is notified of a closed modal only with notify_on_close."""
    app, heard = bolt(at), []

    @app.view_closed("steps")
    async def listen(ack: AsyncAck, view: dict[str, Any]) -> None:
        heard.append(view["id"])
        await ack()

    quiet = put_on_top(at.slack.workspace, at.you, MODAL)
    loud = put_on_top(at.slack.workspace, at.you, MODAL | {"notify_on_close": True})
    async with by_socket(at, app):
        await at.slack.close(at.you, loud.id)
        assert await at.slack.close(at.you, quiet.id) is None
    assert heard == [loud.id]


async def test_button_in_a_modal(at: World) -> None:
    """A press in a view includes the view, which can be updated."""
    app = bolt(at)

    @app.action("show_steps")
    async def listen(ack: AsyncAck, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await ack()
        await client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=SECOND)

    view = put_on_top(at.slack.workspace, at.you, MODAL | {"blocks": CARD})
    async with by_socket(at, app):
        await at.slack.press(at.you, view=view.id, action_id="show_steps", value="exec-1")
        await at.slack.wait_for(lambda: view.body["title"]["text"] == "Done")


async def test_only_visible_buttons_can_be_pressed(at: World) -> None:
    """A button that is not shown, or in another person's ephemeral, cannot be pressed."""
    ts = (await at.client.chat_postMessage(channel=at.channel, text="card", blocks=CARD))["ts"]
    shown = await at.client.chat_postEphemeral(channel=at.channel, user=at.you, text="card", blocks=CARD)
    other = at.slack.add_user("Lab desk")
    with pytest.raises(LookupError, match="no show_steps with value 'exec-2'"):
        await at.slack.press(at.you, channel=at.channel, ts=ts, action_id="show_steps", value="exec-2")
    with pytest.raises(LookupError, match="sees no ephemeral"):
        await at.slack.press(other, ephemeral=shown["message_ts"], action_id="show_steps")


async def test_home_is_published(at: World, mode: str) -> None:
    """Opening the Home tab notifies the app, which publishes a view."""
    app = bolt(at)

    @app.event("app_home_opened")
    async def listen(client: AsyncWebClient, event: dict[str, Any]) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": CARD})

    async with reached(at, app, mode):
        assert (await at.slack.open_home(at.you)).acked
        await at.slack.wait_for(lambda: at.you in at.slack.workspace.homes)
    assert at.slack.workspace.homes[at.you].body["blocks"][0]["text"]["text"] == "*Running* 3 of 12"


async def test_shortcut_on_a_message(at: World) -> None:
    """A message shortcut includes the message."""
    app, heard = bolt(at), []

    @app.shortcut("follow_execution")
    async def listen(ack: AsyncAck, body: dict[str, Any]) -> None:
        heard.append((body["type"], body["message"]["text"]))
        await ack()

    ts = at.slack.say(at.you, at.channel, "exec-1 is slow").ts
    async with by_socket(at, app):
        assert (await at.slack.shortcut(at.you, "follow_execution", channel=at.channel, ts=ts)).acked
    assert heard == [("message_action", "exec-1 is slow")]


async def test_event_without_ack_is_sent_again(at: World, mode: str) -> None:
    """An event without ack is sent again with its attempt number."""
    app, attempts = bolt(at), []
    at.slack.retry_delays = (0.0, 0.0)

    @app.middleware
    async def first_time_deaf(req: Any, next: Any) -> None:  # noqa: A002  # Bolt injects by that name
        attempts.append(req.headers.get("x-slack-retry-num", ["0"])[0])
        if len(attempts) == 1:
            await asyncio.sleep(0.7)
        await next()

    @app.event("app_uninstalled")
    async def listen() -> None:
        pass

    async with reached(at, app, mode):
        done = await at.slack.event({"type": "app_uninstalled"})
    assert (done.acked, done.attempts) == (True, 2)
    assert attempts[1] == "1"


async def test_forged_signature_is_refused(at: World) -> None:
    """The app refuses a request signed with another secret, which is shown as a failed dispatch."""
    app = AsyncApp(client=at.client, signing_secret="another")
    async with by_http(at, app):
        assert (await at.slack.command(at.you, at.channel, "list")).error == "dispatch_failed"


async def test_url_verification(at: World) -> None:
    """The app returns the challenge."""
    async with by_http(at, bolt(at)):
        assert await at.slack.verify_url()


@pytest.mark.parametrize("reason", ["refresh_requested", "abrupt"])
async def test_app_reconnects_after_disconnect(at: World, reason: Any) -> None:
    """After either kind of disconnect the SDK reconnects, and commands arrive."""
    app = bolt(at)

    @app.command("/execution")
    async def listen(ack: AsyncAck) -> None:
        await ack()

    async with by_socket(at, app):
        await at.slack.disconnect_sockets(reason)
        async with asyncio.timeout(60):
            await at.slack.sockets.connected()
        assert (await at.slack.command(at.you, at.channel, "list")).acked


async def test_each_envelope_goes_to_one_connection(at: World) -> None:
    """With two connections each command arrives once, on alternating connections."""
    heard: list[str] = []

    def listening(name: str) -> AsyncApp:
        app = bolt(at)

        @app.command("/execution")
        async def listen(ack: AsyncAck) -> None:
            heard.append(name)
            await ack()

        return app

    async with by_socket(at, listening("one")), by_socket(at, listening("two")):
        for _ in range(4):
            await at.slack.command(at.you, at.channel, "list")
    assert sorted(heard) == ["one", "one", "two", "two"]
