"""Cancel and retry by the whole bot: operators only, asked first, done once, whatever dies in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sandbox import story
from sandbox.gcs import Fault
from sandbox.slack.state import View
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.people import PATIENCE, Person, labels, words
from tests.end_to_end.test_access import ALICE, BOB

OPERATORS: dict[str, Any] = {"OPERATORS": ALICE, "OPERATOR_GROUPS": "S0OPS"}


async def followed(world: World, *, to: str = "running 1/3", life: story.Life | None = None) -> str:
    """An execution that the lab follows."""
    execution = world.gcs.play(life or story.happy(3), by_hand=True)
    world.gcs.step(execution, to=to)
    await Person(world, world.lab, world.bob).types(f"subscribe {execution} here")
    await Person(world, world.lab, world.bob).card(world.lab)
    return execution


async def question(person: Person, execution: str, label: str = "Cancel …") -> View:
    """The modal that asks whether it is meant, opened from the summary's menu."""
    await person.presses(label, await person.types(execution))
    return await person.modal("it?*")


def actions(world: World) -> list[int]:
    """The statuses of all actions that reached GCS; 0 for a lost answer."""
    return [call.status for call in world.gcs.calls if call.method == "PUT"]


def said(world: World, text: str) -> int:
    """How many messages in the lab say that."""
    return sum(text in message.text for message in world.slack.messages(world.lab))


@pytest.mark.parametrize("has_password", [False, True])
async def test_an_operator_cancels_and_retries(tmp_path: Path, mode: str, has_password: bool) -> None:
    """From the summary, and from *Details*; the thread says who, and the card follows."""
    async with made(tmp_path, mode=mode, has_password=has_password, **OPERATORS) as world:
        alice, execution = Person(world, world.lab, world.alice), await followed(world)
        asked = await question(alice, execution)
        assert "Jobs already dispatched run to the end and may incur charges" in words(asked)
        assert actions(world) == []
        await alice.presses("Cancel it", asked)
        await alice.modal("GCS accepted this")
        await alice.card(world.lab, text="Cancelling")
        await world.slack.wait_for(lambda: said(world, f"<@{ALICE}> cancelled it from Slack") == 1, PATIENCE)
        world.gcs.step(execution, to="cancelled")
        await world.slack.wait_for(lambda: said(world, "Cancelled: ") > 0, PATIENCE)

        await alice.presses("Details", await alice.types(execution))
        await alice.presses("Retry …", await alice.modal("Retry …"))
        asked = await alice.modal("Retry it?")
        assert f"<@{ALICE}> cancelled it" in words(asked)
        await alice.presses("Retry it", asked)
        await alice.modal("starting the execution again")
        await world.slack.wait_for(lambda: said(world, f"<@{ALICE}> retried it from Slack") == 1, PATIENCE)
        assert actions(world) == [200, 200]
        ended = world.bot.logged("action.ended")
        assert [(line["actor"], line["action"], line["result"], line["execution"]) for line in ended] == [
            (ALICE, "cancel", "done", execution),
            (ALICE, "retry", "done", execution),
        ]


async def test_nobody_else_sees_it(tmp_path: Path) -> None:
    """Others read the same summary without it; who joins the group has it once Slack is asked again."""
    async with made(tmp_path, **OPERATORS) as world:
        world.slack.workspace.usergroups["S0OPS"] = {"U0SANDBOX999"}
        execution, bob = await followed(world), Person(world, world.lab, world.bob)
        assert "Cancel …" not in labels(await bob.types(execution))
        await bob.presses("Details", await bob.types(execution))
        assert "Cancel …" not in labels(await bob.modal("Workflow"))
        assert "Cancel …" not in labels(await bob.card(world.lab))


async def test_members_of_the_group_may(tmp_path: Path) -> None:
    """And nobody through a group that cannot be read."""
    async with made(tmp_path, OPERATOR_GROUPS="S0OPS, S0GONE") as world:
        world.slack.workspace.usergroups["S0OPS"] = {BOB}
        execution = await followed(world)
        alice, bob = Person(world, world.lab, world.alice), Person(world, world.lab, world.bob)
        await bob.presses("Cancel it", await question(bob, execution))
        await bob.modal("GCS accepted this")
        assert "Retry …" not in labels(await alice.types(execution))
        assert actions(world) == [200]


