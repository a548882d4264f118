"""Who may use the bot: checked here, and only here, before a listener does anything for a person.

Lives here: `Access`, which looks up what a person is and which user groups they are in. Does not live here: what
follows from that (`bot.domain.access`), whom a request comes from (`handlers.request`), the sentence for a
refusal (`bot.blocks.sentences`). Called by `handlers.middleware`.

A lookup that fails lets nobody in. The exception is the optional scope `users:read`: without it Slack does not say
who is a guest, and only what the request shows counts (`Signs`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any

import structlog

from bot.domain.access import Refusal, Signs, Standing
from bot.errors import InputProblem, NotAllowed, SlackError, Undeliverable, UnknownRefusal
from bot.slack.calls import call
from bot.slack.channels import refresh_sharing
from bot.slack.lookups import Lookups
from bot.slack.workspace import Workspace

REUSED_SECONDS = 300.0
"""How long Slack's answer about a person or a group is reused."""

MOST_PEOPLE, MOST_GROUPS = 10_000, 100
"""At most this many answers are kept."""

WITHIN_SECONDS = 6.0
"""How long a person waits at most for what Slack says about them or a group."""

UNREADABLE_SECONDS = 20.0
"""How long to wait before an unreadable group is read again: Slack allows 20 of these calls a minute."""

_PROBLEMS = {
    Refusal.OUTSIDER: InputProblem.OTHER_ORGANISATION,
    Refusal.GUEST: InputProblem.GUEST,
    Refusal.NOT_LISTED: InputProblem.NOT_LISTED,
    Refusal.GROUP_UNREADABLE: InputProblem.GROUP_UNREADABLE,
    Refusal.NO_OPERATOR: InputProblem.NO_OPERATOR,
    Refusal.OPERATORS_UNREADABLE: InputProblem.OPERATORS_UNREADABLE,
}

log = structlog.get_logger()


class _NoScope(Exception):
    """The bot may not look people up."""


