"""Promises of the middleware: every request is acked, every error becomes a sentence, nothing escapes."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from bot.blocks.language import Language
from bot.blocks.modals import Spoken, metadata
from bot.blocks.sentences import sentence
from bot.errors import BotError, GCSUnavailable, InputProblem, InvalidInput
from bot.metrics import HANDLERS_ACK_SECONDS, HANDLERS_REQUESTS
from handlers.request import Request
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID


async def test_an_immediate_error_does_not_lose_the_ack(world: World) -> None:
    """Bolt loses an ack when the listener raises within 10 ms of it; the middleware does not."""
    world.subscriptions.error = RuntimeError("at once")
    async with asyncio.timeout(2):  # a lost ack shows after three seconds, when Bolt stops waiting for it
        response = await world.command(ID, response_url="")  # nothing to answer to, so nothing delays the error
    assert response.status == 200


async def test_a_crash_becomes_a_sentence(world: World) -> None:
    """The person reads a sentence even for an error that nobody foresaw."""
    world.subscriptions.error = RuntimeError("at once")
    await world.command(ID)
    assert world.reply == sentence(BotError())


async def test_a_crash_is_logged_by_kind_and_place(world: World) -> None:
    """The text of a foreign error may hold what was typed or a token; the log gets neither."""
    world.subscriptions.error = RuntimeError("xoxb-hunter2")
    with capture_logs() as logs:
        await world.command(ID)
    (line,) = [line for line in logs if line["event"] == "handlers.crashed"]
    assert line["kind"] == "RuntimeError"
    assert "doubles.py:" in line["at"]
    assert "hunter2" not in str(logs)


@pytest.mark.parametrize("text", ["patient-john-doe", "subscirbe patient-john-doe", f"{ID}a1b2c3-patient"])
async def test_typed_words_are_never_logged(world: World, text: str) -> None:
    """The person reads what is wrong with them; the log gets the kind of problem only."""
    with capture_logs() as logs:
        await world.command(text)
    (line,) = [line for line in logs if line["event"] == "handlers.refused"]
    assert line["error"] in set(InputProblem)
    assert "patient" not in str(logs)


async def test_each_request_has_one_audit_line(world: World) -> None:
    """Who, what, where, about which execution, and how it ended."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await world.press("unsubscribe_execution", f"{ID}|C1", user={"id": "U7", "team_id": "T1"})
    (line,) = [line for line in logs if line["event"] == "handlers.answered"]
    assert (line["listener"], line["actor"], line["team"]) == ("unsubscribe_execution", "U7", "T1")
    assert (line["channel"], line["execution"], line["result"]) == ("C1", ID, "ok")
    assert len(line["request_id"]) == 12


@pytest.mark.parametrize("user", ["U1", {"id": ["U1"], "team_id": {}}, None, {"id": "john", "team_id": "T doe"}])
async def test_a_malformed_person_is_in_the_trail(world: World, user: object) -> None:
    """A payload of another shape is refused, and logged without its text."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await world.press("share_execution", "patient-john-doe", user=user)
    (line,) = [line for line in logs if line["event"] == "handlers.answered"]
    assert (line["result"], line["problem"]) == ("NotAllowed", "other_organisation")
    assert "john" not in str(logs)


async def test_requests_are_counted_by_listener_and_result(world: World) -> None:
    """The metric names the listener and its result."""
    world.subscriptions.error = GCSUnavailable("503")
    counter = HANDLERS_REQUESTS.labels("execution_command", "GCSUnavailable")
    before = counter._value.get()
    await world.command(ID)
    assert counter._value.get() == before + 1


async def test_acks_are_timed(world: World) -> None:
    """Each request adds one ack to the histogram, however it ended."""
    before = HANDLERS_ACK_SECONDS._sum.get()
    await world.command("help")
    assert HANDLERS_ACK_SECONDS._sum.get() > before


async def test_the_ack_does_not_wait_for_the_work(world: World) -> None:
    """A slow listener starts after its ack, and `drain` knows that it is running."""
    started, free = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> None:
        started.set()
        await free.wait()

    world.app.command("/slow")(world.middleware.guard("slow", slow))
    world.app._async_listeners.insert(0, world.app._async_listeners.pop())
    sending = asyncio.create_task(world.command("", command="/slow"))
    await started.wait()
    assert await world.middleware.drain(timedelta(0)) == 1
    free.set()
    assert (await sending).status == 200


ASKING = {"command": "/execution", "text": ID, "team_id": "T1", "user_id": "U1", "channel_id": "C1"}


async def test_a_listener_starts_by_itself(world: World) -> None:
    """Nothing else has to happen after the ack."""
    await world.deliver(ASKING)
    async with asyncio.timeout(60):
        while not world.subscriptions.asked:  # noqa: ASYNC110  # a task of its own
            await asyncio.sleep(0.01)
    await world.middleware.drain(timedelta(seconds=2))


@pytest.mark.parametrize(
    "body",
    [
        {"type": "event_callback", "event": {"type": "member_joined_channel"}},
        {"type": "event_callback", "event": {"type": "message", "channel": "D1", "text": "hello", "user": "U1"}},
        {"type": "view_closed", "view": {"id": "V1", "callback_id": "any", "type": "modal"}},
        {"type": "shortcut", "callback_id": "old"},
        {"type": "message_action", "callback_id": "old", "message": {}},
        {"type": "block_suggestion", "action_id": "old", "value": ""},
        {"type": "interactive_message", "callback_id": "old", "actions": [{"name": "a"}]},
        {"command": "/retired", "text": ""},
    ],
)
async def test_nothing_goes_unacked(world: World, body: dict[str, object]) -> None:
    """Whatever Slack sends gets its 200, and nobody gets an answer."""
    known = {"team_id": "T1", "user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}}
    response = await world.send(known | body if "command" not in body else {"team_id": "T1", "user_id": "U1", **body})
    assert response.status == 200
    assert world.slack.answers == []


async def test_what_another_version_showed_is_explained(world: World) -> None:
    """A button, a choice of its menu, and a modal, which does not close as if it were done."""
    unknown = sentence(InvalidInput(InputProblem.UNKNOWN_BUTTON))
    await world.press("of_next_year")
    await world.chooses("of_next_year")
    assert [answer["text"] for answer in world.slack.answers] == [unknown, unknown]
    person = {"user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}, "trigger_id": "t.1"}
    chinese = {"private_metadata": metadata(Spoken(Language.CHINESE))}
    view = {"id": "V1", "callback_id": "of_next_year", "type": "modal", **chinese}
    response = await world.send({"type": "view_submission", "view": view, **person})
    acked = json.loads(response.body or "{}")
    assert (acked["response_action"], "另一个版本" in str(acked["view"])) == ("update", True)
    assert unknown in str(world.slack.called("views.update")[0]["view"])


async def test_a_forged_request_is_refused(world: World) -> None:
    """A request with a wrong signature reaches no listener."""
    world.app._async_middleware_list[1].verifier.signing_secret = "another"  # type: ignore[attr-defined]
    assert (await world.command(ID)).status == 401
    assert world.subscriptions.asked == []
