"""Every control of the demo is pressed once, as its users do, and what each press shows is checked.

To walk another control, add a line to a walk below: where it is, its label, and what is seen afterwards. A control that
no line presses fails the test, and so does one without a visible effect.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Page, expect
from redis import Redis

from bot.blocks.buttons import AUTO
from bot.blocks.language import Language
from bot.domain.following import Rule
from sandbox.demo import Demo
from tests.browser.conftest import visit
from tests.browser.walk import PATIENCE, Walk, listened

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def walk(tab: Page, demo: Demo) -> AsyncIterator[Walk]:
    """The page at 1280."""
    async with visit(tab, patience=PATIENCE) as page:
        walking = Walk(page, demo)
        page.on("request", walking.note)
        yield walking
        page.remove_listener("request", walking.note)


async def test_every_control_is_walked(walk: Walk, demo: Demo) -> None:
    """Nothing that the bot listens to is left out, and each press shows something."""
    await _card_of_a_channel(walk, demo)
    await _answers(walk, demo)
    await _end(walk, demo)
    await _acting(walk, demo)
    await _shortcuts(walk, demo)
    await _card_in_person(walk, demo)
    await _home(walk, demo)
    await _shared_channel(walk, demo)
    await _languages(walk, demo)
    await _rules(walk, demo)
    await _boards(walk, demo)
    await _many_rules(walk, demo)
    await _forgetting(walk, demo)
    assert listened() <= walk.pressed, "add a line to the walk above for each of these"


async def _card_of_a_channel(walk: Walk, demo: Demo) -> None:
    """Of a run that is slower than usual."""
    card, modal, answer = walk.card("rna-"), walk.modal, walk.answer
    await walk.go(demo.sequencing, me=demo.you)
    await walk.press(card, "Steps", shows=modal("bwa-mem"))
    await walk.press(modal(), "Refresh", changes=modal("bwa-mem"))
    await walk.close()
    await walk.press(card, "⋯ Details", shows=modal("Workflow id"))
    await walk.press(modal(), "Log", shows=walk.page.locator("#modal-title", has_text="Log"))
    await walk.close()
    await walk.press(card, "⋯ Share elsewhere …", shows=modal("Channel"))
    await walk.close()
    await walk.press(card, "⋯ Notifications …", shows=modal("· current"))
    await walk.press(modal(), "Choose", shows=modal("✓ every step"))
    await walk.close()
    await card.last.filter(has_text="notify: every step").wait_for()
    await walk.press(card, "⋯ Notifications …", shows=modal("stay in the thread"))
    await walk.press(modal(), "Also send to channel", shows=modal("✓ Successes also go"))
    await walk.close()
    await card.last.filter(has_text="successes also in the channel").wait_for()
    await walk.press(card, "⋯ Notifications …", shows=modal("· current"))
    await walk.choose(
        "Mute …",
        "Until tomorrow, 9:00",
        group="Failures wait too",
        shows=modal("No notifications here until"),
    )
    await walk.close()
    await card.last.filter(has_text="muted until").wait_for()
    await walk.press(card, "⋯ Unmute", shows=answer("What was waiting comes now."))
    await card.last.filter(has_not_text="muted until").wait_for()
    await walk.press(card, "⋯ Refresh", changes=card)
    await walk.press(card, "Follow", shows=answer("Its card comes as a direct message."))
    await walk.press(answer("as a direct message"), "Stop following", shows=answer("You no longer follow it."))


async def _answers(walk: Walk, demo: Demo) -> None:
    """Summaries, and lists to pick from."""
    modal, answer = walk.modal, walk.answer
    await walk.go(demo.sequencing, me=demo.you)
    await walk.type("/execution rna", shows=answer("Which one?"))
    await walk.press(answer("Which one"), "Show", shows=answer("As of"))
    await walk.press(answer("As of"), "⋯ Refresh", changes=answer("As of"))
    await walk.press(answer("As of"), "⋯ Details", shows=modal("Workflow id"))
    await walk.close()
    await walk.press(answer("As of"), "⋯ Share to channel", shows=walk.said("shared by"))
    await walk.type("/execution running", shows=answer("executions are running"))
    await walk.press(answer("executions are running"), "Show", shows=answer("As of"))
    await walk.type("/execution failed", shows=answer("executions have failed"))
    await walk.press(answer("have failed"), "Show", shows=answer("As of"))
    await walk.press(answer("As of"), "Why", shows=modal("What GCS says"))
    await walk.close()
    await walk.press(answer("As of"), "⋯ Follow", shows=answer("Its card comes as a direct message."))
    await walk.type("/execution subscribe rna", shows=answer("Which one?"))
    await walk.press(answer("Which one"), "Follow", shows=answer("Its card comes as a direct message."))
    await walk.type("/execution list", shows=answer("4 executions"))
    names = await walk.page.locator("#log article:not(.ephemeral) h3").all_inner_texts()
    digit = min(set("0123456789").intersection(*names))  # of the month, which each name has
    await walk.type(f"/execution mute {digit} here 8h", shows=answer("Which one?"))
    await walk.press(answer("Which one"), "Mute", shows=answer("No notifications here until"))
    await walk.press(answer("No notifications"), "Unmute", shows=answer("What was waiting comes now."))
    await walk.type("/execution quiet 22:00-07:00", shows=answer("Your quiet hours are 22:00 to 07:00"))
    await walk.type("/execution quiet off", shows=answer("You have no quiet hours now."))


async def _end(walk: Walk, demo: Demo) -> None:
    """Of a failed run; its channel stops following and follows again."""
    end, modal, answer = walk.end("exome-"), walk.modal, walk.answer
    await walk.go(demo.sequencing, me=demo.you)
    await walk.press(end, "Why", shows=modal("What GCS says"))
    await walk.close()
    await walk.press(end, "Steps", shows=modal("Failed"))
    await walk.close()
    await walk.press(end, "⋯ Share to channel", shows=walk.said("shared by"))
    await walk.press(end, "⋯ Stop following here …", shows=answer("Nobody in this channel"))
    stopped = answer("This channel no longer follows it.")
    await walk.press(answer("Nobody in this channel"), "Stop following here", shows=stopped)
    await walk.card("exome-").last.filter(has_text="no longer followed").wait_for()
    await walk.press(walk.card("exome-"), "Follow again", shows=answer("Its card comes as a message."))


async def _acting(walk: Walk, demo: Demo) -> None:
    """An operator cancels the slow run and retries the failed one; both say what that means before it is done."""
    modal = walk.modal
    await walk.go(demo.sequencing, me=demo.you)
    await walk.press(walk.card("rna-"), "⋯ Details", shows=modal("Workflow id"))
    await walk.press(modal(), "Cancel …", shows=modal("Cancel it?"))
    await walk.press(modal(), "Cancel it", shows=modal("GCS accepted this"))
    await walk.close()
    await walk.card("rna-").last.filter(has_text="Cancell").wait_for()
    await walk.press(walk.end("exome-"), "Why", shows=modal("What GCS says"))
    await walk.press(modal(), "Retry …", shows=modal("Retry it?"))
    await walk.press(modal(), "Retry it", shows=modal("starting the execution again"))
    await walk.close()


async def _shortcuts(walk: Walk, demo: Demo) -> None:
    """For people who type no commands: from everywhere, and from a message."""
    everywhere, modal = walk.page.locator("#main"), walk.modal
    await walk.go(demo.sequencing, me=demo.you)
    await walk.press(everywhere, "Follow an execution", shows=modal("Notifications"))
    await walk.enter("Execution", "cohort")
    await walk.press(modal(), "Follow", shows=modal("already follow"))
    await walk.close()
    await walk.press(walk.card("wgs-"), "Follow this execution", shows=modal("Notifications"))
    answer = re.compile("as a direct message|There is nothing left to follow")  # which ends some day
    await walk.press(modal(), "Follow", shows=modal(answer))
    await walk.close()


async def _card_in_person(walk: Walk, demo: Demo) -> None:
    """Of 195 steps, in direct messages."""
    card, modal = walk.card("cohort-"), walk.modal
    await walk.go(demo.slack.dm(demo.you), me=demo.you)
    await walk.press(card, "Steps", shows=modal("Steps 1 to 30 of"))
    await walk.press(modal(), "Next →", shows=modal("Steps 31 to 60 of"))
    await walk.press(modal(), "← Previous", shows=modal("Steps 1 to 30 of"))
    await walk.close()
    await walk.press(card, "⋯ Notifications …", shows=modal("What you get"))
    await walk.press(modal(), "Choose", shows=modal("✓ every step"))
    await walk.close()
    await walk.press(card, "⋯ Share to channel", shows=modal("Channel"))
    await modal().get_by_role("combobox").select_option(label="#sequencing")
    await walk.press(modal(), "Share", shows=modal("Everybody in"))
    await walk.close()
    await walk.press(card, "⋯ Stop following", shows=walk.answer("You no longer follow it."))
    await card.last.filter(has_text="no longer followed").wait_for()
    await walk.press(card, "Follow again", shows=walk.answer("Its card comes as a direct message."))


async def _home(walk: Walk, demo: Demo) -> None:
    """What a person follows, and their settings."""
    home, modal = walk.home, walk.modal
    await walk.go(demo.slack.dm(demo.you), me=demo.you, tab="home")
    await home("cohort-").wait_for()
    await walk.press(home(), "Steps", shows=modal("Steps 1 to"))
    await walk.close()
    await walk.press(home(), "Follow an execution …", shows=modal("Notifications"))
    await walk.enter("Execution", "cohort")
    await walk.press(modal(), "Follow", shows=modal("already follow"))
    await walk.close()
    await walk.press(home(), "Follow a workflow …", shows=modal("I follow every run that starts"))
    await walk.enter("Workflow", "exome")
    await walk.press(modal(), "Follow", shows=modal("You follow runs of the workflow"))
    await walk.close()
    await home("Runs of the workflow").wait_for()
    await walk.press(home(), "Quiet hours …", shows=modal("Time zone"))
    await walk.enter("Time zone", "Asia/Shanghai")
    await walk.press(modal(), "Save", shows=modal("Your quiet hours are"))
    await walk.close()
    await home("Your quiet hours are").wait_for()
    await walk.press(home(), "Quiet hours …", shows=modal("Time zone"))
    await walk.press(modal(), "No quiet hours", shows=modal("You have no quiet hours now"))
    await walk.close()
    level, language = home().locator("select").nth(0), home().locator("select").nth(1)
    async with walk.page.expect_response("**/press"):
        await level.select_option("steps")
    await walk.go(demo.slack.dm(demo.you), me=demo.you, tab="home")
    await expect(level).to_have_value("steps", timeout=PATIENCE)
    await language.select_option(Language.CHINESE.value)
    await home("设置").wait_for()
    await language.select_option(AUTO)
    await home("Settings").wait_for()
    await walk.press(home(), "⋯ Stop following", changes=home())


async def _shared_channel(walk: Walk, demo: Demo) -> None:
    """A channel that another organisation reads: nothing is posted there before somebody approves it."""
    answer, card = walk.answer, walk.card("cohort-")
    await walk.go(demo.partners, me=demo.you)
    await walk.type("/execution subscribe cohort here", shows=answer("I post nothing here until"))
    await walk.press(answer("I post nothing here until"), "Approve this channel", shows=answer("approved that I post"))
    await card.wait_for()
    await walk.press(answer("approved that I post"), "Withdraw approval", shows=answer("until somebody approves"))


async def _languages(walk: Walk, demo: Demo) -> None:
    """Of a person, and of a channel."""
    await walk.go(demo.sequencing, me=demo.you)
    await walk.type("/execution language zh", shows=walk.answer("今后我会用中文给你发消息"))
    await walk.type("/execution running", shows=walk.answer("个任务执行中"))
    await walk.type("/execution language en", shows=walk.answer("I write to you in English from now on."))
    await walk.type("/execution help", shows=walk.answer("Follow workflow executions"))


async def _rules(walk: Walk, demo: Demo) -> None:
    """What is yet to come is followed, and no longer."""
    await walk.go(demo.sequencing, me=demo.you)
    await walk.type("/execution subscribe workflow panel", shows=walk.answer("from now on"))
    await walk.press(walk.answer("from now on"), "Stop following", shows=walk.answer("You no longer follow runs"))


async def _boards(walk: Walk, demo: Demo) -> None:
    """One message for all that a channel follows, and its end."""
    await walk.go(demo.sequencing, me=demo.you)
    board = walk.said("Board: everything this channel follows")
    await walk.type("/execution board", shows=board)
    menu, shown = board.last.get_by_role("combobox"), walk.answer("germline-wgs")
    await menu.select_option(index=1)
    await shown.last.wait_for()
    await walk.press(board, "⋯ Stop this board", shows=walk.answer("The board has ended"))
    await walk.said("ended this board").last.wait_for()


async def _many_rules(walk: Walk, demo: Demo) -> None:
    """More than a page of Home has; the first of them are about to end."""
    home, place = walk.home, demo.slack.dm(demo.desk)
    read = len(demo.slack.ephemerals(demo.desk))
    for number in range(17):
        await demo.slack.command(demo.desk, demo.sequencing, f"subscribe label lane={number}")
    await demo.slack.wait_for(lambda: len(demo.slack.ephemerals(demo.desk)) >= read + 17, PATIENCE / 1000)
    _hasten_the_end(demo)
    await walk.go(place, me=demo.desk, tab="home")
    await home("New executions that you follow (17)").wait_for()
    await walk.press(home(), "Keep following", changes=home())
    await walk.press(home(), "Next →", shows=home("Executions 16 to"))
    await walk.press(home(), "← Previous", shows=home("Executions 1 to"))


def _hasten_the_end(demo: Demo) -> None:
    """Make the rules of this workspace as old as they would be in twelve weeks."""
    assert demo.bot
    (engine,) = demo.bot.log.parent.rglob("valkey.sock")
    with Redis(unix_socket_path=str(engine), decode_responses=True) as redis:
        (key,) = redis.scan_iter("*{rules:*}:rows")
        for field, row in cast("dict[str, str]", redis.hgetall(key)).items():
            rule = msgspec.json.decode(row, type=Rule)
            old = replace(rule, expires_at=rule.expires_at - timedelta(days=84), is_announced=True)
            redis.hset(key, field, msgspec.json.encode(old).decode())


async def _forgetting(walk: Walk, demo: Demo) -> None:
    """Deletes what is kept about a person."""
    await walk.go(demo.sequencing, me=demo.you)
    await walk.type("/execution forget-me", shows=walk.answer("Shall I delete"))
    await walk.press(walk.answer("Shall I delete"), "Delete my data", shows=walk.answer("I deleted"))
