"""The fixtures of this folder: the simulated GCS and Slack in this process, the bot in another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from bot.gcs.shared_reads import GOOD_FOR
from sandbox import story
from sandbox.gcs import GCS
from sandbox.slack import Slack
from tests.end_to_end.bot_process import REPOSITORY, BotProcess
from tests.end_to_end.people import PATIENCE, Person
from tests.ports import free_ports


@dataclass
class World:
    """GCS, Slack with two people and a channel, and a bot between them."""

    gcs: GCS
    slack: Slack
    bot: BotProcess
    alice: str
    bob: str
    lab: str
    """A channel that the bot is in."""


MANIFEST = yaml.safe_load((REPOSITORY / "manifest.yaml").read_text())
SCOPES = frozenset(MANIFEST["oauth_config"]["scopes"]["bot"])
"""The scopes that the manifest requests, so that a missing one shows."""

EVENTS = frozenset(MANIFEST["settings"]["event_subscriptions"]["bot_events"])
"""The events that it subscribes to."""


@pytest.fixture(params=["socket", "http"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both ways in which Slack reaches the bot."""
    return str(request.param)


@pytest.fixture
async def world(tmp_path: Path, mode: str) -> AsyncIterator[World]:
    """A world in which the bot runs."""
    async with made(tmp_path, mode=mode) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["socket", "http"])
async def talk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for a whole module, in each mode: nothing is rate-limited, everything is logged."""
    folder = tmp_path_factory.mktemp("talk")
    async with made(folder, mode=request.param, LOG_LEVEL="debug", POLL_INTERVAL="2") as world:
        world.slack.limits.is_on = False  # rate limits have tests of their own
        yield world


@pytest.fixture
def carol(talk: World) -> Person:
    """A person of this test alone, in a channel with the bot."""
    return Person.new(talk)


@pytest.fixture
def running(talk: World) -> str:
    """An execution in the middle: 1 of 3 steps."""
    execution_id = talk.gcs.play(story.happy(3), by_hand=True)
    talk.gcs.step(execution_id, to="running 1/3")
    return execution_id


@asynccontextmanager
async def made(
    folder: Path,
    *,
    mode: str = "socket",
    has_password: bool = False,
    gcs: GCS | None = None,
    now: Callable[[], float] = time.time,
    **settings: str,
) -> AsyncIterator[World]:
    """A world in which the bot runs with these `settings`, and with a password instead of keys if asked.

    `now` is Slack's clock.
    """
    async with gcs or GCS() as world_gcs, Slack(scopes=SCOPES, events=EVENTS, now=now) as slack:
        alice, bob = slack.add_user("alice"), slack.add_user("bob")
        lab = slack.add_channel("lab", members=(alice, bob))
        credentials = password(world_gcs) if has_password else {}
        bot = BotProcess(
            {**plain_settings(world_gcs, slack, folder, mode), **credentials, **settings}, folder / "bot.log"
        )
        try:
            await bot.start()
            yield World(world_gcs, slack, bot, alice, bob, lab)
        finally:
            exit_code = await bot.stop()
        assert exit_code == 0, bot.log
        for secret in (slack.bot_token, slack.app_token, slack.signing_secret, world_gcs.secret_key):
            assert secret not in bot.log


def plain_settings(gcs: GCS, slack: Slack, folder: Path, mode: str) -> dict[str, str]:
    """What an operator would write into `.env`."""
    settings = {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_API_URL": slack.api_url,
        "GCS_ENDPOINT": gcs.url,
        "IAM_ENDPOINT": gcs.url,
        "GCS_PROJECT_ID": gcs.project_id,
        "GCS_AK": gcs.access_key,
        "GCS_SK": gcs.secret_key,
        "STATE_DIR": str(folder / "state"),
        "POLL_INTERVAL": "1",
        "COALESCE": "0",
        "DEFAULT_LEVEL": "steps",
        "PERSON_REQUESTS_PER_MINUTE": "1000",
        "HEALTH_PORT": "0",
        "LISTEN_HOST": "127.0.0.1",
    }
    if mode == "socket":  # which the bot chooses even if there is a signing secret
        return {**settings, "SLACK_APP_TOKEN": slack.app_token, "SLACK_SIGNING_SECRET": slack.signing_secret}
    (port,) = free_ports(1)
    slack.request_url = f"http://127.0.0.1:{port}/slack/events"
    return {**settings, "SLACK_SIGNING_SECRET": slack.signing_secret, "PORT": str(port)}


def password(gcs: GCS) -> dict[str, str]:
    """The other kind of credentials, in place of the keys."""
    return {
        "GCS_AK": "",
        "GCS_SK": "",
        "GCS_USERNAME": gcs.user.username,
        "GCS_PASSWORD": gcs.user.password,
        "GCS_DOMAIN": gcs.user.domain,
    }


async def answers_forgotten() -> None:
    """Return once the bot gives nobody an answer that it has now."""
    await asyncio.sleep(GOOD_FOR.total_seconds() + 0.1)


async def eventually(check: Callable[[], bool], *, within: float = PATIENCE) -> None:
    """Return once `check` is true."""
    async with asyncio.timeout(within):
        while not check():  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.02)
