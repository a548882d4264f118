"""What people see on the page and what they can do there, in a real browser, against the simulated Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.page.screen import PRETENCE, Hint
from tests.browser.conftest import NARROW, WIDE, Viewer, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STOP = {"type": "button", "action_id": "stop", "value": "run-7", "text": {"type": "plain_text", "text": "Stop"}}
SURE = {
    "title": {"type": "plain_text", "text": "Sure?"},
    "text": {"type": "plain_text", "text": "It ends for all."},
    "confirm": {"type": "plain_text", "text": "End it"},
    "deny": {"type": "plain_text", "text": "Keep it"},
}
MODAL = {
    "type": "modal",
    "callback_id": "ask",
    "title": {"type": "plain_text", "text": "Subscribe"},
    "submit": {"type": "plain_text", "text": "Follow"},
    "blocks": [
        {
            "type": "input",
            "block_id": "which",
            "label": {"type": "plain_text", "text": "Execution"},
            "element": {"type": "plain_text_input", "action_id": "id"},
        }
    ],
}


def said(text: str) -> list[dict[str, Any]]:
    """A section."""
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]


def steps(*statuses: str) -> list[dict[str, Any]]:
    """A plan with one step per status."""
    names = ("fastq-split", "bwa-mem", "haplotype-caller", "merge-vcf")
    tasks = [
        {"type": "task_card", "task_id": n, "title": n, "status": status}
        for n, status in zip(names, statuses, strict=False)
    ]
    return [{"type": "plan", "title": "Steps", "tasks": tasks}]


@pytest_asyncio.fixture(loop_scope="session")
async def app(world: World) -> AsyncIterator[AsyncApp]:
    """An app that echoes commands, opens a modal, accepts only the name `good`, and marks what was pressed."""
    bolt = AsyncApp(client=AsyncWebClient(world.slack.bot_token, base_url=world.slack.api_url))

    @bolt.command("/execution")
    async def command(ack: AsyncAck, respond: AsyncRespond, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        if body["text"] == "ask":
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        else:
            await respond(f"You asked: {body['text']}")

    @bolt.view("ask")
    async def view(ack: AsyncAck, view: dict[str, Any]) -> None:
        given = view["state"]["values"]["which"]["id"]["value"]
        await (ack() if given == "good" else ack(response_action="errors", errors={"which": "No such execution."}))

    @bolt.action("stop")
    async def press(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        text = f"stopped {body['actions'][0]['value']}"
        await client.chat_update(channel=world.channel, ts=body["message"]["ts"], text=text, blocks=said(text))

    @bolt.event("app_home_opened")
    async def home(client: AsyncWebClient, event: dict[str, Any]) -> None:
        await client.views_publish(
            user_id=event["user"], view={"type": "home", "blocks": said("Nothing followed yet.")}
        )

    handler = AsyncSocketModeHandler(bolt, world.slack.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's is not annotated
    yield bolt
    await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's is not annotated


async def test_what_is_posted_appears_without_a_reload(world: World, viewer: Viewer) -> None:
    """A message that arrives while the page is open appears at once."""
    page = await viewer.at()
    await world.client.chat_postMessage(channel=world.channel, text="fallback", blocks=said("*wgs-7* is running"))
    await expect(page.locator("#log b", has_text="wgs-7")).to_be_visible()


async def test_an_edit_is_seen_live(world: World, viewer: Viewer) -> None:
    """A card that is edited changes on the open page, without a mark: Slack marks edited texts, not edited blocks."""
    posted = await world.client.chat_postMessage(
        channel=world.channel, text="t", blocks=steps("in_progress", "pending")
    )
    page = await viewer.at()
    await page.locator(".plan summary").click()
    await expect(page.get_by_role("img", name="waiting")).to_be_visible()
    await world.client.chat_update(channel=world.channel, ts=posted["ts"], text="t", blocks=steps("complete", "error"))
    await expect(page.get_by_role("img", name="failed")).to_have_count(2)
    await expect(page.get_by_text("(edited)")).to_have_count(0)


async def test_an_edited_text_is_marked(world: World, viewer: Viewer) -> None:
    """A message without blocks says that it was edited."""
    posted = await world.client.chat_postMessage(channel=world.channel, text="1 of 3")
    await world.client.chat_update(channel=world.channel, ts=posted["ts"], text="2 of 3")
    page = await viewer.at()
    await expect(page.get_by_text("2 of 3(edited)")).to_be_visible()


async def test_a_plan_is_folded_until_opened(world: World, viewer: Viewer) -> None:
    """As Slack shows it; what the reader has opened stays open after the next edit."""
    posted = await world.client.chat_postMessage(channel=world.channel, text="t", blocks=steps("in_progress"))
    page = await viewer.at()
    await expect(page.get_by_text("fastq-split")).to_be_hidden()
    await page.locator(".plan summary").click()
    await world.client.chat_update(channel=world.channel, ts=posted["ts"], text="t", blocks=steps("complete"))
    await expect(page.get_by_role("img", name="done")).to_have_count(2)
    await expect(page.get_by_text("fastq-split")).to_be_visible()


async def test_replies_are_counted_and_open_in_a_panel(world: World, viewer: Viewer) -> None:
    """The card says how many replies it has; they open beside it, and new ones appear there."""
    card = await world.client.chat_postMessage(channel=world.channel, text="the card")
    await world.client.chat_postMessage(channel=world.channel, text="step one is done", thread_ts=card["ts"])
    page = await viewer.at()
    await page.get_by_role("link", name="1 reply").click()
    await expect(page.locator("#thread").get_by_text("step one is done")).to_be_visible()
    await world.client.chat_postMessage(channel=world.channel, text="step two is done", thread_ts=card["ts"])
    await expect(page.locator("#thread").get_by_text("step two is done")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#thread")).to_be_hidden()


async def test_a_press_arrives_once_it_is_confirmed(world: World, viewer: Viewer, app: AsyncApp) -> None:
    """A button with a confirmation presses only after it, and the app's response appears."""
    blocks = [{"type": "actions", "elements": [STOP | {"confirm": SURE}]}]
    await world.client.chat_postMessage(channel=world.channel, text="t", blocks=blocks)
    page = await viewer.at()
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("button", name="End it").click()
    await expect(page.get_by_text("stopped run-7")).to_be_visible()


