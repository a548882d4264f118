"""Whether what the settings name really works: `execution-bot check`.

Lives here: one check of each credential and connection, and the remedy for what fails. Does not live here: whether the
settings are complete (`bot.settings`), health while running (`bot.app.health`). Called by `bot.app.cli`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.app.gcs_account import gcs_client
from bot.app.service import embedded_store, opened_store
from bot.errors import (
    BotError,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMisdirected,
    SettingsInvalid,
    SlackBadCredentials,
    SlackError,
    StoreUnavailable,
)
from bot.gcs.http import HTTPClient
from bot.settings import Settings
from bot.slack.client import SlackClient, slack_session

SCOPES = frozenset(
    "commands chat:write im:write channels:read groups:read channels:history groups:history im:history".split()
)
"""The scopes that docs/scopes.md explains and manifest.yaml asks for, without the optional ones."""

GUESTS_SCOPE, GROUPS_SCOPE = "users:read", "usergroups:read"
"""The optional scopes: to recognise guests, and to read the groups of `ALLOWED_USER_GROUPS`."""

WITHIN = timedelta(seconds=20)
"""How long one check may take at most."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""


async def check(settings: Settings) -> list[CheckResult]:
    """Check everything that the bot needs, at the same time, and report in a fixed order."""
    async with slack_session(settings.network) as session:
        slack = SlackClient(
            settings.slack_bot_token.get_secret_value(),
            base_url=settings.slack_api_url,
            session=session,
            network=settings.network,
        )
        checks = {
            "GeneContainer Service": _gcs(settings),
            "Slack token": _token(slack),
            "Slack scopes": _scopes(slack),
            "Slack connection": _connection(settings, slack),
            "Store": _store(settings),
            "Access": _access(settings, slack),
        }
        return list(await asyncio.gather(*(_tried(name, work) for name, work in checks.items())))


async def _tried(name: str, work: Coroutine[Any, Any, str]) -> CheckResult:
    """The result of one check."""
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            return CheckResult(name, True, await work)
    except TimeoutError:
        return CheckResult(name, False, f"no answer within {WITHIN.total_seconds():g} s", _NETWORK)
    except _Missing as error:
        return CheckResult(name, False, str(error), error.remedy)
    except BotError as error:
        return CheckResult(name, False, str(error) or type(error).__name__, _remedy(error))
    except Exception as error:  # noqa: BLE001  # one broken check must not hide the others; the text may hold a secret
        return CheckResult(name, False, type(error).__name__, _NETWORK)


class _Missing(Exception):
    """What a check found missing, with its remedy."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


async def _gcs(settings: Settings) -> str:
    async with HTTPClient(settings.network) as http:
        await gcs_client(settings, http).check()
    return f"{settings.gcs_endpoint} accepts the {_KINDS[settings.credentials_kind]}"


async def _token(slack: SlackClient) -> str:
    identity = await slack.identity()
    return f"belongs to bot {identity.bot_user_id} of workspace {identity.team_id}"


async def _scopes(slack: SlackClient) -> str:
    missing = sorted(SCOPES - (await slack.identity()).scopes)
    if missing:
        raise _Missing(
            f"missing: {', '.join(missing)}",
            "Add them under OAuth & Permissions (docs/scopes.md says what for), reinstall the app, use the new token.",
        )
    return f"all {len(SCOPES)} granted"


async def _access(settings: Settings, slack: SlackClient) -> str:
    """Who may use the bot, and whether the bot can find out who somebody is."""
    granted, people = (await slack.identity()).scopes, set(settings.allowed_users)
    for group in sorted(settings.allowed_user_groups):
        try:
            people |= await slack.group(group)
        except SlackError as error:
            scope = f"Grant {GROUPS_SCOPE}" if error.code == "missing_scope" else "Check ALLOWED_USER_GROUPS"
            raise _Missing(
                f"cannot read user group {group}: {error.code}",
                f"{scope}; user groups need a paid plan. Until then nobody is let in through this group.",
            ) from error
    who = f"{len(people)} people" if settings.allowed_users or settings.allowed_user_groups else "all members"
    where = f", in {len(settings.allowed_channels)} channels" if settings.allowed_channels else ""
    is_blind = not settings.allow_guests and GUESTS_SCOPE not in granted
    guests = f"; guests count as members, since {GUESTS_SCOPE} is not granted" if is_blind else ""
    return f"{who}{where}{guests}"


async def _connection(settings: Settings, slack: SlackClient) -> str:
    if settings.slack_app_token is None:
        return f"HTTP mode: Slack must reach POST /slack/events on port {settings.port}; that cannot be tried from here"
    await slack.socket_url(settings.slack_app_token.get_secret_value())
    return "Socket Mode opens"


async def _store(settings: Settings) -> str:
    async with opened_store(settings, embedded_store(settings)) as store:
        if problem := await store.problem():
            raise _Missing(problem, _REMEDIES[StoreUnavailable])
        if await store.evicts():
            raise _Missing(
                "drops keys when it is full, and with them subscriptions", "Set maxmemory-policy noeviction."
            )
        if await store.lacks_replicas():
            raise _Missing(
                "fewer replicas than REDIS_REPLICAS hold what is written",
                "Check the store's replicas, or set REDIS_REPLICAS to what there are: 0 for none.",
            )
    return "REDIS_URL answers" if settings.redis_url else f"the embedded store starts in {settings.state_dir}"


_KINDS = {"keys": "signature of GCS_AK", "password": "password of GCS_USERNAME"}
_NETWORK = "Check network, proxy and firewall from here to there."
_REMEDIES: dict[type[BotError], str] = {
    GCSBadCredentials: "Check GCS_AK and GCS_SK (or name, password and domain), and this machine's clock.",
    GCSForbidden: "Grant the IAM user the right to read executions (gcs:executions:get and gcs:executions:list).",
    GCSMisdirected: "Check GCS_REGION, GCS_ENDPOINT and IAM_ENDPOINT.",
    GCSError: _NETWORK,
    SlackBadCredentials: "Copy the tokens from api.slack.com/apps again, and check that the app is installed.",
    SlackError: _NETWORK,
    SettingsInvalid: "This is normal while the bot runs on that directory; otherwise change STATE_DIR.",
    StoreUnavailable: "Check REDIS_URL and the server behind it, or that STATE_DIR can be written.",
}
"""What to do about an error, the more specific kinds first."""


def _remedy(error: BotError) -> str:
    return next((remedy for kind, remedy in _REMEDIES.items() if isinstance(error, kind)), _NETWORK)
