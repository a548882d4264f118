"""Publishing a person's Home tab.

Called by the listener of the event that opens it, and by listeners that change what it shows.
"""

from __future__ import annotations

from bot.blocks import home_tab
from bot.domain.model import Followed, Subscriber
from bot.slack.calls import call
from bot.slack.workspace import Workspace


async def publish_home(followed: Followed, asker: Subscriber, workspace: Workspace) -> None:
    """Show `asker` on their Home tab what they follow."""
    view = home_tab(followed.items, unreadable=followed.unreadable, now=workspace.now())
    await call(workspace, "views.publish", lambda: workspace.slack.publish_home(asker.id, view))
