"""The client of GCS: one execution by its id, whole or at a glance; one page of the list of all.

Lives here: which addresses are asked, how often a question is repeated, and when no question is asked any more. Does
not live here: HTTP (`wire`), credentials (`auth`), what answers mean (`models`, `failures`), when to ask (`watcher`).
Called by `subscriptions`, `watcher` and `execution-bot check`.
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

import stamina
import yarl
from multidict import CIMultiDict

from bot.errors import (
    ExecutionNotFound,
    GCSAbsent,
    GCSError,
    GCSMisdirected,
    GCSThrottled,
    GCSTooLate,
    GCSUnavailable,
    InputProblem,
    InvalidInput,
)
from bot.gcs import errors, values
from bot.gcs.breaker import CredentialHold
from bot.gcs.fingerprint import Fingerprint, Page, fingerprint_of, parse_page
from bot.gcs.http import HEADERS, Credentials, HTTPClient, Question
from bot.gcs.tables import GetExecutionResponse
from bot.metrics import GCS_CALL_SECONDS, GCS_CALLS

ATTEMPTS = 4
"""Of one question. Whoever asked comes back anyway; more would only hold up a person or a lease."""
FIRST_TRY_SECONDS = 4.0
"""Of the time for a question that may be repeated: a first try that hangs does not use up all of it."""
PAGE_WITHIN = timedelta(seconds=20)
"""How long a page of a list may take: it is large."""

_OK, _CANCELLED = GCS_CALLS.labels("ok"), GCS_CALLS.labels("cancelled")

T = TypeVar("T")


class Take(Protocol):
    """Takes one call out of the quota: zero, or how long to wait for one."""

    async def __call__(self, *, is_person: bool) -> timedelta:
        """Ask for it; people's calls may go before others."""


Refused = Callable[[timedelta], Awaitable[None]]
"""Is told that GCS wants no calls for so long."""


