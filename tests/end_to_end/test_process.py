"""The bot as a process: it starts or says why not, stops in time, reports its health, and keeps secrets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox import story
from sandbox.gcs import GCS
from sandbox.gcs import Fault as GCSFault
from sandbox.slack import Fault, Slack
from tests.end_to_end.bot_process import AS_TYPED, REPOSITORY, STOP_SECONDS, ended
from tests.end_to_end.conftest import SCOPES, World, made, plain_settings
from tests.end_to_end.lives import HAPPY
from tests.end_to_end.people import PATIENCE, Person
from tests.end_to_end.test_lives import lived
from tests.end_to_end.test_unresponsive import in_both_modes, store_stopped
from tests.ports import free_ports


async def health(world: World, path: str = "/readyz") -> tuple[int, Any]:
    """Status and body of a response of the health server."""
    (started,) = world.bot.logged("health.started")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{started['port']}{path}") as response,
    ):
        is_json = response.content_type == "application/json"
        return response.status, (await response.json() if is_json else await response.text())


async def problem_with(world: World, component: str, *, within: float = PATIENCE) -> str:
    """What `/readyz` says about a component once that is not ready."""
    async with asyncio.timeout(within):
        while (report := (await health(world))[1]["components"][component])["ok"]:  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.1)
    return str(report["detail"])


async def until_ready(world: World) -> None:
    """Return once the bot is ready."""
    async with asyncio.timeout(PATIENCE):
        while (await health(world))[0] != 200:  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.1)


async def test_sigterm_ends_a_busy_bot_in_time(tmp_path: Path) -> None:
    """A poll, a message and a command hang: the bot ends within 10 s all the same, exit code 0."""

    async def scene(world: World, carol: Person) -> None:
        execution_id = world.gcs.play(story.happy(3), by_hand=True)
        world.slack.faults.add(Fault(kind="slow", method="chat.postMessage", times=None, delay=60))
        await carol.types(f"subscribe {execution_id}")
        world.gcs.faults.add(GCSFault(kind="timeout"))
        await world.gcs.wait_for_calls(execution_id, 2)
        await world.slack.command(carol.id, carol.channel, execution_id)
        await world.gcs.wait_for_calls(execution_id, 3)
        began = time.monotonic()
        assert await world.bot.stop() == 0
        assert time.monotonic() - began < 10
        assert "Traceback" not in world.bot.log

    await in_both_modes(tmp_path, scene)


async def test_sigterm_ends_a_quiet_bot_at_once(tmp_path: Path) -> None:
    """Without work in progress a deployment does not wait."""
    async with made(tmp_path, **AS_TYPED) as world:
        began = time.monotonic()
        assert await world.bot.stop() == 0
        assert time.monotonic() - began < 5
        assert world.bot.logged("service.stopped")


async def test_a_crash_leaves_no_core_dump(tmp_path: Path) -> None:
    """Its memory holds every secret, and core dumps may be on where it runs."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        async with made(tmp_path, **AS_TYPED) as world:
            (core,) = [line for line in proc(world.bot.pid, "limits").splitlines() if "core file" in line]
            assert core.split()[4] == "0"
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def proc(process_id: int, name: str) -> str:
    """A file of the kernel's about a process."""
    return Path(f"/proc/{process_id}/{name}").read_text(encoding="utf-8")


async def test_the_images_check_finds_a_stopped_bot(tmp_path: Path) -> None:
    """A process that is stopped takes requests and answers none; once it goes on, it is healthy, and serves people."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    _, *command = json.loads(
        dockerfile.partition("HEALTHCHECK")[2].partition("CMD")[2].split("\nENTRYPOINT")[0].strip(" \\\n")
    )
    async with made(tmp_path) as world:
        port = world.bot.logged("health.started")[0]["port"]

        async def is_healthy() -> bool:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, env={"HEALTH_PORT": str(port)}, stderr=asyncio.subprocess.DEVNULL
            )
            return await process.wait() == 0

        assert await is_healthy()
        os.kill(world.bot.pid, signal.SIGSTOP)
        try:
            assert not await is_healthy()
        finally:
            os.kill(world.bot.pid, signal.SIGCONT)
        assert await is_healthy()
        assert "/execution list" in (await Person.new(world).types("help")).text


async def test_nothing_set_lists_all_that_is_missing(tmp_path: Path) -> None:
    """One line for each, exit code 2, no traceback."""
    code, printed = await ended(tmp_path, "run", AS_TYPED)
    assert code == 2
    assert [line.split()[0] for line in printed.splitlines()[1:]] == ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "GCS_AK"]


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"SLACK_BOT_TOKEN": "xoxp-a-users"}, 2, "SLACK_BOT_TOKEN is wrong: give the Bot User OAuth Token"),
        ({"POLL_INTERVAL": "often"}, 2, "POLL_INTERVAL is wrong: give a number of seconds"),
        ({"GCS_ENDPOINT": "http://gcs.example.com"}, 2, "GCS_ENDPOINT is wrong: give an https:// address"),
        ({"SLACK_BOT_TOKEN": "xoxb-of-somebody-else"}, 1, "Slack refuses SLACK_BOT_TOKEN (invalid_auth)"),
        ({"GCS_ENDPOINT": "https://gcs:xoxp-a-users"}, 2, "GCS_ENDPOINT is wrong: give an https:// address"),
        ({"STATE_DIR": "/proc/nowhere"}, 2, "STATE_DIR cannot be written"),
        ({"STATE_DIR": "x" * 120}, 2, "STATE_DIR is too long"),
        ({"STATE_DIR": "/"}, 2, "STATE_DIR is open to other users"),
    ],
)
async def test_a_failed_start_says_why(tmp_path: Path, change: dict[str, str], code: int, sentence: str) -> None:
    """One sentence and an exit code; neither a traceback nor the value of a setting."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        settings = plain_settings(gcs, slack, tmp_path, "socket") | change
        found, printed = await ended(tmp_path, "run", settings)
    assert (found, sentence in printed) == (code, True), printed
    assert "Traceback" not in printed
    assert not any(secret in printed for secret in ("xoxp-a-users", "xoxb-of-somebody-else", gcs.secret_key))


