"""A run: the simulated GCS and Slack in this process, the store and the bots in others, and the plan.

Lives here: `Arena`, which plays the lives, lets people type, injects faults, waits for all deliveries and gathers the
evidence. Does not live here: what happens (`plan`), whether it was right (`verdict`). Called by `make chaos` and
`test_chaos`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from sandbox import gcs, slack
from sandbox.slack.limits import PER_MINUTE
from tests.chaos.evidence import Promise, Record, Truth
from tests.chaos.gathering import all_boards, all_caught_up, all_goodbyes, all_notices, all_said
from tests.chaos.operators import Operator
from tests.chaos.people import Person
from tests.chaos.plan import RELEASE_SECONDS, STORE_BLOWS, Blow, Plan
from tests.chaos.reading import moments
from tests.chaos.replicas import Replica, admitted
from tests.chaos.stores import STORES, Store
from tests.chaos.verdict import Verdict, judge
from tests.chaos.wishes import OPERATORS, marks
from tests.end_to_end.bot_process import ended
from tests.end_to_end.conftest import SCOPES, plain_settings

GCS_QUOTA = 6000
"""Ten times GCS's: lives take minutes instead of hours, so polls are that much more frequent."""

SLACK_SCALE = 60
"""How many times higher than Slack's own the limits are, for the same reason."""

SETTLE_SECONDS, SETTLE_MOST_SECONDS = 180.0, 600.0
"""How long the last deliveries may take after the faults, and how long at most while messages still arrive: one channel
takes one a second, and a person whose rules find a hundred executions may have hundreds waiting."""

SILENT_SECONDS = 30.0
"""How long after a message nothing else arrives any more."""

LOOK_SECONDS = 0.5
"""How often the arena looks whether any bot runs."""

CHECK_SECONDS = 3.0
"""How often the arena checks whether all is delivered."""


