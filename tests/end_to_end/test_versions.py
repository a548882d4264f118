"""Processes of two versions on one store, in an upgrade and a rollback: people miss nothing, and read nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from bot.store.engine.process import engine_binary
from bot.store.owner import SCHEMA
from tests.end_to_end.bot_process import BotProcess, ended
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.following import Following
from tests.end_to_end.lives import HAPPY
from tests.end_to_end.next_version import next_version
from tests.end_to_end.people import PATIENCE
from tests.servers import opened, served
from tests.unit.store import schema_1

LIFE, LINES = HAPPY


@dataclass
class Versions:
    """A world in which a bot of this version runs, and one of the next version that does not run yet."""

    world: World
    newer: BotProcess
    redis: Redis

    def level_of(self, following: Following) -> str:
        """The word for the level of a person's subscription, in the store."""
        (key,) = self.redis.scan_iter(f"*:subs:*{following.execution_id}")
        return str(self.redis.hget(key, self.world.alice)).partition("|")[0]

    async def shows(self, line: str) -> None:
        """Return once `store show` of the next version prints a line that begins like this."""
        async with asyncio.timeout(PATIENCE):
            while line not in (await ended(self.newer.folder, "store", self.newer.settings, "show"))[1]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)  # another process's doing

    async def followed(self, level: str) -> Following:
        """An execution that a person follows at `level`, and a channel at every step."""
        following = await Following.begin(self.world, LIFE)
        await self.world.slack.command(self.world.alice, self.world.lab, f"subscribe {following.execution_id} {level}")
        await eventually(lambda: self.level_of(following) == level)
        return following

    async def step(self, following: Following) -> None:
        """The next frame of a life, which the channel reads."""
        before = len(following.transcript(self.world.lab))
        assert self.world.gcs.step(following.execution_id) is not None
        await self.world.slack.wait_for(lambda: len(following.transcript(self.world.lab)) > before)

    async def lived(self, following: Following) -> list[str]:
        """Live to the end; the channel has read every line once. Returns what the person has read."""
        while len(following.transcript(self.world.lab)) <= len(LINES):
            await self.step(following)
        mine = self.world.slack.dm(self.world.alice)
        await self.world.slack.wait_for(lambda: LINES[-1] in following.transcript(mine))
        assert following.transcript(self.world.lab) == ["card", *LINES]
        return following.transcript(mine)


@asynccontextmanager
async def two_versions(tmp_path: Path) -> AsyncIterator[Versions]:
    """This version and the next one, on a store of their own."""
    (folder := tmp_path / "redis").mkdir()
    for url in served(engine_binary(), folder):
        async with made(tmp_path, REDIS_URL=url) as world:
            world.slack.limits.is_on = False  # rate limits have tests of their own
            path = next_version(tmp_path / "next")
            newer = BotProcess({**world.bot.settings, "PYTHONPATH": str(path)}, tmp_path / "newer.log")
            try:
                yield Versions(world, newer, opened(url))
            finally:
                exit_code = await newer.stop()
            assert exit_code == 0
            for bot in (newer, world.bot):
                assert "store.unreadable" not in bot.log
                assert "Traceback" not in bot.log


