"""The Home tab, and the modal that is opened there: what people see and do without typing commands, in both modes."""

from __future__ import annotations

import pytest

from bot.blocks import buttons
from sandbox import story
from tests.end_to_end.conftest import World
from tests.end_to_end.people import Person, words

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_failure_needs_somebody(talk: World, carol: Person, running: str) -> None:
    """It stands first, with its cause, and *Why* opens from there."""
    life = story.failing(4, seconds=3600)
    failed = talk.gcs.play(life, by_hand=True)
    for _ in life.frames[1:]:
        talk.gcs.step(failed)
    await carol.types(f"subscribe {running}")
    await carol.types(f"subscribe {failed}")
    await talk.slack.open_home(carol.id)
    home = words(await carol.home("Needs you (1)"))
    assert home.index("ran out of memory") < home.index("Running (1)") < home.index("1 of 3 steps")
    await carol.presses("Why", talk.slack.workspace.homes[carol.id])
    await carol.modal("ran out of memory")


async def test_channels_show_what_they_follow(talk: World, carol: Person, running: str) -> None:
    """To who is in them, and to nobody else, not even in a public channel."""
    dave = Person.new(talk)
    await carol.types(f"subscribe {running} here")
    await carol.card(carol.channel)
    await talk.slack.open_home(carol.id)
    home = await carol.home("In your channels (1)")
    assert f"<#{carol.channel}>" in words(home)
    await talk.slack.open_home(dave.id)
    assert running not in words(await dave.home("You follow no executions yet"))
    await carol.presses("Follow", home)
    await carol.home("Running (1)")


async def test_an_end_stands_there_for_a_day(talk: World, carol: Person, running: str) -> None:
    """Though nothing is followed any more."""
    await carol.types(f"subscribe {running} failures")
    await carol.card()
    talk.gcs.step(running, to="succeeded")
    await carol.card(text="no longer followed")
    await talk.slack.open_home(carol.id)
    await carol.home("Ended today (1)")


async def test_the_modal_opens_from_home(talk: World, carol: Person, running: str) -> None:
    """At the level that the person has chosen, for people who type no commands."""
    await talk.slack.open_home(carol.id)
    home = await carol.home("You follow no executions yet")
    await carol.picks(buttons.CHOOSE_MY_LEVEL, "final", home)
    await carol.home('"value": "final"}}')
    await carol.presses("Follow an execution …", home)
    await carol.submits(await carol.modal("Its name, part of its name, or its id."), query=running)
    await carol.modal("Its card comes as a direct message.")
    await carol.card(text="failures and the end")


async def test_a_workflow_is_followed_from_home(talk: World, carol: Person) -> None:
    """Home shows the rule, and ends it."""
    await talk.slack.open_home(carol.id)
    await carol.presses("Follow a workflow …", await carol.home("You follow no executions yet"))
    await carol.submits(await carol.modal("I follow every run"), workflow="germline-wgs")
    await carol.modal("You follow runs of the workflow `germline-wgs` from now on.")
    await carol.presses("Stop following", await carol.home("New executions that you follow (1)"))
    await carol.home("You follow no executions yet")


async def test_quiet_hours_are_chosen_at_home(talk: World, carol: Person) -> None:
    """And ended there."""
    await talk.slack.open_home(carol.id)
    home = await carol.home("You have no quiet hours.")
    await carol.presses("Quiet hours …", home)
    await carol.submits(await carol.modal("Time zone"), begins="21:30", ends="07:00", zone="paris")
    await carol.modal("Your quiet hours are 21:30 to 07:00")
    await carol.presses("Quiet hours …", await carol.home("Your quiet hours are 21:30 to 07:00"))
    await carol.presses("No quiet hours", await carol.modal("Time zone"))
    await carol.modal("You have no quiet hours now")
    await carol.home("You have no quiet hours.")


async def test_a_person_chooses_level_and_language(talk: World, carol: Person, running: str) -> None:
    """Both hold from then on, and both are deleted with the rest."""
    await talk.slack.open_home(carol.id)
    home = await carol.home("Your default notifications")
    await carol.picks(buttons.CHOOSE_MY_LEVEL, "failures", home)
    await carol.types(f"subscribe {running}")
    await carol.card(text="failures only")
    await carol.picks(buttons.CHOOSE_LANGUAGE, "zh_CN", home)
    await carol.home("你的语言")
    question = await carol.types("forget-me")
    await carol.presses("删除我的数据", question)
    await talk.slack.wait_for(lambda: "我已删除" in question.text)
    await talk.slack.open_home(carol.id)
    await carol.home("You follow no executions yet")
    await carol.types(f"subscribe {running}")
    await talk.slack.wait_for(lambda: "every step" in words(carol.dm[-1]))
