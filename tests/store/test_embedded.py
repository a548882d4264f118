"""Promises of the embedded store: one owner, one engine, nothing lost by a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from redis import Redis
from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from bot.errors import SettingsInvalid, StoreUnavailable
from bot.metrics import STORE_ENGINE_RESTARTS, STORE_ENGINE_UP
from bot.store.engine import embedded, process
from bot.store.engine.connection import Connection
from bot.store.engine.embedded import EmbeddedStore
from bot.store.engine.process import Reply
from tests.disks import Disk, small_disk

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


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
async def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    """What a crash cut off was never acknowledged, and is dropped; other damage is for the operator to repair."""
    await killed_owner(tmp_path)
    os.kill(engine_of(EmbeddedStore(tmp_path).url), signal.SIGKILL)
    (file,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    whole = file.read_bytes()
    written = whole.index(b"*3")
    file.write_bytes(whole + b"*3\r\n$3\r\nSET\r\n$4\r\nne" if damage == "cut off" else whole[:written] + b"no" + whole)
    store = EmbeddedStore(tmp_path)
    if damage == "overwritten":
        with pytest.raises(StoreUnavailable, match=r"its file is damaged: .*valkey-check-aof --fix"):
            await store.start()
        assert file.read_bytes().endswith(whole)
        return
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


@pytest.mark.parametrize("name", ["a?b=1", "a#b", "a%41", "a b'c\"d", "a@b:c", "ü"])
async def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Signs that mean something in an address, too."""
    store = EmbeddedStore(tmp_path / name)
    connection = Connection(await store.start())
    await connection.run("engine/probe", connection.keys.partition(0))
    await connection.aclose()
    await store.stop()
    assert (tmp_path / name / "appendonlydir").is_dir()


async def test_an_engine_that_cannot_be_started_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses is one sentence, and the directory is free again."""
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "valkey.log").mkdir()
    with pytest.raises(StoreUnavailable, match=r"did not start.*Is a directory"):
        await EmbeddedStore(tmp_path).start()
    (tmp_path / "valkey.log").rmdir()
    with monkeypatch.context() as patch:
        patch.setattr(process, "engine_binary", lambda: "/nowhere")
        with pytest.raises(StoreUnavailable, match="did not start"):
            await EmbeddedStore(tmp_path).start()
    store = EmbeddedStore(tmp_path)
    await store.start()
    await store.stop()


async def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    """The engine cannot even write why it ends."""
    with small_disk(tmp_path / "small", mib=1) as disk:
        disk.fill()
        with pytest.raises(StoreUnavailable, match="its disk is full"):
            await EmbeddedStore(disk.folder).start()
        disk.free()


async def test_an_unwritable_directory_is_refused(tmp_path: Path) -> None:
    """A file in the way, or links in a circle, are no stack trace."""
    (tmp_path / "state").write_text("")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("state", "circle"):
        with pytest.raises(SettingsInvalid, match="cannot be written"):
            await EmbeddedStore(tmp_path / name).start()


async def test_what_is_acknowledged_is_on_the_disk(tmp_path: Path) -> None:
    """With `everysec` an engine that is killed while an fsync takes long would have answered before it wrote."""
    store = EmbeddedStore(tmp_path)
    with Redis.from_url(await store.start(), decode_responses=True) as redis:
        assert redis.config_get("append*") | {"appendonly": "yes", "appendfsync": "always"} == redis.config_get(
            "append*"
        )
    await store.stop()


@asynccontextmanager
async def owned(folder: Path, *, is_adopted: bool) -> AsyncIterator[EmbeddedStore]:
    """A store that was started, or adopted from a killed owner, and in which something is kept."""
    if is_adopted:
        await killed_owner(folder)
    store = EmbeddedStore(folder)
    with Redis.from_url(await store.start()) as redis:
        redis.set("kept", "yes")
    try:
        yield store
    finally:
        await store.stop()


async def next_engine(url: str, before: int) -> int:
    """The process id of the engine that follows the one of the process id `before`; nothing was lost."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.05)
            try:
                with Redis.from_url(url, decode_responses=True, socket_timeout=0.2) as redis:
                    process_id = int(redis.info("server")["process_id"])
                    if process_id != before:
                        assert redis.get("kept") == "yes"
                        return process_id
            except RedisError:
                continue