async def test_an_upgrade_and_a_rollback(tmp_path: Path) -> None:
    """Live subscriptions of both versions go on through it; levels move to the next version's word, and stay."""
    async with two_versions(tmp_path) as versions:
        old = versions.world.bot
        upgraded, kept = await versions.followed("final"), await versions.followed("final")
        await versions.step(upgraded)

        await versions.newer.start()  # beside the old one
        await eventually(lambda: versions.level_of(upgraded) == versions.level_of(kept) == "verdict")
        await asyncio.gather(versions.step(upgraded), versions.step(kept))

        await old.stop()
        await versions.shows(f"rows: all of schema {SCHEMA + 1}\n")
        read = await versions.lived(upgraded)
        assert (read[0], read.count(LINES[-1]), len(read) == len(set(read))) == ("card", 1, True)
        quiet, rolled_back = await versions.followed("verdict"), await versions.followed("verdict")
        assert await versions.lived(quiet) == ["card", LINES[-1]]

        await old.start()
        await versions.newer.kill()
        await versions.shows(f"rows: 0 of 16 partitions are brought from schema {SCHEMA} to {SCHEMA + 1}; ")
        assert await versions.lived(rolled_back) == ["card", *LINES]
        read = await versions.lived(kept)
        assert (read[0], read.count(LINES[-1]), len(read) == len(set(read))) == ("card", 1, True)
        later = await versions.followed("final")
        await old.stop()

        await versions.newer.start()
        await eventually(lambda: versions.level_of(later) == "verdict")
        assert await versions.lived(later) == ["card", LINES[-1]]


class RowsOfSchema1:
    """A store, as a bot of schema 1 writes and reads it."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, decode_responses=True, encoding_errors="surrogateescape")

    def _hashes(self, kind: str) -> Iterator[tuple[str, str, str]]:
        """Key, field and value of every row of one kind."""
        for key in map(str, self._redis.scan_iter(f"*:{kind}")):
            yield from ((key, str(name), str(row)) for name, row in self._redis.hgetall(key).items())

    def rewrite(self) -> int:
        """Let every row be as it was; returns how many snapshots and owner records differ from what was there."""
        for pattern, kind in (("subs:*", "subscriptions"), ("receipts:*", "receipts")):
            for key, name, row in list(self._hashes(pattern)):
                self._redis.hset(key, name, schema_1.rewritten(kind, row))
        texts = dict.fromkeys(map(str, self._redis.scan_iter("*:snap:*")), "snapshots") | {"xb3:owner": "owners"}
        before = {key: str(self._redis.get(key)) for key in texts}
        for key, kind in texts.items():
            self._redis.set(key, schema_1.rewritten(kind, before[key]).encode(errors="surrogateescape"))
        return sum(self._redis.get(key) != text for key, text in before.items())

    def read(self) -> int:
        """Read every row; returns how many there are.

        Raises:
            ValueError: one of them cannot be read.
        """
        kinds = {"subs:*": "subscriptions", "receipts:*": "receipts", "claims": "claims"}
        rows = [(kinds[pattern], row) for pattern in kinds for _, _, row in self._hashes(pattern)]
        if unread := [each for each in rows if not schema_1.reads_text(*each)]:
            raise ValueError(unread)
        snapshots = [schema_1.snapshot(str(self._redis.get(key))) for key in self._redis.scan_iter("*:snap:*")]
        changes = [self._redis.lrange(str(key), 0, -1) for key in self._redis.scan_iter("*:changes:*")]
        return len(rows) + len(snapshots) + len([schema_1.change(str(entry)) for each in changes for entry in each])


async def test_rows_of_schema_1_live_on(tmp_path: Path) -> None:
    """A bot takes over what schema 1 wrote, and schema 1 what the bot writes then; people read every line once."""
    (folder := tmp_path / "redis").mkdir()
    for url in served(engine_binary(), folder):
        async with made(tmp_path, REDIS_URL=url) as world:
            rows, following = RowsOfSchema1(url), await Following.begin(world, LIFE)
            for line in LINES[:2]:
                await following.step(line)
            await world.bot.stop()
            assert rows.rewrite() >= 1, "this version writes nothing that schema 1 does not know"
            await world.bot.start()
            await following.step(LINES[2])
            await world.bot.stop()
            assert rows.read() >= 5
            assert rows.rewrite() >= 1, "this version writes nothing that schema 1 does not know"
            await world.bot.start()
            await following.step(LINES[3])
            for channel in following.channels:
                assert following.transcript(channel) == ["card", *LINES]
            assert "store.unreadable" not in world.bot.log
