"""Promises of the store on a Redis Cluster whose slots move, as they do when a node is added."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from redis import RedisCluster

from bot.errors import StoreUnavailable
from bot.store import Store
from bot.store.keys import execution_key
from tests.servers import ACCOUNT, KEYS
from tests.store.following import ALICE, LAB, due, follow, left_over

pytestmark = pytest.mark.parametrize("server_url", ["cluster"], indirect=True)


@pytest.fixture
def moving(redis: Any) -> Iterator[Moving]:
    """The slot of a partition, on its way from one node to another until the test lets it arrive."""
    assert isinstance(redis, RedisCluster)
    moving = Moving(redis, KEYS.partition(0))
    yield moving
    moving.arrive()


class Moving:
    """A slot that leaves its node; it can be there and not yet there at the same time."""

    def __init__(self, cluster: Any, key: str) -> None:
        self._slot = cluster.keyslot(key)
        self.source: Any = cluster.get_node_from_key(key).redis_connection
        self._nodes = [node.redis_connection for node in cluster.get_primaries()]
        self.target: Any = next(node for node in self._nodes if node is not self.source)

    def leave(self) -> None:
        """Both nodes know that the slot moves; its keys are still with the first."""
        self._say(self.target, "IMPORTING", self.source)
        self._say(self.source, "MIGRATING", self.target)

    def arrive(self) -> None:
        """Bring over the keys, and let everybody know."""
        host, port = (self.target.connection_pool.connection_kwargs[name] for name in ("host", "port"))
        keys = self.source.execute_command("CLUSTER GETKEYSINSLOT", self._slot, 1000)
        if keys:
            self.source.execute_command("MIGRATE", host, port, "", 0, 5000, "KEYS", *keys)
        for node in (self.target, self.source, *self._nodes):
            self._say(node, "NODE", self.target)

    def _say(self, node: Any, what: str, other: Any) -> None:
        node.execute_command("CLUSTER SETSLOT", self._slot, what, other.execute_command("CLUSTER MYID"))


def execution_of(number: int) -> str:
    """An execution id that lies in a partition."""
    ids = (f"e{i}" for i in count())
    return next(each for each in ids if KEYS.home_of(execution_key(ACCOUNT, "T1", each)) == KEYS.partition(number))


async def test_a_moving_partition_rests_and_loses_nothing(store: Store, moving: Moving) -> None:
    """No script runs on half a partition; the others work on; afterwards everything is as it was."""
    mine, other = execution_of(0), execution_of(1)
    await follow(store, ALICE, mine)
    moving.leave()
    with pytest.raises(StoreUnavailable, match="moving"):
        await follow(store, LAB, mine)
    assert "moving" in str(await store.problem())
    await follow(store, ALICE, other)
    assert left_over(moving.target, KEYS.partition(0)) == []
    moving.arrive()
    await follow(store, LAB, mine)
    assert await store.problem() is None
    assert await store.subscribers.find(ALICE, mine)
    assert {item.snapshot.execution.id for item in await due(store)} == {mine, other}
