"""The client of GCS: one execution by its id, in full or only if it changed; its events; lists; cancel and retry.

Lives here: which paths are requested, and the quota and breaker that each call passes. Does not live here: how a call
is retried (`retries`), HTTP (`http`), credentials (`auth`), what answers mean (`tables`, `events`, `errors`), when to
poll (`watcher`). Called by `subscriptions`, `acting`, the workers and `execution-bot check`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar
from urllib.parse import quote

import httpx
import msgspec

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
    GCSRequestRefused,
    GCSThrottled,
    GCSTooLarge,
    GCSUnavailable,
    InputProblem,
    InvalidInput,
)
from bot.gcs import errors, values
from bot.gcs.breaker import CredentialBreaker
from bot.gcs.errors import QuotaSpent
from bot.gcs.events import parse_events
from bot.gcs.fingerprint import Fingerprint, fingerprint_of
from bot.gcs.http import HTTPClient, Sink
from bot.gcs.known import NOTHING_LISTED, Listing
from bot.gcs.listed_ids import ListedId, parse_listed_ids
from bot.gcs.listing import Page, PageReader, parse_page
from bot.gcs.retries import ATTEMPTS, with_retries
from bot.gcs.search_page import SearchPage, parse_search_page
from bot.gcs.tables import GetExecutionResponse, find_listed
from bot.metrics import GCS_CALL_SECONDS, GCS_CALLS, LAST_SUCCESS

FALLBACK_TIMEOUT = timedelta(seconds=5)
"""How long the list may take to show an execution whose own answer is too large."""
PAGE_TIMEOUT = timedelta(seconds=20)
"""How long a page of a list may take; pages are large."""

IDS_TIMEOUT = timedelta(seconds=8)
"""How long a page may take of which only ids are read: it is small, and a poll waits for it."""

_OK, _CANCELLED = GCS_CALLS.labels("ok"), GCS_CALLS.labels("cancelled")
_SUCCESS = LAST_SUCCESS.labels("gcs")

T = TypeVar("T")


class Take(Protocol):
    """Takes one call out of the quota; returns zero, or how long to wait for one."""

    async def __call__(self, *, is_person: bool) -> timedelta:
        """Request one call; people's calls may take precedence."""


LazyName = Callable[[], str]
"""Returns the name of an execution, by which the list finds it; called only if the list is needed."""


def no_name() -> str:
    """The name of an execution about which nothing is known."""
    return ""


OnThrottled = Callable[[timedelta], Awaitable[None]]
"""Called when GCS throttles the bot, with how long it wants no calls."""


MAX_EXECUTION_BYTES = 4 * 1024 * 1024
"""At most this many bytes of an answer about one execution are read, unless a setting says otherwise."""
MAX_EVENTS_BYTES = 1024 * 1024
"""At most this many bytes of an answer about events are read."""
MAX_ACTION_BYTES = 64 * 1024
"""At most this many bytes of the reply to an action are read."""
MAX_SEARCH_BYTES = 32 * 1024 * 1024
"""At most this many bytes of a page are read that a person searches."""
SMALLEST_PAGE = 10
"""How many items of a list are requested at once where GCS refuses more."""
INLINE_PARSE_BYTES = 128 * 1024
"""Larger answers about one execution are parsed in a thread, two at a time, to keep the event loop free."""


@dataclass(slots=True)
class Request:
    """What is requested, and how its calls count."""

    url: str
    is_person: bool = False
    """Whether a person waits for it."""
    is_prepaid: bool = False
    """Whether the first call has already been taken out of the quota."""
    sink: Sink | None = None
    """Receives the body while it arrives; the reader then gets an empty one."""
    max_bytes: int | None = None
    """At most this many bytes are read; a large body is parsed in a thread. None: what `http` allows, parsed here."""
    action: Action | None = None
    """What GCS is to do to the execution; None for a request that only reads."""


class _ActionReply(msgspec.Struct):
    """GCS's reply that it accepts an action."""

    id: str