async def test_a_second_bot_on_one_directory_is_refused(tmp_path: Path) -> None:
    """It names the directory, and the first bot goes on working."""
    async with made(tmp_path) as world:
        code, printed = await ended(tmp_path, "run", plain_settings(world.gcs, world.slack, tmp_path, "socket"))
        assert (code, "STATE_DIR is in use by another bot" in printed) == (2, True), printed
        assert "/execution list" in (await Person.new(world).types("help")).text


@pytest.mark.parametrize(("setting", "mode"), [("HEALTH_PORT", "socket"), ("PORT", "http")])
async def test_a_port_that_is_taken_is_named(tmp_path: Path, setting: str, mode: str) -> None:
    """One sentence with the address, exit code 1, and the store is stopped."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        settings = plain_settings(gcs, slack, tmp_path, mode) | {setting: str(slack.port)}
        code, printed = await ended(tmp_path, "run", settings)
    assert code == 1
    assert f"The bot stopped: port {slack.port} on 127.0.0.1 cannot be used (Address already in use)" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "state" / "valkey.sock").exists()


async def test_a_forged_request_is_refused(tmp_path: Path) -> None:
    """A wrong, missing or old signature: 401, and no listener runs."""
    async with made(tmp_path, mode="http") as world, aiohttp.ClientSession() as session:
        url, body = str(world.slack.request_url), "command=%2Fexecution&text=help"
        good = world.slack._http.signature(body)
        forged = [{}, good | {"X-Slack-Signature": "v0=00"}, good | {"X-Slack-Request-Timestamp": "1700000000"}]
        for headers in forged:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            async with session.post(url, data=body, headers=headers | form) as response:
                assert response.status == 401
        assert await world.slack.verify_url()
        assert not world.bot.logged("handlers.answered")


async def test_health_and_metrics_answer(tmp_path: Path) -> None:
    """The bot is alive, ready, and counts requests."""
    async with made(tmp_path) as world:
        await Person.new(world).types("help")
        assert await health(world, "/livez") == (200, {"ok": True, "ended": []})
        assert (await health(world))[0] == 200
        status, text = await health(world, "/metrics")
        assert status == 200
        assert 'execution_bot_handlers_requests_total{listener="execution_command",result="ok"} 1.0' in text


async def test_readiness_names_what_is_wrong_and_comes_back(tmp_path: Path) -> None:
    """GCS, store and Slack fail in turn: 503 names the one, `/livez` stays 200, and `/readyz` recovers."""
    async with made(tmp_path) as world:
        carol, execution_id = Person.new(world), world.gcs.play(story.happy(3), by_hand=True)
        await carol.types(f"subscribe {execution_id}")
        world.gcs.faults.add(GCSFault(kind="status", status=403))
        assert "GCSForbidden" in await problem_with(world, "gcs")
        world.gcs.faults.clear()
        await until_ready(world)
        async with store_stopped(world):
            assert "no answer" in await problem_with(world, "store")
            assert (await health(world, "/livez"))[0] == 200
        await until_ready(world)
        world.slack.refuse_connections = True
        await world.slack.disconnect_sockets("abrupt")
        assert "Socket Mode has not been connected" in await problem_with(world, "slack")
        world.slack.refuse_connections = False
        await until_ready(world)


async def _run_by_shell(line: str, gcs: GCS, slack: Slack, folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Start the bot by a line of a shell, in which `$0` is Python; returns the process and its health port."""
    (port,) = free_ports(1)
    settings = plain_settings(gcs, slack, folder, "socket") | {"HEALTH_PORT": str(port)} | AS_TYPED
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", line, sys.executable, cwd=folder, env=os.environ | settings
    )
    return process, port


