"""Every simulated method of the Web API, with its tier and the scopes it needs.

Does not live here: what the methods do (`chat`, `conversations`, `views`), HTTP (`web_api`). Called by `web_api` and by
`server`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.slack import chat, conversations, views
from sandbox.slack.arguments import Args
from sandbox.slack.passes import Passes
from sandbox.slack.refusal import Refused
from sandbox.slack.rows import user_row
from sandbox.slack.state import Workspace

KINDS = ("channels", "groups", "im")


@dataclass(frozen=True)
class Method:
    """One method."""

    run: Callable[[Workspace, Args, Passes], dict[str, Any]]
    tier: int | None = None
    """Rate limit tier; None: no limit per minute."""
    scope: str = ""
    """`*` stands for the kind of channel, as in `*:history`."""
    is_post: bool = False
    """Whether it is limited per channel instead."""

    def scope_for(self, workspace: Workspace, args: Args) -> str:
        """The scope that this call needs; empty if none."""
        if "private_channel" in str(args.get("types")):
            return self.scope.replace("*", "groups")
        channel = workspace.channels.get(str(args.get("channel")))
        return self.scope.replace("*", channel.kind if channel else "channels")


def _plain(run: Callable[[Workspace, Args], dict[str, Any]]) -> Callable[[Workspace, Args, Passes], dict[str, Any]]:
    return lambda workspace, args, _passes: run(workspace, args)


def _api_test(_workspace: Workspace, args: Args) -> dict[str, Any]:
    return {"args": args}


def _auth_test(workspace: Workspace, _args: Args) -> dict[str, Any]:
    return {
        "url": "https://sandbox.slack.com/",
        "team": "Sandbox",
        "user": workspace.users[workspace.bot_user].name,
        "team_id": workspace.team_id,
        "user_id": workspace.bot_user,
        "bot_id": workspace.bot_id,
        **({"enterprise_id": workspace.enterprise_id} if workspace.enterprise_id else {}),
        "is_enterprise_install": False,
    }


def _users_info(workspace: Workspace, args: Args) -> dict[str, Any]:
    user = workspace.users.get(str(args.get("user")))
    if user is None:
        raise Refused("user_not_found")
    row = user_row(workspace, user)
    is_asked = str(args.get("include_locale", "")).lower() in {"1", "true"}
    return {"user": row | {"locale": user.locale} if is_asked else row}


def _usergroup_members(workspace: Workspace, args: Args) -> dict[str, Any]:
    if not workspace.is_paid:
        raise Refused("paid_teams_only")
    members = workspace.usergroups.get(str(args.get("usergroup")))
    if members is None:
        raise Refused("no_such_subteam")
    return {"users": sorted(members)}


def _team_info(workspace: Workspace, _args: Args) -> dict[str, Any]:
    return {"team": {"id": workspace.team_id, "name": "Sandbox", "domain": "sandbox"}}


def _bots_info(workspace: Workspace, _args: Args) -> dict[str, Any]:
    bot = workspace.users[workspace.bot_user]
    return {"bot": {"id": workspace.bot_id, "app_id": workspace.app_id, "user_id": bot.id, "name": bot.name}}


METHODS: dict[str, Method] = {
    "api.test": Method(_plain(_api_test)),
    "auth.test": Method(_plain(_auth_test)),
    "users.info": Method(_plain(_users_info), 4, "users:read"),
    "usergroups.users.list": Method(_plain(_usergroup_members), 2, "usergroups:read"),
    "team.info": Method(_plain(_team_info), 3, "team:read"),
    "bots.info": Method(_plain(_bots_info), 3, "users:read"),
    "chat.postMessage": Method(_plain(chat.post_message), None, "chat:write", is_post=True),
    "chat.update": Method(_plain(chat.update), 3, "chat:write"),
    "chat.postEphemeral": Method(_plain(chat.post_ephemeral), 4, "chat:write"),
    "chat.delete": Method(_plain(chat.delete), 3, "chat:write"),
    "conversations.open": Method(_plain(conversations.open_im), 3, "im:write"),
    "conversations.info": Method(_plain(conversations.info), 3, "*:read"),
    "conversations.members": Method(_plain(conversations.members), 4, "*:read"),
    "conversations.history": Method(_plain(conversations.history), 3, "*:history"),
    "conversations.replies": Method(_plain(conversations.replies), 3, "*:history"),
    "conversations.join": Method(_plain(conversations.join), 3, "channels:join"),
    "users.conversations": Method(_plain(conversations.of_person), 3, "*:read"),
    "views.open": Method(views.open_view, 4),
    "views.push": Method(views.push, 4),
    "views.update": Method(views.update, 4),
    "views.publish": Method(views.publish, 4),
}


def all_scopes() -> set[str]:
    """Every scope that any method needs, and those for slash commands and mentions."""
    scopes = {method.scope for method in METHODS.values() if method.scope}
    by_kind = {scope.replace("*", kind) for scope in scopes for kind in KINDS if "*" in scope}
    return {scope for scope in scopes if "*" not in scope} | by_kind | {"commands", "app_mentions:read"}
