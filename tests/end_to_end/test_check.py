"""`python -m bot check` against the sandbox: a tick for each part that works, a cross and a remedy for the others."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from bot.store.engine.process import engine_binary
from sandbox import story
from sandbox.gcs import GCS
from sandbox.slack import Fault, Slack
from sandbox.slack.web_api import WebAPI
from tests.chaos.replicas import faketime_library
from tests.end_to_end.bot_process import AS_TYPED, ended
from tests.end_to_end.conftest import SCOPES, made, plain_settings
from tests.servers import opened, served


async def check(folder: Path, gcs: GCS, slack: Slack, mode: str = "socket", **change: str) -> tuple[int, str]:
    """`python -m bot check` in a sandbox."""
    return await ended(folder, "check", plain_settings(gcs, slack, folder, mode) | change)


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_check_ticks_what_works(tmp_path: Path, mode: str) -> None:
    """A tick for each part and exit code 0."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        code, printed = await check(tmp_path, gcs, slack, mode, **AS_TYPED)
    assert [line[0] for line in printed.splitlines() if line[0] != " "] == ["✓"] * 9, printed
    assert code == 0


@pytest.mark.parametrize(
    ("change", "name", "remedy"),
    [
        ({"GCS_SK": "wrong"}, "GeneContainer Service", "Check GCS_AK and GCS_SK"),
        ({"GCS_ENDPOINT": "http://127.0.0.1:9"}, "GeneContainer Service", "network"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "Slack connection", "Copy SLACK_APP_TOKEN from"),
        ({"REDIS_URL": "redis://127.0.0.1:9"}, "Store", "Check REDIS_URL"),
    ],
)
async def test_check_says_what_to_do(tmp_path: Path, change: dict[str, str], name: str, remedy: str) -> None:
    """A cross at the part that fails, its remedy below, ticks at the others, exit code 1."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        code, printed = await check(tmp_path, gcs, slack, **change)
    lines = printed.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"✗ {name}"))
    assert remedy in lines[at + 1]
    assert [line[0] for line in lines].count("✓") == 8
    assert code == 1
    assert not any(value in printed for value in (gcs.secret_key, slack.bot_token, "xapp-wrong"))


@pytest.mark.parametrize("headers", [{}, {"x-oauth-scopes": ""}])
async def test_check_misses_no_unheard_scopes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """A proxy removed or emptied Slack's header: that is a note, and no scope is called missing."""
    monkeypatch.setattr(WebAPI, "_headers", lambda _: dict(headers))
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        code, printed = await check(tmp_path, gcs, slack)
    assert "✓ Slack scopes: Slack did not say which scopes are granted\n  ! a proxy may have removed" in printed
    assert code == 0


async def test_check_finds_tokens_of_two_apps(tmp_path: Path) -> None:
    """The bot would start, connect and hear nothing."""
    async with GCS() as gcs, Slack(scopes=SCOPES, app_token="xapp-1-A0OTHER-1-a") as slack:
        code, printed = await check(tmp_path, gcs, slack)
    assert "✗ Slack connection: SLACK_APP_TOKEN is of app A0OTHER, and SLACK_BOT_TOKEN of app A0SANDBOX" in printed
    assert code == 1


async def test_check_names_a_missing_scope(tmp_path: Path) -> None:
    """The scope and where to add it."""
    async with GCS() as gcs, Slack(scopes=SCOPES - {"im:write"}) as slack:
        code, printed = await check(tmp_path, gcs, slack)
    assert "✗ Slack scopes: missing: im:write" in printed
    assert code == 1


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_check_works_beside_the_bot(tmp_path: Path, mode: str) -> None:
    """It asks the store of the bot that runs, and in HTTP mode tries the signing secret on it."""
    async with made(tmp_path, mode=mode) as world:
        settings = world.bot.settings
        code, printed = await ended(tmp_path, "check", settings)
        assert (code, "✓ Store: a bot runs in" in printed) == (0, True), printed
        assert ("accepts what is signed with SLACK_SIGNING_SECRET" in printed) == (mode == "http")
        code, printed = await ended(tmp_path, "check", settings | {"SLACK_SIGNING_SECRET": "another-secret"})
        assert ("✗ Slack connection: the bot on port" in printed) == (mode == "http")
        assert code == (mode == "http")


async def test_checks_run_side_by_side(tmp_path: Path) -> None:
    """One starts the embedded store, and the other finds its directory taken before it answers: nothing is broken."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        for code, printed in await asyncio.gather(check(tmp_path, gcs, slack), check(tmp_path, gcs, slack)):
            assert (code, "✓ Store" in printed) == (0, True), printed


async def test_check_finds_a_strange_server(tmp_path: Path) -> None:
    """Something else on `PORT` keeps the bot from starting."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        port = gcs.url.rpartition(":")[2]
        code, printed = await check(tmp_path, gcs, slack, "http", PORT=port)
    assert f"✗ Slack connection: what listens on port {port} is not the bot" in printed
    assert code == 1


