"""Keeps the Home tabs up to date that people look at.

Lives here: `LiveHomes`. Does not live here: who looks (`bot.slack.open_homes`), drawing (`handlers.home`). Called by
`bot.app.workspace`. While nobody looks, nothing is read and nothing is sent.
"""

from __future__ import annotations

import structlog

from bot.blocks.language import speaking
from bot.domain.following import Subscriber
from bot.errors import BotError, SlackError
from bot.slack.open_homes import OpenHome
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.home import renew_home
from handlers.modals import HASH_CONFLICT

CHECK_SECONDS = 2.0
"""How long until it is checked again which Homes are due."""

log = structlog.get_logger()


class LiveHomes:
    """Brings each Home up to date while it is open."""

    def __init__(self, subscriptions: Subscriptions, workspace: Workspace) -> None:
        self._subscriptions, self._workspace = subscriptions, workspace

    async def run_once(self) -> float:
        """Bring up to date what is due; returns the seconds until the next look."""
        for user_id, home in self._workspace.homes.due():
            await self._renew(user_id, home)
        return CHECK_SECONDS

    async def _renew(self, user_id: str, home: OpenHome) -> None:
        workspace = self._workspace
        is_last = workspace.homes.is_over(home)
        workspace.homes.put_off(home)
        if is_last:
            workspace.homes.close(user_id)
        person = Subscriber(team_id=workspace.team_id, id=user_id)
        try:
            with speaking(await workspace.languages.of(workspace.team_id, user_id)):
                await renew_home(person, home, self._subscriptions, workspace, is_last=is_last)
        except SlackError as error:
            log.info("handlers.home_not_renewed", code=error.code)
            if error.code == HASH_CONFLICT:  # another copy of the bot has published it since, and keeps it up to date
                workspace.homes.close(user_id)
        except BotError as error:  # the next time, perhaps
            log.info("handlers.home_not_renewed", kind=type(error).__name__)