class Access:
    """The access rules of one workspace, applied to its people."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._rules = workspace, workspace.rules
        self._people: Lookups[Standing] = Lookups(REUSED_SECONDS, most=MOST_PEOPLE)
        self._groups: Lookups[frozenset[str]] = Lookups(REUSED_SECONDS, most=MOST_GROUPS)
        self._unreadable: dict[str, float] = {}
        """Until when a group that could not be read is not read again."""
        self._no_scope_until = 0.0
        """Until when nobody is looked up, because the scope is missing."""

    async def check(self, user_id: str, *, signs: Signs, channel_id: str) -> None:
        """Make sure that a person may use the bot in a channel; `signs` are what the request itself shows.

        Raises:
            NotAllowed: they may not; the problem says why.
        """
        if not user_id:
            raise NotAllowed(InputProblem.OTHER_ORGANISATION)
        if self._rules.needs_standing:
            self._refuse(self._rules.refusal(await self.standing(user_id, signs=signs, channel_id=channel_id)))
        self._refuse(await self._unlisted(user_id))
        if not self._rules.allows_channel(channel_id):
            raise NotAllowed(InputProblem.CHANNEL_NOT_LISTED)

    async def check_member(self, user_id: str, *, signs: Signs, channel_id: str) -> None:
        """Make sure that a person is a full member, whatever the rules let others do.

        Raises:
            NotAllowed: they are not, or Slack does not say.
        """
        if await self.standing(user_id, signs=signs, channel_id=channel_id) is not Standing.MEMBER:
            raise NotAllowed(InputProblem.MEMBERS_ONLY)

    async def check_operator(self, user_id: str) -> None:
        """Make sure that a person who may use the bot may also cancel and retry executions.

        Raises:
            NotAllowed: they may not, or one of the operators' groups cannot be read.
        """
        self._refuse(await self._no_operator(user_id))

    async def is_operator(self, user_id: str) -> bool:
        """Whether a person may cancel and retry executions: it decides what they are shown, and nothing else."""
        return self._rules.has_operators and await self._no_operator(user_id) is None

    async def standing(self, user_id: str, *, signs: Signs, channel_id: str) -> Standing:
        """What a person is to the workspace.

        Raises:
            NotAllowed: Slack does not say.
        """
        if signs.is_outsider:
            return Standing.OUTSIDER
        if signs.is_guest:
            return Standing.GUEST
        known = await self._known(user_id) if monotonic() >= self._no_scope_until else None
        return known or await self._by_signs(signs, channel_id)

    async def _by_signs(self, signs: Signs, channel_id: str) -> Standing:
        """What a person is if the bot may not look them up: a member, unless other organisations share the channel.

        Raises:
            NotAllowed: others share the channel, and the request does not say where the person belongs.
        """
        if not signs.names_team and (signs.is_in_shared_channel or await self._is_shared(channel_id)):
            if self._rules.external:
                return Standing.OUTSIDER
            raise NotAllowed(InputProblem.PERSON_UNNAMED)
        return Standing.MEMBER

    async def _is_shared(self, channel_id: str) -> bool:
        """Whether other organisations share a channel, as far as the bot can find out."""
        if not channel_id or channel_id.startswith("D"):
            return False
        workspace = self._workspace
        record = await workspace.channels.find(workspace.team_id, channel_id)
        if record is not None:
            return record.is_shared
        try:
            return await refresh_sharing(workspace, channel_id)
        except SlackError as error:
            log.info("slack.audience_unknown", channel=channel_id, code=error.code)
            return False

    async def _known(self, user_id: str) -> Standing | None:
        """What Slack says that a person is; None without the scope for that."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await self._people.get(user_id, lambda: self._look_up(user_id))
        except _NoScope:
            return None
        except (SlackError, TimeoutError) as error:
            log.warning("slack.person_unknown", kind=type(error).__name__, code=getattr(error, "code", ""))
            raise NotAllowed(InputProblem.PERSON_UNKNOWN) from error

    async def _look_up(self, user_id: str) -> Standing:
        try:
            user = await call(self._workspace, "users.info", lambda: self._workspace.slack.user(user_id))
        except Undeliverable:  # not in this workspace, or not visible from it
            return Standing.OUTSIDER
        except SlackError as error:
            if error.code != "missing_scope":
                raise
            log.warning("slack.scope_missing", needed=error.detail)
            self._workspace.languages.note_silence()
            self._no_scope_until = monotonic() + REUSED_SECONDS
            raise _NoScope from error
        self._workspace.languages.note(user_id, user)
        return standing_of(user, self._workspace.identity.own)

    async def _unlisted(self, user_id: str) -> Refusal | None:
        if not self._rules.needs_groups(user_id):
            return self._rules.unlisted(user_id, is_in_group=False, is_group_unreadable=False)
        is_in, is_unreadable = await self._in_one_of(user_id, self._rules.groups)
        return self._rules.unlisted(user_id, is_in_group=is_in, is_group_unreadable=is_unreadable)

    async def _no_operator(self, user_id: str) -> Refusal | None:
        rules = self._rules
        groups = frozenset() if user_id in rules.operators else rules.operator_groups
        is_in, is_unreadable = await self._in_one_of(user_id, groups)
        return rules.no_operator(user_id, is_in_group=is_in, is_group_unreadable=is_unreadable)

    async def _in_one_of(self, user_id: str, groups: Collection[str]) -> tuple[bool, bool]:
        """Whether a person is in one of the groups that can be read, and whether one cannot be."""
        found = await asyncio.gather(*map(self._members, sorted(groups)))
        return any(user_id in members for members in found if members is not None), None in found

    async def _members(self, group_id: str) -> frozenset[str] | None:
        """The members of a group; None when it cannot be read."""
        if monotonic() < self._unreadable.get(group_id, 0.0):
            return None
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await self._groups.get(group_id, lambda: self._read(group_id))
        except (SlackError, TimeoutError) as error:
            code = getattr(error, "code", "no_answer")
            log.warning("slack.group_unreadable", group=group_id, code=code)
            self._unreadable[group_id] = monotonic() + UNREADABLE_SECONDS
            return None

    async def _read(self, group_id: str) -> frozenset[str]:
        return await call(self._workspace, "usergroups.users.list", lambda: self._workspace.slack.group(group_id))

    @staticmethod
    def _refuse(refusal: Refusal | None) -> None:
        if refusal is not None:
            raise NotAllowed(_PROBLEMS[refusal])


def standing_of(user: Mapping[str, Any], own: frozenset[str]) -> Standing:
    """What `users.info` says about a person; `own` are the ids of the workspace and its organisation.

    Slack calls people of other organisations strangers only while no channel has both them and the bot, so their
    workspace decides.

    Raises:
        UnknownRefusal: it does not say which workspace they belong to.
    """
    grid = user.get("enterprise_user")
    enterprise_id = grid.get("enterprise_id") if isinstance(grid, dict) else None
    homes = {home for home in (user.get("team_id"), enterprise_id) if isinstance(home, str) and home}
    if not homes:
        raise UnknownRefusal("no_team")
    if user.get("is_stranger") or own.isdisjoint(homes):
        return Standing.OUTSIDER
    return Standing.GUEST if user.get("is_restricted") or user.get("is_ultra_restricted") else Standing.MEMBER
