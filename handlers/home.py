"""Publishing a person's Home tab; called by the listeners that open it and that change what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import home_tab
from bot.domain.model import Snapshot, Subscriber, Subscription
from handlers.calls import call
from handlers.request import Workspace


async def publish_home(
    client: AsyncWebClient,
    items: Sequence[tuple[Subscription, Snapshot | None]],
    asker: Subscriber,
    workspace: Workspace,
) -> None:
    """Draw `asker`'s Home tab with what they follow."""
    view = home_tab(items, now=workspace.now())
    await call(workspace, "views.publish", lambda: client.views_publish(user_id=asker.id, view=view))
