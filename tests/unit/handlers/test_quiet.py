"""Promises to people who want quiet: by a command, in the modal, and by the buttons."""

from __future__ import annotations

from datetime import time

import pytest
from msgspec.structs import replace

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.domain.quiet import MuteFor, QuietHours
from bot.domain.search import Found, Match
from bot.errors import InputProblem, InvalidInput
from tests.unit.handlers.conftest import World, modal
from tests.unit.handlers.doubles import ID

HOUR, TOMORROW = MuteFor.HOUR, MuteFor.TOMORROW


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"mute {ID}", ("mute", "U1", ID, HOUR, False, "U1", "Asia/Shanghai")),
        (f"mute {ID} until tomorrow", ("mute", "U1", ID, TOMORROW, False, "U1", "Asia/Shanghai")),
        (f"mute {ID} here 1h everything", ("mute", "C1", ID, HOUR, True, "U1", "Asia/Shanghai")),
        (f"unmute {ID} here", ("unmute", "C1", ID, "U1")),
    ],
)
async def test_a_command_mutes(world: World, text: str, asked: tuple[object, ...]) -> None:
    """The person, or the channel, in the zone of the person's Slack."""
    world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "tz": "Asia/Shanghai"}}
    await world.command(text)
    assert world.subscriptions.asked == [asked]


async def test_a_reply_says_until_when(world: World) -> None:
    """And that failures come, with a button that ends it."""
    await world.command(f"mute {ID} 8h")
    assert "No notifications until <!date^" in str(world.slack.answers)
    assert "Failures still come through." in world.reply
    assert "unmute_execution" in str(world.slack.answers)
    await world.command(f"mute {ID} end everything")
    assert "until it ends" in str(world.slack.answers[-1])
    assert "Failures wait too." in str(world.slack.answers[-1])


async def test_without_a_zone_it_is_muted(world: World) -> None:
    """Slack does not say where the person lives: tomorrow is that of UTC."""
    world.slack.results["users.info"] = {"ok": False, "error": "missing_scope"}
    await world.command(f"mute {ID} tomorrow")
    assert world.subscriptions.asked == [("mute", "U1", ID, TOMORROW, False, "U1", "")]


async def test_a_name_that_fits_several_asks_which(world: World) -> None:
    """Each with a button that mutes it for as long as was typed."""
    world.subscriptions.found = Found((Match(ID, "germline-1", "Running"), Match("e2", "germline-2", "Running")))
    await world.command("mute germline here 8h everything")
    (answer,) = world.slack.answers
    assert f"{ID}|C1|8h!" in str(answer["blocks"])
    await world.press(buttons.MUTE_EXECUTION, f"{ID}|C1|8h!")
    assert world.subscriptions.asked == [("mute", "C1", ID, MuteFor.EIGHT_HOURS, True, "U1", "")]
    await world.press(buttons.MUTE_EXECUTION, f"{ID}|C1|8d")
    assert len(world.subscriptions.asked) == 1
    await world.command("unmute germline")
    assert "unmute_execution" in str(world.slack.answers[-1]["blocks"])


async def test_the_modal_mutes_and_shows_it(world: World) -> None:
    """The channel's, as its card was pressed on; a second press ends it."""
    await world.press(buttons.SHOW_LEVELS, f"{ID}|C1")
    opened = modal(world.slack.called("views.open")[0]["view"])
    await world.press(buttons.CHOOSE_MUTE, "1h", **opened)
    assert "Failures" not in str(world.slack.called("views.update")[0]["view"]["blocks"][-1])
    assert "Unmute" in str(world.slack.called("views.update")[0]["view"]["blocks"][-1])
    await world.press(buttons.CHOOSE_MUTE, buttons.NO_MUTE, **opened)
    assert "Failures wait too" in str(world.slack.called("views.update")[1]["view"]["blocks"][-1])
    assert [asked[:3] for asked in world.subscriptions.asked[1:]] == [("mute", "C1", ID), ("unmute", "C1", ID)]


@pytest.mark.parametrize("value", ["", "1h!!", "3h", "!", "off!"])
async def test_a_foreign_choice_is_refused(world: World, value: str) -> None:
    """The modal shows a sentence, and nothing is changed."""
    about = {"private_metadata": f'{{"execution_id": "{ID}", "subscriber_id": ""}}'}
    await world.press(buttons.CHOOSE_MUTE, value, **modal(about))
    assert world.subscriptions.asked == []
    assert sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON)) in str(world.slack.called("views.update")[0]["view"])


async def test_the_menu_of_a_card_unmutes(world: World) -> None:
    """Of the channel in which it was chosen, and of no other."""
    await world.chooses(buttons.UNMUTE_EXECUTION, f"{ID}|C1")
    assert world.subscriptions.asked == [("unmute", "C1", ID, "U1")]
    assert "This channel gets notifications about it again." in world.reply
    await world.chooses(buttons.UNMUTE_EXECUTION, f"{ID}|C7")
    assert len(world.subscriptions.asked) == 1


async def test_what_is_not_followed_has_a_sentence(world: World) -> None:
    """It says how to follow it."""
    world.subscriptions.error = InvalidInput(InputProblem.NOT_FOLLOWED, line=f"/execution subscribe {ID}")
    await world.command(f"mute {ID}")
    assert f"`/execution subscribe {ID}`" in world.reply


NIGHTS = QuietHours(begins=time(22), ends=time(7), zone="Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("quiet 22:00-07:00", NIGHTS),
        ("quiet 22-7 paris everything", replace(NIGHTS, zone="Europe/Paris", holds_failures=True)),
        ("quiet off", None),
    ],
)
async def test_quiet_hours_are_chosen(world: World, text: str, hours: QuietHours | None) -> None:
    """In the zone that was typed, else in that of the person's Slack."""
    world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "tz": "Asia/Shanghai"}}
    await world.command(text)
    assert world.subscriptions.asked == [("choose_hours", "U1", hours)]
    assert ("Your quiet hours are 22:00 to 07:00" in world.reply) is (hours is not None)


async def test_an_unknown_zone_is_asked_for(world: World) -> None:
    """Slack does not say it; one that was chosen before is kept; an unknown one is no zone."""
    world.slack.results["users.info"] = {"ok": False, "error": "missing_scope"}
    await world.command("quiet 22-7")
    await world.command("quiet 22-7 atlantis")
    assert world.subscriptions.asked == []
    assert "Which time zone are you in?" in str(world.slack.answers[-1])
    world.subscriptions.quiet.kept = NIGHTS
    await world.command("quiet 22-6")
    assert world.subscriptions.asked == [("choose_hours", "U1", replace(NIGHTS, ends=time(6)))]


async def test_quiet_alone_shows_the_hours(world: World) -> None:
    """And changes nothing; what is to be typed fits what there is."""
    await world.command("quiet")
    assert "You have no quiet hours." in world.reply
    assert ("To have some: `/execution quiet" in world.reply, "quiet off" in world.reply) == (True, False)
    world.subscriptions.quiet.kept = NIGHTS
    await world.command("quiet")
    assert "`Asia/Shanghai`" in str(world.slack.answers[-1])
    assert "quiet off" in str(world.slack.answers[-1])
    assert world.subscriptions.asked == []