async def test_only_who_typed_a_command_sees_its_response(world: World, viewer: Viewer, app: AsyncApp) -> None:
    """A command reaches the app; its response is marked private, and others do not see it."""
    page, others = await viewer.at(), await viewer.at(f"/?me={world.desk}")
    await page.get_by_label("Message #sequencing").fill("/execution status abc")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("You asked: status abc")).to_be_visible()
    await expect(page.get_by_text("Only visible to you")).to_be_visible()
    await expect(others.get_by_text("You asked: status abc")).to_have_count(0)


async def test_a_private_response_can_be_dismissed(world: World, viewer: Viewer, app: AsyncApp) -> None:
    """A private response disappears when the reader dismisses it."""
    await world.slack.command(world.you, world.channel, "help")
    page = await viewer.at()
    await page.get_by_text("You asked: help").hover()
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_text("You asked: help")).to_have_count(0)


async def test_a_command_without_a_bot_says_so(world: World, viewer: Viewer) -> None:
    """Without a connected app, the person reads that the command failed."""
    page = await viewer.at()
    await page.get_by_label("Message #sequencing").fill("/execution list")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("dispatch_failed").first).to_be_visible()


async def test_a_modal_shows_errors_then_closes_when_valid(world: World, viewer: Viewer, app: AsyncApp) -> None:
    """A refused form keeps what was typed and says why; a valid one closes."""
    page = await viewer.at()
    await page.get_by_label("Message #sequencing").fill("/execution ask")
    await page.keyboard.press("Enter")
    await page.get_by_label("Execution", exact=True).fill("bad")
    await page.get_by_role("button", name="Follow").click()
    await expect(page.get_by_role("alert").get_by_text("No such execution.")).to_be_visible()
    await page.locator("#modal input").fill("good")
    await page.get_by_role("button", name="Follow").click()
    await expect(page.locator("#modal")).to_be_hidden()


