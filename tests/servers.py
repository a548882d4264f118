"""Real servers for tests, and time that passes in them on demand instead of by sleeping.

Called by the conftests and tests of the rings that need a store.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep, time
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from bot.domain.following import Rule
from bot.store.engine import connection
from bot.store.engine.scripts import Script, script
from bot.store.keys import PARTITIONS, Keyspace
from bot.store.owner import SCHEMA, Owner
from bot.store.subscriptions.index import SUBSCRIBING_FOR

KEYS = Keyspace()
ACCOUNT = "gcs1"
"""Stands for the GCS account in the keys of tests."""

OWNER = Owner(
    account=ACCOUNT,
    team="T1",
    endpoint="https://gcs.example.com",
    project="p1",
    migrated=(SCHEMA,) * PARTITIONS,
)
"""Whom a store of tests belongs to."""

SANDBOX_OWNER = replace(OWNER, team="T0SANDBOX")
"""The same for the workspace of the sandbox."""

AT_REST = "-|0|0|0|0"
"""What stands for the claim of a lane that nobody has claimed."""

_HOURS = 8
"""The place of quiet hours in the row of a subscription."""
_SEEN = re.compile(r'"at":"([^"]*)"')


def served(binary: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run an engine in `folder` while the caller holds the generator; its URL. Its `environment` is added to ours."""
    socket = folder / "s"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    environment = {**os.environ, **(environment or {})}
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL, env=environment) as process:  # noqa: S603  # our own engine
        try:
            with Redis(unix_socket_path=str(socket)) as redis:
                wait_for(redis)
            yield f"unix://{socket}"
        finally:
            process.terminate()


def wait_for(redis: Redis) -> None:
    """Return once the server answers."""
    for _ in range(500):
        try:
            redis.ping()
        except RedisError:
            sleep(0.01)
        else:
            return
    pytest.fail("the server did not start")


def opened(url: str) -> Redis:
    """A client for a test: it looks behind the store, on all nodes where there are several."""
    if not url.startswith("redis+cluster://"):
        return Redis.from_url(url, decode_responses=True)
    first = url.removeprefix("redis+cluster://").partition(",")[0]
    return RedisCluster.from_url(f"redis://{first}", decode_responses=True)  # type: ignore[return-value]  # the same commands


@contextmanager
def configured(redis: Any, name: str, value: int) -> Iterator[None]:
    """Let a setting of the server, or of all masters, whose default is 0, be different for a while."""
    redis.config_set(name, value, **on_all_masters(redis))
    try:
        yield
    finally:
        redis.config_set(name, 0, **on_all_masters(redis))


def on_all_masters(redis: Any) -> dict[str, Any]:
    """What a command of the client's takes to go to all masters of a cluster."""
    return {"target_nodes": RedisCluster.PRIMARIES} if isinstance(redis, RedisCluster) else {}


class StillClock:
    """The clock that the store's scripts read: it moves when a test says so, and by `TICK` with each script.

    Keys expire by the server's own.
    """

    TICK = 10
    """Microseconds: what comes later has arrived later."""

    def __init__(self) -> None:
        self.now = int(time() * 1e6)
        """Microseconds since 1970."""

    @classmethod
    @contextmanager
    def standing(cls) -> Iterator[StillClock]:
        """Inside the context, this process has scripts run by it."""
        with pytest.MonkeyPatch.context() as patch:
            clock = cls()
            patch.setattr(connection, "script", clock._script)
            yield clock

    def passes(self, seconds: float) -> None:
        """So much later."""
        self.now += round(seconds * 1e6)

    def _script(self, name: str) -> Script:
        self.now += self.TICK
        seconds, micros = divmod(self.now, 1_000_000)
        return Script.of(script(name).text.replace("redis.call('TIME')", f"{{{seconds}, {micros}}}"))


