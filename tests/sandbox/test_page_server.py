"""The page's routes as another program sees them: what is answered, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.page.server import Page
from sandbox.slack import Slack


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """The page of a workspace with one person and one channel."""
    async with Slack() as slack:
        you = slack.add_user("You")
        slack.add_channel("sequencing", members=(you,))
        async with Page(slack, people=(you,)) as started:
            yield started


@pytest.fixture
async def http(page: Page) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a browser's restrictions."""
    async with aiohttp.ClientSession(base_url=page.url) as session:
        yield session


async def test_the_front_leads_to_the_first_channel(http: aiohttp.ClientSession) -> None:
    """The root address redirects to the first channel."""
    async with http.get("/") as answer:
        assert "#sequencing" in await answer.text()


async def test_the_page_runs_its_own_script_only(http: aiohttp.ClientSession) -> None:
    """The page's policy forbids external and inline scripts."""
    async with http.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "http" not in policy


async def test_another_host_name_is_refused(http: aiohttp.ClientSession) -> None:
    """A foreign host name that resolves to this computer is refused."""
    async with http.get("/", headers={"Host": "stranger.test"}) as answer:
        assert answer.status == 403


async def test_a_form_of_another_page_is_refused(http: aiohttp.ClientSession) -> None:
    """A cross-site form post is refused."""
    async with http.post("/command", data={"text": "/execution list"}) as answer:
        assert answer.status == 415


async def test_an_unknown_channel_is_not_found(http: aiohttp.ClientSession) -> None:
    """An outdated address answers 404."""
    async with http.get("/c/C404") as answer:
        assert answer.status == 404


async def test_unknown_command_is_refused(http: aiohttp.ClientSession) -> None:
    """A slash command that no app has gets Slack's answer."""
    async with http.post("/command", json={"me": "U1", "channel": "C1", "text": "/dance"}) as answer:
        assert "not a valid command" in (await answer.json())["error"]


async def test_stream_announces_changes(page: Page, http: aiohttp.ClientSession) -> None:
    """Clients of the stream learn of a change at once."""
    async with http.get("/events") as answer:
        first = await answer.content.readuntil(b"\n\n")
        page.show(alarm="Look!")
        assert await answer.content.readuntil(b"\n\n") != first


async def test_port_in_use_is_an_error(page: Page) -> None:
    """A second page on the same port raises OSError."""
    second = Page(page.binding._slack, people=page.binding._people, port=int(page.url.rsplit(":", 1)[1]))
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
