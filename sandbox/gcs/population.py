"""Ten thousand executions at once, in a few bytes each, for simulations.

Lives here: `Population`: random lives of chained steps on the caller's clock, served over HTTP as get and list, and a
count of the calls. Does not live here: signatures, faults, other kinds of lives (`sandbox.gcs.server`). Called by the
benchmarks. A new execution replaces each one that ends, and is of the same kind, so their number stays the same.
"""

from __future__ import annotations

import heapq
import json
import random
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from math import floor, log
from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.gcs.bodies import Body, Scene, date, item, resource_version, whole
from sandbox.gcs.stage import guid_of
from sandbox.story import Frame, Life, Step, step_names

_LIFE = Life(name="chain", frames=())
"""What they all show, where nothing else is said: workflow, label and project."""

_LATER = 123_456_789
"""Seconds into a life that none reaches: what they are written as is found again in a row."""


@dataclass
class Member:
    """One execution."""

    id: str
    began: float
    ends: list[float]
    """When each of its steps ends."""
    life: Life
    """Its workflow, label and project."""
    finished: int = 0
    row: list[bytes] = field(default_factory=list)
    """Its item of the list, kept until it changes: every second piece is a value that moves with each second."""
    moving: list[int] = field(default_factory=list)
    """Which of `Population._moving` these values are."""


@dataclass(frozen=True)
class Lives:
    """How long steps take: log-normal, `mean_seconds` on average."""

    steps: int = 20
    at_once: int = 1
    """How many of them end at the same time."""
    mean_seconds: float = 2400.0
    sigma: float = 0.8
    seed: int = 1