def age_places(redis: Redis, rule: Rule) -> None:
    """Have a rule have taken its places a while ago."""
    for key in redis.scan_iter(f"*:of:{rule.subscriber.id}/{rule.id}"):
        for execution_id in redis.zrange(key, 0, -1):
            redis.zincrby(key, -2 * SUBSCRIBING_FOR / timedelta(milliseconds=1), str(execution_id))


def let_time_pass(redis: Redis) -> None:
    """Let the time come of every lane that is not claimed, and forget Slack's limits."""
    for key in map(str, redis.scan_iter("*{slack:*")):
        if not key.endswith(":away"):
            redis.delete(key)
    let_lanes_come(redis)


def let_pauses_end(redis: Redis) -> None:
    """Let all pauses of Slack's end; the slow start that follows stays."""
    for key in map(str, redis.scan_iter("*:pause:*")):
        redis.set(key, int(time() * 1e6), keepttl=True)
    let_lanes_come(redis)


def let_lanes_come(redis: Redis) -> None:
    """Let the time come of every lane that is not claimed."""
    for key in map(str, redis.scan_iter("*:outbox:*")):
        for lane in map(str, redis.zrange(key, 0, -1)):
            claim = redis.hget(_partition(key) + "claims", lane) or AT_REST
            if str(claim).split("|")[2] == "0":
                redis.zadd(key, {lane: int(time() * 1000) - 1}, lt=True)


def let_quiet_end(redis: Redis) -> None:
    """Let the time come of every mute that has one, and of the lanes that wait for it."""
    past = str(int(time() * 1000) - 1)
    for key in map(str, redis.scan_iter("*}:subs:*")):
        for name, row in redis.hgetall(key).items():
            fields = [*str(row).split("|"), *("",) * 6][:9]
            if fields[7][:1].isdigit():
                redis.hset(key, str(name), "|".join([*fields[:7], past, fields[8]]))
    let_lanes_come(redis)


def let_night_pass(redis: Redis, *, hours: float = 1) -> None:
    """Let all quiet hours end now, and what they held have been seen so many hours ago."""
    ends, earlier = str(int(time() * 1000) - 1), timedelta(hours=hours)
    for key in map(str, redis.scan_iter("*}:subs:*")):
        for name, row in redis.hgetall(key).items():
            fields = str(row).split("|")
            if len(fields) > _HOURS and (begins := fields[_HOURS].partition("-")[0]):
                fields[_HOURS] = f"{int(begins) - int(earlier.total_seconds() * 1000)}-{ends}"
                redis.hset(key, str(name), "|".join(fields))
    for key in map(str, redis.scan_iter("*:changes:*")):
        for place, entry in enumerate(map(str, redis.lrange(key, 0, -1))):
            redis.lset(key, place, _SEEN.sub(lambda seen: _shifted(seen, earlier), entry, count=1))
    let_lanes_come(redis)


def _shifted(seen: re.Match[str], earlier: timedelta) -> str:
    return f'"at":"{(datetime.fromisoformat(seen[1]) - earlier).isoformat()}"'


def expire_claims(redis: Redis) -> None:
    """Let all leases of the outbox run out, as if their workers had died long ago."""
    for key in map(str, redis.scan_iter("*:claims")):
        for lane, claim in redis.hgetall(key).items():
            token, claimed, ends, again, doubt = str(claim).split("|")
            if ends != "0":
                redis.hset(key, str(lane), f"{token}|{claimed}|1|{again}|{doubt}")
                for priority in map(str, redis.scan_iter(f"{_partition(key)}outbox:*")):
                    redis.zadd(priority, {str(lane): 0}, xx=True)


def let_polls_come(redis: Redis, only: str = "") -> None:
    """Let every execution be due, or `only` this one, claimed or not: a claim that is open has run out by that."""
    for name in ("due", "gone", "expedited"):
        for key in map(str, redis.scan_iter(f"*:{name}")):
            for execution in map(str, redis.zrange(key, 0, -1)):
                if execution.endswith(only):
                    redis.zadd(key, {execution: 0})


def _partition(key: str) -> str:
    """The common beginning of all keys of the partition of `key`."""
    return key[: key.index("}:") + 2]
