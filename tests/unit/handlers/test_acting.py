"""Promises of *Cancel …* and *Retry …*: for operators only, always asked first, and nothing that a button claims."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from bot.acting import Acted, Acting, Current
from bot.blocks import buttons
from bot.blocks.buttons import do_action
from bot.blocks.sentences import sentence
from bot.domain.access import AccessRules
from bot.domain.acting import Act, Action, Question, Result, state_of
from bot.errors import BotError, GCSActionRefused, GCSUnavailable, InputProblem, InvalidInput, NotAllowed
from tests.unit.handlers.conftest import MODAL, World, made
from tests.unit.handlers.doubles import ID, NOW, SNAPSHOT

OPERATORS = AccessRules(operators=frozenset({"U1"}))
BY_GROUP = AccessRules(operator_groups=frozenset({"S1"}))
OTHERS = AccessRules(operators=frozenset({"U9"}))
EXECUTION = SNAPSHOT.execution
NO_OPERATOR = sentence(NotAllowed(InputProblem.NO_OPERATOR))


class FakeActing:
    """In the place of `Acting`: remembers its calls, and answers what a test sets."""

    def __init__(self) -> None:
        self.looked: list[tuple[str, str]] = []
        self.acted: list[tuple[str, Question, str]] = []
        self.found = Current(EXECUTION, NOW, None)
        self.result: Result | None = Result.DONE
        self.refusal: BotError | None = None
        self.error: Exception | None = None

    async def current(self, team_id: str, execution_id: str) -> Current:
        """Somebody is about to be asked."""
        self.looked.append((team_id, execution_id))
        if self.error is not None:
            raise self.error
        return self.found

    async def act(self, team_id: str, question: Question, by: str) -> Acted:
        """Somebody has confirmed it."""
        self.acted.append((team_id, question, by))
        if self.error is not None:
            raise self.error
        return Acted(self.result, self.found, self.refusal)


@asynccontextmanager
async def world_of(rules: AccessRules = OPERATORS) -> AsyncIterator[tuple[World, FakeActing]]:
    """Listeners in a workspace where somebody may act."""
    acting = FakeActing()
    async with made(rules=rules, acting=cast("Acting", acting)) as world:
        yield world, acting


def question(**more: Any) -> Question:
    """What `U1` was asked."""
    usual = Question(execution_id=ID, action=Action.CANCEL, state=state_of(EXECUTION), act="", asked_at=NOW)
    return replace(usual, **more)


CONFIRMED = str(do_action(question())["value"])
ASKED = f"{ID}|cancel"


def shown(world: World) -> str:
    """The last view that the person saw."""
    views = [body["view"] for method, body in world.slack.calls if method in {"views.open", "views.update"}]
    view = views[-1]
    text = json.dumps(view if isinstance(view, dict) else json.loads(str(view)), ensure_ascii=False)
    return text.replace("\N{NO-BREAK SPACE}", " ")


def offers(world: World) -> list[str]:
    """The actions that anything shown so far offers, by their buttons and entries."""
    seen = json.dumps([*world.slack.answers, *(body.get("view") for _, body in world.slack.calls)])
    return [each for each in ("ask_action", "do_action") if each in seen]


async def test_operators_are_offered_it() -> None:
    """In what is drawn for them alone: the summary, *Details* and *Why*."""
    async with world_of() as (world, _):
        await world.command(ID)
        assert f"{buttons.ASK_ACTION}:{ASKED}" in json.dumps(world.slack.answers)
        for action_id in (buttons.SHOW_DETAILS, buttons.SHOW_WHY):
            await world.press(action_id)
            assert ASKED in shown(world)


@pytest.mark.parametrize("rules", [AccessRules(), OTHERS, BY_GROUP])
async def test_nobody_else_is_offered_it(rules: AccessRules) -> None:
    """Not without operators, not to others, and not where their group cannot be read."""
    async with world_of(rules) as (world, _):
        world.slack.results["usergroups.users.list"] = {"ok": False, "error": "missing_scope"}
        await world.command(ID)
        for action_id in (buttons.SHOW_DETAILS, buttons.SHOW_WHY, buttons.SHOW_EXECUTION, buttons.REFRESH_SUMMARY):
            await world.press(action_id)
        assert offers(world) == []
        assert len(world.slack.answers) == 3


async def test_what_everybody_sees_offers_nothing() -> None:
    """A shared summary is one for all, even if an operator shares it."""
    async with world_of() as (world, _):
        await world.press(buttons.SHARE_EXECUTION)
        assert world.slack.answers[0]["response_type"] == "in_channel"
        assert offers(world) == []


@pytest.mark.parametrize("phase", ["Succeeded", "Cancelling", "Deleting", "Weather"])
async def test_what_gcs_does_not_take_is_not_offered(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the last that is known."""
    ended = replace(SNAPSHOT, execution=replace(EXECUTION, phase=phase))
    monkeypatch.setattr("tests.unit.handlers.doubles.SNAPSHOT", ended)
    async with world_of() as (world, _):
        await world.press(buttons.SHOW_DETAILS)
        assert phase in shown(world) or phase == "Deleting"
        assert offers(world) == []


