"""Slack's Web API, outbound: identity, views, channels.

Lives here: calls, each of which returns Slack's answer or raises one of `bot.errors`. Does not live here: posting and
editing (`bot.slack.messages`), what a failure means (`bot.slack.errors`), waiting after a 429 (`bot.slack.calls`).
Called by the siblings, by the listeners through `bot.slack.workspace`, and by `bot.app`.

The SDK's own retries are off: they would post a second time what the first attempt may already have posted.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import OutcomeUnknown
from bot.slack.errors import FAILURES, call_error

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=4)
"""Belongs on the session: the SDK ignores its own time-out once it is given a session."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in a workspace."""

    team_id: str
    bot_user_id: str
    bot_id: str
    scopes: frozenset[str]


class SlackClient:
    """The Web API of one workspace, on a shared session."""

    def __init__(self, token: str, *, base_url: str, session: aiohttp.ClientSession) -> None:
        # At DEBUG the SDK logs whole requests with their blocks and addresses; none of that belongs in a log.
        self._quiet = logging.getLogger("slack_sdk.quiet")
        self._quiet.setLevel(logging.WARNING)
        self._session = session
        self.web = AsyncWebClient(
            token=token, base_url=base_url, session=session, retry_handlers=[], logger=self._quiet
        )
        """The SDK's client. The siblings call its methods through `call`, which translates failures."""

    async def identity(self) -> Identity:
        """Whom the token belongs to."""
        response = await self.call(self.web.auth_test)
        scopes = response.headers.get("x-oauth-scopes", "") if response.headers else ""
        return Identity(
            team_id=response["team_id"],
            bot_user_id=response["user_id"],
            bot_id=response.get("bot_id", ""),
            scopes=frozenset(scope.strip() for scope in scopes.split(",") if scope.strip()),
        )

    async def socket_url(self, app_token: str) -> str:
        """A Socket Mode address; requested only to see whether the app token works."""
        response = await self.call(self.web.apps_connections_open, app_token=app_token)
        return str(response["url"])

    async def channel(self, channel_id: str) -> Mapping[str, Any]:
        """What Slack says about a channel (`conversations.info`)."""
        response = await self.call(self.web.conversations_info, channel=channel_id)
        return response.get("channel") or {}

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a modal and return its id. A trigger works once, within three seconds."""
        response = await self.call(self.web.views_open, trigger_id=trigger_id, view=dict(view))
        return str(response["view"]["id"])

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Replace what an open modal shows."""
        await self.call(self.web.views_update, view_id=view_id, view=dict(view))

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> None:
        """Replace what a person's Home tab shows."""
        await self.call(self.web.views_publish, user_id=user_id, view=dict(view))

    def webhook(self, url: str) -> AsyncWebhookClient:
        """The SDK's client for a `response_url`, on the same session and proxy."""
        return AsyncWebhookClient(
            url, session=self._session, proxy=self.web.proxy, retry_handlers=[], logger=self._quiet
        )

    async def call(self, method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: Any) -> AsyncSlackResponse:
        """Call one of `web`'s methods.

        Raises:
            SlackError: what the failure means; never the SDK's or the network's own exception.
        """
        try:
            response = await method(**arguments)
        except FAILURES as error:
            raise call_error(error) from error
        if not isinstance(response.data, dict):
            raise OutcomeUnknown("no_json")
        return response
