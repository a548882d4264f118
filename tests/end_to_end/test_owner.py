"""Whose store it is, as operators meet it: a bot with wrong settings refuses to start, and harms nothing."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from bot.store.engine.process import engine_binary
from bot.store.owner import Owner
from sandbox import story
from sandbox.gcs import GCS
from sandbox.slack import Slack
from tests.end_to_end.bot_process import BotProcess, ended
from tests.end_to_end.conftest import SCOPES, World, made, plain_settings
from tests.end_to_end.test_process import problem_with, until_ready
from tests.ports import free_ports
from tests.servers import opened, served
from tests.store.conftest import redis_server
from tests.topologies import Node, until


@dataclass
class Production:
    """A bot that has posted the card of one execution, and its store."""

    world: World
    execution_id: str
    url: str
    redis: Redis
    folder: Path

    def settings(self, **change: str) -> dict[str, str]:
        """Those of the bot, with changes."""
        mine = plain_settings(self.world.gcs, self.world.slack, self.folder, "socket")
        return mine | {"REDIS_URL": self.url} | change

    async def kept(self) -> None:
        """Whatever happened, its subscription goes on."""
        self.world.gcs.step(self.execution_id, to="running 1/2")
        count = len(self.world.slack.messages(self.world.lab))
        await self.world.slack.wait_for(lambda: len(self.world.slack.messages(self.world.lab)) > count)
        assert (await ended(self.folder, "dead-letters", self.settings()))[1] == "There are none.\n"


@pytest.fixture
async def production(tmp_path: Path) -> AsyncIterator[Production]:
    """A bot at work on a Redis."""
    folder = tmp_path / "redis"
    folder.mkdir()
    for url in served(engine_binary(), folder):
        async with made(tmp_path, REDIS_URL=url) as world:
            execution_id = world.gcs.play(story.happy(2), by_hand=True)
            await world.slack.command(world.alice, world.lab, f"subscribe {execution_id} here")
            await world.slack.wait_for(lambda: world.slack.messages(world.lab))  # awaited at once
            yield Production(world, execution_id, url, opened(url), tmp_path)


@asynccontextmanager
async def staging() -> AsyncIterator[tuple[GCS, Slack]]:
    """Another workspace, and another project at another address."""
    async with GCS(project_id="b" * 32) as gcs, Slack(scopes=SCOPES, team_id="T0STAGING") as slack:
        yield gcs, slack


async def test_another_region_is_refused(production: Production) -> None:
    """Exit code 2 and a sentence; production's subscriptions stay."""
    async with staging() as (gcs, _):
        code, printed = await ended(production.folder, "run", production.settings(GCS_ENDPOINT=gcs.url))
    assert code == 2
    assert printed.strip().splitlines()[-1] == (
        f"The store belongs to the bot of GCS at {production.world.gcs.url}, and this is the bot of GCS at {gcs.url}: "
        "correct the settings, or set another STORE_PREFIX, or take the store over with `execution-bot store adopt`."
    )
    await production.kept()


async def test_another_project_is_refused(production: Production) -> None:
    """By its id in the settings."""
    code, printed = await ended(production.folder, "run", production.settings(GCS_PROJECT_ID="c" * 32))
    assert (code, f"and this is the bot of GCS project {'c' * 32}" in printed) == (2, True)
    await production.kept()


async def test_the_key_of_another_project_is_refused(tmp_path: Path) -> None:
    """The settings name no project: GCS shows which one the key belongs to."""
    first, second = GCS(), GCS(project_id="b" * 32)
    async with made(tmp_path, gcs=first, GCS_PROJECT_ID="") as world:
        execution_id = world.gcs.play(story.happy(2), by_hand=True)
        await world.slack.command(world.alice, world.lab, f"subscribe {execution_id} here")
        await world.slack.wait_for(lambda: world.slack.messages(world.lab))
        await world.bot.stop()
        await world.bot.start()
        settings = plain_settings(world.gcs, world.slack, tmp_path, "socket") | {"GCS_PROJECT_ID": ""}
        for _ in range(15):  # GCS must show it twice, ten seconds apart
            await asyncio.sleep(4)
            if f"project {world.gcs.project_id}" in (await store(tmp_path, "show", settings))[1]:
                break
        else:
            pytest.fail("the record does not name the project")
        await world.bot.stop()
        await first.stop()
        second._port = first._port  # the same address, with another account's executions
        async with second:
            second.play(story.happy(2), by_hand=True)
            code, printed = await ended(tmp_path, "run", settings)
        await first.start()
        await world.bot.start()
        assert code == 2
        assert f"GCS project {world.gcs.project_id}, and this is the bot of GCS project {'b' * 32}" in printed


async def test_another_workspace_is_refused(production: Production) -> None:
    """A staging bot on production's Redis posts nothing, and production notices nothing."""
    async with staging() as (_, slack):
        change = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
        }
        code, printed = await ended(production.folder, "run", production.settings(**change))
        assert [call.method for call in slack.calls] == ["auth.test"]
    assert (code, "this is the bot of Slack workspace T0STAGING" in printed) == (2, True)
    await production.kept()


async def test_another_app_is_refused(production: Production) -> None:
    """A second app of the same workspace is in other channels: it would end what it cannot reach."""
    async with Slack(scopes=SCOPES) as slack:
        slack.workspace.bot_user = other = slack.add_user("trials")
        change = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        code, printed = await ended(production.folder, "run", production.settings(**change))
        assert [call.method for call in slack.calls] == ["auth.test"]
    theirs, ours = (
        "the Slack app whose bot user is U0BOT",
        f"this is the bot of the Slack app whose bot user is {other}",
    )
    assert (code, theirs in printed, ours in printed) == (2, True, True)
    await production.kept()


