"""How a call to GCS is retried: how often, after which errors, and how long it pauses.

Lives here: `with_retries`. Does not live here: the call itself, and the quota that each attempt passes
(`bot.gcs.client`, which calls this), what an error means (`bot.gcs.errors`), when an execution is polled again
(`bot.workers.watcher`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import stamina

from bot.errors import GCSError, GCSThrottled, GCSTooLate, GCSUnavailable
from bot.gcs.errors import QuotaSpent

ATTEMPTS = 4
"""How often a request is sent at most. Callers come back anyway; more would keep a person or a lease waiting."""

FIRST_TRY_SECONDS = 4.0
"""How long the first of several attempts may take, so that one that hangs does not use up all the time."""

T = TypeVar("T")


async def with_retries(call: Callable[[], Awaitable[T]], within: timedelta, *, attempts: int, is_person: bool) -> T:
    """The result of `call`, repeated until it succeeds, but at most `attempts` times and only `within` the time.

    `is_person`: somebody waits for it, so that it waits for the quota as well.

    Raises:
        GCSError: the failure of the last attempt.
    """
    seconds = within.total_seconds()
    ends = time.monotonic() + seconds
    first_try = seconds if attempts == 1 else min(seconds, FIRST_TRY_SECONDS)
    try:  # usually enough; the machinery for repeats costs more
        async with asyncio.timeout(first_try):
            return await call()
    except GCSError as error:
        failed = error
    except TimeoutError:
        failed = GCSTooLate(f"no answer within {first_try:g} s")
    if attempts == 1 or time.monotonic() >= ends:
        raise failed
    return await _repeat(failed, call, attempts=attempts, ends=ends, is_person=is_person)


async def _repeat(
    failed: GCSError, call: Callable[[], Awaitable[T]], *, attempts: int, ends: float, is_person: bool
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
        return _pause(error, left=ends - time.monotonic(), is_person=is_person)

    left = ends - time.monotonic()
    calls = stamina.AsyncRetryingCaller(attempts=attempts, timeout=left, wait_initial=0.2, wait_max=5, wait_jitter=0.3)
    try:
        async with asyncio.timeout(left):
            return await calls(pause, attempt)
    except TimeoutError:
        raise failures[-1] from None
    except QuotaSpent as error:
        # GCS's own failure is raised: a poll that was only deferred would not count as missed.
        own = (failure for failure in reversed(failures) if not isinstance(failure, QuotaSpent))
        raise next(own, error) from None


def _pause(error: Exception, *, left: float, is_person: bool) -> bool | float:
    """Whether to repeat after `error`, and after how many seconds if GCS named them."""
    if isinstance(error, QuotaSpent) and not is_person:  # the watcher polls again by itself
        return False
    if isinstance(error, GCSThrottled):
        # Spread, or all calls that were throttled together come back together.
        wait = error.retry_after.total_seconds() * random.uniform(1, 1.25)  # noqa: S311  # no secret
        return wait if wait < left else False
    return isinstance(error, GCSUnavailable)
