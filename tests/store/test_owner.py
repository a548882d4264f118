"""Promises of the owner record: a store has one owner, and nobody works on what is another's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import structlog
from msgspec.structs import replace
from redis import Redis

from bot.app.ownership import OwnerCheck
from bot.errors import GCSUnavailable, StoreNotOurs, StoreUnavailable
from bot.gcs.listed_ids import ListedId
from bot.slack.client import Identity
from bot.store import Store
from bot.store.keys import account_id
from bot.store.owner import SCHEMA, Owner, differences
from tests.servers import ACCOUNT, KEYS, OWNER, let_polls_come, let_time_pass
from tests.store.conftest import COALESCE, STALENESS
from tests.store.following import ALICE, LAB, due, follow, lanes

OTHERS = [replace(OWNER, account="gcs2"), replace(OWNER, team="T2")]
"""Another GCS account, and another workspace."""


def opened(url: str, owner: Owner | None = None) -> Store:
    """Another bot's view of the same store."""
    return Store(url, owner=owner, coalesce=COALESCE, staleness=STALENESS)


def written(redis: Redis) -> dict[str, object]:
    """The record as it is stored."""
    found: dict[str, object] = msgspec.json.decode(str(redis.get(KEYS.owner)))
    return found


async def test_the_first_bot_owns_the_store(store: Store, redis: Redis) -> None:
    """A copy of it finds the same owner, and another bot is refused and changes nothing."""
    assert await store.ownership.read() is None
    assert await store.ownership.take(OWNER) == OWNER
    assert await store.ownership.take(OWNER) == OWNER
    before = written(redis)
    with pytest.raises(StoreNotOurs) as caught:
        await store.ownership.take(replace(OWNER, team="T2"))
    assert caught.value.differences == {"team": ("T1", "T2")}
    assert written(redis) == before


async def test_bots_that_start_together_agree(server_url: str, store: Store) -> None:
    """One of two becomes the owner; the other one is refused."""
    stores = [store, *(opened(server_url) for _ in range(5))]
    ours = [replace(OWNER, team=f"T{number}") for number in range(6)]
    asked = (each.ownership.take(own) for each, own in zip(stores, ours, strict=True))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, Owner)]) == 1
    assert len([answer for answer in answers if isinstance(answer, StoreNotOurs)]) == 5
    for each in stores[1:]:
        await each.aclose()


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (OWNER, set()),
        (replace(OWNER, enterprise="E1"), set()),
        (replace(OWNER, project=""), set()),
        (replace(OWNER, schema=SCHEMA + 1), set()),
        (replace(OWNER, bot_user="U1"), set()),
        (replace(OWNER, team="T2"), {"team"}),
        (replace(OWNER, endpoint="https://gcs.cn-east-2.example.com"), {"endpoint"}),
        (replace(OWNER, project="p2"), {"project"}),
        (replace(OWNER, schema=SCHEMA + 2), {"schema"}),
        (replace(OWNER, team="T2", project="p2"), {"team", "project"}),
    ],
)
def test_what_may_differ_silently(ours: Owner, expected: set[str]) -> None:
    """An organisation that a workspace joined, a project that is not named yet, and a neighbouring version."""
    assert set(differences(OWNER, ours)) == expected
    assert set(differences(ours, OWNER)) == expected


def test_another_app_differs() -> None:
    """Of the same workspace; that of another one goes without saying."""
    ours, theirs = replace(OWNER, bot_user="U1"), replace(OWNER, bot_user="U2")
    assert differences(ours, theirs) == {"bot_user": ("U1", "U2")}
    assert set(differences(ours, replace(theirs, team="T2"))) == {"team"}


async def test_what_is_new_is_added(store: Store, redis: Redis) -> None:
    """And nothing is taken back: neither by a copy that knows less, nor what a newer version added."""
    await store.ownership.take(replace(OWNER, project=""))
    redis.set(KEYS.owner, msgspec.json.encode({**written(redis), "mood": "new"}))
    await store.ownership.take(replace(OWNER, enterprise="E1", bot_user="U1", schema=SCHEMA + 1))
    await store.ownership.take(replace(OWNER, project="", schema=SCHEMA))
    known = {name: written(redis)[name] for name in ("project", "enterprise", "bot_user", "schema", "mood")}
    assert known == {"project": "p1", "enterprise": "E1", "bot_user": "U1", "schema": SCHEMA + 1, "mood": "new"}


