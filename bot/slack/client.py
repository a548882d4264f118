"""The door to Slack's Web API, outbound: post, edit, read back what was delivered.

Lives here: calls, and the translation of Slack's and the network's failures into `bot.errors`. Does not live here: what
to send (`bot.blocks`), when and whether (`bot.workers.notifier`), listeners (`handlers`). Called by the notifier, and
by the service for its identity.

A call that failed has had no effect (`SlackUnavailable`, `RateLimited`, …) or may have had one (`OutcomeUnknown`). The
SDK's own retries are off, because they post a second time what the first attempt had already posted. Posts and edits,
which are nearly all of the calls, pass through neither the SDK nor aiohttp's session, which cost more than the wire
(`bot.exchange`, on the session's pool).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
import yarl
from aiohttp.http import RawResponseMessage
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import OutcomeUnknown, RateLimited, SlackError
from bot.exchange import FAILURES, Way
from bot.slack.errors import call_error, retry_after, slack_error

EVENT_TYPE = "execution_message"
"""Type of the metadata that marks our messages; its payload is a `Mark`."""

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=4)
"""On the session: the SDK ignores its own time-out once it is given a session."""

PAGE = 999
"""Messages of a page when reading back, the most that Slack gives: each page is a call."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in the workspace."""

    team_id: str
    bot_user_id: str
    bot_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Mark:
    """What our messages carry, invisibly, so that a send in doubt can be settled: whose it is and how far it tells."""

    lane: str
    """The subscription, as the store names it."""
    part: str
    """`card` or `change`."""
    delivered_through: int
    """Revision up to which the message tells."""
    at: int = 0
    """When that was seen, ms: a store that has lost its last writes gives the same revision to something else."""

    def metadata(self) -> dict[str, Any]:
        """In Slack's form. Everybody in the channel can read it, so it holds ids only."""
        payload = {"lane": self.lane, "part": self.part, "delivered_through": self.delivered_through, "at": self.at}
        return {"event_type": EVENT_TYPE, "event_payload": payload}


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of ours that was found in a channel."""

    ts: str
    mark: Mark


class SlackClient:
    """Slack's Web API for one workspace, on one shared session."""

    def __init__(self, token: str, *, base_url: str, session: aiohttp.ClientSession) -> None:
        # The SDK logs whole requests at DEBUG, blocks and all; nothing of that belongs into our log.
        quiet = logging.getLogger("slack_sdk.quiet")
        quiet.setLevel(logging.WARNING)
        self._web = AsyncWebClient(token=token, base_url=base_url, session=session, retry_handlers=[], logger=quiet)
        self._session = session
        headers = {"Authorization": f"Bearer {self._web.token}", "Content-Type": "application/json; charset=utf-8"}
        address, proxy = yarl.URL(self._web.base_url), self._web.proxy
        request = aiohttp.ClientRequest(
            "POST", address, headers=self._web.headers | headers, proxy=yarl.URL(proxy) if proxy else None
        )
        if session.connector is None:
            raise ValueError("a closed session")
        self._way = Way(session.connector, request, session.timeout)
        # A proxy is told the whole address, unless it only passes on what is encrypted.
        self._target = str(address) if proxy and not request.is_ssl() else address.raw_path

    async def identity(self) -> Identity:
        """Who the token belongs to."""
        response = await self._call(self._web.auth_test)
        scopes = response.headers.get("x-oauth-scopes", "") if response.headers else ""
        return Identity(
            team_id=response["team_id"],
            bot_user_id=response["user_id"],
            bot_id=response.get("bot_id", ""),
            scopes=frozenset(scope.strip() for scope in scopes.split(",") if scope.strip()),
        )

    async def socket_url(self, app_token: str) -> str:
        """A Socket Mode address; asked for only to see whether the app token works."""
        response = await self._call(self._web.apps_connections_open, app_token=app_token)
        return str(response["url"])

    async def open_dm(self, user_id: str) -> str:
        """The channel id (`D…`) of our direct messages with a person; repeating it changes nothing."""
        response = await self._call(self._web.conversations_open, users=user_id)
        return str(response["channel"]["id"])

    async def post(
        self,
        channel: str,
        *,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        mark: Mark,
        thread_ts: str | None = None,
        is_broadcast: bool = False,
    ) -> str:
        """Post a message and return its ts."""
        arguments: dict[str, Any] = {
            "channel": channel,
            "text": text,
            "metadata": mark.metadata(),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if blocks:
            arguments["blocks"] = list(blocks)
        if thread_ts is not None:
            arguments |= {"thread_ts": thread_ts, "reply_broadcast": is_broadcast}
        answer = await self._say("chat.postMessage", arguments)
        ts = answer.get("ts")
        if not ts:  # posted, by its own words, but where?
            raise OutcomeUnknown("no_ts")
        return str(ts)

    async def update(
        self, channel: str, ts: str, *, text: str, blocks: Sequence[Mapping[str, Any]], mark: Mark
    ) -> None:
        """Edit a message; the same edit twice is as good as once."""
        metadata = mark.metadata()
        arguments = {"channel": channel, "ts": ts, "text": text, "blocks": list(blocks), "metadata": metadata}
        await self._say("chat.update", arguments)

    async def delivered(
        self, channel: str, lane: str, *, since: datetime, thread_ts: str | None = None, cursor: str = ""
    ) -> tuple[list[Delivered], str]:
        """Our messages for `lane` in a channel, or in one thread of it, since a moment: one page, the next's cursor."""
        arguments: dict[str, Any] = {
            "channel": channel,
            "oldest": f"{since.timestamp():.6f}",
            "include_all_metadata": True,
            "limit": PAGE,
        }
        if cursor:
            arguments["cursor"] = cursor
        if thread_ts is None:
            response = await self._call(self._web.conversations_history, **arguments)
        else:
            response = await self._call(self._web.conversations_replies, ts=thread_ts, **arguments)
        found = [message for row in response["messages"] if (message := _delivered(row, lane)) is not None]
        return found, (response.get("response_metadata") or {}).get("next_cursor") or ""

    async def _say(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Slack's answer to one of the calls that take JSON, past the SDK but by its settings."""
        body = msgspec.json.encode(arguments)
        try:
            async with asyncio.timeout(self._session.timeout.total):
                status, headers, content = await self._sent(method, body)
        except _NO_ANSWER as error:
            raise call_error(error) from error
        answer = _parsed(content)
        if status == 200 and answer.get("ok"):  # noqa: PLR2004  # HTTP's own number
            return answer
        raise _refused(status, headers, answer)

    async def _sent(self, method: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Post `body`; status, headers and body of what comes back."""
        headers = self._way.request.headers.copy()
        headers["Content-Length"] = str(len(body))
        return await self._way.exchange(f"POST {self._target}{method}", headers, body, _whole)

    async def _call(self, method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: Any) -> AsyncSlackResponse:
        try:
            response = await method(**arguments)
        except SlackApiError as error:
            raise call_error(error) from error
        except _NO_ANSWER as error:
            raise call_error(error) from error
        except (AttributeError, ValueError) as error:  # the SDK stumbles over a body that is no JSON object
            raise OutcomeUnknown("no_json", type(error).__name__) from error
        if not isinstance(response.data, dict):
            raise OutcomeUnknown("no_json")
        return response


_NO_ANSWER = (*FAILURES, SlackClientError, TimeoutError)


async def _whole(head: RawResponseMessage, content: aiohttp.StreamReader) -> tuple[int, Mapping[str, str], bytes]:
    return head.code, head.headers, await content.read()


def _delivered(row: Mapping[str, Any], lane: str) -> Delivered | None:
    metadata = row.get("metadata") or {}
    payload = metadata.get("event_payload")
    if metadata.get("event_type") != EVENT_TYPE or not isinstance(payload, dict) or payload.get("lane") != lane:
        return None
    delivered_through, at = payload.get("delivered_through"), payload.get("at", 0)
    if not isinstance(delivered_through, int) or not isinstance(at, int):  # any app may write metadata of this type
        return None
    return Delivered(ts=str(row["ts"]), mark=Mark(lane, str(payload.get("part")), delivered_through, at))


def _parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object that `body` is; empty where it is none."""
    try:
        answer = msgspec.json.decode(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refused(status: int, headers: Mapping[str, str], answer: Mapping[str, Any]) -> SlackError:
    """What it means that Slack, or something before it, did not say «ok»."""
    if status == 429:  # noqa: PLR2004  # HTTP's own number
        return RateLimited(retry_after(headers))
    code = str(answer.get("error", ""))
    if not code:
        return OutcomeUnknown(f"http_{status}")
    return slack_error(code, str(answer.get("needed", "")), wait=retry_after(headers))
