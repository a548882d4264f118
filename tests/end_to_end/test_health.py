"""What `/readyz` says about a bot that nobody can reach, or that cannot reach anybody: never that all is well."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from sandbox import story
from sandbox.gcs import GCS
from sandbox.gcs.faults import Fault
from sandbox.slack import Fault as SlackFault
from sandbox.slack.payloads import VERIFICATION_TOKEN
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.people import Person, words
from tests.end_to_end.test_process import health, problem_with, until_ready
from tests.end_to_end.test_unresponsive import store_stopped

LATE = "no answer within"
"""Begins what is said of a component that was not heard in time: on a busy machine a store may be late."""


def slack_ahead(seconds: float) -> Callable[[], float]:
    """A clock of Slack's."""
    return lambda: time.time() + seconds


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_removed_app_is_marked(tmp_path: Path, mode: str) -> None:
    """`/readyz` and the log say so; the listener does not crash."""
    async with made(tmp_path, mode=mode) as world:
        await until_ready(world)
        assert (await world.slack.uninstall()).acked
        assert "app_uninstalled" in await problem_with(world, "slack")
        (line,) = world.bot.logged("handlers.app_gone")
        assert (line["reason"], line["level"]) == ("app_uninstalled", "error")
        assert not world.bot.logged("handlers.crashed")


async def test_a_revoked_token_of_a_person_is_harmless(tmp_path: Path) -> None:
    """The bot has no use for it; its own is another matter."""
    async with made(tmp_path) as world:
        await world.slack.event({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}})
        await eventually(lambda: bool(world.bot.logged("handlers.answered")))
        assert (await health(world))[0] == 200
        await world.slack.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BOT"]}})
        assert "tokens_revoked" in await problem_with(world, "slack")


@pytest.mark.parametrize("body", [b"<html>", b'{"execution": []}', b'{"execution": {"status": "Running"}}'])
async def test_one_unreadable_execution_is_no_outage(tmp_path: Path, body: bytes) -> None:
    """Its card says that its answer cannot be read, not that GCS is away; the bot is ready, and others are notified."""
    async with made(tmp_path) as world:
        carol, dave = Person.new(world), Person.new(world)
        good, bad = (world.gcs.play(story.happy(3), by_hand=True) for _ in range(2))
        for person, execution in ((carol, good), (dave, bad)):
            await person.types(f"subscribe {execution}")
            await person.card(text="Pending")
        world.gcs.faults.add(Fault(kind="malformed", execution_id=bad, body=body))
        card = await dave.card(text="I have not been able to read GCS's answers since")
        for _ in range(60):
            report = (await health(world))[1]["components"]
            wrong = {name: each["detail"] for name, each in report.items() if not each["ok"]}
            wrong = {name: why for name, why in wrong.items() if name == "gcs" or not why.startswith(LATE)}
            assert not wrong, wrong
        assert "unreachable" not in words(card)
        world.gcs.step(good, to="succeeded")
        await eventually(lambda: any("Succeeded" in message.text for message in carol.dm[1:]))
        await until_ready(world)


@pytest.mark.parametrize("seconds", [360, -360])
async def test_a_wrong_clock_shows_without_commands(tmp_path: Path, seconds: int) -> None:
    """In HTTP mode every command would fail; nobody has to type one until that is known."""
    async with made(tmp_path, mode="http", now=slack_ahead(seconds)) as world:
        words = await problem_with(world, "clock")
        assert ("behind Slack's" if seconds > 0 else "ahead of Slack's") in words
        assert any(f"{number} s" in words for number in (359, 360, 361))
        assert not (await world.slack.command(world.alice, world.lab, "help")).acked
        assert "their time is wrong" in await problem_with(world, "slack")
        (line, *_) = [line for line in world.bot.logged("health.not_ready") if line["component"] == "clock"]
        assert line["detail"] == words


async def test_readiness_waits_for_the_port(tmp_path: Path) -> None:
    """In HTTP mode nobody reaches the bot before `PORT` listens: until then it is not ready."""
    async with made(tmp_path, mode="http") as world:
        await world.bot.stop()
        world.slack.faults.add(SlackFault(kind="slow", method="auth.test", delay=3))
        await world.bot.spawn()
        await eventually(lambda: bool(world.bot.logged("health.started")))
        assert await problem_with(world, "slack")
        assert not world.bot.logged("inbound.listening")
        assert (await health(world, "/livez"))[0] == 200
        await eventually(lambda: bool(world.bot.logged("inbound.listening")))
        await until_ready(world)