async def test_a_project_named_later_keeps_the_account(store: Store, redis: Redis) -> None:
    """Keys go on naming the account that was given first, while the bot runs and even if the record is lost."""
    later = replace(OWNER, account="gcs8")
    await store.ownership.take(replace(OWNER, project=""))
    assert await store.ownership.take(later) == OWNER
    redis.flushall()
    assert await store.ownership.take(later) == OWNER
    assert written(redis)["account"] == ACCOUNT


class Shows:
    """A GCS whose list shows an execution of one project after the other; an empty one shows nothing."""

    def __init__(self, *projects: str) -> None:
        self.left = list(projects)

    async def list_ids(self, *, limit: int) -> tuple[ListedId, ...]:
        """The next answer."""
        project = self.left.pop(0)
        if project == "away":
            raise GCSUnavailable
        return (ListedId("e1", project),)[:limit] if project else ()


async def record_after(url: str, redis: Redis, *projects: str) -> dict[str, object]:
    """The record of a bot whose settings name no project, after as many comparisons as GCS has answers."""
    settings: Any = SimpleNamespace(gcs_project_id=None, gcs_endpoint=OWNER.endpoint)
    gcs: Any = Shows(*projects)
    store = opened(url)
    check = OwnerCheck(settings, store.ownership, gcs)
    try:
        for _ in projects:
            await check.run_once(Identity("T1", "UBOT", "BBOT", None))
    finally:
        await store.aclose()
    return written(redis)


@pytest.mark.parametrize(
    ("projects", "project"),
    [
        (["p1"], ""),
        (["p1", "p1"], "p1"),
        (["p1", "", "away", "p1"], "p1"),
        (["p2", "p1"], ""),
        (["p2", "p1", "p1"], "p1"),
    ],
    ids=str,
)
async def test_a_project_is_written_when_shown_twice(
    server_url: str, store: Store, redis: Redis, projects: list[str], project: str
) -> None:
    """The record keeps it for ever, so one answer of GCS is not enough; nor do keys depend on one."""
    assert await store.ownership.read() is None
    record = await record_after(server_url, redis, *projects)
    assert (record["project"], record["account"]) == (project, account_id(OWNER.endpoint, ""))


async def test_a_written_project_is_not_replaced(server_url: str, store: Store, redis: Redis) -> None:
    """One answer that names another is enough to stop, and however many change nothing."""
    await store.ownership.take(OWNER)
    with pytest.raises(StoreNotOurs):
        await record_after(server_url, redis, "p2")
    assert written(redis)["project"] == "p1"


async def test_nothing_is_claimed_before_the_comparison(server_url: str, store: Store) -> None:
    """Neither polls nor lanes; nor is anything written for people."""
    await follow(store)
    unknown = opened(server_url)
    for work in (due(unknown), lanes(unknown), follow(unknown), unknown.subscribers.of(ALICE)):
        with pytest.raises(StoreUnavailable):
            await work
    await unknown.ownership.take(OWNER)
    assert (len(await due(unknown)), len(await lanes(unknown))) == (1, 1)
    await unknown.aclose()


async def test_another_database_stops_the_claims(store: Store, redis: Redis) -> None:
    """Somebody restored another bot's database: nothing is claimed until ours is back, and /readyz says why."""
    await store.ownership.take(OWNER)
    await follow(store)
    ours = str(redis.get(KEYS.owner))
    redis.set(KEYS.owner, msgspec.json.encode({**written(redis), "team": "T9"}))
    with pytest.raises(StoreNotOurs):
        await store.ownership.take(OWNER)
    assert "team T9, not T1" in str(await store.problem())
    for work in (due(store), lanes(store), follow(store, LAB)):
        with pytest.raises(StoreNotOurs):
            await work
    redis.set(KEYS.owner, ours)
    await store.ownership.take(OWNER)
    assert await store.problem() is None
    assert (len(await due(store)), len(await lanes(store))) == (1, 1)


async def test_another_account_of_the_same_name_is_noticed(store: Store, redis: Redis) -> None:
    """A database of the same bot whose keys name another account: they are not those that the bot works on."""
    await store.ownership.take(OWNER)
    redis.set(KEYS.owner, msgspec.json.encode({**written(redis), "account": "gcs9"}))
    with pytest.raises(StoreNotOurs):
        await store.ownership.take(OWNER)