@pytest.mark.parametrize("kept", ["", "trap '' HUP; "])
async def test_a_closed_terminal_stops_the_bot(tmp_path: Path, kept: str) -> None:
    """As SIGTERM does, with its store; under nohup it goes on."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        process, port = await _run_by_shell(f'{kept}exec "$0" -m bot run', gcs, slack, tmp_path)
        await _until_ready(process, port)
        process.send_signal(signal.SIGHUP)
        if kept:
            await asyncio.sleep(1)
            assert await _is_ready(port)
            process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            assert await process.wait() == 0
        assert not (tmp_path / "state" / "valkey.sock").exists()


async def test_a_log_without_room_delays_nothing(tmp_path: Path) -> None:
    """The disk of the log is full: people read all of a life, and the bot stays ready."""
    async with made(tmp_path) as world:
        resource.prlimit(world.bot.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        following = await lived(world, HAPPY)
        assert following.transcript(world.lab) == ["card", *HAPPY[1]]
        assert (await health(world))[0] == 200
        assert not world.bot.logged("message.sent")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_closed_standard_streams_end_nothing(tmp_path: Path, closed: str) -> None:
    """A supervisor may close them; a connection that takes such a number must not end the process."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        process, port = await _run_by_shell(f'exec "$0" -m bot run {closed}', gcs, slack, tmp_path)
        try:
            await _until_ready(process, port)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
        assert await process.wait() == 0


async def _until_ready(process: asyncio.subprocess.Process, port: int) -> None:
    """Return once the bot is ready, or has ended."""
    async with asyncio.timeout(PATIENCE):
        while (process.returncode, await _is_ready(port)) == (None, False):  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.1)


async def _is_ready(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.parametrize("output", [">/dev/full", ">&-"])
async def test_output_that_goes_nowhere_is_said(tmp_path: Path, output: str) -> None:
    """One sentence and exit code 1, no traceback: nobody may take a lost export for a whole one."""
    async with made(tmp_path) as world:
        await Person.new(world).types(f"subscribe {world.gcs.play(story.happy(3), by_hand=True)}")
        for words in ("--version", "check", "store export"):
            process = await asyncio.create_subprocess_exec(
                *("sh", "-c", f'exec "$0" -m bot {words} {output}', sys.executable),
                cwd=tmp_path,
                env=os.environ | world.bot.settings | AS_TYPED,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            assert process.returncode == 1
            assert re.fullmatch(r"What this command prints cannot be written \(.*\)\.\n", said.decode())


@pytest.mark.parametrize("output", ["2>/dev/full", "2>&-"])
async def test_unwritable_problems_keep_the_exit_code(tmp_path: Path, output: str) -> None:
    """A supervisor can still see that the settings are wrong."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'exec "$0" -m bot run {output}', sys.executable), cwd=tmp_path, env=os.environ | AS_TYPED
    )
    assert await process.wait() == 2


@pytest.mark.parametrize(("signal_name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
async def test_an_import_ends_without_a_traceback(tmp_path: Path, signal_name: str, code: int) -> None:
    """Ctrl-C in the first second of a command, or a stop while it is the first process of a container."""
    (tmp_path / "typer.py").write_text(
        f"import signal, time\nsignal.raise_signal(signal.{signal_name})\ntime.sleep(60)"
    )
    start = (
        "import os, runpy, signal; os.getpid = lambda: 1; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('bot')"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", start),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{AS_TYPED['PYTHONPATH']}"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert (process.returncode, said) == (code, b"")


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_no_secret_reaches_the_log(tmp_path: Path, mode: str) -> None:
    """At the finest log level, with all calls failing: no token, key, secret or response_url is logged."""
    async with made(tmp_path, mode=mode, LOG_LEVEL="debug") as world:
        carol, execution_id = Person.new(world), world.gcs.play(story.happy(3), by_hand=True)
        world.slack.faults.add(Fault(kind="error", error="invalid_auth", times=3))
        world.gcs.faults.add(GCSFault(kind="status", status=403, times=1))
        summary = await carol.types(execution_id)
        await carol.gets("Steps", summary) if summary.blocks[-1]["type"] == "actions" else None
        await carol.types(f"subscribe {execution_id} here")
        written = world.bot.log
        secrets = (world.slack.bot_token, world.slack.app_token, world.slack.signing_secret, world.gcs.secret_key)
        assert not [secret for secret in (*secrets, "/response/", "ticket=") if secret in written]
        assert world.gcs.access_key not in written
