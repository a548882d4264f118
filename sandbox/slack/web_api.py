"""The Web API over HTTP: token, scope, limits and faults around the methods of the `catalogue`.

Does not live here: the methods themselves. Mounted by `server` under /api/.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from aiohttp import web

from sandbox.slack.arguments import Args, arguments
from sandbox.slack.catalogue import METHODS, Method
from sandbox.slack.faults import Fault, Faults
from sandbox.slack.limits import Limits
from sandbox.slack.passes import Passes
from sandbox.slack.refusal import Refused
from sandbox.slack.state import Workspace


@dataclass(frozen=True)
class Call:
    """A completed call of the Web API."""

    at: float
    method: str
    args: Args
    """Without the token."""
    error: str = ""
    """Slack's code, or the kind of fault; empty if it succeeded."""


@dataclass
class Tokens:
    """The valid tokens and the granted scopes."""

    bot: str
    app: str
    scopes: frozenset[str]
    bot_refusal: str = ""
    """Why the bot's token is no longer accepted: `token_revoked`, or `account_inactive` after the app was removed."""


class WebAPI:
    """All methods for one workspace; `calls` records each call."""

    def __init__(
        self, workspace: Workspace, tokens: Tokens, passes: Passes, *, socket_url: Callable[[], str | None]
    ) -> None:
        self.calls: list[Call] = []
        self.faults = Faults()
        self.limits = Limits(workspace.now)
        self._workspace = workspace
        self._tokens = tokens
        self._passes = passes
        self._socket_url = socket_url

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        method = request.match_info["method"]
        args: Args = {}
        try:
            args = await arguments(request)
            token = _token(request, args)
            fault = self.faults.take(method, args.get("channel"))
            if fault is not None:
                return await self._faulty(request, fault, method, args, token)
            return self._answer(method, args, token)
        except Refused as refused:
            return self._refuse(method, args, refused)

    def _answer(self, method: str, args: Args, token: str) -> web.Response:
        try:
            body = self._run(method, args, token)
        except Refused as refused:
            return self._refuse(method, args, refused)
        self._record(method, args)
        return web.json_response({"ok": True, **body}, headers=self._headers())

    def _run(self, name: str, args: Args, token: str) -> dict[str, Any]:
        if name == "apps.connections.open":
            return self._connection(token)
        method = METHODS.get(name)
        if method is None:
            raise Refused("unknown_method", req_method=name)
        if name != "api.test":
            self._authorize(method, args, token)
        target = self._place(args) if method.is_post else None
        seconds = self.limits.wait(name, method.tier, target)
        if seconds:
            raise Refused("ratelimited", retry_after=seconds)
        return method.run(self._workspace, args, self._passes)

    def _place(self, args: Args) -> str:
        # A person and the direct messages with them count as one place.
        name = str(args.get("channel"))
        return self._workspace.ims[name].id if name in self._workspace.ims else name

    def _connection(self, token: str) -> dict[str, Any]:
        if token != self._tokens.app:
            raise Refused("not_allowed_token_type" if token == self._tokens.bot else "invalid_auth")
        seconds = self.limits.wait("apps.connections.open", 3, None)
        if seconds:
            raise Refused("ratelimited", retry_after=seconds)
        url = self._socket_url()
        if url is None:
            raise Refused("internal_error")
        return {"url": url}

    def _authorize(self, method: Method, args: Args, token: str) -> None:
        if not token:
            raise Refused("not_authed")
        if token == self._tokens.bot and self._tokens.bot_refusal:
            raise Refused(self._tokens.bot_refusal)
        if token != self._tokens.bot:
            raise Refused("not_allowed_token_type" if token == self._tokens.app else "invalid_auth")
        needed = method.scope_for(self._workspace, args)
        if needed and needed not in self._tokens.scopes:
            raise Refused("missing_scope", needed=needed, provided=self._scopes())

    async def _faulty(
        self, request: web.Request, fault: Fault, method: str, args: Args, token: str
    ) -> web.StreamResponse:
        if fault.kind == "error":
            return self._refuse(method, args, Refused(fault.error))
        if fault.kind == "ratelimited":
            return self._refuse(method, args, Refused("ratelimited", retry_after=fault.retry_after))
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay)
            return self._answer(method, args, token)
        if fault.kind == "slow_after":
            answer = self._answer(method, args, token)
            await asyncio.sleep(fault.delay)
            return answer
        if fault.kind.endswith("_after"):
            self._answer(method, args, token)
        else:
            self._record(method, args, fault.kind)
        if fault.kind == "silent":
            await asyncio.sleep(fault.delay)
        if fault.kind.startswith(("drop", "silent")) and request.transport is not None:
            request.transport.abort()
        return web.Response(status=fault.status, text="upstream error")

    def _refuse(self, method: str, args: Args, refused: Refused) -> web.Response:
        self._record(method, args, refused.code)
        more = dict(refused.more)
        headers, status = self._headers(), 200
        if refused.code == "ratelimited":
            self.limits.refused[method] += 1
            headers["Retry-After"], status = str(more.pop("retry_after")), 429
        return web.json_response({"ok": False, "error": refused.code, **more}, status=status, headers=headers)

    def _record(self, method: str, args: Args, error: str = "") -> None:
        self.calls.append(Call(self._workspace.now(), method, args, error))

    def _headers(self) -> dict[str, str]:
        return {
            "Date": formatdate(self._workspace.now(), usegmt=True),
            "x-oauth-scopes": self._scopes(),
            "x-slack-req-id": f"sandbox-{len(self.calls)}",
        }

    def _scopes(self) -> str:
        return ",".join(sorted(self._tokens.scopes))


def _token(request: web.Request, args: Args) -> str:
    header = request.headers.get("Authorization", "")
    in_body = args.pop("token", "")
    return header.removeprefix("Bearer ") if header else str(in_body)
