"""HTTP mode: Slack posts each request to a public address in front of the bot.

Lives here: receiving, refusing and answering requests. Does not live here: the server and its limits
(`bot.http_server`), the signature (`signatures`), the payload (`payloads`), who sent what is refused (`sender`). Called
by `bot.app.workspace`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp

from bot.http_server import HTTPServer
from bot.slack.inbound import payloads
from bot.slack.inbound.dispatch import dispatch
from bot.slack.inbound.refusals import Refusals
from bot.slack.inbound.sender import Sender
from bot.slack.inbound.signatures import Refusal, refusal

log = structlog.get_logger()

PATH = "/slack/events"
"""Where Slack posts commands, interactions and events."""

_STOP_SECONDS = 3.0
"""How long `stop` waits for requests that are being answered."""


class HTTPMode:
    """Requests arrive over HTTP, at a public address in front of the bot."""

    def __init__(
        self,
        app: AsyncApp,
        signing_secret: str,
        *,
        host: str,
        port: int,
        sender: Sender | None = None,
        is_clock_wrong: Callable[[], bool] = lambda: False,
    ) -> None:
        """`sender` distinguishes Slack's requests from strangers'; without one, no refused request counts against us.

        `is_clock_wrong`: whether Slack's and GCS's clocks say so, since a replayed request has an old time as well.
        """
        self._sender, self._is_clock_wrong = sender, is_clock_wrong
        self._app, self._secret, self._host, self._port = app, signing_secret, host, port
        self._server = HTTPServer([web.post(PATH, self._receive)], stop_seconds=_STOP_SECONDS)
        self._refusals = Refusals()

    async def start(self) -> None:
        """Listen."""
        port = await self._server.start(self._host, self._port)
        log.info("inbound.listening", port=port, path=PATH)

    async def stop(self) -> None:
        """Take no more requests, and answer those that have arrived."""
        await self._server.stop()

    async def problem(self) -> str | None:
        """What is wrong, or None."""
        return self._refusals.problem if self._server.is_listening else "not listening"

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        reason = refusal(self._secret, request.headers, body, now=time.time())
        if reason is not None:
            self._refusals.note(reason, is_slacks=await self._is_slacks(reason, body, request.content_type))
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        self._refusals.accept()
        try:
            payload = payloads.checked(payloads.parsed(body, request.content_type))
            if self._sender is not None:
                self._sender.learn(payload)
            response = await dispatch(self._app, payload)
        except payloads.Malformed:
            self._refusals.note(Refusal.MALFORMED_BODY)
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        return await to_aiohttp_response(response)

    async def _is_slacks(self, reason: Refusal, body: bytes, content_type: str) -> bool:
        """Whether Slack sent a request that is refused, so that the reason is ours."""
        if reason is Refusal.WRONG_SIGNATURE:
            return self._sender is not None and await self._sender.is_slacks(body, content_type)
        return reason is Refusal.STALE and self._is_clock_wrong()
