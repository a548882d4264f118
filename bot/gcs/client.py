"""The client of GCS: one execution by its id, in full or only if it changed; its events; lists; cancel and retry.

Lives here: which paths are requested, how often a request is repeated, and the quota and breaker that each call passes.
Does not live here: HTTP (`http`), credentials (`auth`), what answers mean (`tables`, `events`, `errors`), when to poll
(`watcher`). Called by `subscriptions`, `acting`, the workers and `execution-bot check`.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import stamina

from bot.domain.acting import Action
from bot.domain.events import Event
from bot.errors import (
    ExecutionNotFound,
    GCSAbsent,
    GCSError,
    GCSForbidden,
    GCSListForbidden,
    GCSMalformed,
    GCSMisdirected,
    GCSThrottled,
    GCSTooLarge,
    GCSTooLate,
    GCSUnavailable,
    InputProblem,
    InvalidInput,
)
from bot.gcs import errors, values
from bot.gcs.breaker import CredentialBreaker
from bot.gcs.events import parse_events
from bot.gcs.fingerprint import Fingerprint, fingerprint_of
from bot.gcs.found import FoundPage, parse_found
from bot.gcs.http import HTTPClient, Sink
from bot.gcs.known import NOTHING_LISTED, Listing
from bot.gcs.listing import Page, PageReader, parse_page
from bot.gcs.shown import Shown, parse_shown
from bot.gcs.tables import GetExecutionResponse, find_listed
from bot.metrics import GCS_CALL_SECONDS, GCS_CALLS, LAST_SUCCESS

ATTEMPTS = 4
"""How often a request is sent at most. Callers come back anyway; more would keep a person or a lease waiting."""
FIRST_TRY_SECONDS = 4.0
"""How long the first of several attempts may take, so that one that hangs does not use up all the time."""
SMALL_WITHIN = timedelta(seconds=5)
"""How long the part of a list may take that stands for an answer which is too large."""
PAGE_WITHIN = timedelta(seconds=20)
"""How long a page of a list may take; pages are large."""

SHOWN_WITHIN = timedelta(seconds=8)
"""How long a page may take that shows whose executions GCS has: small, and somebody's poll waits for it."""

_OK, _CANCELLED = GCS_CALLS.labels("ok"), GCS_CALLS.labels("cancelled")
_SUCCESS = LAST_SUCCESS.labels("gcs")

T = TypeVar("T")


class Take(Protocol):
    """Takes one call out of the quota; returns zero, or how long to wait for one."""

    async def __call__(self, *, is_person: bool) -> timedelta:
        """Request one call; people's calls may take precedence."""


Name = Callable[[], str]
"""The name of an execution, by which the list finds it; called only if it is needed."""


def unnamed() -> str:
    """The name of an execution of which nothing is known."""
    return ""


Refused = Callable[[timedelta], Awaitable[None]]
"""Called when GCS throttles us, with the time for which it wants no calls."""


MAX_EXECUTION = 4 * 1024 * 1024
"""At most this many bytes of an answer about one execution are read, unless a setting says more."""
MAX_EVENTS = 1024 * 1024
"""The same of an answer about its events."""
MAX_TAKEN = 64 * 1024
"""The same of GCS's word that it takes an action."""
MAX_PAGE = 32 * 1024 * 1024
"""The same of a page of a list that a person searches."""
LARGE = 128 * 1024
"""Answers about one execution of more bytes are parsed in a thread, two at a time, so that nothing waits for them."""


@dataclass(slots=True)
class Request:
    """What is requested, and on whose account its calls go."""

    url: str
    is_person: bool = False
    is_prepaid: bool = False
    """Whether the first call is taken out of the quota already."""
    sink: Sink | None = None
    """What takes the body of the answer while it arrives; its reader gets nothing then."""
    most: int | None = None
    """At most so many bytes are read of an answer that a large parse may hold up; None: as many as come."""
    action: Action | None = None
    """What GCS is to do to the execution; None for a question, which changes nothing."""


class _Taken(msgspec.Struct):
    """GCS's word that it takes an action."""

    id: str


class QuotaSpent(GCSThrottled):
    """Not sent: no call is left in our share of the quota."""


