"""`python -m bot check` against the sandbox: a tick for each part that works, a cross and a remedy for the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import story
from sandbox.gcs import GCS
from sandbox.slack import Fault, Slack
from tests.end_to_end.bot_process import ended
from tests.end_to_end.conftest import SCOPES, made, plain_settings


async def check(folder: Path, gcs: GCS, slack: Slack, mode: str = "socket", **change: str) -> tuple[int, str]:
    """`python -m bot check` in a sandbox."""
    return await ended(folder, "check", plain_settings(gcs, slack, folder, mode) | change)


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_check_ticks_what_works(tmp_path: Path, mode: str) -> None:
    """Six ticks and exit code 0."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        code, printed = await check(tmp_path, gcs, slack, mode)
    assert [line[0] for line in printed.splitlines()] == ["✓"] * 6, printed
    assert code == 0


@pytest.mark.parametrize(
    ("change", "name", "remedy"),
    [
        ({"GCS_SK": "wrong"}, "GeneContainer Service", "Check GCS_AK and GCS_SK"),
        ({"GCS_ENDPOINT": "http://127.0.0.1:9"}, "GeneContainer Service", "network"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "Slack connection", "Copy the tokens from"),
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
    assert [line[0] for line in lines].count("✓") == 5
    assert code == 1
    assert not any(value in printed for value in (gcs.secret_key, slack.bot_token, "xapp-wrong"))


async def test_check_names_a_missing_scope(tmp_path: Path) -> None:
    """The scope and where to add it."""
    async with GCS() as gcs, Slack(scopes=SCOPES - {"im:write"}) as slack:
        code, printed = await check(tmp_path, gcs, slack)
    assert "✗ Slack scopes: missing: im:write" in printed
    assert code == 1


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
