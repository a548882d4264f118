"""The store under any order of events: people, a watcher, and workers that send, record, put back and die.

Hypothesis plays them against a model that knows what each subscription is owed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from redis import Redis

from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from bot.domain.fates import FateKind, fates_of
from bot.domain.following import Level, Quiet, Subscriber, Subscription
from bot.domain.snapshot import Receipt, Snapshot
from bot.store import Store
from bot.store.log.rows import Sent
from bot.store.outbox import Claim
from bot.store.schedule import Due
from tests.servers import OWNER, expire_claims, let_polls_come, let_quiet_end, let_time_pass

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
LONG = timedelta(hours=1)
DELIVERED = {FateKind.SENT, FateKind.MERGED, FateKind.DELIVERED}
PENDING = {FateKind.WAITING, FateKind.QUIET, FateKind.IN_DOUBT, FateKind.REFUSED}
T = TypeVar("T")

names = st.sampled_from(["U1", "C1"])
kinds = st.sampled_from([kind for kind in ChangeKind if not kind.is_notice])
picks = st.integers(0, 9)


@dataclass
class Person:
    """What the model knows of one subscription."""

    level: Level
    is_ending: bool = False
    has_card: bool = False
    owed: list[int] = field(default_factory=list)
    """Revisions that are still to be read."""
    read: list[int] = field(default_factory=list)
    wish: int = 0
    """The moment of the last wish for a fresh card; 0: it came true."""
    is_resting: bool = False
    """Whether its lane was put back in doubt and keeps its time."""
    quiet: Quiet | None = None
    """The mute that holds."""
    put_off: set[int] = field(default_factory=set)
    """Revisions whose turn had not come: they wait, unless something else happens."""


@dataclass
class Worker:
    """One claim under way."""

    claim: Claim
    began: int
    receipt: Receipt | None
    is_in_doubt: bool
    unrecorded: Receipt | None = None
    """What was sent without a receipt."""
    has_edited: bool = False

    @property
    def queue(self) -> list[int]:
        """Revisions that are still to be sent."""
        through = self.receipt.delivered_through if self.receipt else 0
        return [change.revision for change in self.claim.notification.changes if change.revision > through]

    @property
    def shows(self) -> int:
        """Revision that a card shows which is drawn now."""
        return self.claim.notification.snapshot.revision


class Table(RuleBasedStateMachine):
    """Everybody around the table, in any order."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.redis = Redis.from_url(self.url, decode_responses=True)
        self.redis.flushall()
        self.store = Store(self.url, owner=OWNER, coalesce=timedelta(0), staleness=timedelta(hours=2))
        self.people: dict[str, Person] = {}
        self.workers: dict[str, Worker] = {}
        self.dead: list[Claim] = []
        self.polls: list[Due] = []
        self.kinds: dict[int, ChangeKind] = {}
        self.revision = 0
        self.moment = 0
        self.read: dict[str, set[int]] = {"U1": set(), "C1": set()}
        """Who has read what, also before everything was forgotten: the log outlives that."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await it."""
        return self.loop.run(coroutine)

    def now(self) -> int:
        """A moment after all before."""
        self.moment += 1
        return self.moment

    # -- people --

    @initialize()
    def begin(self) -> None:
        """Somebody follows something, or nothing would happen."""
        self.subscribe("C1", Level.STEPS, 0)

    @rule(name=names, level=st.sampled_from(Level), behind=st.integers(0, 3))
    def subscribe(self, name: str, level: Level, behind: int) -> None:
        """Begin, or change the level, after a look that may be older than what was settled since."""
        who = Subscriber(team_id="T1", id=name)
        wish = Subscription(execution_id="e1", subscriber=who, level=level, owner="U1", created_at=NOW)
        seen = snapshot_of(max(1, self.revision + 1 - behind))
        before, _ = self.run(self.store.subscribers.subscribe(wish, seen, first_poll=timedelta(0)))
        assert (before is not None) == (name in self.people)
        if not self.people:  # everything was forgotten meanwhile: it begins again
            self.revision, self.dead = 0, []
        person = self.people.setdefault(name, Person(level))
        if person.is_ending:
            person.owed = [revision for revision in person.owed if self.kinds[revision] is not ChangeKind.ENDED]
            person.quiet = None
        person.level, person.is_ending, person.wish = level, False, self.now()
        snapshot = self.run(self.store.subscribers.snapshot("T1", "e1"))
        assert snapshot is not None
        assert snapshot.revision >= self.revision
        self.revision = snapshot.revision

    @rule(name=names)
    def unsubscribe(self, name: str) -> None:
        """Nothing more is owed."""
        is_live = name in self.people and not self.people[name].is_ending
        was_live, _ = self.run(self.store.subscribers.unsubscribe(Subscriber(team_id="T1", id=name), "e1"))
        assert was_live == is_live
        if is_live:
            self.people[name].is_ending = True
            self.people[name].owed.clear()
            self.people[name].quiet = None

    @precondition(lambda self: self.people)
    @rule(name=names, is_timed=st.booleans(), holds_failures=st.booleans())
    def mute(self, name: str, is_timed: bool, holds_failures: bool) -> None:
        """Want to read nothing for a while."""
        until = datetime.now(UTC) + LONG + timedelta(minutes=self.now()) if is_timed else None
        quiet = Quiet(until=until, holds_failures=holds_failures)
        done, _ = self.run(self.store.subscribers.mute(Subscriber(team_id="T1", id=name), "e1", quiet))
        assert bool(done) == (name in self.people and not self.people[name].is_ending)
        if done and self.people[name].quiet != quiet:
            self.people[name].quiet, self.people[name].wish = quiet, self.now()

    @precondition(lambda self: any(person.quiet for person in self.people.values()))
    @rule(name=names)
    def unmute(self, name: str) -> None:
        """Want to read all of it."""
        done, _ = self.run(self.store.subscribers.mute(Subscriber(team_id="T1", id=name), "e1", None))
        if done is not None:
            assert done == (self.people[name].quiet is not None)
        if done:
            self.people[name].quiet, self.people[name].wish = None, self.now()
            self.people[name].put_off = set()

    @precondition(lambda self: any(person.quiet for person in self.people.values()))
    @rule()
    def mutes_end(self) -> None:
        """Those with a time."""
        let_quiet_end(self.redis)
        for person in self.people.values():
            if person.quiet and person.quiet.until:
                person.quiet = None
            person.is_resting = False

    @rule(name=names)
    def refresh(self, name: str) -> None:
        """Press the button."""
        if self.run(self.store.subscribers.refresh(Subscriber(team_id="T1", id=name), "e1")):
            self.people[name].wish = self.now()

    # -- the watcher --

    @rule()
    def poll(self) -> None:
        """Claim the execution, though another look at it may be under way."""
        let_polls_come(self.redis)
        for number in self.run(self.store.schedule.ready()).partitions:
            self.polls += self.run(self.store.schedule.claim(number, 9))

    @precondition(lambda self: self.people)
    @rule(pick=picks, kind=kinds, is_over=st.sampled_from([False, False, True]), is_alert=st.booleans())
    def settle(self, pick: int, kind: ChangeKind, is_over: bool, is_alert: bool) -> None:
        """Settle one of the looks under way, or a new one."""
        if not self.polls:
            self.poll()
        if not self.polls:  # it is over
            return
        poll = self.polls.pop(pick % len(self.polls))
        revision = poll.snapshot.revision + 1
        change = Change(kind=kind, revision=revision, at=NOW, is_alert=is_alert and kind is ChangeKind.STEP_FAILED)
        next_poll = None if is_over else LONG
        if self.run(
            self.store.schedule.settle(poll, snapshot_of(revision), [change], next_poll=next_poll, is_visible=True)
        ):
            assert revision == self.revision + 1
            self.revision, self.kinds[revision] = revision, kind
            for person in self.people.values():
                if not person.is_ending:
                    person.owed += [revision] * person.level.includes(change)
                    person.is_ending = is_over
                    if person.quiet and person.quiet.until is None and (is_over or kind.is_final):
                        person.quiet = None

    # -- the workers --

    @rule()
    def claim(self) -> None:
        """Claim what is due; never a lane that somebody holds."""
        for number in self.run(self.store.outbox.ready()).partitions:
            for claim in self.run(self.store.outbox.claim(number, 9)):
                name = claim.lane.subscriber_id
                assert name not in self.workers
                quiet, changes = self.people[name].quiet, claim.notification.changes
                is_broken = quiet and not quiet.holds_failures and any(each.is_alert for each in changes)
                assert claim.is_quiet == (quiet is not None and not is_broken)
                doubt = claim.in_doubt_since is not None
                self.workers[name] = Worker(claim, self.now(), claim.notification.receipt, doubt)
                self.people[name].is_resting, self.people[name].put_off = False, set()

    @rule(has_come=st.booleans())
    def deliver(self, has_come: bool) -> None:
        """Claim what is due, or could be by and by, and do all of it."""
        if has_come:
            self.time_passes()
        self.claim()
        for name in list(self.workers):
            self.work(name, 99)

    @precondition(lambda self: self.workers)
    @rule(name=names, steps=st.integers(1, 6))
    def work(self, name: str, steps: int) -> None:
        """Do a few steps, as the notifier does them."""
        for _ in range(steps):
            if name in self.workers:
                self.step(name, self.workers[name])

    def step(self, name: str, worker: Worker) -> None:
        """Settle doubt, record, post the card, deliver, edit, leave: the first of these that is due."""
        person, receipt = self.people[name], worker.receipt
        is_ending = worker.claim.notification.subscription.is_ending
        if worker.is_in_doubt:
            worker.is_in_doubt = False
            if receipt or person.has_card:
                receipt = receipt or Receipt(channel="C1", ts="1.2", revision=0)
                through = max([receipt.delivered_through, *person.read])
                self.record(name, worker, replace(receipt, delivered_through=through))
        elif worker.unrecorded:
            self.record(name, worker, worker.unrecorded)
        elif receipt is None and (worker.queue or not is_ending):
            assert not person.has_card
            person.has_card = True
            worker.unrecorded = Receipt(channel="C1", ts="1.2", revision=worker.shows)
        elif receipt and worker.queue and not worker.claim.is_quiet:
            self.send(person, worker.queue[0])
            self.read[name].add(worker.queue[0])
            worker.unrecorded = replace(receipt, delivered_through=worker.queue[0])
        elif receipt and not worker.has_edited and (is_ending or receipt.revision < worker.shows):
            worker.has_edited = True
            self.record(name, worker, replace(receipt, revision=worker.shows))
        else:
            self.leave(name, worker, is_ending=is_ending)

    @staticmethod
    def send(person: Person, revision: int) -> None:
        """A person reads each change once, in order."""
        assert revision > max(person.read, default=0)
        person.read.append(revision)
        person.owed = [owed for owed in person.owed if owed != revision]

    def record(self, name: str, worker: Worker, receipt: Receipt) -> None:
        """The receipt of the worker that holds the lane is accepted."""
        is_last = self.is_all(worker, receipt)
        before = worker.receipt.delivered_through if worker.receipt else 0
        sent = Sent(f"1764510000.{receipt.delivered_through:06d}", is_in_thread=True)
        sent_now = sent if receipt.delivered_through > before else None
        assert self.run(self.store.outbox.record(worker.claim, receipt, is_last=is_last, sent=sent_now))
        worker.receipt, worker.unrecorded = receipt, None
        if receipt.revision == worker.shows and self.people[name].wish < worker.began:
            self.people[name].wish = 0
        if is_last:
            del self.workers[name]

    @staticmethod
    def is_all(worker: Worker, receipt: Receipt) -> bool:
        """Whether the lane can be given back with this receipt."""
        is_ending = worker.claim.notification.subscription.is_ending
        last = max((change.revision for change in worker.claim.notification.changes), default=0)
        return not is_ending and receipt.revision == worker.shows and receipt.delivered_through >= last

    def leave(self, name: str, worker: Worker, *, is_ending: bool) -> None:
        """Forget what has ended, else give the lane back."""
        if is_ending and self.run(self.store.outbox.forget(worker.claim)):
            assert self.people[name].is_ending
            assert not self.people[name].owed
            del self.people[name]
        else:
            self.run(self.store.outbox.release(worker.claim))
        del self.workers[name]

    @precondition(lambda self: self.workers)
    @rule(name=names)
    def put_back(self, name: str) -> None:
        """It is not our turn, or Slack says nothing."""
        worker = self.workers.pop(name, None)
        if worker is not None:
            doubt = worker.is_in_doubt or worker.unrecorded is not None
            self.run(self.store.outbox.release(worker.claim, wait=LONG, in_doubt=doubt))
            self.people[name].is_resting = doubt
            self.people[name].put_off = {change.revision for change in worker.claim.notification.changes}

    @precondition(lambda self: self.workers)
    @rule(name=names)
    def give_up(self, name: str) -> None:
        """The destination is dead."""
        worker = self.workers.pop(name, None)
        if worker is not None:
            assert self.run(self.store.outbox.forget(worker.claim, reason="is_archived"))
            del self.people[name]

    @precondition(lambda self: self.workers)
    @rule(by_recovery=st.booleans())
    def crash(self, by_recovery: bool) -> None:
        """All workers die."""
        self.dead += [worker.claim for worker in self.workers.values()]
        for name in self.workers:
            self.people[name].is_resting = by_recovery
        self.workers.clear()
        if by_recovery:
            self.run(self.store.recover())
        else:
            expire_claims(self.redis)

    @precondition(lambda self: self.dead)
    @rule(pick=picks)
    def haunt(self, pick: int) -> None:
        """A worker that was only asleep cannot record over the one that has its lane now."""
        claim = self.dead[pick % len(self.dead)]
        if claim.lane.subscriber_id in self.workers:
            assert not self.run(self.store.outbox.record(claim, Receipt(channel="X", ts="0.0", revision=99)))

    @rule()
    def time_passes(self) -> None:
        """What was put back may come."""
        let_time_pass(self.redis)
        for person in self.people.values():
            person.is_resting = False

    # -- promises --

    @invariant()
    def what_is_owed_is_in_the_lane(self) -> None:
        """Nothing that somebody is still to read has got lost."""
        for name, person in self.people.items():
            entries = [
                entry
                for key in self.redis.scan_iter(f"*changes:gcs1/T1/e1/{name}")
                for entry in self.redis.lrange(str(key), 0, -1)
            ]
            assert {int(str(entry).split("|")[0]) for entry in entries} >= set(person.owed)

    @invariant()
    def an_outcome_is_due_at_once(self) -> None:
        """A lane that waits for its turn is woken by it; one in doubt keeps its time, and so does one that is held."""
        for name, person in self.people.items():
            finals = {revision for revision in person.owed if self.kinds[revision].is_final}
            if name in self.workers or person.is_resting or person.quiet or finals <= person.put_off:
                continue
            scores = [self.redis.zscore(str(key), f"gcs1/T1/e1/{name}") for key in self.redis.scan_iter("*:outbox:*")]
            assert [float(str(score)) <= time() * 1000 for score in scores if score is not None] == [True]

    @invariant()
    def what_is_owed_has_a_time(self) -> None:
        """A lane that holds something comes by itself, unless it waits for an end that nobody knows."""
        for name, person in self.people.items():
            waits_for_the_end = person.quiet and person.quiet.until is None
            if person.owed and name not in self.workers and not waits_for_the_end:
                sets = [str(key) for key in self.redis.scan_iter("*:outbox:*")]
                assert any(self.redis.zscore(key, f"gcs1/T1/e1/{name}") is not None for key in sets)

    @invariant()
    def the_log_is_true(self) -> None:
        """It claims that something was delivered only if it was read, and never of what is still owed."""
        for name in self.people:
            who = Subscriber(team_id="T1", id=name)
            log = self.run(self.store.logs.read("T1", "e1", [who]))
            fates: dict[int, FateKind] = {}
            for seen, fate in fates_of(log, log.lanes[0]):
                fates = {**(fates if seen.revision > max(fates, default=0) else {}), seen.revision: fate.kind}
            owed = set(self.people[name].owed)
            assert {revision for revision, kind in fates.items() if kind in DELIVERED} <= self.read[name]
            assert {revision for revision in owed if fates.get(revision, FateKind.WAITING) not in PENDING} == set()
            settled = {revision for revision, kind in fates.items() if kind in PENDING} - owed
            assert settled <= self.read[name]  # sent, and not recorded yet

    def teardown(self) -> None:
        """Let everything be delivered; then nothing is owed, and nothing of what has ended is left."""
        try:
            self.settle_down()
        finally:
            self.run(self.store.aclose())
            self.redis.close()
            self.loop.close()

    def settle_down(self) -> None:
        """The workers go on until there is nothing more to do."""
        for name in self.people:
            self.unmute(name)
        for _ in range(8):
            let_time_pass(self.redis)
            self.claim()
            for name in list(self.workers):
                self.work(name, 99)
        assert not [person for person in self.people.values() if person.owed or person.wish or person.is_ending]
        assert self.people or all(":dead" in str(key) or ":log:" in str(key) for key in self.redis.scan_iter())


def snapshot_of(revision: int) -> Snapshot:
    """A snapshot of which only the revision matters."""
    return Snapshot(execution=Execution(id="e1", phase="Running"), revision=revision, seen_at=NOW)


def test_any_order_of_events_loses_and_doubles_nothing(server_url: str) -> None:
    """Every change is read once, in order, by every subscriber; one worker at a time holds a lane."""
    machine = type("Table", (Table,), {"url": server_url})
    quiet = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(machine, settings=quiet)