async def test_an_emptied_store_is_taken_again(store: Store, redis: Redis) -> None:
    """Whose store it is does not depend on a record that somebody deleted."""
    await store.ownership.take(OWNER)
    redis.flushall()
    await store.ownership.take(OWNER)
    assert await store.ownership.read() == OWNER


async def test_an_emptied_store_is_logged(store: Store, redis: Redis) -> None:
    """Once, as an error: nothing else would say that what people followed is gone."""
    settings: Any = SimpleNamespace(gcs_project_id=OWNER.project, gcs_endpoint=OWNER.endpoint)
    gcs: Any = Shows()
    check, identity = OwnerCheck(settings, store.ownership, gcs), Identity("T1", "UBOT", "BBOT", None)
    with structlog.testing.capture_logs() as logged:
        assert await check.run_once(identity)
        redis.flushall()
        assert await check.run_once(identity)
        assert await check.run_once(identity)
    lost = [line for line in logged if line["log_level"] == "error"]
    assert [line["event"] for line in lost] == ["owner.store_emptied"]


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"account":1}'])
async def test_an_unreadable_record_is_refused(store: Store, redis: Redis, text: str) -> None:
    """And stays as it is."""
    redis.set(KEYS.owner, text)
    for work in (store.ownership.take(OWNER), store.ownership.adopt(OWNER), store.ownership.read()):
        with pytest.raises(StoreNotOurs):
            await work
    assert redis.get(KEYS.owner) == text


async def test_adopting_keeps_the_account(store: Store) -> None:
    """Subscriptions go on under the new address; the former owner is refused."""
    await store.ownership.take(OWNER)
    moved = replace(OWNER, account="gcs7", endpoint="https://proxy.example.com")
    await store.ownership.adopt(moved)
    assert await store.ownership.read() == replace(moved, account=OWNER.account)
    with pytest.raises(StoreNotOurs):
        await store.ownership.take(OWNER)


async def test_rows_of_an_unknown_schema_are_not_adopted(store: Store) -> None:
    """This version could not read them."""
    await store.ownership.take(replace(OWNER, schema=SCHEMA + 2))
    with pytest.raises(StoreNotOurs):
        await store.ownership.adopt(replace(OWNER, team="T2"))


@pytest.mark.parametrize("other", OTHERS, ids=["account", "team"])
async def test_what_is_anothers_is_never_claimed(server_url: str, store: Store, redis: Redis, other: Owner) -> None:
    """However long it is due; it stays as it is, and its owner finds it."""
    foreign, subscriber = opened(server_url, other), replace(ALICE, team_id=other.team)
    for execution_id in ("f1", "f2", "f3"):
        await follow(foreign, subscriber, execution_id)
    kept = {
        key: redis.dump(key) for key in map(str, redis.scan_iter("*")) if ":outbox:" not in key and "due" not in key
    }
    await follow(store, ALICE, "e1")
    for _ in range(3):
        let_polls_come(redis)
        let_time_pass(redis)
        assert {item.execution_id for item in await due(store)} <= {"e1"}
        assert {claim.lane.execution_id for claim in await lanes(store)} <= {"e1"}
    assert {key: redis.dump(key) for key in kept} == kept
    let_polls_come(redis)
    let_time_pass(redis)
    assert {item.execution_id for item in await due(foreign)} == {"f1", "f2", "f3"}
    assert {claim.lane.execution_id for claim in await lanes(foreign)} == {"f1", "f2", "f3"}
    await foreign.aclose()


async def test_anothers_entries_do_not_block_ours(server_url: str, store: Store) -> None:
    """Many of them are due first, in every partition; ours is claimed all the same."""
    foreign = opened(server_url, OTHERS[0])
    for number in range(100):
        await follow(foreign, ALICE, f"f{number}")
    await follow(store, ALICE, "e1")
    polls, claims = 0, 0
    for _ in range(20):
        for number in range(16):
            polls += len(await store.schedule.claim(number, 2))
            claims += len(await store.outbox.claim(number, 2))
    assert (polls, claims) == (1, 1)
    await foreign.aclose()


async def test_subscriptions_are_counted_by_owner(server_url: str, store: Store) -> None:
    """For an operator who looks at a store that two bots have used."""
    foreign = opened(server_url, OTHERS[0])
    await follow(foreign, ALICE, "e1")
    for subscriber in (ALICE, LAB):
        await follow(store, subscriber, "e1")
    assert await store.contents.subscriptions_by_scope() == {"gcs1/T1/": 2, "gcs2/T1/": 1}
    await foreign.aclose()