async def test_check_finds_what_speaks_no_http(tmp_path: Path) -> None:
    """A database on `PORT`, for example, is not the same as nothing."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR unknown command\r\n")
        writer.close()

    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as server,
        GCS() as gcs,
        Slack(scopes=SCOPES) as slack,
    ):
        port = str(server.sockets[0].getsockname()[1])
        code, printed = await check(tmp_path, gcs, slack, "http", PORT=port)
    assert f"✗ Slack connection: what listens on port {port} is not the bot" in printed
    assert code == 1


@pytest.mark.parametrize(("seconds", "mark"), [(-400, "✗"), (400, "✗"), (-90, "✓")])
async def test_check_finds_a_wrong_clock(tmp_path: Path, seconds: int, mark: str) -> None:
    """Beyond five minutes Slack refuses what is signed; less is noted."""
    if (library := faketime_library()) is None:
        pytest.skip("libfaketime is not installed")
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        fake = {"LD_PRELOAD": library, "FAKETIME": f"{seconds:+d}s"}
        code, printed = await check(tmp_path, gcs, slack, **fake)
    side = "behind" if seconds < 0 else "ahead of"
    assert re.search(rf"{mark} Clock: \d+ s {side} (Slack|GCS)'s", printed), printed
    assert "NTP" in printed
    assert code == (mark == "✗")


async def check_with_rights(folder: Path, *rights: str) -> tuple[int, str]:
    """`python -m bot check` with a store whose user has these rights."""
    (folder / "valkey").mkdir()
    for url in served(engine_binary(), folder / "valkey"):
        with opened(url) as redis:
            redis.execute_command("ACL", "SETUSER", "bot", "on", ">pw", "~*", "&*", *rights)
        async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
            return await check(folder, gcs, slack, REDIS_URL=url.replace("unix://", "unix://bot:pw@"))
    raise AssertionError("no store was started")


NEEDED = ("+@read", "+@write", "+@scripting", "+@connection", "+time")
"""The rights that docs/operations.md asks for."""


@pytest.mark.parametrize("rights", [("+@all", "-info", "-config", "-client"), NEEDED])
async def test_check_passes_without_rights_to_ask(tmp_path: Path, rights: tuple[str, ...]) -> None:
    """A user of the store that may not run INFO, CONFIG or CLIENT: what could not be found out is said."""
    code, printed = await check_with_rights(tmp_path, *rights)
    assert "✓ Store: REDIS_URL answers; nobody owns it yet\n" in printed
    assert ("may not run INFO" in printed) == ("+@all" not in rights or "-info" in rights)
    assert code == 0


@pytest.mark.parametrize("right", ["time", "ping", "evalsha"])
async def test_check_finds_a_missing_right(tmp_path: Path, right: str) -> None:
    """What the bot cannot do without is no note."""
    code, printed = await check_with_rights(tmp_path, "+@all", f"-{right}")
    assert "✗ Store: the store's user may not do what the bot must" in printed
    assert f"'{right}'" in printed
    assert code == 1


async def test_check_notes_a_store_without_a_file(tmp_path: Path) -> None:
    """Whether a restart of an external store loses subscriptions is known before the first one."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    for url in served(engine_binary(), folder):
        async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
            code, printed = await check(tmp_path, gcs, slack, REDIS_URL=url)
    assert "  ! the store has neither an append-only file nor a replica" in printed
    assert code == 0


async def test_check_notes_careless_settings(tmp_path: Path) -> None:
    """A `.env` that others can read."""
    (tmp_path / ".env").write_text("LOG_LEVEL=info\n")
    (tmp_path / ".env").chmod(0o644)
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        code, printed = await check(tmp_path, gcs, slack)
    assert "✓ Settings: complete\n  ! .env is open to other users of this machine: run chmod 600 .env" in printed
    assert code == 0


async def test_dead_letters_are_listed_beside_the_bot(tmp_path: Path) -> None:
    """One line each: when, who, whose, why, and what was not delivered; without a bot it cannot be read."""
    async with made(tmp_path) as world:
        settings = plain_settings(world.gcs, world.slack, tmp_path, "socket")
        assert await ended(tmp_path, "dead-letters", settings) == (0, "There are none.\n")
        execution = world.gcs.play(story.happy(2), by_hand=True)
        world.slack.faults.add(Fault(kind="error", method="chat.postMessage", error="is_archived", channel=world.lab))
        await world.slack.command(world.alice, world.lab, f"subscribe {execution} here")
        await world.slack.wait_for(lambda: world.slack.messages(world.slack.dm(world.alice)))
        code, printed = await ended(tmp_path, "dead-letters", settings)
    assert code == 0
    assert f"{execution}/{world.lab} of {world.alice}: is_archived; only its card was to be shown" in printed
    code, printed = await ended(tmp_path, "dead-letters", settings)
    assert (code, printed.startswith("The store cannot be read")) == (1, True)
    assert "→ The embedded store runs while the bot does: start the bot, then repeat this." in printed
