"""Promises of `bot.slack.responses`: retried, never repeated in public in doubt, plain when blocks are refused."""

from __future__ import annotations

from time import monotonic

import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons
from tests.unit.handlers.conftest import ID, World


async def test_an_answer_is_retried(world: World) -> None:
    """A 429 and a server error do not lose an ephemeral answer."""
    world.slack.answer_results = [(429, ""), (500, "oops")]
    await world.command(ID)
    assert len(world.slack.answers) == 3


@pytest.mark.parametrize(("seconds", "sent"), [("1", 2), ("60", 1)])
async def test_it_is_retried_when_slack_says(world: World, seconds: str, sent: int) -> None:
    """Not before, and not at all if that is later than a person waits: then it is logged."""
    world.slack.answer_results, world.slack.answer_retry_after = [(429, "")], seconds
    began = monotonic()
    with capture_logs() as logs:
        await world.command(ID)
    assert len(world.slack.answers) == sent
    assert sent == 1 or monotonic() - began >= int(seconds)
    lost = [line["why"] for line in logs if line["event"] == "slack.response_lost"]
    assert lost == ["ratelimited"] * (2 - sent)


async def test_it_is_not_retried_forever(world: World) -> None:
    """After four attempts the answer is given up and logged; the request was still acked."""
    world.slack.answer_results = [(503, "")] * 8
    with capture_logs() as logs:
        assert (await world.command("help")).status == 200
    assert len(world.slack.answers) == 4
    assert [line["why"] for line in logs if line["event"] == "slack.response_lost"] == ["http_503"]


async def test_public_answers_are_not_repeated_in_doubt(world: World) -> None:
    """After a server error a shared summary may have arrived, so it is not sent again."""
    world.slack.answer_results = [(500, "")]
    await world.press(buttons.SHARE_EXECUTION)
    assert [answer["response_type"] for answer in world.slack.answers] == ["in_channel", "ephemeral"]


async def test_refused_blocks_are_followed_by_text(world: World) -> None:
    """When Slack does not take the blocks, the person gets the text."""
    world.slack.answer_results = [(400, "invalid_blocks")]
    await world.command(ID)
    first, second = world.slack.answers
    assert first["blocks"]
    assert "blocks" not in second
    assert second["text"] == first["text"]


async def test_an_expired_answer_is_only_logged(world: World) -> None:
    """After half an hour Slack takes no more answers; the listener does not crash."""
    world.slack.answer_results = [(404, '{"ok":false,"error":"expired_url"}')]
    with capture_logs() as logs:
        await world.command(ID)
    assert [line["why"] for line in logs if line["event"] == "slack.response_lost"] == ["expired_url"]
    assert len(world.slack.answers) == 1