async def test_a_wrong_secret_shows_with_the_first_command(tmp_path: Path) -> None:
    """`/readyz`, one log line and a count by reason."""
    async with made(tmp_path, mode="http", SLACK_SIGNING_SECRET="0123456789abcdef0123456789abcdef") as world:
        await until_ready(world)
        for _ in range(3):
            assert not (await world.slack.command(world.alice, world.lab, "help")).acked
        assert "SLACK_SIGNING_SECRET" in await problem_with(world, "slack")
        (line,) = world.bot.logged("inbound.refused")
        assert line["reason"] == "wrong_signature"
        assert (await metrics(world))['execution_bot_slack_refused_requests_total{reason="wrong_signature"}'] == 3


async def test_a_stranger_cannot_make_it_unready(tmp_path: Path) -> None:
    """Neither unsigned nor forged requests in any number, even if they name the workspace; Slack's own can."""
    async with made(tmp_path, mode="http") as world, aiohttp.ClientSession() as session:
        alice = world.alice
        assert (await world.slack.command(alice, world.lab, "help")).acked
        forged = {"X-Slack-Signature": f"v0={'0' * 64}", "X-Slack-Request-Timestamp": str(int(time.time()))}
        unsigned: dict[str, str] = {}
        guessed = {"team_id": world.slack.workspace.team_id, "token": "guessed", "command": "/execution"}
        for headers in [unsigned] * 5 + [forged] * 20:
            async with session.post(str(world.slack.request_url), data=guessed, headers=headers) as response:
                assert response.status == 401
        assert (await health(world))[0] == 200
        for _ in range(3):  # somebody has renewed the secret in Slack
            async with session.post(
                str(world.slack.request_url), data=guessed | {"token": VERIFICATION_TOKEN}, headers=forged
            ):
                pass
        assert "signature" in await problem_with(world, "slack")
        assert (await world.slack.command(alice, world.lab, "help")).acked
        assert (await health(world))[0] == 200


async def test_gcs_shows_a_wrong_clock_too(tmp_path: Path) -> None:
    """Ten minutes are not enough for GCS to refuse a signature; fifteen would be."""
    gcs = GCS(now=lambda: datetime.now(UTC) + timedelta(minutes=10))
    async with made(tmp_path, gcs=gcs) as world:
        execution_id = gcs.play(story.happy(3), by_hand=True)
        await Person.new(world).types(f"subscribe {execution_id}")
        assert "behind GCS's" in await problem_with(world, "clock")


async def test_readiness_gives_strangers_words_only(tmp_path: Path) -> None:
    """No path of the store, no version of a library; the log has the details."""
    async with made(tmp_path) as world, store_stopped(world):
        words = await problem_with(world, "store")
        body = str((await health(world))[1])
        assert str(tmp_path) not in body
        assert "sock" not in body
        assert words
        port = world.bot.logged("health.started")[0]["port"]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.headers["Server"] == "execution-bot"


async def test_metrics_for_the_night(tmp_path: Path) -> None:
    """After one subscription and its end, each door has a time of success and each part its numbers."""
    async with made(tmp_path) as world:
        carol, execution_id = Person.new(world), world.gcs.play(story.happy(3), by_hand=True)
        await carol.types(f"subscribe {execution_id}")
        await carol.card()
        world.gcs.step(execution_id, to="succeeded")
        await eventually(lambda: len(carol.dm) > 1)
        text = await metrics(world)
        now = time.time()
        for door in ("gcs", "slack", "store", "inbound"):
            at = text[f'execution_bot_last_success_timestamp_seconds{{door="{door}"}}']
            assert now - 60 < at <= now
        assert text["execution_bot_watcher_detection_seconds_count"] >= 1
        assert text["execution_bot_store_seconds_count"] > 10
        assert text["execution_bot_store_engine_up"] == 1
        assert text["execution_bot_store_disk_free_bytes"] > 0
        assert 'execution_bot_gcs_quota_calls{state="left"}' in text
        assert 'execution_bot_notifier_oldest_seconds{priority="0"}' in text
        assert [value for name, value in text.items() if name.startswith("execution_bot_build_info{")] == [1]


async def metrics(world: World) -> dict[str, float]:
    """The bot's metrics, by name and labels."""
    _, text = await health(world, "/metrics")
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("execution_bot_")]
    return {name: float(value) for name, _, value in lines}
