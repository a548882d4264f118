"""Other settings: a password instead of keys, and a Redis instead of the embedded store."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.gcs import GCS
from sandbox.slack import Slack
from tests.end_to_end.bot_process import ended
from tests.end_to_end.conftest import SCOPES, made, plain_settings
from tests.end_to_end.lives import HAPPY
from tests.end_to_end.test_lives import lived


async def test_a_password_does_as_well_as_keys(tmp_path: Path) -> None:
    """The bot trades it for a token, once, and follows a life with the token."""
    async with made(tmp_path, has_password=True) as world:
        following = await lived(world, HAPPY)
        assert following.transcript(world.lab) == ["card", *HAPPY[1]]
        assert world.gcs.tokens_fetched == 1


async def test_a_token_that_dies_early_is_renewed(tmp_path: Path) -> None:
    """IAM revokes tokens when permissions change; people notice nothing."""
    async with made(tmp_path, has_password=True) as world:
        world.gcs.revoke_tokens()
        following = await lived(world, HAPPY)
        assert following.transcript(world.lab) == ["card", *HAPPY[1]]


@pytest.mark.parametrize("server_url", ["valkey", "redis"], indirect=True)
async def test_an_own_store(tmp_path: Path, server_url: str) -> None:
    """With `REDIS_URL` the bot starts no engine and leaves nothing in its state directory."""
    async with made(tmp_path, REDIS_URL=server_url) as world:
        following = await lived(world, HAPPY)
        assert following.transcript(world.lab) == ["card", *HAPPY[1]]
    assert not (tmp_path / "state").exists()


async def test_secrets_may_be_files(tmp_path: Path) -> None:
    """As Docker and Kubernetes mount them, with a newline at the end."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        settings = plain_settings(gcs, slack, tmp_path, "socket")
        for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "GCS_AK", "GCS_SK"):
            (tmp_path / name).write_text(f"{settings.pop(name)}\n")
            settings[f"{name}_FILE"] = str(tmp_path / name)
        code, printed = await ended(tmp_path, "check", settings)
    assert code == 0, printed


@pytest.mark.parametrize("line", ["GCS_SK={}\n", 'GCS_SK="{}"\n', "export GCS_SK='{}'\r\n"])
async def test_nothing_in_a_secret_is_replaced(tmp_path: Path, line: str) -> None:
    """Signatures made with it are right, however `.env` writes it."""
    secret = "ab${HOME}$PATH$(id)%s{x}"
    (tmp_path / ".env").write_text(line.format(secret), newline="")
    (tmp_path / ".env").chmod(0o600)
    async with GCS(secret_key=secret) as gcs, Slack(scopes=SCOPES) as slack:
        settings = plain_settings(gcs, slack, tmp_path, "socket")
        del settings["GCS_SK"]
        code, printed = await ended(tmp_path, "check", settings)
    assert (code, "accepts the signature" in printed) == (0, True), printed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"GCS_SK": "'hunter2'"}, "GCS_SK is wrong: it is in quotation marks"),
        ({"GCS_AK": "AK\nhunter2"}, "GCS_AK is wrong: it contains a line break"),
        ({"REDIS_URI": "redis://:hunter2@prod"}, "REDIS_URI is not a setting: did you mean REDIS_URL?"),
        ({"LISTEN_HOST": "203.0.113.7"}, "LISTEN_HOST is wrong: this machine has no such address"),
    ],
)
async def test_a_wrong_setting_keeps_it_from_starting(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    """Named in a sentence at the start, with exit code 2, and never repeated."""
    async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
        code, printed = await ended(tmp_path, "run", plain_settings(gcs, slack, tmp_path, "socket") | change)
    assert sentence in printed
    assert "hunter2" not in printed
    assert code == 2
