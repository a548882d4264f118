"""Slack's Web API, outbound: identity, views, channels; and replies to requests.

Lives here: calls, each of which returns Slack's answer or raises one of `bot.errors`. Does not live here: posting and
editing (`bot.slack.messages`), what a failure means (`bot.slack.errors`), waiting after a 429 (`bot.slack.calls`).
Called by the siblings, by the listeners through `bot.slack.workspace`, and by `bot.app`.

The SDK's own retries are off: they would post a second time what the first attempt may already have posted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from yarl import URL

from bot.clock import ClockSkew
from bot.errors import OutcomeUnknown, SlackError, UnknownRefusal
from bot.metrics import LAST_SUCCESS, SLACK_FAILURES
from bot.network import Network
from bot.slack.errors import FAILURES, KNOWN_CODES, call_error, response_error

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=4)
"""Belongs on the session: the SDK ignores its own time-out once it is given a session."""

_SUCCESS = LAST_SUCCESS.labels("slack")

_Server = tuple[str, str | None, int | None]
"""Scheme, host and port."""

HOOKS: _Server = ("https", "hooks.slack.com", 443)
"""Where Slack accepts replies to requests."""

MEMBERS_PAGE = 1000
"""How many members of a channel one call returns, the most that Slack does."""

CONVERSATIONS_PAGE = 999
"""How many channels of a person one call returns, the most that Slack does."""

_ID_FORMS = {"team_id": re.compile(r"[TE][A-Z0-9]{1,63}"), "user_id": re.compile(r"[UW][A-Z0-9]{1,63}")}
"""What `auth.test` must say, and what an id of that kind looks like."""

_ADDRESS = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)*\.slack(?:-gov)?\.com/")
"""The address of a workspace, whose links are shown to people."""

_SLACK_HOSTS = frozenset({"slack.com", "www.slack.com"})
"""Slack's own hosts of the Web API, which accept no replies."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in a workspace."""

    team_id: str
    bot_user_id: str
    bot_id: str
    scopes: frozenset[str] | None
    """None where Slack, or a proxy in front of it, did not say."""
    enterprise_id: str = ""
    """The organisation of the workspace (`E…`); empty outside Enterprise Grid."""
    address: str = ""
    """Where its messages are, for links to them: `https://….slack.com/`; empty where Slack did not say."""

    @property
    def own(self) -> frozenset[str]:
        """The ids that say of a person or a request that it belongs to this workspace or its organisation."""
        return frozenset({self.team_id, self.enterprise_id} - {""})


def slack_session(network: Network) -> aiohttp.ClientSession:
    """A session for all calls to Slack, which trusts what `network` trusts."""
    return aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(ssl=network.tls()))


