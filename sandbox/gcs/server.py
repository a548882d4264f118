"""The server: receives a request, identifies the caller, answers, and records the call.

Lives here: `GCS`, the only class that the demo, the tests and the benchmarks need. Does not live here: its parts (see
the package's docstring).
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ssl import SSLContext
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from aiohttp import web

from sandbox.clock import Clock
from sandbox.gcs import answers, faults
from sandbox.gcs.answers import Answer, Refusal
from sandbox.gcs.bodies import Body
from sandbox.gcs.faults import Fault, Faults, Service
from sandbox.gcs.gate import Gate, Quota
from sandbox.gcs.iam import Tokens, User
from sandbox.gcs.ledger import Call, Ledger
from sandbox.gcs.listing import listing
from sandbox.gcs.stage import Stage
from sandbox.signing import Raw
from sandbox.story import Frame, Life

_EXECUTION = re.compile(r"/v1/executions/([^/]+)(/events)?")


class GCS:
    """GeneContainer Service and IAM on one port of 127.0.0.1, for one user of one project."""

    def __init__(  # noqa: PLR0913  # each is a fact about the account or the service that a test may change
        self,
        *,
        access_key: str = "SANDBOXACCESSKEY0001",
        secret_key: str = "SandboxSecretKeyForLocalUseOnly000000001",
        security_token: str | None = None,
        project_id: str = "5a4db0c5a4db0c5a4db0c5a4db0c5a4d",
        project_name: str = "cn-north-4",
        username: str = "sandbox-bot",
        password: str = "sandbox-password",
        domain: str = "sandbox-lab",
        clock: Clock | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: SSLContext | None = None,
        quota_per_minute: int = 600,
        max_limit: int = 1000,
        token_life: timedelta = timedelta(hours=24),
        seed: str = "sandbox",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`now` is wall time, for signatures and tokens; `clock` is story time.

        `host` is the name in addresses; it listens on 127.0.0.1 in any case. With `tls` it serves https.
        """
        self.access_key, self.secret_key, self.security_token = access_key, secret_key, security_token
        self.project_id = project_id
        self._host, self._tls = host, tls
        self.clock = clock or Clock()
        self.faults = Faults()
        self.user = User(
            username=username,
            password=password,
            domain=domain,
            project_name=project_name,
            project_id=project_id,
            domain_id="0123456789abcdef0123456789abcdef",
        )
        self._now = now
        self._tokens = Tokens(self.user, life=token_life, now=now)
        self._gate = Gate(
            access_key=access_key,
            secret_key=secret_key,
            security_token=security_token,
            tokens=self._tokens,
            now=now,
        )
        self._quota = Quota(quota_per_minute)
        self._stage = Stage(self.clock, project_id=project_id, domain_id=self.user.domain_id, seed=seed)
        self._ledger = Ledger()
        self._port = port
        self.max_limit = max_limit
        """At most this many items in a page of the list."""
        self.cuts_limit = False
        """Whether a larger limit is cut instead of refused."""
        self.list_lag = 0.0
        """How many story seconds lists are behind; may be changed at any time."""
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; `url` is known afterwards. OSError if the port is in use."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._stopping.clear()
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls).start()
        except OSError:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection. A later `start` listens on the same port, with the same executions."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The endpoint of both GCS and IAM."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    def play(self, life: Life, *, execution_id: str | None = None, by_hand: bool = False, ago: float = 0) -> str:
        """Begin `life` now or `ago` story seconds in the past; returns the execution's id.

        With `by_hand`, it stays in its first frame until `step`.
        """
        return self._stage.play(life, execution_id=execution_id, by_hand=by_hand, ago=ago)

    def play_on(self) -> None:
        """From now on a life that is played by hand goes on by the clock once somebody cancels or retries it."""
        self._stage.plays_on = True

    def retries_take(self, seconds: float) -> None:
        """How long each step takes of an execution that somebody retries from now on, in story seconds."""
        self._stage.retried_step_seconds = seconds

    def life(self, execution_id: str) -> Life:
        """What an execution has shown, and will show unless somebody cancels or retries it."""
        return self._stage.life(execution_id)

    def step(self, execution_id: str, *, to: str | None = None) -> Frame | None:
        """Advance a life played by hand to its next frame, or to the next one named `to`; None at the end."""
        return self._stage.step(execution_id, to=to)

    def frame(self, execution_id: str) -> Frame:
        """The frame shown now."""
        return self._stage.frame(execution_id)

    def set_frame(self, execution_id: str, frame: Frame | None) -> None:
        """Show `frame` instead of the life's until the next step; None: return to the life."""
        self._stage.set_frame(execution_id, frame)

    def body(self, execution_id: str) -> Body | None:
        """A new copy of get-execution's body for the current frame, to change and set; None for a 404."""
        return self._stage.body(execution_id)

    def set_body(self, execution_id: str, body: Body | bytes | None) -> None:
        """Answer with exactly `body` until the next step; None: return to the life."""
        self._stage.set_body(execution_id, body)

    def revoke_tokens(self) -> None:
        """Invalidate all tokens issued so far."""
        self._tokens.revoke()

    @property
    def tokens_fetched(self) -> int:
        """How many tokens IAM has issued."""
        return self._tokens.fetched

    @property
    def calls(self) -> list[Call]:
        """Every request so far, in the order in which it was answered."""
        return self._ledger.calls

    def worst_minute(self) -> int:
        """The most queries of GCS in any 60 seconds of wall time, refused ones included."""
        return self._ledger.worst_minute()

    async def wait_for_calls(self, execution_id: str, count: int, timeout: float = 60) -> None:  # noqa: ASYNC109  # a test's promise
        """Return after `count` calls about `execution_id` since the beginning, else TimeoutError."""
        await self._ledger.wait_for(execution_id, count, timeout)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        at = time.monotonic()
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = Raw(method=request.method, target=request.raw_path, headers=headers, body=await request.read())
        found = _EXECUTION.fullmatch(raw.path)
        execution_id = unquote(found[1]) if found else ""
        is_action = found is not None and not found[2] and raw.method == "PUT"
        is_narrow = found is not None and (found[2] or is_action)
        narrow: Service = "actions" if is_action else "events"
        fault = self.faults.take(narrow, execution_id) if is_narrow else None
        fault = fault or self.faults.take("iam" if raw.path.startswith("/v3/") else "gcs", execution_id)
        answered = self._operated if is_action else self._answer
        user, answer = answered(raw, execution_id, fault)
        is_silent = fault is not None and fault.kind in {"timeout", "reset"}
        await self._ledger.write(
            Call(
                at=at,
                method=raw.method,
                path=raw.path,
                query=raw.query,
                execution_id=execution_id,
                status=0 if is_silent else answer.status,
                user=user,
            )
        )
        return await self._send(request, answer, fault)

    def _answer(self, raw: Raw, execution_id: str, fault: Fault | None) -> tuple[str, Answer]:
        """The caller, if identified, and the answer."""
        if fault is not None and fault.answer is not None:
            return "", fault.answer
        if raw.method == "POST" and raw.path == "/v3/auth/tokens":
            return "", self._tokens.issue(raw)
        if raw.method != "GET" or not (execution_id or raw.path == "/v1/executions"):
            return "", answers.no_such_api()
        user = ""
        try:
            user = self._gate.identify(raw)
            self._quota.take()
            if raw.path.endswith("/events"):
                return user, self._events(execution_id)
            return user, self._get(execution_id) if execution_id else self._list(raw.query)
        except Refusal as refusal:
            return user, refusal.answer

    def _operated(self, raw: Raw, execution_id: str, fault: Fault | None) -> tuple[str, Answer]:
        """The caller, and the answer to an action (reference 5.5), which is done unless a fault comes before it."""
        user, replaced = "", fault.answer if fault else None
        if fault is not None and not fault.lets_act:
            return user, replaced or answers.unavailable(503)
        try:
            user = self._gate.identify(raw)
            self._quota.take()
            answer = self._operate(execution_id, raw.body)
        except Refusal as refusal:
            answer = refusal.answer
        return user, replaced or answer

    def _operate(self, execution_id: str, body: bytes) -> Answer:
        try:
            action = json.loads(body)["action"]
        except (ValueError, KeyError, TypeError):
            return answers.bad_action()
        if action not in ("cancel", "retry"):  # `update` changes a priority, which nobody here does
            return answers.bad_action()
        is_allowed = self._stage.operate(execution_id, action)
        if is_allowed is None:
            return answers.no_such_execution()
        return (
            Answer(200, {"id": execution_id})
            if is_allowed
            else answers.wrong_state(action, self.frame(execution_id).status)
        )

    def _get(self, execution_id: str) -> Answer:
        body = self._stage.answer(execution_id)
        return answers.no_such_execution() if body is None else Answer(200, body)

    def _events(self, execution_id: str) -> Answer:
        found = self._stage.events(execution_id)
        return answers.no_such_execution() if found is None else Answer(200, found)

    def _list(self, query: str) -> Answer:
        scenes = self._stage.scenes(lag=self.list_lag)
        return listing(
            scenes, query, project_id=self.user.project_id, max_limit=self.max_limit, cuts_limit=self.cuts_limit
        )

    async def _send(self, request: web.Request, answer: Answer, fault: Fault | None) -> web.StreamResponse:
        request_id = secrets.token_hex(16)
        response = web.Response(
            status=answer.status,
            body=answer.payload(request_id),
            headers={**answer.headers, "X-Request-Id": request_id, "Date": format_datetime(self._now(), usegmt=True)},
            content_type=answer.content_type,
        )
        if fault is None:
            return response
        return await faults.send_faulty(fault, request, response, stopping=self._stopping)