async def test_a_modal_closes_with_escape(world: World, viewer: Viewer, app: AsyncApp) -> None:
    """Escape closes a modal, and the workspace knows that it is closed."""
    page = await viewer.at()
    await page.get_by_label("Message #sequencing").fill("/execution ask")
    await page.keyboard.press("Enter")
    await expect(page.locator("#modal")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#modal")).to_be_hidden()
    assert not world.slack.views(world.you)


async def test_the_home_is_opened_and_shown(world: World, viewer: Viewer, app: AsyncApp) -> None:
    """The app's Home tab asks the app for its Home and shows it."""
    page = await viewer.at()
    await page.get_by_role("link", name="execution-bot").click()
    await page.get_by_role("link", name="Home").click()
    await expect(page.get_by_text("Nothing followed yet.")).to_be_visible()


async def test_unread_messages_are_counted_until_they_are_seen(world: World, viewer: Viewer) -> None:
    """A channel shows how many messages are unread, and stops once the reader has opened it."""
    page = await viewer.at()
    await world.client.chat_postMessage(channel=world.other, text="elsewhere")
    await expect(page.get_by_label("1 unread")).to_be_visible()
    await page.get_by_role("link", name="random").click()
    await expect(page.locator("#log").get_by_text("elsewhere")).to_be_visible()
    await expect(page.locator(".badge")).to_have_count(0)


async def test_a_hint_fills_the_message_box(world: World, viewer: Viewer) -> None:
    """A click on a hint puts its whole command into the message box."""
    world.page.show(hints=[Hint("run-7", "fails", (("status", "/execution status 7"),))])
    page = await viewer.at()
    await page.get_by_text("Things to try").click()
    await page.get_by_role("button", name="status").click()
    await expect(page.get_by_label("Message #sequencing")).to_have_value("/execution status 7")


async def test_a_hint_starts_what_the_sandbox_can_do(world: World, viewer: Viewer) -> None:
    """A press on such a hint has it done, once."""
    done: list[str] = []
    world.page.binding.stages = {"away": lambda: done.append("away")}
    world.page.show(hints=[Hint("GCS", "goes away", stages=(("away", "away"),))])
    page = await viewer.at()
    await page.get_by_text("Things to try").click()
    async with page.expect_response("**/stage"):
        await page.get_by_role("button", name="away").click()
    assert done == ["away"]


async def test_the_screen_is_asked_for_when_it_changes(world: World, viewer: Viewer) -> None:
    """Once for a change, and not once more because somebody has pressed something."""
    world.page.binding.stages = {"away": lambda: None}
    world.page.show(hints=[Hint("GCS", "goes away", stages=(("away", "away"),))])
    page, asked = await viewer.at(), list[str]()
    page.on("request", lambda request: asked.append(urlsplit(request.url).path.split("/")[1]))
    await page.get_by_text("Things to try").click()
    async with page.expect_response("**/stage"):
        await page.get_by_role("button", name="away").click()
    world.page.show(alarm="The bot has stopped.")
    await expect(page.get_by_role("alert").get_by_text("The bot has stopped.")).to_be_visible()
    assert asked.count("fragment") == 1


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_hints_are_one_line_until_opened(world: World, viewer: Viewer, size: tuple[int, int]) -> None:
    """Folded until somebody opens them, so that messages have the room; the sentence is not cut."""
    world.page.show(hints=[Hint("run-7", "fails", (("status", "/execution status 7"),))])
    page = await viewer.at(size=size)
    await expect(page.get_by_role("button", name="status")).to_be_hidden()
    sentence = page.locator("#hints").get_by_text(PRETENCE)
    await expect(sentence).to_be_visible()
    assert await sentence.evaluate("node => node.scrollWidth <= node.clientWidth + 1 || node.clientWidth === 0")
    box = await page.locator("#hints").bounding_box()
    assert box is not None
    assert box["height"] < 60


async def test_a_channel_opens_at_the_first_new_message(world: World, viewer: Viewer) -> None:
    """Like Slack's; what came before is above it. Once it was read, the channel opens at its end."""
    for number in range(30):
        world.slack.say(world.desk, world.channel, f"message {number}")
    page = await viewer.at()
    await expect(page.get_by_text("message 0", exact=True)).to_be_in_viewport()
    await page.get_by_role("link", name="random").click()
    await expect(page.get_by_role("heading", name="#random")).to_be_visible()
    await page.get_by_role("link", name="sequencing").click()
    await expect(page.get_by_text("message 29")).to_be_in_viewport()


async def test_a_menu_is_like_slacks(world: World, viewer: Viewer) -> None:
    """It opens where there is room, survives an edit, and closes with Escape or a press elsewhere."""
    option = {"text": {"type": "plain_text", "text": "Details"}, "value": "details"}
    menu = {"type": "overflow", "action_id": "more", "options": [option, option | {"value": "other"}]}
    blocks = [{"type": "actions", "elements": [menu]}]
    for number in range(30):
        world.slack.say(world.desk, world.channel, f"message {number}")
    page = await viewer.at()
    posted = await world.client.chat_postMessage(channel=world.channel, text="t", blocks=blocks)
    await page.get_by_label("More actions").click()
    entry = page.get_by_role("menuitem").first
    await expect(entry).to_be_in_viewport()
    await world.client.chat_update(channel=world.channel, ts=posted["ts"], text="u", blocks=[*blocks, *said("edited")])
    await expect(page.locator("#log .text", has_text="edited")).to_be_visible()
    await expect(entry).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(entry).to_be_hidden()
    await page.get_by_label("More actions").click()
    await page.get_by_role("heading", name="#sequencing").click()
    await expect(entry).to_be_hidden()


async def test_an_alarm_is_shown(world: World, viewer: Viewer) -> None:
    """The page says that the bot has stopped."""
    page = await viewer.at()
    world.page.show(alarm="The bot has stopped.")
    await expect(page.get_by_role("alert").get_by_text("The bot has stopped.")).to_be_visible()


async def test_a_moment_is_shown_in_the_readers_zone(world: World, viewer: Viewer) -> None:
    """A date is shown in the browser's time zone, not in the server's."""
    await world.client.chat_postMessage(channel=world.channel, text="at <!date^1795443600^{date_num} {time}|noon>")
    page = await viewer.at()
    await expect(page.get_by_text("2026-11-23 10:20 PM")).to_be_visible()


async def test_a_foreign_script_is_inert(world: World, viewer: Viewer) -> None:
    """Markup in a text is shown, not executed."""
    bad = "<script>window.hit=1</script><img src=x onerror='window.hit=1'>"
    await world.client.chat_postMessage(channel=world.channel, text=bad)
    page = await viewer.at()
    await expect(page.get_by_text("window.hit=1").first).to_be_visible()
    assert await page.evaluate("window.hit") is None


async def test_a_telephone_needs_no_sideways_scrolling(world: World, viewer: Viewer) -> None:
    """At 390 pixels nothing is wider than the screen, however long a text is."""
    world.page.show(hints=[Hint("a-very-long-name-" * 5, "n" * 60, (("status", "/execution status 7"),))])
    wide = [{"type": "table", "rows": [[{"type": "raw_text", "text": "c" * 30}] * 8] * 2}]
    await world.client.chat_postMessage(channel=world.channel, text="w" * 300)
    await world.client.chat_postMessage(channel=world.channel, text="t", blocks=[*steps("error"), *wide])
    page = await viewer.at(size=NARROW)
    await page.locator(".plan summary").click()
    await expect(page.get_by_text("fastq-split")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert await page.evaluate("document.getElementById('log').scrollWidth <= 390")


async def test_a_telephone_has_its_channels_in_a_drawer(world: World, viewer: Viewer) -> None:
    """On a narrow screen one press opens the channels, and choosing one closes them."""
    page = await viewer.at(size=NARROW)
    await expect(page.get_by_role("link", name="random")).to_be_hidden()
    await page.get_by_role("button", name="Channels").click()
    await page.get_by_role("link", name="random").click()
    await expect(page.get_by_role("heading", name="#random")).to_be_visible()
    await expect(page.get_by_role("link", name="random")).to_be_hidden()


async def test_a_channel_is_reached_by_keyboard(world: World, viewer: Viewer) -> None:
    """Nothing needs a mouse: tab to a channel, and press Enter."""
    page = await viewer.at()
    await page.get_by_role("link", name="random").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="#random")).to_be_visible()