async def test_members_of_a_group_may() -> None:
    """Slack is asked once in five minutes."""
    async with world_of(BY_GROUP) as (world, acting):
        world.slack.results["usergroups.users.list"] = {"users": ["U1"]}
        await world.press(buttons.ASK_ACTION, ASKED)
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert [by for _, _, by in acting.acted] == ["U1"]
        assert len(world.slack.called("usergroups.users.list")) == 1


async def test_the_question_says_what_it_does() -> None:
    """The modal is open before GCS is asked; its button carries what was shown."""
    async with world_of() as (world, acting):
        await world.chooses(buttons.ASK_ACTION, ASKED)
        methods = [method for method, _ in world.slack.calls if method.startswith("views.")]
        assert methods == ["views.open", "views.update"]
        assert acting.looked == [("T1", ID)]
        assert "Jobs already dispatched run to the end and may incur charges" in shown(world)
        assert "2 of 5 steps" in shown(world)
        assert CONFIRMED in shown(world)
        assert acting.acted == []


async def test_a_question_replaces_the_modal() -> None:
    """Where it is pressed in one."""
    async with world_of() as (world, _):
        await world.press(buttons.ASK_ACTION, ASKED, **MODAL)
        assert world.slack.called("views.open") == []
        assert {body["view_id"] for body in world.slack.called("views.update")} == {"V7"}


async def test_a_confirmation_is_done() -> None:
    """With the question that was asked and the person who confirms; the modal says how it ended."""
    async with world_of() as (world, acting):
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert acting.acted == [("T1", question(), "U1")]
        assert "GCS accepted this" in shown(world)
        assert world.subscriptions.admitted == ["U1"]


async def test_a_change_is_asked_about_again() -> None:
    """With what GCS shows now, and a button that carries that."""
    async with world_of() as (world, acting):
        acting.result, acting.found = None, replace_current(act="a1")
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert "Nothing was done" in shown(world)
        assert str(do_action(question(act="a1"))["value"]) in shown(world)


def replace_current(*, act: str, result: Result = Result.DONE, age: timedelta = timedelta(minutes=5)) -> Current:
    """The execution, retried by somebody a while ago."""
    return Current(EXECUTION, NOW, Act(token=act, action=Action.RETRY, by="U2", began_at=NOW - age, result=result))


async def test_what_is_under_way_is_not_offered_twice() -> None:
    """Somebody else has confirmed it a second ago."""
    async with world_of() as (world, acting):
        acting.found = replace_current(act="a1", result=Result.UNDER_WAY, age=timedelta(seconds=1))
        await world.press(buttons.ASK_ACTION, ASKED)
        assert "<@U2> is retrying it right now" in shown(world)
        assert buttons.DO_ACTION not in shown(world)


@pytest.mark.parametrize(
    ("result", "refusal", "said"),
    [
        (Result.UNKNOWN, None, "I do not know whether it accepted this"),
        (Result.REFUSED, GCSActionRefused(code="GCS.4000003"), "refused that with the code `GCS.4000003`"),
    ],
)
async def test_another_end_is_shown(result: Result, refusal: BotError | None, said: str) -> None:
    """With a button that asks again, and none that does it."""
    async with world_of() as (world, acting):
        acting.result, acting.refusal = result, refusal
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert said in shown(world)
        assert ASKED in shown(world)
        assert buttons.DO_ACTION not in shown(world)


