"""Other settings: a password instead of keys, and a Redis instead of the embedded store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import made
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
