"""Slack's requests, signed and changed at random, at the bot's port: a clean answer, and nothing for strangers."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errors
from tests.fuzz.bot_in_process import Bot, Scene, body_of, with_passes
from tests.fuzz.mutations import encoded, mutated, paths
from tests.fuzz.profiles import examples
from tests.fuzz.test_words import typed

CRASHES = {"handlers.crashed"}
"""Events in the log that no request may cause."""

REFUSED_BLOCKS = {
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "view_too_large",
}
"""What Slack would say about a message or view of ours that is wrong."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def tracebacks() -> Iterator[list[str]]:
    """What libraries log as errors, with what has failed; at the end there must be nothing."""
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"{record.name}: {record.getMessage()} {record.exc_info}")

    handler = Handler(logging.ERROR)
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)
    assert found == []


@examples(120)
@given(st.data(), st.sampled_from(["member", "guest", "outsider"]))
async def test_a_request_has_a_clean_answer(
    world: tuple[Bot, Scene], tracebacks: list[str], data: st.DataObject, who: str
) -> None:
    """Any change to any request: 200 or 4xx, no crash, no refused message, and nothing for people who may not ask."""
    bot, scene = world
    person = getattr(scene, who)
    name = data.draw(st.sampled_from(sorted(scene.requests[person])))
    parcel = scene.requests[person][name]
    payload = with_passes(data.draw(mutated(parcel.payload, scene.ids)), bot.slack, person, scene.lab)
    body, content_type = body_of(parcel.kind, payload)
    await assert_clean(bot, scene, who, tracebacks, body, content_type)


@pytest.mark.parametrize("kind", ["slash_commands", "interactive", "events_api"])
async def test_half_a_character_has_an_answer(world: tuple[Bot, Scene], tracebacks: list[str], kind: str) -> None:
    """In place of any text of a request, and behind it."""
    bot, scene = world
    parcel = next(each for each in scene.requests[scene.member].values() if each.kind == kind)
    for path in paths(parcel.payload):
        for text in ("\ud800", "help\udfff"):
            payload = with_passes(copy.deepcopy(parcel.payload), bot.slack, scene.member, scene.lab)
            holder = payload
            for step in path[:-1]:
                holder = holder[step]
            if path and isinstance(holder[path[-1]], str):
                holder[path[-1]] = text
                body, content_type = body_of("interactive" if kind == "slash_commands" else kind, payload)
                await assert_clean(bot, scene, "member", tracebacks, body, content_type)


@examples(80)
@given(st.data(), st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""]))
async def test_damaged_bytes_have_a_clean_answer(
    world: tuple[Bot, Scene], tracebacks: list[str], data: st.DataObject, content_type: str
) -> None:
    """The same for bytes that are cut, in another encoding or of another type than they say."""
    bot, scene = world
    parcel = data.draw(st.sampled_from(list(scene.requests[scene.guest].values())))
    body = data.draw(encoded(parcel.payload))
    if data.draw(st.booleans()):
        body = b"payload=" + body
    await assert_clean(bot, scene, "guest", tracebacks, body, content_type)


@examples(80)
@given(typed)
async def test_any_words_have_an_answer(world: tuple[Bot, Scene], tracebacks: list[str], text: str) -> None:
    """Whatever a member types, they read one answer."""
    bot, scene = world
    parcel = next(each for each in scene.requests[scene.member].values() if each.kind == "slash_commands")
    payload = with_passes(parcel.payload, bot.slack, scene.member, scene.lab) | {"text": text}
    seen = len(bot.slack.ephemerals(scene.member))
    status = await assert_clean(bot, scene, "member", tracebacks, *body_of(parcel.kind, payload))
    assert len(bot.slack.ephemerals(scene.member)) == seen + (status == 200)


async def assert_clean(bot: Bot, scene: Scene, who: str, tracebacks: list[str], body: bytes, content_type: str) -> int:
    """Send a request and see what it did; returns the status."""
    bot.begin()
    posted, followed = bot.posted(), bot.subscriptions()
    status = await bot.takes(body, content_type)
    assert status == 200 or 400 <= status < 500
    assert [line for line in bot.log if line["event"] in CRASHES] == []
    assert not [line for line in bot.log if line["event"] == "handlers.sentence_lost" and not _is_named(line)]
    assert [(call.method, call.error) for call in bot.slack.calls if call.error in REFUSED_BLOCKS] == []
    assert tracebacks == []
    if who != "member":
        assert (bot.posted(), bot.subscriptions()) == (posted, followed)
    allowed = {(scene.member, scene.member), (scene.lab, scene.member), (scene.lab, "")}
    assert bot.subscriptions() <= allowed
    return status


def _is_named(line: Any) -> bool:
    """Whether a sentence was lost for a reason that has a name of its own."""
    kind = getattr(errors, str(line["why"]), None)
    return isinstance(kind, type) and issubclass(kind, errors.BotError)