@pytest.mark.parametrize("is_adopted", [False, True])
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_lost_engine_is_started_again(tmp_path: Path, blow: signal.Signals, is_adopted: bool) -> None:
    """Killed or stopped, three times: another one continues with its data, and the old one is gone."""
    async with owned(tmp_path, is_adopted=is_adopted) as store:
        restarts = STORE_ENGINE_RESTARTS._value.get()
        engine = engine_of(store.url)
        for count in range(1, 4 if blow is signal.SIGKILL else 2):
            os.kill(engine, blow)
            engine = await next_engine(store.url, engine)
            assert STORE_ENGINE_RESTARTS._value.get() == restarts + count
        while not STORE_ENGINE_UP._value.get():  # noqa: ASYNC110  # the supervisor's doing
            await asyncio.sleep(0.01)
        assert not store.is_gone
    with pytest.raises(RedisConnectionError):
        engine_of(store.url)


async def test_a_short_silence_is_no_restart(tmp_path: Path) -> None:
    """A PING without a response is no reason to end an engine: it, or the bot, may have been stopped for a moment."""
    async with owned(tmp_path, is_adopted=False) as store:
        engine = engine_of(store.url)
        os.kill(engine, signal.SIGSTOP)
        await asyncio.sleep(1.2)
        os.kill(engine, signal.SIGCONT)
        await asyncio.sleep(2.5)
        assert engine_of(store.url) == engine


async def test_an_engine_found_hanging_is_replaced(tmp_path: Path) -> None:
    """A start does not put a second engine beside one that hangs: it ends that, and reads its file."""
    await killed_owner(tmp_path)
    store = EmbeddedStore(tmp_path)
    before = engine_of(store.url)
    os.kill(before, signal.SIGSTOP)
    url = await store.start()
    await next_engine(url, before)
    await store.stop()


async def test_restarts_in_vain_come_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not start is tried with growing pauses, and counts as gone after a while."""
    pauses: list[float] = []

    async def fails() -> None:
        pauses.append(store._pause)
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(embedded, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(embedded, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(embedded, "GONE_SECONDS", 0.3)
    async with owned(tmp_path, is_adopted=False) as store:
        with monkeypatch.context() as full:
            full.setattr(store._engine, "spawn", fails)
            engine = engine_of(store.url)
            os.kill(engine, signal.SIGKILL)
            async with asyncio.timeout(60):
                while len(pauses) < 5 or not store.is_gone:  # noqa: ASYNC110  # the supervisor's doing
                    await asyncio.sleep(0.01)
        assert pauses[:5] == [0.02, 0.04, 0.05, 0.05, 0.05]
        await next_engine(store.url, engine)


def write_until_full(url: str) -> int:
    """Write until the engine acknowledges no more; returns how many numbers it acknowledged."""
    written = 0
    with Redis.from_url(url, socket_timeout=2) as redis:
        while True:
            try:
                redis.rpush("numbers", f"{written:0999}")
            except RedisError:
                return written
            written += 1


def fill(disk: Disk, *, leaves: int) -> None:
    """Fill the disk but for `leaves` bytes."""
    reserve = disk.folder / "reserve"
    reserve.write_bytes(bytes(leaves))
    disk.fill()
    reserve.unlink()


async def test_a_full_disk_loses_nothing_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine ends when it cannot write, and is started in vain; with space it continues by itself."""
    monkeypatch.setattr(embedded, "LONGEST_PAUSE", 0.5)
    with small_disk(tmp_path / "state", mib=8) as disk:
        async with owned(disk.folder, is_adopted=False) as store:
            restarts, engine = STORE_ENGINE_RESTARTS._value.get(), engine_of(store.url)
            fill(disk, leaves=64 * 1024)
            written = await asyncio.to_thread(write_until_full, store.url)
            assert 20 < written < 100
            async with asyncio.timeout(60):
                while STORE_ENGINE_RESTARTS._value.get() < restarts + 2:
                    await asyncio.to_thread(write_until_full, store.url)
                    await asyncio.sleep(0.1)
            disk.free()
            await next_engine(store.url, engine)
            with Redis.from_url(store.url, decode_responses=True) as redis:
                kept = redis.lrange("numbers", 0, -1)
                assert kept[:written] == [f"{number:0999}" for number in range(written)]
                assert redis.set("kept", "yes")