class GCSClient:
    """Asks GCS, within its quota's spirit: bounded in time, repeated only where that helps, silent when refused."""

    def __init__(
        self,
        http: HTTPClient,
        *,
        endpoint: str,
        auth: Credentials,
        take: Take | None = None,
        refused: Refused | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`take` asks for a call out of the quota, `refused` is told when GCS found it used up all the same."""
        self._http = http
        where = yarl.URL(endpoint)
        self._origin = where.origin() if where.absolute else where
        self._executions = f"{where.raw_path.rstrip('/')}/v1/executions"
        self._auth = auth
        host = self._origin.host_port_subcomponent or ""
        self._headers = CIMultiDict({"Host": host, **HEADERS, "Content-Type": "application/json"})
        self._take, self._refused = take, refused
        self._hold = CredentialHold(clock)
        self.answered = 0
        """How many questions were answered as they should be: whoever waits in vain sees whether others do, too."""

    async def get_execution(
        self, execution_id: str, *, within: timedelta = timedelta(seconds=20), is_person: bool = False
    ) -> GetExecutionResponse:
        """The execution `execution_id` as GCS sees it now; a person who waits for it goes before the watch.

        Raises:
            InvalidInput: `execution_id` is no id.
            GCSError: GCS did not give us the execution, or not within the time.
        """
        asked = execution_id.strip().casefold()
        if not values.ID_PATTERN.fullmatch(asked):
            raise InvalidInput(InputProblem.NOT_AN_ID)
        target = f"{self._executions}/{quote(asked, safe='')}"
        fare = _Fare(is_person=is_person)
        return await self._ask(target, lambda body: GetExecutionResponse.parse(body, asked=asked), within, fare)

    async def get_if_changed(
        self,
        execution_id: str,
        *,
        known: Fingerprint | None,
        within: timedelta = timedelta(seconds=20),
        is_paid: bool = False,
        attempts: int = ATTEMPTS,
    ) -> GetExecutionResponse | None:
        """A look at a watched execution: None where nothing has changed that can be news, by its print.

        `is_paid`: the call was taken out of the quota already; only repeats are still to be.

        Raises:
            GCSError: GCS did not give us the execution, or not within the time.
        """

        def read(body: bytes) -> GetExecutionResponse | None:
            fingerprint = fingerprint_of(body, asked=execution_id) if known else None
            if fingerprint and fingerprint == known:
                return None
            return GetExecutionResponse.parse(body, asked=execution_id, fingerprint=fingerprint)

        target, fare = f"{self._executions}/{execution_id}", _Fare(is_paid=is_paid)
        return await self._ask(target, read, within, fare, attempts=attempts)

    async def listed(self, status: str, *, offset: int, limit: int) -> Page:
        """One page of the executions in one phase (reference 5.1); asked for once, and taken out of the quota already.

        Raises:
            GCSMalformed: the answer is no list, or so large a `limit` is refused.
            GCSError: GCS did not answer usefully, or not within `PAGE_WITHIN`.
        """
        target = f"{self._executions}?limit={limit}&offset={offset}&status={status}"
        return await self._ask(target, parse_page, PAGE_WITHIN, _Fare(is_paid=True), attempts=1)

    async def check(self) -> None:
        """Ask the cheapest authenticated question; silence means that address and credentials are good.

        Raises:
            GCSError: what a real question would meet.
        """
        target = f"{self._executions}?limit=1&offset=0"
        try:
            await self._ask(target, parse_page, timedelta(seconds=20), _Fare(is_person=True))
        except (ExecutionNotFound, GCSAbsent) as error:  # a list is always there: the address is wrong
            raise GCSMisdirected(str(error)) from error

    async def _ask(
        self, target: str, read: Callable[[bytes], T], within: timedelta, fare: _Fare, *, attempts: int = ATTEMPTS
    ) -> T:
        """One question with its repeats, all of it `within` the time."""
        seconds = within.total_seconds()
        ends = time.monotonic() + seconds
        first_try = seconds if attempts == 1 else min(seconds, FIRST_TRY_SECONDS)
        try:  # mostly this is all; what repeats costs more
            async with asyncio.timeout(first_try):
                return await self._call(target, read, fare)
        except GCSError as error:
            failed = error
        except TimeoutError:
            failed = GCSTooLate(f"no answer within {first_try:g} s")
        if attempts == 1 or time.monotonic() >= ends:
            raise failed
        return await self._again(target, read, fare, failed, attempts=attempts, ends=ends)

    async def _again(  # a question under way
        self,
        target: str,
        read: Callable[[bytes], T],
        fare: _Fare,
        failed: GCSError,
        *,
        attempts: int,
        ends: float,
    ) -> T:
        """Repeat a question that has failed once."""
        left = ends - time.monotonic()
        errors = [failed]
        first = iter([failed])

        async def call() -> T:
            for error in first:
                raise error
            return await self._call(target, read, fare)

        def pause(error: Exception) -> bool | float:
            if isinstance(error, GCSError):
                errors.append(error)
            return _pause(error, left=ends - time.monotonic(), is_person=fare.is_person)

        calls = stamina.AsyncRetryingCaller(
            attempts=attempts, timeout=left, wait_initial=0.2, wait_max=5, wait_jitter=0.3
        )
        try:
            async with asyncio.timeout(left):
                return await calls(pause, call)
        except TimeoutError:
            raise errors[-1] from None
        except QuotaSpent:  # no call is left for a repeat: what GCS said before stands, or it would never count
            raise next((error for error in reversed(errors) if not isinstance(error, QuotaSpent)), errors[-1]) from None

    async def _call(self, target: str, read: Callable[[bytes], T], fare: _Fare) -> T:
        """One call, counted by its outcome."""
        count, is_probe = _CANCELLED, False
        try:
            is_probe = self._hold.admit()
            found = read(await self._exchange(target, fare))
        except GCSError as error:
            count = GCS_CALLS.labels(_outcome(error))
            self._hold.heard(error)
            raise
        else:
            count = _OK
            self.answered += 1
            self._hold.heard(None)
            return found
        finally:
            count.inc()
            if is_probe:
                self._hold.probed()

    async def _exchange(self, target: str, fare: _Fare) -> bytes:
        if fare.is_paid:
            fare.is_paid = False  # a repeat is another call
        else:
            await self._spend(fare)
        question = Question("GET", self._origin, target, self._headers)
        started = time.perf_counter()
        answer = await self._http.exchange(question, self._auth)
        GCS_CALL_SECONDS.observe(time.perf_counter() - started)
        if answer.is_success:
            return answer.body
        error = errors.failure(answer)
        if isinstance(error, GCSThrottled) and self._refused is not None:
            await self._refused(error.retry_after)
        raise error

    async def _spend(self, fare: _Fare) -> None:
        """Take one call out of the quota.

        Raises:
            QuotaSpent: there is none just now.
        """
        if self._take is not None and (wait := await self._take(is_person=fare.is_person)):
            raise QuotaSpent("no call is left in our share of the quota", retry_after=wait)


@dataclass(slots=True)
class _Fare:
    """On whose account a question goes, and whether its first call is taken out of the quota already."""

    is_person: bool = False
    is_paid: bool = False


class QuotaSpent(GCSThrottled):
    """Held back by ourselves: GCS would refuse the call, and did not get it."""


def _pause(error: Exception, *, left: float, is_person: bool) -> bool | float:
    """Whether to repeat after `error`, and after how many seconds where GCS named them."""
    if isinstance(error, QuotaSpent) and not is_person:  # the watch comes again by itself
        return False
    if isinstance(error, GCSThrottled):
        # Spread, or all that were throttled together come back together.
        wait = error.retry_after.total_seconds() * random.uniform(1, 1.25)  # noqa: S311  # no secret
        return wait if wait < left else False
    return isinstance(error, GCSUnavailable)


def _outcome(error: GCSError) -> str:
    """The error's name without the prefix, in snake_case."""
    name = type(error).__name__.removeprefix("GCS").removeprefix("Execution")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
