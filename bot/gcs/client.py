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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar
from urllib.parse import quote

import httpx
import stamina

from bot.errors import (
    ExecutionNotFound,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMisdirected,
    GCSThrottled,
    GCSUnavailable,
    InvalidInput,
)
from bot.gcs import failures, glimpse, reading, wire
from bot.gcs.glimpse import Page, Prints
from bot.gcs.models import GetExecutionResponse
from bot.metrics import GCS_CALL_SECONDS, GCS_CALLS

ATTEMPTS = 4
"""Of one question. Whoever asked comes back anyway; more would only hold up a person or a lease."""
PAGE_WITHIN = timedelta(seconds=20)
"""How long a page of a list may take: it is large."""
FIRST_HOLD = timedelta(minutes=1)
LONGEST_HOLD = timedelta(minutes=15)

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
        http: httpx.AsyncClient,
        *,
        endpoint: str,
        auth: httpx.Auth,
        project_id: str | None = None,
        take: Take | None = None,
        refused: Refused | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`take` asks for a call out of the quota, `refused` is told when GCS found it used up all the same."""
        self._http = http
        self._endpoint = httpx.URL(endpoint)
        self._executions = f"{self._endpoint.path.rstrip('/')}/v1/executions"
        self._auth = auth
        self._headers = httpx.Headers({**http.headers, "Content-Type": "application/json"})
        if project_id:
            self._headers["X-Project-Id"] = project_id
        self._take, self._refused = take, refused
        self._hold = CredentialHold(clock)

    async def get_execution(
        self, execution_id: str, *, within: timedelta = timedelta(seconds=20), is_person: bool = False
    ) -> GetExecutionResponse:
        """The execution `execution_id` as GCS sees it now; a person who waits for it goes before the watch.

        Raises:
            InvalidInput: `execution_id` is no id.
            GCSError: GCS did not give us the execution, or not within the time.
        """
        asked = execution_id.strip().casefold()
        if not reading.ID_PATTERN.fullmatch(asked):
            raise InvalidInput("That is not an execution id. It looks like `e19d3faf-9f04-9685-e5c0-fbe8d40b96cd`.")
        target = f"{self._executions}/{quote(asked, safe='')}"
        fare = _Fare(is_person=is_person)
        return await self._ask(target, lambda body: GetExecutionResponse.parse(body, asked=asked), within, fare)

    async def glance(
        self,
        execution_id: str,
        *,
        known: Prints | None,
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
            if known is not None and glimpse.prints(body, asked=execution_id) == known:
                return None
            return GetExecutionResponse.parse(body, asked=execution_id)

        target, fare = f"{self._executions}/{execution_id}", _Fare(is_paid=is_paid)
        return await self._ask(target, read, within, fare, attempts=attempts)

    async def listed(self, status: str, *, offset: int, limit: int) -> Page:
        """One page of the executions in one phase (reference 5.1); asked for once, and taken out of the quota already.

        Raises:
            GCSMalformed: the answer is no list, or so large a `limit` is refused.
            GCSError: GCS did not answer usefully, or not within `PAGE_WITHIN`.
        """
        target = f"{self._executions}?limit={limit}&offset={offset}&status={status}"
        return await self._ask(target, glimpse.page, PAGE_WITHIN, _Fare(is_paid=True), attempts=1)

    async def check(self) -> None:
        """Ask the cheapest authenticated question; silence means that address and credentials are good.

        Raises:
            GCSError: what a real question would meet.
        """
        target = f"{self._executions}?limit=1&offset=0"
        try:
            await self._ask(target, glimpse.page, timedelta(seconds=20), _Fare(is_person=True))
        except ExecutionNotFound as error:  # a list is always there: it is the address that is wrong
            raise GCSMisdirected(str(error)) from error

    async def _ask(
        self, target: str, read: Callable[[bytes], T], within: timedelta, fare: _Fare, *, attempts: int = ATTEMPTS
    ) -> T:
        """One question with its repeats, all of it `within` the time."""
        errors: list[GCSError] = []
        ends = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + within.total_seconds()):
                try:  # mostly this is all; what repeats costs more
                    return await self._call(target, read, fare)
                except GCSError as error:
                    errors.append(error)
                return await self._again(target, read, fare, errors, attempts=attempts, ends=ends)
        except TimeoutError:
            raise errors[-1] if errors else GCSUnavailable(f"no answer within {within.total_seconds():g} s") from None

    async def _again(  # a question under way
        self,
        target: str,
        read: Callable[[bytes], T],
        fare: _Fare,
        errors: list[GCSError],
        *,
        attempts: int,
        ends: float,
    ) -> T:
        """Repeat a question that has failed once."""
        first = iter(list(errors))

        async def call() -> T:
            for error in first:
                raise error
            return await self._call(target, read, fare)

        def pause(error: Exception) -> bool | float:
            if isinstance(error, GCSError):
                errors.append(error)
            return _pause(error, left=ends - time.monotonic(), is_person=fare.is_person)

        calls = stamina.AsyncRetryingCaller(
            attempts=attempts, timeout=max(ends - time.monotonic(), 0.0), wait_initial=0.2, wait_max=5, wait_jitter=0.3
        )
        try:
            return await calls(pause, call)
        except QuotaSpent:  # no call is left for a repeat: what GCS said before stands, or it would never count
            raise next((error for error in reversed(errors) if not isinstance(error, QuotaSpent)), errors[-1]) from None

    async def _call(self, target: str, read: Callable[[bytes], T], fare: _Fare) -> T:
        with _counted(), self._hold.watched():
            await self._spend(fare)
            request = wire.question(self._endpoint, target, self._headers)
            started = time.perf_counter()
            response, body = await wire.exchange(self._http, request, auth=self._auth)
            GCS_CALL_SECONDS.observe(time.perf_counter() - started)
            if not response.is_success:
                error = failures.failure(response, body)
                if isinstance(error, GCSThrottled) and self._refused is not None:
                    await self._refused(error.retry_after)
                raise error
            return read(body)

    async def _spend(self, fare: _Fare) -> None:
        """Take one call out of the quota.

        Raises:
            QuotaSpent: there is none just now.
        """
        if fare.is_paid:
            fare.is_paid = False  # a repeat is another call
        elif self._take is not None and (wait := await self._take(is_person=fare.is_person)):
            raise QuotaSpent("no call is left in our share of the quota", retry_after=wait)


@dataclass(slots=True)
class _Fare:
    """On whose account a question goes, and whether its first call is taken out of the quota already."""

    is_person: bool = False
    is_paid: bool = False


class QuotaSpent(GCSThrottled):
    """Held back by ourselves: GCS would refuse the call, and did not get it."""


class CredentialsHeld(GCSBadCredentials):
    """Refused by ourselves: GCS refused the credentials a short while ago."""


class CredentialHold:
    """Stops calls once the credentials are refused, since repeated failures get a key blocked.

    The pause grows from `FIRST_HOLD` to `LONGEST_HOLD`; after each one call goes through as a probe, and the first
    answer that knew us ends the hold.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refusals = 0
        self._until = 0.0
        self._probing = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let one call through, or raise `CredentialsHeld`; learn from how it ends."""
        probing = self._admit()
        try:
            yield
        except GCSBadCredentials:
            self._refused()
            raise
        except (ExecutionNotFound, GCSForbidden):  # it knew us
            self._refusals = 0
            raise
        else:
            self._refusals = 0
        finally:
            if probing:
                self._probing = False

    def _admit(self) -> bool:
        """Whether this call is the probe."""
        if not self._refusals:
            return False
        left = self._until - self._clock()
        if left > 0 or self._probing:
            raise CredentialsHeld(f"credentials were refused; no calls for another {max(left, 0):.0f} s")
        self._probing = True
        return True

    def _refused(self) -> None:
        now = self._clock()
        if self._refusals and now < self._until:
            return  # one of many calls that were under way together
        hold = min(FIRST_HOLD * 2 ** min(self._refusals, 10), LONGEST_HOLD)
        self._refusals += 1
        self._until = now + hold.total_seconds()


def _pause(error: Exception, *, left: float, is_person: bool) -> bool | float:
    """Whether to repeat after `error`, and after how many seconds where GCS named them."""
    if isinstance(error, QuotaSpent) and not is_person:  # the watch comes again by itself
        return False
    if isinstance(error, GCSThrottled):
        # Spread, or all that were throttled together come back together.
        wait = error.retry_after.total_seconds() * random.uniform(1, 1.25)  # noqa: S311  # no secret
        return wait if wait < left else False
    return isinstance(error, GCSUnavailable)


@contextmanager
def _counted() -> Iterator[None]:
    """Count the call by its outcome: `ok`, or the error's name without the prefix, in snake_case."""
    outcome = "cancelled"
    try:
        yield
        outcome = "ok"
    except GCSError as error:
        name = type(error).__name__.removeprefix("GCS").removeprefix("Execution")
        outcome = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        raise
    finally:
        GCS_CALLS.labels(outcome).inc()