def test_a_connection_that_ends_early_is_no_answer(tmp_path: Path) -> None:
    """On the loop that the bot runs on: the server closes the connection, and a command follows at once."""

    async def close(pool: ConnectionPool) -> None:
        (connection,) = pool._available_connections
        assert connection._writer is not None
        connection._writer.transport.close()

    async def main() -> None:
        async with owned(tmp_path, is_adopted=False) as store:
            assert await store._engine.ping() is Reply.READY
            await close(store._engine._redis.connection_pool)
            assert await store._engine.ping() is Reply.NONE
            assert await store._engine.ping() is Reply.READY
            client = Connection(store.url)
            async with client.guarded() as redis:
                await redis.ping()
                await close(redis.connection_pool)
            with suppress(StoreUnavailable):  # uvloop's error in our words; on Python 3.13 redis-py connects once more
                async with client.guarded() as redis:
                    await redis.ping()
            async with client.guarded() as redis:
                assert await redis.ping()
            await client.aclose()

    uvloop.run(main())


async def test_the_engine_gets_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our environment holds secrets, and a core dump or a file for everybody would hold what the store holds."""
    monkeypatch.setenv("GCS_SK", "a-secret")
    async with owned(tmp_path / "state", is_adopted=False) as store:
        process = Path("/proc") / str(engine_of(store.url))
        assert (process / "environ").read_bytes() == b""
        assert (process / "cwd").readlink() == tmp_path / "state"
        (core,) = [line for line in (process / "limits").read_text().splitlines() if "core file" in line]
        assert core.split()[4] == "0"
        files = [path for path in (tmp_path / "state").rglob("*") if path.name != "lock"]
        assert [path for path in files if path.stat().st_mode & 0o077] == []
        assert {"valkey.log", "valkey.sock", "appendonlydir"} <= {path.name for path in files}


async def test_a_directory_of_ours_is_closed(tmp_path: Path) -> None:
    """An empty directory, and one in which an earlier version ran: nobody else reads them from now on."""
    folder = tmp_path / "state"
    folder.mkdir()
    for _ in ("empty", "used"):
        folder.chmod(0o755)
        store = EmbeddedStore(folder)
        await store.start()
        await store.stop()
        assert folder.stat().st_mode & 0o777 == 0o700


async def test_an_open_directory_of_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a directory with other things in it is closed, nor one that cannot be closed used."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "notes.txt").touch()
    shared.chmod(0o755)
    with pytest.raises(SettingsInvalid, match="open to other users"):
        await EmbeddedStore(shared).start()
    assert shared.stat().st_mode & 0o777 == 0o755
    (shared / "notes.txt").unlink()
    shared.chmod(0o1777)  # as /tmp
    with pytest.raises(SettingsInvalid, match="open to other users"):
        await EmbeddedStore(shared).start()
    shared.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as on a file system without modes
    with pytest.raises(SettingsInvalid, match="mode 0700"):
        await EmbeddedStore(shared).start()


@pytest.mark.parametrize("steps", range(8))
async def test_it_stops_during_a_check(tmp_path: Path, steps: int) -> None:
    """However far a PING has come: redis-py takes some cancellations for its own time-out, and returns."""
    store = EmbeddedStore(tmp_path)
    await store.start()
    for _ in range(steps):
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await store.stop()
    assert not store.is_running