class GCSClient:
    """Calls GCS: bounded in time, repeated only where that helps, within the quota, never with refused credentials."""

    def __init__(
        self,
        http: HTTPClient,
        *,
        endpoint: str,
        auth: httpx.Auth | None,
        take: Take | None = None,
        on_throttled: OnThrottled | None = None,
        max_execution_bytes: int = MAX_EXECUTION_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`take` requests a call from the quota; `on_throttled` learns that GCS found the quota used up.

        `max_execution_bytes`: at most this many bytes of an answer about one execution are read. `clock` is monotonic.
        """
        self._http = http
        self._executions = f"{endpoint.rstrip('/')}/v1/executions"
        self._auth = auth
        self._take, self._on_throttled = take, on_throttled
        self._max_execution, self._large_parses = max_execution_bytes, asyncio.Semaphore(2)
        self._breaker = CredentialBreaker(clock)
        self._largest_page = 100
        """How many items people's searches request at once: the successor service's default, or what GCS takes."""
        self.answered = 0
        """How many calls succeeded: a caller whose call timed out sees whether others got an answer meanwhile."""

    async def get_execution(
        self,
        execution_id: str,
        *,
        within: timedelta = timedelta(seconds=20),
        is_person: bool = False,
        name: LazyName = no_name,
    ) -> GetExecutionResponse:
        """The execution `execution_id` as GCS sees it now; `is_person` takes precedence over polls in the quota.

        If the answer is too large, the response holds what the list shows; `name` finds the execution there.

        Raises:
            InvalidInput: `execution_id` is not an id.
            GCSError: GCS did not return the execution, or not `within` the time.
        """
        requested_id = _normalized_id(execution_id)
        url = f"{self._executions}/{quote(requested_id, safe='')}"
        request = Request(url, is_person=is_person, max_bytes=self._max_execution)
        try:
            return await self._get(
                request, lambda body: GetExecutionResponse.parse(body, requested_id=requested_id), within
            )
        except GCSTooLarge as error:
            return await self._from_list(error, requested_id, name, request)

    async def get_events(
        self, execution_id: str, *, within: timedelta = timedelta(seconds=20), is_person: bool = False
    ) -> tuple[Event, ...]:
        """What GCS says happened to the steps of an execution (reference 5.2), in no documented order.

        Raises:
            InvalidInput: `execution_id` is not an id.
            GCSError: GCS did not return the events, or not `within` the time.
        """
        url = f"{self._executions}/{quote(_normalized_id(execution_id), safe='')}/events"
        request = Request(url, is_person=is_person, max_bytes=MAX_EVENTS_BYTES)
        return await self._get(request, parse_events, within)

    async def operate(self, execution_id: str, action: Action, *, within: timedelta = timedelta(seconds=15)) -> None:
        """Have GCS cancel or retry an execution (reference 5.5); returns once GCS accepts that, before it is done.

        It is sent once: if the reply is lost, only a poll of the execution shows whether GCS did it
        (`errors.may_have_acted`). If GCS refuses the token, it has not read the call, which is sent with a new one.

        Raises:
            InvalidInput: `execution_id` is not an id.
            GCSActionRefused: GCS refuses the action.
            GCSError: GCS did not say that it accepts the action, or not `within` the time.
        """
        requested_id = _normalized_id(execution_id)

        def read(body: bytes) -> None:
            try:
                reply = msgspec.json.decode(body, type=_ActionReply)
            except (msgspec.MsgspecError, ValueError):
                raise GCSMalformed("an answer to an action that does not name the execution") from None
            if reply.id.strip().casefold() != requested_id:
                raise GCSMalformed("an answer about another execution")

        url = f"{self._executions}/{quote(requested_id, safe='')}"
        request = Request(url, is_person=True, max_bytes=MAX_ACTION_BYTES, action=action)
        await self._get(request, read, within, attempts=1)

    async def get_if_changed(
        self,
        execution_id: str,
        *,
        known: Fingerprint | None,
        within: timedelta = timedelta(seconds=20),
        is_prepaid: bool = False,
        attempts: int = ATTEMPTS,
        name: LazyName = no_name,
    ) -> GetExecutionResponse | None:
        """Poll an execution; None if its fingerprint is still `known`, so that nothing worth showing has changed.

        `is_prepaid`: the first call has already been taken out of the quota; each repeat takes its own. `name`: as with
        `get_execution`.

        Raises:
            GCSError: GCS did not return the execution, or not `within` the time.
        """

        def read(body: bytes) -> GetExecutionResponse | None:
            response = GetExecutionResponse.parse(body, requested_id=execution_id)
            return None if known is not None and fingerprint_of(response) == known else response

        request = Request(f"{self._executions}/{execution_id}", is_prepaid=is_prepaid, max_bytes=self._max_execution)
        try:
            return await self._get(request, read, within, attempts=attempts)
        except GCSTooLarge as error:
            response = await self._from_list(error, execution_id, name, request)
            return None if known is not None and fingerprint_of(response) == known else response

    async def _from_list(
        self, failed: GCSTooLarge, execution_id: str, name: LazyName, request: Request
    ) -> GetExecutionResponse:
        """What the list shows of an execution whose own answer is too large: everything but its step counts.

        Raises:
            GCSTooLarge: the list does not show it, does not arrive, or is too large as well.
            GCSError: GCS refuses the call, or none is left in the quota.
        """
        called = name()
        if not called:
            raise failed
        request.url = f"{self._executions}?limit=10&offset=0&name={quote(called, safe='')}"
        try:
            found = await self._get(request, lambda body: find_listed(body, execution_id), FALLBACK_TIMEOUT, attempts=1)
        except (GCSUnavailable, GCSMalformed):
            raise failed from None
        if found is None:
            raise failed
        return found

    async def list_page(self, status: str, *, offset: int, limit: int, before: Listing = NOTHING_LISTED) -> Page:
        """One page of the executions in one phase (reference 5.1); one attempt, already taken out of the quota.

        An empty `status` means all phases. `before`: what an earlier reading of the list showed; unchanged items cost
        less.

        Raises:
            GCSMalformed: the answer is not a list, or GCS refuses a `limit` that large.
            GCSError: no usable answer within `PAGE_TIMEOUT`.
        """
        chosen = f"&status={status}" if status else ""
        url, reader = f"{self._executions}?limit={limit}&offset={offset}{chosen}", PageReader(before)
        request = Request(url, is_prepaid=True, sink=reader.feed)
        return await self._get(request, lambda _: reader.page(), PAGE_TIMEOUT, attempts=1)

    async def find(  # the filters that GCS has
        self, *, name: str = "", status: str = "", workflow: str = "", offset: int, limit: int, within: timedelta
    ) -> SearchPage:
        """One page of executions for a person (reference 5.1); an empty filter lets all through.

        `name` is part of the execution's name, `status` its phase, `workflow` the name of its workflow.

        Raises:
            GCSError: GCS did not return the list, or not `within` the time. No error repeats `name` or `workflow`.
        """
        filters = "".join(
            f"&{key}={quote(value, safe='')}"
            for key, value in (("name", name), ("status", status), ("workflow_name", workflow))
            if value
        )

        async def page(most: int) -> SearchPage:
            url = f"{self._executions}?limit={most}&offset={offset}{filters}"
            request = Request(url, is_person=True, max_bytes=MAX_SEARCH_BYTES)
            return await self._get(request, parse_search_page, within, attempts=2)

        try:
            return await self._fitting(page, limit)
        except GCSForbidden:
            raise GCSListForbidden("the list of executions is refused") from None
        except (ExecutionNotFound, GCSAbsent):  # a list always exists: the address is wrong
            raise GCSMisdirected("there is no list of executions") from None
        except GCSError as error:
            for typed in filter(None, (name, workflow)):  # GCS may repeat what was typed, which must not be logged
                quoted = quote(typed, safe="")
                error.args = tuple(str(part).replace(typed, "…").replace(quoted, "…") for part in error.args)
            raise

    async def list_ids(self, status: str = "", *, limit: int = 100) -> tuple[ListedId, ...]:
        """The ids and projects on the first page of the executions in one phase, or in all; one attempt.

        Raises:
            GCSError: GCS did not return the list.
        """

        async def ids(most: int) -> tuple[ListedId, ...]:
            request = Request(f"{self._executions}?limit={most}&offset=0{f'&status={status}' if status else ''}")
            return await self._get(request, parse_listed_ids, IDS_TIMEOUT, attempts=1)

        return await self._fitting(ids, limit)

    async def _fitting(self, page: Callable[[int], Awaitable[T]], limit: int) -> T:
        """A page of `limit` items, or of fewer if GCS refuses that many: its largest limit is not documented."""
        asked = min(limit, self._largest_page)
        while True:
            try:
                found = await page(asked)
            except GCSRequestRefused:
                if asked <= SMALLEST_PAGE:
                    raise
                asked = max(asked // 2, SMALLEST_PAGE)
            else:
                if asked < limit:
                    self._largest_page = asked
                return found

    async def check(self) -> None:
        """Send the cheapest authenticated request; returns if address and credentials work.

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
        """Send `request`, with retries, all of it `within` the time."""

        def call() -> Awaitable[T]:
            return self._call(request, read)

        return await with_retries(call, within, attempts=attempts, is_person=request.is_person)

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
        if len(body) <= INLINE_PARSE_BYTES or request.max_bytes is None:
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
        response = await send(
            method, request.url, auth=self._auth, json=json, sink=request.sink, limit=request.max_bytes
        )
        GCS_CALL_SECONDS.observe(time.perf_counter() - started)
        if response.is_success:
            return response.content
        error = errors.action_error(response) if request.action else errors.gcs_error(response)
        if isinstance(error, GCSThrottled) and self._on_throttled is not None:
            await self._on_throttled(error.retry_after)
        raise error

    async def _spend(self, request: Request) -> None:
        """Take one call out of the quota.

        Raises:
            QuotaSpent: none is left now.
        """
        if self._take is not None and (wait := await self._take(is_person=request.is_person)):
            raise QuotaSpent("no call is left in our share of the quota", retry_after=wait)


def _normalized_id(execution_id: str) -> str:
    """The id as GCS writes it.

    Raises:
        InvalidInput: it is not an id.
    """
    requested_id = execution_id.strip().casefold()
    if not values.ID_PATTERN.fullmatch(requested_id):
        raise InvalidInput(InputProblem.NOT_AN_ID)
    return requested_id


def _outcome(error: GCSError) -> str:
    """The label for an error: its name without the prefix, in snake_case."""
    name = type(error).__name__.removeprefix("GCS").removeprefix("Execution")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
