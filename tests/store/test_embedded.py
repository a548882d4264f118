"""Promises of the embedded store: one owner, one engine, nothing lost by a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.errors import SettingsInvalid
from bot.store.engine.embedded import EmbeddedStore

OWNER = """
import asyncio, pathlib, sys
from redis import Redis
from bot.store.engine.embedded import EmbeddedStore

async def own():
    url = await EmbeddedStore(pathlib.Path(sys.argv[1])).start()
    Redis.from_url(url).set("kept", "yes")
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(own())
"""


async def killed_owner(folder: Path) -> None:
    """Start an owner of `folder` as a process, let it write, and kill it so that it can clean up nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()


def engine_of(url: str) -> int:
    """The process id of the engine behind `url`."""
    with Redis.from_url(url) as redis:
        return int(redis.info("server")["process_id"])


async def test_the_next_bot_adopts_a_running_engine(tmp_path: Path) -> None:
    """The orphan is adopted with all its data, and stopped at the end; there is never a second engine."""
    await killed_owner(tmp_path)
    store = EmbeddedStore(tmp_path)
    url = await store.start()
    with Redis.from_url(url, decode_responses=True) as redis:
        assert redis.get("kept") == "yes"
    await store.stop()
    with pytest.raises(RedisConnectionError):
        engine_of(url)


async def test_data_outlives_engine_and_bot(tmp_path: Path) -> None:
    """Both killed: the next start reads the append-only file."""
    await killed_owner(tmp_path)
    os.kill(engine_of(EmbeddedStore(tmp_path).url), signal.SIGKILL)
    store = EmbeddedStore(tmp_path)
    with Redis.from_url(await store.start(), decode_responses=True) as redis:
        assert redis.get("kept") == "yes"
    await store.stop()


async def test_a_second_bot_on_a_directory_is_refused(tmp_path: Path) -> None:
    """One sentence with the way out, and the first goes on."""
    first = EmbeddedStore(tmp_path)
    url = await first.start()
    with pytest.raises(SettingsInvalid, match="in use by another bot"):
        await EmbeddedStore(tmp_path).start()
    assert engine_of(url)
    await first.stop()


async def test_a_path_too_long_is_refused(tmp_path: Path) -> None:
    """The kernel's limit becomes a sentence."""
    with pytest.raises(SettingsInvalid, match="too long for a socket"):
        await EmbeddedStore(tmp_path / ("x" * 120)).start()


async def test_an_unwritable_directory_is_refused(tmp_path: Path) -> None:
    """A file in the way is no stack trace."""
    (tmp_path / "state").write_text("")
    with pytest.raises(SettingsInvalid, match="cannot be written"):
        await EmbeddedStore(tmp_path / "state").start()


async def test_what_is_acknowledged_is_on_the_disk(tmp_path: Path) -> None:
    """With `everysec` an engine that is killed while an fsync takes long would have answered before it wrote."""
    store = EmbeddedStore(tmp_path)
    with Redis.from_url(await store.start(), decode_responses=True) as redis:
        assert redis.config_get("append*") | {"appendonly": "yes", "appendfsync": "always"} == redis.config_get(
            "append*"
        )
    await store.stop()
