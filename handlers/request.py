"""Who asks, from where, about what: read out of Slack's payload in one place.

Lives here: `Args`, `Us`, and the subscriber that a request means. Does not live here: words (`handlers.parsing`),
whether a channel can be told anything (`handlers.channels`). Called by the listeners.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.model import Subscriber
from bot.errors import InputProblem, InvalidInput
from bot.store.slack_limits import SlackLimits


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Args:
    """What listeners want of Bolt's arguments; to gather all thirty is a noticeable part of an ack."""

    body: dict[str, Any]
    client: AsyncWebClient
    context: AsyncBoltContext


@dataclass(frozen=True, slots=True)
class Workspace:
    """The workspace that the bot was installed in, its limits in Slack, and what time it is."""

    team_id: str
    limits: SlackLimits
    now: Callable[[], datetime] = _utc_now


def person(body: Mapping[str, Any], workspace: Workspace) -> Subscriber:
    """The person who asks.

    Raises:
        InvalidInput: they belong to another organisation, which shares the channel: they see what is posted there, but
            nothing is looked up for them.
    """
    user = body.get("user") or {}
    user_id = user.get("id") or body.get("user_id") or (body.get("event") or {}).get("user") or ""
    team_id = user.get("team_id") or body.get("team_id") or workspace.team_id
    is_grid = bool(body.get("enterprise") or body.get("enterprise_id"))  # one organisation, many workspaces
    if team_id != workspace.team_id and not is_grid:
        raise InvalidInput(InputProblem.OTHER_ORGANISATION)
    return Subscriber(team_id=workspace.team_id, id=user_id)


def channel_of(body: Mapping[str, Any]) -> str:
    """The id of the channel that the request comes from; empty for modals and the Home tab."""
    return str(body.get("channel_id") or (body.get("channel") or {}).get("id") or "")


def is_direct(channel_id: str) -> bool:
    """Whether the channel is a conversation between two: `here` then means the person."""
    return channel_id.startswith("D")