@pytest.mark.parametrize("rules", [OTHERS, BY_GROUP])
async def test_a_button_is_no_authority(rules: AccessRules) -> None:
    """Pressed by anybody: a copied value, a forged one, and somebody who was an operator a moment ago."""
    async with world_of(rules) as (world, acting):
        world.slack.results["usergroups.users.list"] = {"users": ["U9"]}
        await world.press(buttons.ASK_ACTION, ASKED)
        assert NO_OPERATOR in shown(world)
        await world.chooses(buttons.ASK_ACTION, ASKED)
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert NO_OPERATOR in shown(world)
        assert (acting.looked, acting.acted) == ([], [])


async def test_an_unreadable_group_lets_nobody() -> None:
    """With a sentence that says so."""
    async with world_of(BY_GROUP) as (world, acting):
        world.slack.results["usergroups.users.list"] = {"ok": False, "error": "missing_scope"}
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert "cannot read the user group that may cancel" in shown(world)
        assert acting.acted == []


@pytest.mark.parametrize(
    "person",
    [
        {"id": "U1", "team_id": "T9"},
        {"id": "U1", "team_id": "T1", "is_restricted": True},
    ],
)
async def test_operators_must_be_let_in(person: dict[str, Any]) -> None:
    """The list gives nobody access who may not use the bot."""
    async with world_of() as (world, acting):
        await world.press(buttons.DO_ACTION, CONFIRMED, **(MODAL | {"user": person}))
        await world.chooses(buttons.ASK_ACTION, ASKED, user=person)
        assert (acting.looked, acting.acted) == ([], [])


async def test_without_operators_nobody_acts() -> None:
    """Who presses a button of a message from before reads why, and so does who chooses from its menu."""
    refusal = sentence(InvalidInput(InputProblem.NO_OPERATOR))
    async with made() as world:
        await world.press(buttons.ASK_ACTION, ASKED)
        await world.chooses(buttons.ASK_ACTION, ASKED)
        assert [answer["text"] for answer in world.slack.answers] == [refusal, refusal]
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        (update,) = world.slack.called("views.update")
        assert refusal in str(update["view"])


@pytest.mark.parametrize(
    ("action_id", "value"),
    [
        (buttons.ASK_ACTION, ID),
        (buttons.ASK_ACTION, f"{ID}|delete"),
        (buttons.ASK_ACTION, ""),
        (buttons.DO_ACTION, ASKED),
        (buttons.DO_ACTION, CONFIRMED.replace("cancel", "delete")),
        (buttons.DO_ACTION, f"{CONFIRMED}|more"),
        *((buttons.DO_ACTION, f"{ID}|cancel|s||{at}") for at in ("", "x", "nan", "inf", "1e30", "-1e30")),
    ],
)
async def test_nonsense_does_nothing(action_id: str, value: str) -> None:
    """With a sentence."""
    async with world_of() as (world, acting):
        await world.press(action_id, value, **MODAL)
        assert sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON)) in shown(world)
        assert (acting.looked, acting.acted) == ([], [])


async def test_gcs_away_is_shown() -> None:
    """Before anything is done."""
    async with world_of() as (world, acting):
        acting.error = GCSUnavailable()
        await world.press(buttons.ASK_ACTION, ASKED)
        assert sentence(GCSUnavailable()) in shown(world)
        await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        assert sentence(GCSUnavailable()) in shown(world)


async def test_a_repeated_press_is_done_once() -> None:
    """Slack sends it again, or somebody has captured it; a store that does not say lets nobody act."""
    async with world_of() as (world, acting):
        body = world.press_of(buttons.DO_ACTION, CONFIRMED)
        for _ in range(3):
            await world.arrives(body)
        assert len(acting.acted) == 1
        world.requests.error = TimeoutError()
        await world.arrives(body | {"trigger_id": "t.2"})
        assert len(acting.acted) == 1


async def test_the_audit_trail_names_it() -> None:
    """The line of the request has the verb and the execution."""
    async with world_of() as (world, _):
        with capture_logs() as lines:
            await world.press(buttons.DO_ACTION, CONFIRMED, **MODAL)
        (line,) = [each for each in lines if each["event"] == "handlers.answered"]
        assert (line["verb"], line["execution"], line["result"]) == ("cancel", ID, "ok")