class Arena:
    """One run."""

    def __init__(self, plan: Plan, folder: Path, *, store: str = "lone") -> None:
        self.plan, self._folder = plan, folder
        (folder / "store").mkdir()
        self.store: Store = STORES[store](folder / "store")
        self.gcs = gcs.GCS(quota_per_minute=GCS_QUOTA)
        self.gcs.retries_take(plan.scale.lives[0] / 12)
        self.slack = slack.Slack(scopes=SCOPES)
        self.slack.limits.per_minute = {tier: most * SLACK_SCALE for tier, most in PER_MINUTE.items()}
        self.slack.limits.posts_per_minute *= SLACK_SCALE
        users = [self.slack.add_user(f"person-{n}") for n in range(plan.scale.people)]
        self.channels = [self.slack.add_channel(f"lab-{n}", members=users) for n in range(plan.scale.channels)]
        self.people = [
            Person(
                self,
                user,
                wishes=[wish for wish in plan.wishes if wish.person == n],
                rules=[rule for rule in plan.rules if rule.person == n],
                boards=[board for board in plan.boards if board.person == n],
                hours=[hours for hours in plan.hours if hours.person == n],
            )
            for n, user in enumerate(users)
        ]
        bystander = self.slack.add_user("bystander")
        self.operators = [
            Operator(self, self.slack.add_user(f"operator-{n}"), bystander, [a for a in plan.acts if a.operator == n])
            for n in range(OPERATORS)
        ]
        self.others = slack.Slack(scopes=SCOPES, team_id="T0OTHERS")
        """The Slack of another workspace, whose bot must not work on this store."""
        self._settings: dict[str, str] = {}
        self.admitted: list[str] = []
        """What bots said that were not refused."""
        self.blind: list[tuple[float, float]] = []
        """When nobody could see anything: GCS showed nothing, no bot ran, or there was no store to write it to."""
        self.planned = {role.execution_id: role.life for role in plan.roles}
        """Lives as they are unless operators cancel or retry them."""
        self._names: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self.struck = Counter[str]()
        self.replicas: list[Replica] = []
        self.waits_for = ""
        """A delivery that is still missing after the faults."""
        self._since = 0.0
        self._acts: dict[str, Callable[[Blow], Awaitable[object]]] = {
            "kill": lambda blow: self.replicas[blow.who].kill(),
            "restart": lambda _: self.store.restart(),
            "fail_over": lambda _: self.store.fail_over(),
            "pause": lambda blow: self.store.pause(blow.seconds),
            "zombie": lambda blow: self.store.wake_late(blow.seconds),
            "full_disk": lambda blow: self.store.run_out_of_space(blow.seconds),
            "gcs": self._disturb_gcs,
            "nothing_known": self._know_nothing,
            **dict.fromkeys(("slack", "token_refused", "unknown_code"), self._disturb_slack),
            "other_place": self._replace,
            "other_workspace": lambda _: self._intrude(),
            "release": lambda _: self._release(),
            "socket": lambda blow: self.slack.disconnect_sockets(**dict(blow.fault)),
            "home": lambda blow: self._open_home(self.people[blow.who].id),
            "press": lambda blow: self.people[blow.who].press(),
        }
        """What each kind of fault does."""

    def now(self) -> float:
        """Seconds of the run."""
        return time.monotonic() - self._since

    async def until(self, at: float) -> None:
        """Return at second `at` of the run."""
        await asyncio.sleep(max(0.0, at - self.now()))

    async def run(self) -> tuple[Record, Verdict]:
        """The whole run, from the first life to the last delivery."""
        async with self._opened():
            self._since = time.monotonic()
            async with asyncio.TaskGroup() as group:
                watching = [group.create_task(replica.watch()) for replica in self.replicas]
                watching.append(group.create_task(self._note_when_none_runs()))
                everybody: list[Person | Operator] = [*self.people, *self.operators]
                acts = [self._play(), self._strike(), *(each.live() for each in everybody)]
                await asyncio.gather(*acts)
                await self.until(self.plan.scale.seconds)
                record = await self._settled()
                record.dead_letters = await self._dead_letters()
                for task in watching:
                    task.cancel()
            record.died = [end for replica in self.replicas for end in replica.ends]
            return record, judge(record)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.stop)
            await self.store.start()
            await stack.enter_async_context(self.gcs)
            await stack.enter_async_context(self.slack)
            await stack.enter_async_context(self.others)
            self._settings = plain_settings(self.gcs, self.slack, self._folder, "socket") | self._more_settings()
            for number, skew in enumerate(self.skews):
                replica = Replica(self._settings, self._folder / f"bot-{number}", skew=skew)
                stack.push_async_callback(replica.stop)
                self.replicas.append(replica)
            await asyncio.gather(*(replica.start() for replica in self.replicas))
            yield

    @property
    def skews(self) -> tuple[int, ...]:
        """By how many seconds the clock of each replica is wrong."""
        return self.plan.skews[: self.store.replicas]

    def _more_settings(self) -> dict[str, str]:
        return {
            **self.store.settings,
            "POLL_INTERVAL": "2",
            "RETRY_GRACE": str(self.plan.scale.rest + self.plan.scale.spell + 15),
            "COALESCE": "1",
            "OPERATORS": ",".join(operator.id for operator in self.operators),
            "PERSON_REQUESTS_PER_MINUTE": "1000000",
            "SUBSCRIPTIONS_PER_PERSON": "100000",
            "SUBSCRIPTIONS_PER_CHANNEL": "100000",
            "GCS_QUOTA": str(GCS_QUOTA),
            "GCS_QUOTA_FOR_PEOPLE": str(GCS_QUOTA // 10),
            "SLACK_CALLS_PER_MINUTE": str(PER_MINUTE[3] * SLACK_SCALE),
            "SLACK_POSTS_PER_MINUTE": str(300 * SLACK_SCALE),
        }

    # -- what happens --

    async def _play(self) -> None:
        for role in self.plan.roles:
            await self.until(role.at)
            self.name_of(role.execution_id)

    def name_of(self, execution_id: str) -> str:
        """The name of an execution, which begins now if it has not, since people may be a little early."""
        if execution_id not in self._names:
            self.gcs.play(self.planned[execution_id], execution_id=execution_id)
            self._began[execution_id] = self.slack.workspace.now()
            body = self.gcs.body(execution_id)
            assert body is not None
            self._names[execution_id] = body["execution"]["name"]
        return self._names[execution_id]

    async def _strike(self) -> None:
        async with asyncio.TaskGroup() as group:
            for blow in self.plan.blows:
                if blow.kind == "kill" and blow.who >= len(self.replicas):
                    continue  # fewer copies, fewer kills
                await self.until(blow.at)
                group.create_task(self._struck(blow))

    async def _struck(self, blow: Blow) -> None:
        begins = self.slack.workspace.now()
        await self._acts[blow.kind](blow)
        self.struck[blow.kind] += 1
        is_whole_outage = blow.kind in {"gcs", "nothing_known"} and "every" not in dict(blow.fault)
        if is_whole_outage or blow.kind in STORE_BLOWS:
            self.blind.append((begins, self.slack.workspace.now()))

    def _replica(self, blow: Blow) -> Replica:
        return self.replicas[blow.who % len(self.replicas)]

    async def _disturb_gcs(self, blow: Blow) -> None:
        await _fault(self.gcs.faults, gcs.Fault(**dict(blow.fault)), blow.seconds)

    async def _disturb_slack(self, blow: Blow) -> None:
        await _fault(self.slack.faults, slack.Fault(times=None, **dict(blow.fault)), blow.seconds)

    async def _know_nothing(self, blow: Blow) -> None:
        self.gcs.faults.clear()  # the first fault applies, and one that is merely slow shows executions
        await self._disturb_gcs(blow)

    async def _note_when_none_runs(self) -> None:
        """While Slack refuses the token, a bot that is killed cannot start again."""
        before = self.slack.workspace.now()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now, runs = self.slack.workspace.now(), any(replica.is_up for replica in self.replicas)
            if not runs:
                self.blind.append((before, now))
            before = now

    async def _replace(self, blow: Blow) -> None:
        self._refused(await self._replica(blow).replaced(dict(blow.fault)))

    async def _intrude(self) -> None:
        others = {"SLACK_BOT_TOKEN": self.others.bot_token, "SLACK_APP_TOKEN": self.others.app_token}
        self._refused(await admitted({**self._settings, **others, "SLACK_API_URL": self.others.api_url}, self._folder))

    def _refused(self, said: str) -> None:
        if said:
            self.admitted.append(said)

    async def _release(self) -> None:
        """What an operator does who has looked whether the executions are really gone."""
        _, printed = await ended(self._folder, "release", self._settings, "gcs:not_found")
        self.struck["ending released by an operator"] += sum(
            int(line.rpartition(": ")[2].partition(" ")[0]) for line in printed.splitlines() if "may end now" in line
        )

    async def _dead_letters(self) -> list[str]:
        _, printed = await ended(self._folder, "dead-letters", self._settings)
        return [] if printed == "There are none.\n" else printed.splitlines()

    async def _open_home(self, user: str) -> None:
        done = await self.slack.open_home(user)
        self.struck["event delivered again"] += done.attempts - 1

    def progress(self) -> str:
        """The progress of the run, in one line."""
        messages = sum(map(len, self.slack.workspace.messages.values()))
        kills, promises = self.struck["kill"], len(self.promises)
        done = f"{self.now():4.0f} s: {len(self._names)} lives, {promises} promises, {messages} messages, {kills} kills"
        return f"{done}; waits for {self.waits_for}" if self.waits_for else done

    # -- the evidence --

    async def _settled(self) -> Record:
        """The evidence once everything is delivered, or has taken too long."""
        gives_up, ends = self.now() + SETTLE_SECONDS, self.now() + SETTLE_MOST_SECONDS
        released_at, said = 0.0, 0
        while True:
            record = self.record()
            verdict = judge(record)
            if len(record.said) > said:
                gives_up, said = max(gives_up, self.now() + SILENT_SECONDS), len(record.said)
            if not verdict.waiting or self.now() > min(gives_up, ends):
                return record
            self.waits_for = verdict.violations[0]
            if self.now() > released_at + RELEASE_SECONDS:
                released_at = self.now()
                await self._release()
            await asyncio.sleep(CHECK_SECONDS)

    def record(self) -> Record:
        """The evidence so far."""
        refused = sum(call.error == "ratelimited" for call in self.slack.calls)
        lives = {execution_id: self.gcs.life(execution_id) for execution_id in self._names}
        messages = [message for each in self.slack.workspace.messages.values() for message in each]
        caught_up, unreadable = all_caught_up(messages, self._names)
        return Record(
            truths={
                execution_id: Truth(
                    name=name,
                    moments=moments(lives[execution_id], self._began[execution_id]),
                    marks=frozenset(marks(lives[execution_id]).items()),
                )
                for execution_id, name in self._names.items()
            },
            promises=self.promises,
            polled=self._polled(),
            said=[*all_said(messages), *caught_up],
            unreadable=unreadable,
            asked={asked for person in self.people for asked in person.asked},
            rules=[rule for person in self.people for rule in person.ruled.values()],
            quiet=[quiet for person in self.people for quiet in person.quiet],
            presses=[press for operator in self.operators for press in operator.presses],
            acted=[(call.execution_id, call.at + self._shift) for call in self.gcs.calls if call.method == "PUT"],
            operated={each for each, life in lives.items() if life is not self.planned[each]},
            acts=all_notices(messages),
            goodbyes=all_goodbyes(messages),
            boards=[board for person in self.people for board in person.boarded.values()],
            board_posts=all_boards(messages),
            unanswered=[
                *(text for person in self.people for text in person.unanswered),
                *(text for operator in self.operators for text in operator.unanswered),
            ],
            admitted=self.admitted,
            blind=self.blind,
            lossy=self.store.lossy,
            gcs_quota=GCS_QUOTA,
            gcs_worst_minute=self.gcs.worst_minute(),
            slack_calls=len(self.slack.calls),
            slack_over_limit=refused - self.slack.faults.applied["ratelimited"],
        )

    def _polled(self) -> dict[str, list[float]]:
        """When GCS responded to polls of each execution, by Slack's clock."""
        polled = defaultdict[str, list[float]](list)
        for call in sorted(self.gcs.calls, key=lambda call: call.at):
            is_poll = call.method == "GET" and call.user and call.execution_id in self._names
            if is_poll and call.status in {200, 404}:  # not the responses of a fault
                polled[call.execution_id].append(call.at + self._shift)
        return polled

    @property
    def _shift(self) -> float:
        """Slack's clock less the one of GCS's calls."""
        return self.slack.workspace.now() - time.monotonic()

    @property
    def promises(self) -> list[Promise]:
        """All subscriptions that the bot confirmed."""
        return [promise for person in self.people for promise in person.promises.values()]


async def _fault(faults: Any, fault: Any, seconds: float) -> None:
    """Let a server misbehave for some seconds."""
    faults.add(fault)
    await asyncio.sleep(seconds)
    faults.remove(fault)
