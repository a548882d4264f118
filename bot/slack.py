"""The door to Slack's Web API, outbound: post, edit, read back what was delivered.

Lives here: calls, and the translation of Slack's and the network's failures into `bot.errors`. Does not live here: what
to send (`bot.blocks`), when and whether (`bot.notifier`), listeners (`handlers`). Called by the notifier, and by the
service for its identity.

A call that failed has had no effect (`SlackUnavailable`, `RateLimited`, …) or may have had one (`OutcomeUnknown`). The
SDK's own retries are off, because they post a second time what the first attempt had already posted.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import OutcomeUnknown, RateLimited, SlackError, SlackUnavailable, slack_error

EVENT_TYPE = "execution_told"
"""Type of the metadata that marks our messages; its payload is a `Mark`."""

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=4)
"""On the session: the SDK ignores its own time-out once it is given a session."""

NO_RETRY_AFTER = timedelta(seconds=1)
"""What a 429 means that does not say when to come back."""

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
    told: int
    """Revision up to which the message tells."""
    at: int = 0
    """When that was seen, ms: a store that has lost its last writes gives the same revision to something else."""

    def metadata(self) -> dict[str, Any]:
        """In Slack's form. Everybody in the channel can read it, so it holds ids only."""
        payload = {"lane": self.lane, "part": self.part, "told": self.told, "at": self.at}
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
        response = await self._call(self._web.chat_postMessage, **arguments)
        ts = response.get("ts")
        if not ts:  # posted, by its own words, but where?
            raise OutcomeUnknown("no_ts")
        return str(ts)

    async def update(
        self, channel: str, ts: str, *, text: str, blocks: Sequence[Mapping[str, Any]], mark: Mark
    ) -> None:
        """Edit a message; the same edit twice is as good as once."""
        await self._call(
            self._web.chat_update, channel=channel, ts=ts, text=text, blocks=list(blocks), metadata=mark.metadata()
        )

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

    async def _call(self, method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: Any) -> AsyncSlackResponse:
        try:
            response = await method(**arguments)
        except SlackApiError as error:
            raise _translated(error) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise SlackUnavailable("no_connection", type(error).__name__) from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknown("no_answer", type(error).__name__) from error
        except (AttributeError, ValueError) as error:  # the SDK stumbles over a body that is no JSON object
            raise OutcomeUnknown("no_json", type(error).__name__) from error
        if not isinstance(response.data, dict):
            raise OutcomeUnknown("no_json")
        return response


def _delivered(row: Mapping[str, Any], lane: str) -> Delivered | None:
    metadata = row.get("metadata") or {}
    payload = metadata.get("event_payload")
    if metadata.get("event_type") != EVENT_TYPE or not isinstance(payload, dict) or payload.get("lane") != lane:
        return None
    told, at = payload.get("told"), payload.get("at", 0)
    if not isinstance(told, int) or not isinstance(at, int):  # any app may write metadata of this type
        return None
    return Delivered(ts=str(row["ts"]), mark=Mark(lane, str(payload.get("part")), told, at))


def _translated(error: SlackApiError) -> SlackError:
    response = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    headers = getattr(response, "headers", None) or {}
    if status == 429:  # noqa: PLR2004  # HTTP's own number
        return RateLimited(_retry_after(headers))
    data = response.data if isinstance(getattr(response, "data", None), dict) else {}
    code = str(data.get("error", ""))
    if code:
        return slack_error(code, retry_after=_retry_after(headers))
    return OutcomeUnknown(f"http_{status}")


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    """Slack sends whole seconds; anything else is taken for one that says nothing."""
    seconds = headers.get("Retry-After") or headers.get("retry-after") or ""
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) <= 6 else NO_RETRY_AFTER  # noqa: PLR2004  # 11 days