async def test_prefixes_let_bots_share_a_server(production: Production, tmp_path: Path) -> None:
    """The same staging bot with a prefix of its own: both work."""
    async with staging() as (gcs, slack):
        lab = slack.add_channel("lab", members=(alice := slack.add_user("alice"),))
        settings = plain_settings(gcs, slack, tmp_path, "socket") | {"REDIS_URL": production.url}
        bot = BotProcess(settings | {"STORE_PREFIX": "staging"}, tmp_path / "staging.log")
        await bot.start()
        await slack.command(alice, lab, f"subscribe {gcs.play(story.happy(2))} here")
        await slack.wait_for(lambda: slack.messages(lab))
        await bot.stop()
    await production.kept()


async def test_a_store_that_answers_late_is_compared(tmp_path: Path) -> None:
    """It was away at the start, and belongs to another bot: nothing is done, and the bot ends with code 2."""
    redis_server()
    server = Node(tmp_path / "server", free_ports(1)[0], "--appendonly", "yes", "--appendfsync", "always")
    url = f"redis://127.0.0.1:{server.port}"
    others = Owner(account="gcs1", team="T0OTHERS", endpoint="https://gcs.example.com")
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        server.start()
        await until(lambda: server.says("SET", "xb3:owner", msgspec.json.encode(others).decode()), "a record")
        server.kill()
        bot = BotProcess(plain_settings(gcs, slack, tmp_path, "socket") | {"REDIS_URL": url}, tmp_path / "bot.log")
        await bot.start()
        assert bot.logged("owner.store_away")
        server.start()
        assert await bot.wait() == 2
        assert "The store belongs to the bot of Slack workspace T0OTHERS" in bot.log
        server.kill()


async def test_another_database_makes_the_bot_unready(production: Production) -> None:
    """Somebody restores another bot's database: `/readyz` says why, and nothing is posted until ours is back."""
    ours = str(production.redis.get("xb3:owner"))
    production.redis.set("xb3:owner", ours.replace("T0SANDBOX", "T0OTHERS"))
    assert "not this bot's: team T0OTHERS, not T0SANDBOX" in await problem_with(production.world, "store")
    production.redis.set("xb3:owner", ours)
    await until_ready(production.world)
    await production.kept()


async def store(folder: Path, command: str, settings: dict[str, str], *options: str) -> tuple[int, str]:
    """`python -m bot store …`."""
    return await ended(folder, "store", settings, command, *options)


async def test_check_says_whose_store_it_is(production: Production) -> None:
    """Ours, or whose."""
    code, printed = await ended(production.folder, "check", production.settings())
    assert (code, "REDIS_URL answers; it belongs to this bot" in printed) == (0, True)
    code, printed = await ended(production.folder, "check", production.settings(GCS_PROJECT_ID="c" * 32))
    assert code == 1
    assert f"✗ Store: the store is not this bot's: project {production.world.gcs.project_id}, not {'c' * 32}" in printed
    assert "→ The store belongs to the bot of" in printed


async def test_adopting_says_what_changes_and_asks(production: Production) -> None:
    """Nothing changes without `--yes`; with it the subscriptions go on under the new address."""
    async with GCS(project_id=production.world.gcs.project_id) as moved:
        settings = production.settings(GCS_ENDPOINT=moved.url)
        code, printed = await store(production.folder, "adopt", settings)
        assert (code, "1 subscriptions stay" in printed, "repeat with --yes" in printed) == (1, True, True)
        assert production.world.gcs.url in (await store(production.folder, "show", settings))[1]
        assert (await store(production.folder, "adopt", settings, "--yes"))[0] == 0
        code, printed = await store(production.folder, "show", settings)
        assert (code, moved.url in printed, "subscriptions: 1\n" in printed) == (0, True, True)
        assert (await store(production.folder, "adopt", production.settings(), "--yes"))[0] == 0
    await production.kept()


async def test_the_store_of_a_stopped_bot_is_shown(tmp_path: Path) -> None:
    """An embedded store is started for the command, and stopped after it."""
    async with made(tmp_path) as world:
        settings = plain_settings(world.gcs, world.slack, tmp_path, "socket")
        running = await store(tmp_path, "show", settings)
        await world.bot.stop()
        assert await store(tmp_path, "show", settings) == running
        assert f"owner: Slack workspace T0SANDBOX, GCS at {world.gcs.url}" in running[1]
        await world.bot.start()


async def test_subscriptions_move_to_another_store(production: Production) -> None:
    """What `export` prints, `import` brings into a store with another prefix; nothing in it is secret."""
    code, printed = await store(production.folder, "export", production.settings())
    assert (code, printed.count("\n")) == (0, 1)
    assert not any(secret in printed for secret in (production.world.gcs.secret_key, production.world.slack.bot_token))
    file = production.folder / "lines.jsonl"
    file.write_text(printed)
    elsewhere = production.settings(STORE_PREFIX="elsewhere")
    file.write_bytes(BOM_UTF8 + file.read_bytes() + b"\r\n\r\n")  # as an editor may have left it
    assert await store(production.folder, "import", elsewhere, str(file)) == (0, "added: 1\nthere already: 0\n")
    assert await store(production.folder, "import", elsewhere, str(file)) == (0, "added: 0\nthere already: 1\n")
    assert "subscriptions: 1\n" in (await store(production.folder, "show", elsewhere))[1]