async def test_without_operators_there_is_nothing(tmp_path: Path) -> None:
    """As the bot is installed."""
    async with made(tmp_path) as world:
        alice, execution = Person(world, world.lab, world.alice), await followed(world)
        assert "Cancel …" not in labels(await alice.types(execution))


async def test_two_operators_act_once(tmp_path: Path, mode: str) -> None:
    """Both have the modal open and press at the same moment; the second one reads who was first."""
    async with made(tmp_path, mode=mode, OPERATORS=f"{ALICE},{BOB}") as world:
        execution = await followed(world)
        both = [Person(world, world.lab, each) for each in (world.alice, world.bob)]
        asked = [await question(each, execution) for each in both]
        await asyncio.gather(*(each.presses("Cancel it", view) for each, view in zip(both, asked, strict=True)))
        await eventually(lambda: len(world.bot.logged("handlers.answered")) >= 7)
        shown = [words(world.slack.views(each.id)[-1]) for each in both]
        assert sorted("GCS accepted this" in view for view in shown) == [False, True]
        assert sorted("Nothing was done" in view for view in shown) == [False, True]
        assert actions(world) == [200]
        await world.slack.wait_for(lambda: said(world, "cancelled it from Slack") == 1, PATIENCE)


async def test_what_changed_is_asked_again(tmp_path: Path) -> None:
    """It failed while the modal was open: nothing is sent, and the modal says what it is now."""
    async with made(tmp_path, **OPERATORS) as world:
        alice, execution = Person(world, world.lab, world.alice), await followed(world, life=story.failing(3))
        asked = await question(alice, execution)
        world.gcs.step(execution, to="failed")
        await alice.presses("Cancel it", asked)
        assert "It cannot be cancelled now" in words(await alice.modal("Nothing was done"))
        assert actions(world) == []


async def test_a_lost_answer_is_found_out(tmp_path: Path) -> None:
    """GCS did it and its gateway says 504: it is read, reported, and not sent again."""
    async with made(tmp_path, **OPERATORS) as world:
        alice, execution = Person(world, world.lab, world.alice), await followed(world)
        world.gcs.faults.add(Fault(kind="status", status=504, service="actions", is_done=True))
        await alice.presses("Cancel it", await question(alice, execution))
        await alice.modal("GCS accepted this")
        await world.slack.wait_for(lambda: said(world, "cancelled it from Slack") == 1, PATIENCE)
        assert actions(world) == [504]


async def test_a_refusal_says_the_code(tmp_path: Path) -> None:
    """And the modal offers to look again."""
    async with made(tmp_path, **OPERATORS) as world:
        alice, execution = Person(world, world.lab, world.alice), await followed(world)
        body = {"error_code": "GCS.0429", "error_msg": "busy"}
        world.gcs.faults.add(Fault(kind="status", status=409, service="actions", body=body, times=1))
        await alice.presses("Cancel it", await question(alice, execution))
        refused = await alice.modal("refused that with the code `GCS.0429`")
        await alice.presses("Check again", refused)
        await alice.presses("Cancel it", await alice.modal("Cancel it?"))
        await alice.modal("GCS accepted this")
        assert actions(world) == [409, 200]


async def test_a_kill_in_between_does_nothing_twice(tmp_path: Path, mode: str) -> None:
    """`kill -9` after GCS got it and before the bot knew: not sent again, and the thread says who did it."""
    async with made(tmp_path, mode=mode, **OPERATORS) as world:
        alice, execution = Person(world, world.lab, world.alice), await followed(world)
        fault = world.gcs.faults.add(Fault(kind="timeout", service="actions"))
        asked = await question(alice, execution)
        await alice.presses("Cancel it", asked)
        await eventually(lambda: bool(actions(world)))
        began = world.bot.logged("action.began")
        await world.bot.kill()
        world.gcs.faults.remove(fault)
        await world.bot.start()
        await world.slack.wait_for(lambda: said(world, f"<@{ALICE}> cancelled it from Slack") == 1, PATIENCE)
        assert len(actions(world)) == 1
        await eventually(lambda: bool(world.bot.logged("action.ended")))
        (line,) = world.bot.logged("action.ended")
        assert [(each["actor"], each["action"], each["request_id"]) for each in [*began, line]] == [
            (ALICE, "cancel", began[0]["request_id"])
        ] * 2
