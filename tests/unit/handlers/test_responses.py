"""Promises of `bot.slack.responses`: retried, never repeated in public in doubt, plain when blocks are refused."""

from __future__ import annotations

from time import monotonic

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.blocks import buttons
from bot.metrics import SLACK_RESPONSES
from bot.slack.client import SlackClient
from tests.unit.handlers.conftest import World, made
from tests.unit.handlers.doubles import ID


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


async def test_text_that_is_refused_too_is_logged(world: World) -> None:
    """Nothing else would reach the person; the listener does not crash."""
    world.slack.answer_results = [(400, "invalid_blocks"), (400, "")]
    with capture_logs() as logs:
        await world.command(ID)
    assert [line["why"] for line in logs if line["event"] == "slack.response_lost"] == ["http_400"]
    assert len(world.slack.answers) == 2


async def test_an_expired_answer_is_only_logged(world: World) -> None:
    """After half an hour Slack takes no more answers; the listener does not crash."""
    world.slack.answer_results = [(404, '{"ok":false,"error":"expired_url"}')]
    with capture_logs() as logs:
        await world.command(ID)
    assert [line["why"] for line in logs if line["event"] == "slack.response_lost"] == ["expired_url"]
    assert len(world.slack.answers) == 1


async def test_answers_go_to_slack_only(world: World) -> None:
    """The sender of a signed request does not choose who reads an execution; the log does not repeat the address."""
    lost = SLACK_RESPONSES.labels("foreign_url")
    before = lost._value.get()
    async with made("T2") as elsewhere:
        with capture_logs() as logs:
            await world.command(ID, response_url=f"{elsewhere.slack.url}/hook?token=1")
            await world.press(buttons.SHARE_EXECUTION, response_url=f"{elsewhere.slack.url}/hook?token=1")
        assert elsewhere.slack.answers == world.slack.answers == []
    assert lost._value.get() == before + 2
    assert elsewhere.slack.url not in str(logs)
    assert "token" not in str(logs)


async def test_redirects_are_not_followed(world: World) -> None:
    """An answer stays where it was sent, and is not sent again."""
    async with made("T2") as elsewhere:
        world.slack.answer_results, world.slack.answer_location = [(307, "")], f"{elsewhere.slack.url}/hook"
        with capture_logs() as logs:
            await world.command(ID)
        assert (elsewhere.slack.answers, len(world.slack.answers)) == ([], 1)
    assert [line["why"] for line in logs if line["event"] == "slack.response_lost"] == ["redirected"]


@pytest.mark.parametrize(
    ("api", "url", "is_taken"),
    [
        ("https://slack.com/api/", "https://hooks.slack.com/commands/T1/2/3", True),
        ("https://slack.com/api/", "https://hooks.slack.com:443/actions/T1/2/3", True),
        ("https://slack.com/api/", "http://hooks.slack.com/commands/T1/2/3", False),
        ("https://slack.com/api/", "https://hooks.slack.com:8443/commands", False),
        ("https://slack.com/api/", "https://hooks.slack.com.example.org/commands", False),
        ("https://slack.com/api/", "https://hooks.slack.com@example.org/commands", False),
        ("https://slack.com/api/", "https://me@hooks.slack.com/commands", False),
        ("https://slack.com/api/", "https://example.org\\@hooks.slack.com/", False),
        ("https://slack.com/api/", "https://slack.com/api/chat.delete", False),
        ("https://slack.com/api/", "http://169.254.169.254/latest", False),
        ("https://slack.com/api/", "//hooks.slack.com/commands", False),
        ("https://slack.com/api/", "https://[hooks.slack.com/commands", False),
        ("https://slack.com/api/", "hooks.slack.com", False),
        ("http://127.0.0.1:8080/api/", "http://127.0.0.1:8080/response/1", True),
        ("http://127.0.0.1:8080/api/", "http://127.0.0.1:8081/response/1", False),
        ("https://slack-gov.com/api/", "https://hooks.slack-gov.com/commands/1", True),
    ],
)
async def test_only_addresses_of_slack_take_answers(api: str, url: str, is_taken: bool) -> None:
    """Slack's own host over TLS, or the server that stands in for Slack."""
    async with aiohttp.ClientSession() as session:
        assert SlackClient("xoxb-1", base_url=api, session=session).is_response_url(url) is is_taken