class Population:
    """`size` running executions. `async with` serves them on a free port."""

    def __init__(
        self,
        size: int,
        *,
        page: int,
        clock: Callable[[], float],
        lives: Lives | None = None,
        kinds: Sequence[Life] = (_LIFE,),
        wait: Callable[[int], Awaitable[None]] | None = None,
        begin: datetime = datetime(2026, 3, 1, tzinfo=UTC),
    ) -> None:
        """Serve `size` executions on pages of at most `page` items.

        `clock` returns seconds since `begin`; it is read with every call. `kinds`: what they show, as many of each.
        `wait`, called with the number of executions in an answer, returns when that answer may leave; its content was
        read before.
        """
        lives = lives or Lives()
        self.now, self._clock, self._wait = 0.0, clock, wait
        self.calls: deque[float] = deque()
        """Times of the calls in the last minute."""
        self.worst_minute = self.total_calls = 0
        self.changes: list[tuple[float, str, int]] = []
        """Every change so far: (time, execution id, number of finished steps)."""
        self.born: Callable[[str], None] = lambda _: None
        """Called with the id of every execution that begins later."""
        self._steps, self._at_once, self._page = step_names(lives.steps), lives.at_once, page
        self._mu, self._sigma = log(lives.mean_seconds) - lives.sigma * lives.sigma / 2, lives.sigma
        self._chance = random.Random(lives.seed)  # noqa: S311  # no secret
        self._seed, self._count = lives.seed, 0
        self._begin = begin
        self._members: dict[str, Member] = {}
        self._queue: list[tuple[float, str]] = []
        for number in range(size):
            self._join(kinds[number % len(kinds)], part=self._chance.random())
        self._members = {each.id: each for each in sorted(self._members.values(), key=lambda each: each.began)}
        self._runner: web.AppRunner | None = None
        self.url = ""

    def advance(self, to: float) -> None:
        """Advance to `to`, in seconds since the beginning."""
        while self._queue and self._queue[0][0] <= to:
            at, guid = heapq.heappop(self._queue)
            member = self._members[guid]
            member.finished += 1
            member.row = []
            self.now = at
            self.changes.append((at, guid, member.finished))
            if member.finished < len(member.ends):
                heapq.heappush(self._queue, (member.ends[member.finished], guid))
            else:
                self.born(self._join(member.life, part=0.0))
        self.now = to

    def body(self, execution_id: str) -> Body:
        """What get-execution shows of an execution now."""
        member = self._members[execution_id]
        return whole(self._scene(member, self.now - member.began))

    @property
    def running(self) -> list[str]:
        """Ids of the running executions, newest first."""
        return [member.id for member in reversed(self._members.values()) if member.finished < len(self._steps)]

    def _listed(self, status: str) -> list[str]:
        """Ids of the executions in one phase, or in all of them, newest first."""
        if not status:
            return [*reversed(self._members)]
        return self.running if status == "Running" else []

    def _join(self, life: Life, *, part: float) -> str:
        """Begin an execution of which the fraction `part` is already over."""
        self._count += 1
        guid = guid_of(f"population {self._seed} execution {self._count}")
        durations = [
            0.0 if number % self._at_once else self._chance.lognormvariate(self._mu, self._sigma)
            for number in range(len(self._steps))
        ]
        began = self.now - part * sum(durations)
        member = Member(guid, began, [began + end for end in accumulate(durations)], life)
        member.finished = bisect_right(member.ends, self.now)
        self._members[guid] = member
        heapq.heappush(self._queue, (member.ends[member.finished], guid))
        return guid

    def _scene(self, member: Member, elapsed: float) -> Scene:
        ends = [0.0, *(end - member.began for end in member.ends)]
        steps = tuple(self._step(name, number, ends, member.finished) for number, name in enumerate(self._steps))
        is_over = member.finished == len(steps)
        frame = Frame(
            at=ends[-1],
            status="Succeeded" if is_over else "Running",
            reason="SuccessfulFinish" if is_over else "",
            steps=steps,
        )
        return Scene(
            id=member.id,
            name=f"germline-{member.id[:8]}",
            project_id="5a4db0c5" * 4,
            domain_id="01234567" * 4,
            workflow_id=guid_of("population workflow"),
            life=member.life,
            frame=frame,
            begin=self._begin + timedelta(seconds=member.began),
            elapsed=elapsed,
        )

    @staticmethod
    def _step(name: str, number: int, ends: list[float], finished: int) -> Step:
        if number > finished:
            return Step(name=name)
        is_done = number < finished
        return Step(
            name=name,
            status="Succeeded" if is_done else "Running",
            sub_jobs_finished=int(is_done),
            began=ends[number],
            ended=ends[number + 1] if is_done else None,
            reason="SuccessfulFinish" if is_done else "",
        )

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/executions", self._list)
        app.router.add_get("/v1/executions/{id}", self._get)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _counted(self) -> None:
        self.advance(self._clock())
        self.total_calls += 1
        self.calls.append(self.now)
        while self.calls[0] <= self.now - 60:
            self.calls.popleft()
        self.worst_minute = max(self.worst_minute, len(self.calls))

    async def _get(self, request: web.Request) -> web.Response:
        self._counted()
        member = self._members.get(request.match_info["id"])
        if member is None:
            return web.json_response({"error_code": "GCS.0404", "error_msg": "no such execution"}, status=404)
        answer = web.json_response(self.body(member.id))
        await self._answering(1)
        return answer

    async def _list(self, request: web.Request) -> web.Response:
        self._counted()
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        if limit > self._page:
            return web.json_response({"error_code": "GCS.0400", "error_msg": "limit is too large"}, status=400)
        listed = self._listed(request.query.get("status", ""))
        rows = [self._row(self._members[guid]) for guid in listed[offset : offset + limit]]
        await self._answering(len(rows))
        return web.Response(
            body=b'{"executions": [' + b",".join(rows) + b'], "total_num": %d}' % len(listed),
            content_type="application/json",
        )

    async def _answering(self, shown: int) -> None:
        if self._wait is not None:
            await self._wait(shown)

    def _row(self, member: Member) -> bytes:
        """Its item of the list: as in its own answer, times and versions move with each second."""
        if not member.row:
            text, later = json.dumps(item(self._scene(member, _LATER))).encode(), self._moving(member, _LATER)
            member.row = re.split(b"(" + b"|".join(later) + b")", text)
            member.moving = [later.index(value) for value in member.row[1::2]]
        values = self._moving(member, int(self.now - member.began))
        member.row[1::2] = [values[which] for which in member.moving]
        return b"".join(member.row)

    def _moving(self, member: Member, elapsed: int) -> tuple[bytes, bytes, bytes]:
        """What moves with each second in its item."""
        moment = _moment(self._begin, floor(member.began + elapsed))
        return moment, b'"time_duration": %d' % elapsed, resource_version(elapsed).encode()


@lru_cache(maxsize=2**16)
def _moment(begin: datetime, second: int) -> bytes:
    return date(begin, second).encode()
