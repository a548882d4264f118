"""Whether a request with a wrong signature comes from Slack anyway: then our signing secret is wrong.

Lives here: `Sender`. Does not live here: the signature (`signatures`), what follows (`refusals`).
Called by `http_mode`.

Anybody on the internet can send a request with a wrong signature, so it proves nothing. But every request from Slack
carries the app's verification token, which strangers do not know, and which stays when somebody renews the signing
secret. A digest of it is learned from requests with a good signature and kept in the store. Until the very
first of them has arrived, the only clue is whether a request names our workspace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Protocol

import structlog

from bot.errors import StoreUnavailable
from bot.slack.client import Identity
from bot.slack.inbound import payloads

MOST_BYTES = 32_768
"""At most this many bytes of a body are read if the request may be anybody's. A command from Slack has about 1 kB."""

STORE_SECONDS = 1.0
"""How long the store may take for one read or write."""

log = structlog.get_logger()


class Senders(Protocol):
    """Where all copies of the bot remember how Slack's requests are recognised."""

    async def sender(self, team_id: str) -> str:
        """The digest that was noted last; empty if there is none."""

    async def note_sender(self, team_id: str, digest: str) -> None:
        """Requests that Slack signed name a sender with this digest."""


class Sender:
    """Recognises Slack's requests for one workspace."""

    def __init__(self, identity: Identity, senders: Senders) -> None:
        self._own, self._team_id, self._senders = identity.own, identity.team_id, senders
        self._known = ""
        self._writing: asyncio.Task[None] | None = None

    def learn(self, payload: Mapping[str, Any]) -> None:
        """Learn from a request that had a good signature."""
        digest = _digest(payload)
        if digest and digest != self._known:
            self._known = digest
            self._writing = asyncio.create_task(self._write(digest))  # the ack does not wait for it

    async def is_slacks(self, body: bytes, content_type: str) -> bool:
        """Whether a request with a wrong signature comes from Slack, as far as anybody can know."""
        if len(body) > MOST_BYTES:
            return False
        try:
            payload = payloads.parsed(body, content_type)
        except payloads.Malformed:
            return False
        if not isinstance(payload, dict) or self._own.isdisjoint(_teams(payload)):
            return False
        known = self._known or await self._read()
        return not known or compare_digest(known, _digest(payload))

    async def _read(self) -> str:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                self._known = await self._senders.sender(self._team_id)
        except (StoreUnavailable, TimeoutError):
            log.info("inbound.sender_unknown")
        return self._known

    async def _write(self, digest: str) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._senders.note_sender(self._team_id, digest)
        except (StoreUnavailable, TimeoutError):
            log.info("inbound.sender_not_kept")


def _digest(payload: Mapping[str, Any]) -> str:
    """A digest of the verification token; empty if there is none."""
    token = payload.get("token")
    return sha256(token.encode(errors="replace")).hexdigest() if isinstance(token, str) and token else ""


def _teams(payload: Mapping[str, Any]) -> set[str]:
    """The workspace and the organisation that a payload names."""
    team, enterprise = payload.get("team"), payload.get("enterprise")
    parts = [part.get("id") for part in (team, enterprise) if isinstance(part, dict)]
    return {part for part in (payload.get("team_id"), payload.get("enterprise_id"), *parts) if isinstance(part, str)}