class SlackClient:
    """The Web API of one workspace, on a shared session."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        session: aiohttp.ClientSession,
        network: Network | None = None,
        clock: ClockSkew | None = None,
    ) -> None:
        """`network`: the way out, by default a direct one; `session` trusts its certificates (`slack_session`).

        `clock` learns from the `Date` of each response.
        """
        self._clock = clock or ClockSkew()
        # At DEBUG the SDK logs whole requests with their blocks and addresses; none of that belongs in a log.
        self._quiet = logging.getLogger("slack_sdk.quiet")
        self._quiet.setLevel(logging.WARNING)
        self._session, self._network = session, network or Network()
        self._response_servers = _response_servers(URL(base_url))
        self._identity: Identity | None = None
        self.web = AsyncWebClient(
            token=token, base_url=base_url, session=session, retry_handlers=[], logger=self._quiet
        )
        """The SDK's client. The siblings call its methods through `call`, which translates failures."""
        self.web.proxy = self._network.proxy_for(base_url)  # the SDK would take one from the environment

    async def identity(self) -> Identity:
        """Whose token it is.

        Raises:
            OutcomeUnknown: the response does not say; perhaps it is not Slack's. The store would get an empty owner.
            SlackError: what another failure means.
        """
        response = await self.call(self.web.auth_test)
        for name, form in _ID_FORMS.items():
            if not form.fullmatch(str(response.get(name))):
                raise OutcomeUnknown("no_identity", name)
        scopes = response.headers.get("x-oauth-scopes", "") if response.headers else ""
        self._identity = Identity(
            team_id=response["team_id"],
            bot_user_id=response["user_id"],
            bot_id=response.get("bot_id") or "",
            scopes=frozenset(filter(None, map(str.strip, scopes.split(",")))) or None,  # every token has some
            enterprise_id=response.get("enterprise_id") or "",
            address=str(response.get("url")) if _ADDRESS.fullmatch(str(response.get("url"))) else "",
        )
        return self._identity

    async def known_identity(self) -> Identity:
        """Whose token it is, requested only once: a token does not change hands."""
        return self._identity or await self.identity()

    async def app_id(self) -> str:
        """The app whose token it is (`A…`); empty where Slack does not say.

        Raises:
            SlackError: the scope `users:read` is missing, or what another failure means.
        """
        response = await self.call(self.web.bots_info, bot=(await self.known_identity()).bot_id)
        return str((response.get("bot") or {}).get("app_id") or "")

    @property
    def address(self) -> str:
        """The address of the workspace; empty until `identity` was called."""
        return self._identity.address if self._identity else ""

    async def socket_url(self, app_token: str) -> str:
        """A Socket Mode address; requested only to see whether the app token works."""
        response = await self.call(self.web.apps_connections_open, app_token=app_token)
        return str(response["url"])

    async def channel(self, channel_id: str) -> Mapping[str, Any]:
        """What Slack says about a channel (`conversations.info`).

        Raises:
            OutcomeUnknown: the response describes none. That must not look like a channel that nobody else reads.
            SlackError: what another failure means.
        """
        response = await self.call(self.web.conversations_info, channel=channel_id)
        channel = response.get("channel")
        if not isinstance(channel, dict) or not channel.get("id"):
            raise OutcomeUnknown("no_channel")
        return channel

    async def team_name(self, team_id: str) -> str:
        """The name of a workspace or organisation (`team.info`), which needs the scope `team:read`."""
        response = await self.call(self.web.team_info, team=team_id)
        return str((response.get("team") or {}).get("name") or "")

    async def members(self, channel_id: str, cursor: str = "") -> tuple[frozenset[str], str]:
        """One page of a channel's members (`conversations.members`), and the cursor of the next."""
        arguments = {"channel": channel_id, "limit": MEMBERS_PAGE} | ({"cursor": cursor} if cursor else {})
        response = await self.call(self.web.conversations_members, **arguments)
        found = frozenset(map(str, response.get("members") or ()))
        return found, str((response.get("response_metadata") or {}).get("next_cursor") or "")

    async def conversations(self, user_id: str, cursor: str = "") -> tuple[frozenset[str], str]:
        """One page of the channels that a person is in and the bot may see (`users.conversations`), and the cursor.

        A private channel is among them only if the bot is in it, too.
        """
        arguments = {"user": user_id, "limit": CONVERSATIONS_PAGE, "types": "public_channel,private_channel"}
        arguments |= {"exclude_archived": True} | ({"cursor": cursor} if cursor else {})
        response = await self.call(self.web.users_conversations, **arguments)
        found = response.get("channels")
        if not isinstance(found, list):
            raise OutcomeUnknown("no_channels")
        ids = frozenset(str(each["id"]) for each in found if isinstance(each, dict) and each.get("id"))
        return ids, str((response.get("response_metadata") or {}).get("next_cursor") or "")

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """What Slack says about a person (`users.info`)."""
        response = await self.call(self.web.users_info, user=user_id, include_locale=True)
        return response.get("user") or {}

    async def group(self, group_id: str) -> frozenset[str]:
        """The ids of the members of a user group (`usergroups.users.list`)."""
        response = await self.call(self.web.usergroups_users_list, usergroup=group_id)
        return frozenset(map(str, response.get("users") or ()))

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a modal and return its id. A trigger works once, within three seconds."""
        response = await self.call(self.web.views_open, trigger_id=trigger_id, view=dict(view))
        return str(response["view"]["id"])

    async def update_view(self, view_id: str, view: Mapping[str, Any], *, before: str = "") -> str:
        """Replace what an open modal shows; with `before`, only if Slack's hash of it is still this one.

        Returns the new hash; empty if Slack does not say.
        """
        guard = {"hash": before} if before else {}
        response = await self.call(self.web.views_update, view_id=view_id, view=dict(view), **guard)
        return str((response.get("view") or {}).get("hash") or "")

    async def publish_home(self, user_id: str, view: Mapping[str, Any], *, version: str = "") -> str:
        """Replace what a person's Home tab shows; with `version`, only if Slack's hash of it is still this one.

        Returns the new hash; empty if Slack does not say.
        """
        guard = {"hash": version} if version else {}
        response = await self.call(self.web.views_publish, user_id=user_id, view=dict(view), **guard)
        return str((response.get("view") or {}).get("hash") or "")

    def is_response_url(self, url: str) -> bool:
        """Whether `url` is Slack's: nobody else gets a reply, whatever a request says.

        The server of `SLACK_API_URL` counts as Slack's.
        """
        try:
            parsed = URL(url)
        except ValueError:
            return False
        return (parsed.scheme, parsed.host, parsed.port) in self._response_servers and parsed.user is None

    async def respond(self, url: str, content: Mapping[str, Any]) -> SlackError | None:
        """Send `content` to a `response_url`, once and following no redirect; returns the refusal, if there is one.

        Raises:
            SlackError: Slack did not respond.
        """
        try:
            proxy = self._network.proxy_for(url)
            async with self._session.post(url, json=content, proxy=proxy, allow_redirects=False) as response:
                return response_error(response.status, response.headers, await response.text(errors="replace"))
        except FAILURES as error:
            raise call_error(error) from error

    async def call(self, method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: Any) -> AsyncSlackResponse:
        """Call one of `web`'s methods.

        Raises:
            SlackError: what the failure means; never the SDK's or the network's own exception.
        """
        try:
            response = await method(**arguments)
        except FAILURES as error:
            self._hear(getattr(error, "response", None))
            raise _counted(method.__name__, call_error(error)) from error
        self._hear(response)
        if not isinstance(response.data, dict):
            raise _counted(method.__name__, OutcomeUnknown("no_json"))
        _SUCCESS.set_to_current_time()
        return response

    def _hear(self, response: Any) -> None:
        headers = getattr(response, "headers", None) or {}
        self._clock.heard("Slack", headers.get("Date"))


def is_shared(channel: Mapping[str, Any]) -> bool:
    """Whether people of other organisations read a channel that Slack describes, or are invited to.

    Slack says yes or no of every kind of conversation but direct messages, which nobody else can join. Where it says
    neither, they may.
    """
    if channel.get("is_im") is True:
        return bool(channel.get("is_ext_shared"))
    return not (_denied(channel, "is_ext_shared", "is_shared") and _nobody_invited(channel))


def organisations_of(channel: Mapping[str, Any], own: frozenset[str]) -> frozenset[str]:
    """The ids of the other organisations that read a channel, or are invited to; empty if Slack lists none.

    `own` are the ids of the workspace and its organisation, whose other workspaces are not strangers.
    """
    shared = _ids(channel, "shared_team_ids") - _ids(channel, "internal_team_ids")
    return (shared | _ids(channel, "connected_team_ids") | _ids(channel, "pending_connected_team_ids")) - own


def _ids(channel: Mapping[str, Any], name: str) -> frozenset[str]:
    found = channel.get(name)
    return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()


_INVITED = ("is_pending_ext_shared", "pending_connected_team_ids", "pending_shared")


def _nobody_invited(channel: Mapping[str, Any]) -> bool:
    """Whether Slack says so, and no other field contradicts it by naming somebody."""
    given = [channel[name] for name in _INVITED if channel.get(name) is not None]
    return bool(given) and all(each is False or each == [] for each in given)


def _denied(channel: Mapping[str, Any], *names: str) -> bool:
    """Whether the first of these fields that is there says no: with False, or an empty list."""
    found = next((channel[name] for name in names if channel.get(name) is not None), None)
    return found is False or found == []


def _response_servers(api: URL) -> frozenset[_Server]:
    """Where replies may go: to Slack, and to what stands in for it at another address of the Web API."""
    if api.host is None or api.host in _SLACK_HOSTS:
        return frozenset({HOOKS})
    return frozenset({HOOKS, *((api.scheme, host, api.port) for host in (api.host, f"hooks.{api.host}"))})


def _counted(name: str, error: SlackError) -> SlackError:
    """Count a failed call under Slack's name of the method, with a label that has few values."""
    unlisted = "unknown" if isinstance(error, UnknownRefusal) else "no_answer"
    code = error.code if error.code in KNOWN_CODES else unlisted
    SLACK_FAILURES.labels(name.replace("_", "."), code).inc()
    return error