class GCSClient:
    """Calls GCS: bounded in time, repeated only where that helps, within the quota, never with refused credentials."""

    def __init__(
        self,
        http: HTTPClient,
        *,
        endpoint: str,
        auth: httpx.Auth | None,
        take: Take | None = None,
        refused: Refused | None = None,
        max_execution: int = MAX_EXECUTION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`take` requests a call from the quota, `refused` learns that GCS found it used up; `clock` is monotonic.

        `max_execution`: at most this many bytes of an answer about one execution are read.
        """
        self._http = http
        self._executions = f"{endpoint.rstrip('/')}/v1/executions"
        self._auth = auth
        self._take, self._refused = take, refused
        self._max_execution, self._large_parses = max_execution, asyncio.Semaphore(2)
        self._breaker = CredentialBreaker(clock)
        self.answered = 0
        """How many calls succeeded: a caller whose call timed out sees whether others got an answer meanwhile."""

    async def get_execution(
        self,
        execution_id: str,
        *,
        within: timedelta = timedelta(seconds=20),
        is_person: bool = False,
        name: Name = unnamed,
    ) -> GetExecutionResponse:
        """The execution `execution_id` as GCS sees it now; `is_person` takes precedence over polls in the quota.

        If the answer is too large, what the list shows of the execution is returned, which is found by its `name`.

        Raises:
            InvalidInput: `execution_id` is no id.
            GCSError: GCS did not return the execution, or not `within` the time.
        """
        asked = _asked(execution_id)
        url = f"{self._executions}/{quote(asked, safe='')}"
        request = Request(url, is_person=is_person, most=self._max_execution)
        try:
            return await self._get(request, lambda body: GetExecutionResponse.parse(body, asked=asked), within)
        except GCSTooLarge as error:
            return await self._listed_one(error, asked, name, request)

    async def get_events(
        self, execution_id: str, *, within: timedelta = timedelta(seconds=20), is_person: bool = False
    ) -> tuple[Event, ...]:
        """What GCS says happened to the steps of an execution (reference 5.2), in no documented order.

        Raises:
            InvalidInput: `execution_id` is no id.
            GCSError: GCS did not return the events, or not `within` the time.
        """
        url = f"{self._executions}/{quote(_asked(execution_id), safe='')}/events"
        request = Request(url, is_person=is_person, most=MAX_EVENTS)
        return await self._get(request, parse_events, within)

    async def operate(self, execution_id: str, action: Action, *, within: timedelta = timedelta(seconds=15)) -> None:
        """Have GCS cancel or retry an execution (reference 5.5); returns once GCS takes that, before it has done it.

        It is sent once: if the answer is lost, only a look at the execution shows whether GCS acted
        (`errors.may_have_acted`). The exception is a token that GCS refuses, because then it has not read the call: it
        is sent with a new one.

        Raises:
            InvalidInput: `execution_id` is no id.
            GCSActionRefused: GCS does not do that.
            GCSError: GCS did not say that it takes it, or not `within` the time.
        """
        asked = _asked(execution_id)

        def read(body: bytes) -> None:
            try:
                taken = msgspec.json.decode(body, type=_Taken)
            except (msgspec.MsgspecError, ValueError):
                raise GCSMalformed("an answer to an action that does not name the execution") from None
            if taken.id.strip().casefold() != asked:
                raise GCSMalformed("an answer about another execution")

        url = f"{self._executions}/{quote(asked, safe='')}"
        request = Request(url, is_person=True, most=MAX_TAKEN, action=action)
        await self._get(request, read, within, attempts=1)

    async def get_if_changed(
        self,
        execution_id: str,
        *,
        known: Fingerprint | None,
        within: timedelta = timedelta(seconds=20),
        is_paid: bool = False,
        attempts: int = ATTEMPTS,
        name: Name = unnamed,
    ) -> GetExecutionResponse | None:
        """Poll an execution; None if its fingerprint is still `known`, so that nothing worth showing has changed.

        `is_paid`: the first call is taken out of the quota already; each repeat takes its own. `name`: as with
        `get_execution`.

        Raises:
            GCSError: GCS did not return the execution, or not `within` the time.
        """

        def read(body: bytes) -> GetExecutionResponse | None:
            response = GetExecutionResponse.parse(body, asked=execution_id)
            return None if known is not None and fingerprint_of(response) == known else response

        request = Request(f"{self._executions}/{execution_id}", is_prepaid=is_paid, most=self._max_execution)
        try:
            return await self._get(request, read, within, attempts=attempts)
        except GCSTooLarge as error:
            response = await self._listed_one(error, execution_id, name, request)
            return None if known is not None and fingerprint_of(response) == known else response

    async def _listed_one(
        self, failed: GCSTooLarge, execution_id: str, name: Name, request: Request
    ) -> GetExecutionResponse:
        """What the list shows of an execution whose own answer is too large: all but its step counts.

        Raises:
            GCSTooLarge: the list does not show it, does not come, or is too large as well.
            GCSError: GCS refuses the call, or none is left in the quota.
        """
        called = name()
        if not called:
            raise failed
        request.url = f"{self._executions}?limit=10&offset=0&name={quote(called, safe='')}"
        try:
            found = await self._get(request, lambda body: find_listed(body, execution_id), SMALL_WITHIN, attempts=1)
        except (GCSUnavailable, GCSMalformed):
            raise failed from None
        if found is None:
            raise failed
        return found

    async def listed(self, status: str, *, offset: int, limit: int, before: Listing = NOTHING_LISTED) -> Page:
        """One page of the executions in one phase (reference 5.1); one attempt, already taken out of the quota.

        An empty `status` is for all phases. `before`: what an earlier reading of the list showed; items that are still
        the same cost less.

        Raises:
            GCSMalformed: the answer is no list, or GCS refuses so large a `limit`.
            GCSError: no usable answer within `PAGE_WITHIN`.
        """
        chosen = f"&status={status}" if status else ""
        url, reader = f"{self._executions}?limit={limit}&offset={offset}{chosen}", PageReader(before)
        request = Request(url, is_prepaid=True, sink=reader.feed)
        return await self._get(request, lambda _: reader.page(), PAGE_WITHIN, attempts=1)

    async def find(  # the filters that GCS has
        self, *, name: str = "", status: str = "", workflow: str = "", offset: int, limit: int, within: timedelta
    ) -> FoundPage:
        """One page of the executions with `name` in their name, in one phase, or of all, for a person (reference 5.1).

        `workflow`: the name of theirs.

        Raises:
            GCSError: GCS did not return the list, or not `within` the time. No error repeats `name` or `workflow`.
        """
        filters = "".join(
            f"&{key}={quote(value, safe='')}"
            for key, value in (("name", name), ("status", status), ("workflow_name", workflow))
            if value
        )
        url = f"{self._executions}?limit={limit}&offset={offset}{filters}"
        try:
            return await self._get(Request(url, is_person=True, most=MAX_PAGE), parse_found, within, attempts=2)
        except GCSForbidden:
            raise GCSListForbidden("the list of executions is refused") from None
        except (ExecutionNotFound, GCSAbsent):  # a list always exists: the address is wrong
            raise GCSMisdirected("there is no list of executions") from None
        except GCSError as error:
            for typed in filter(None, (name, workflow)):  # GCS may repeat what was typed, which no log gets
                quoted = quote(typed, safe="")
                error.args = tuple(str(part).replace(typed, "…").replace(quoted, "…") for part in error.args)
            raise

    async def shown(self, status: str = "", *, limit: int = 100) -> tuple[Shown, ...]:
        """The first page of the executions in one phase, or of all: only whose they are; one attempt.

        Raises:
            GCSError: GCS did not return the list.
        """
        request = Request(f"{self._executions}?limit={limit}&offset=0{f'&status={status}' if status else ''}")
        return await self._get(request, parse_shown, SHOWN_WITHIN, attempts=1)

    async def check(self) -> None:
        """Send the cheapest authenticated request; returns if address and credentials are good.

        Raises:
            GCSError: what any other request would raise.
        """
        request = Request(f"{self._executions}?limit=1&offset=0", is_person=True)
        try:
            await self._get(request, parse_page, timedelta(seconds=20))
        except (ExecutionNotFound, GCSAbsent) as error:  # a list always exists: the address is wrong
            raise GCSMisdirected(str(error)) from error

    async def _get(
        self, request: Request, read: Callable[[bytes], T], within: timedelta, *, attempts: int = ATTEMPTS
    ) -> T:
        """Send `request`, with repeats, all of it `within` the time."""
        seconds = within.total_seconds()
        ends = time.monotonic() + seconds
        first_try = seconds if attempts == 1 else min(seconds, FIRST_TRY_SECONDS)
        try:  # usually enough; the machinery for repeats costs more
            async with asyncio.timeout(first_try):
                return await self._call(request, read)
        except GCSError as error:
            failed = error
        except TimeoutError:
            failed = GCSTooLate(f"no answer within {first_try:g} s")
        if attempts == 1 or time.monotonic() >= ends:
            raise failed
        return await self._repeat(failed, lambda: self._call(request, read), request, attempts=attempts, ends=ends)

    async def _repeat(
        self, failed: GCSError, call: Callable[[], Awaitable[T]], request: Request, *, attempts: int, ends: float
    ) -> T:
        """Repeat a call that has `failed` once, until it succeeds, attempts are used up or time `ends`."""
        failures, first = [failed], iter([failed])

        async def attempt() -> T:
            for error in first:  # counts as the first attempt
                raise error
            return await call()

        def pause(error: Exception) -> bool | float:
            if isinstance(error, GCSError):
                failures.append(error)
            return _pause(error, left=ends - time.monotonic(), is_person=request.is_person)

        left = ends - time.monotonic()
        calls = stamina.AsyncRetryingCaller(
            attempts=attempts, timeout=left, wait_initial=0.2, wait_max=5, wait_jitter=0.3
        )
        try:
            async with asyncio.timeout(left):
                return await calls(pause, attempt)
        except TimeoutError:
            raise failures[-1] from None
        except (
            QuotaSpent
        ) as error:  # GCS's own failure is raised: a poll that was only deferred would not count as missed
            own = (failure for failure in reversed(failures) if not isinstance(failure, QuotaSpent))
            raise next(own, error) from None

    async def _call(self, request: Request, read: Callable[[bytes], T]) -> T:
        """One call, counted by its outcome."""
        count, is_probe = _CANCELLED, False
        try:
            is_probe = self._breaker.admit()
            found = await self._parsed(read, await self._exchange(request), request)
        except GCSError as error:
            count = GCS_CALLS.labels(_outcome(error))
            self._breaker.record(error)
            raise
        else:
            count = _OK
            self.answered += 1
            _SUCCESS.set_to_current_time()
            self._breaker.record(None)
            return found
        finally:
            count.inc()
            if is_probe:
                self._breaker.probed()

    async def _parsed(self, read: Callable[[bytes], T], body: bytes, request: Request) -> T:
        if len(body) <= LARGE or request.most is None:
            return read(body)
        async with self._large_parses:
            return await asyncio.to_thread(read, body)

    async def _exchange(self, request: Request) -> bytes:
        """The body of a successful response to one call; empty where a sink took it."""
        if request.is_prepaid:
            request.is_prepaid = False  # a repeat is another call
        else:
            await self._spend(request)
        started = time.perf_counter()
        method, json = ("PUT", {"action": request.action.value}) if request.action else ("GET", None)
        send = self._http.send
        response = await send(method, request.url, auth=self._auth, json=json, sink=request.sink, limit=request.most)
        GCS_CALL_SECONDS.observe(time.perf_counter() - started)
        if response.is_success:
            return response.content
        error = errors.action_error(response) if request.action else errors.gcs_error(response)
        if isinstance(error, GCSThrottled) and self._refused is not None:
            await self._refused(error.retry_after)
        raise error

    async def _spend(self, request: Request) -> None:
        """Take one call out of the quota.

        Raises:
            QuotaSpent: none is left now.
        """
        if self._take is not None and (wait := await self._take(is_person=request.is_person)):
            raise QuotaSpent("no call is left in our share of the quota", retry_after=wait)


def _asked(execution_id: str) -> str:
    """The id as GCS writes it.

    Raises:
        InvalidInput: it is none.
    """
    asked = execution_id.strip().casefold()
    if not values.ID_PATTERN.fullmatch(asked):
        raise InvalidInput(InputProblem.NOT_AN_ID)
    return asked


def _pause(error: Exception, *, left: float, is_person: bool) -> bool | float:
    """Whether to repeat after `error`, and after how many seconds where GCS named them."""
    if isinstance(error, QuotaSpent) and not is_person:  # the watcher polls again by itself
        return False
    if isinstance(error, GCSThrottled):
        # Spread, or all calls that were throttled together come back together.
        wait = error.retry_after.total_seconds() * random.uniform(1, 1.25)  # noqa: S311  # no secret
        return wait if wait < left else False
    return isinstance(error, GCSUnavailable)


def _outcome(error: GCSError) -> str:
    """The error's name without the prefix, in snake_case."""
    name = type(error).__name__.removeprefix("GCS").removeprefix("Execution")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
