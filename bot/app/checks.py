"""Whether what the settings name really works: `execution-bot check`.

Lives here: one check of each credential and connection, and the remedy for what fails. Does not live here: whether the
settings are complete (`bot.settings`), health while running (`bot.app.health`). Called by `bot.app.cli`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp
from slack_sdk.signature import SignatureVerifier
from yarl import URL

from bot.app.gcs_account import gcs_client
from bot.app.ownership import OwnerCheck, refusal_text
from bot.app.service import embedded_store, opened_store, store_beside
from bot.app.store_probe import notes_of
from bot.errors import (
    BotError,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSMisdirected,
    SettingsInvalid,
    SlackBadCredentials,
    SlackError,
    StateDirInUse,
    StoreNotOurs,
    StoreUnavailable,
)
from bot.gcs.http import HTTPClient
from bot.settings import Settings
from bot.slack.client import SlackClient, slack_session
from bot.slack.inbound import PATH, two_apps
from bot.store import Store
from bot.store.owner import differences

SCOPES = frozenset(
    "commands chat:write im:write channels:read groups:read channels:history groups:history im:history".split()
)
"""The scopes that docs/scopes.md explains and manifest.yaml asks for, without the optional ones."""

GUESTS_SCOPE, GROUPS_SCOPE = "users:read", "usergroups:read"
"""The optional scopes whose absence matters with some settings: to recognise guests, and to read the groups of
`ALLOWED_USER_GROUPS` and `OPERATOR_GROUPS`."""

OPTIONAL = {
    "app_mentions:read": "who mentions the bot in a channel gets no answer; /execution and direct messages have one",
}
"""Optional scopes, each with what its absence costs, whatever the settings say."""

WITHIN = timedelta(seconds=20)
"""How long one check may take at most."""

STORE_WAIT_SECONDS = 10.0
"""How long to wait for a store whose directory another process holds: that may be starting or ending."""

NOTED_SKEW, BROKEN_SKEW = 30.0, 300.0
"""From how many seconds on a wrong clock is mentioned, and is a fault: Slack refuses older requests."""

_APP = re.compile(r"xapp-\d+-(A[A-Z0-9]+)-")
"""How an app-level token names its app."""

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to call a bot that listens everywhere


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""
    notes: tuple[str, ...] = ()
    """What works, but should be known."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a successful check found."""

    detail: str
    notes: tuple[str, ...] = ()


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
            "Settings": _settings(settings),
            "Network": _network(settings),
            "GeneContainer Service": _gcs(settings),
            "Slack token": _token(slack),
            "Slack scopes": _scopes(slack),
            "Slack connection": _connection(settings, slack),
            "Store": _store(settings, slack),
            "Access": _access(settings, slack),
            "Clock": _clock(settings, slack),
        }
        return list(await asyncio.gather(*(_result_of(name, work) for name, work in checks.items())))


async def _result_of(name: str, work: Coroutine[Any, Any, _Found]) -> CheckResult:
    """The result of one check."""
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            found = await work
            return CheckResult(name, True, found.detail, notes=found.notes)
    except TimeoutError:
        return CheckResult(name, False, f"no answer within {WITHIN.total_seconds():g} s", _NETWORK)
    except _Failed as error:
        return CheckResult(name, False, str(error), error.remedy)
    except StoreNotOurs as error:
        return CheckResult(name, False, str(error), refusal_text(error))
    except BotError as error:
        return CheckResult(name, False, str(error) or type(error).__name__, _remedy(error))
    except Exception as error:  # noqa: BLE001  # one broken check must not hide the others; the text may hold a secret
        return CheckResult(name, False, type(error).__name__, _NETWORK)


class _Failed(Exception):
    """Why a check failed, with the remedy."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


async def _settings(settings: Settings) -> _Found:
    return _Found("complete", settings.warnings)


async def _network(settings: Settings) -> _Found:
    network = settings.network
    ways = {"Slack": network.way_to(settings.slack_api_url), "GCS": network.way_to(settings.gcs_endpoint)}
    if settings.credentials_kind == "password":
        ways["IAM"] = network.way_to(settings.iam_endpoint)
    trusted = "public certificate authorities" + (f" and {network.ca_bundle}" if network.ca_bundle else "")
    return _Found(f"{', '.join(f'{name} {way}' for name, way in ways.items())}; trusts {trusted}")


async def _gcs(settings: Settings) -> _Found:
    async with HTTPClient(settings.network) as http:
        await gcs_client(settings, http).check()
    return _Found(f"{settings.gcs_endpoint} accepts the {_KINDS[settings.credentials_kind]}")


async def _token(slack: SlackClient) -> _Found:
    identity = await slack.identity()
    return _Found(f"belongs to bot {identity.bot_user_id} of workspace {identity.team_id}")


async def _scopes(slack: SlackClient) -> _Found:
    granted = (await slack.identity()).scopes
    if granted is None:
        return _Found("Slack did not say which scopes are granted", ("a proxy may have removed Slack's header",))
    missing = sorted(SCOPES - granted)
    if missing:
        raise _Failed(
            f"missing: {', '.join(missing)}",
            "Add them under OAuth & Permissions (docs/scopes.md says what for), reinstall the app, use the new token.",
        )
    declined = {scope: cost for scope, cost in OPTIONAL.items() if scope not in granted}
    notes = tuple(f"{scope} (optional) is not granted: {cost}" for scope, cost in declined.items())
    return _Found(f"all {len(SCOPES)} granted", notes)


async def _access(settings: Settings, slack: SlackClient) -> _Found:
    """Who may use the bot, who may cancel and retry, and whether the bot can find out who somebody is."""
    granted = (await slack.identity()).scopes
    people = await _people(slack, settings.allowed_users, settings.allowed_user_groups, "ALLOWED_USER_GROUPS")
    operators = await _people(slack, settings.operators, settings.operator_groups, "OPERATOR_GROUPS")
    who = f"{len(people)} people" if settings.allowed_users or settings.allowed_user_groups else "all members"
    where = f", in {len(settings.allowed_channels)} channels" if settings.allowed_channels else ""
    acting = "nobody may" if not (settings.operators or settings.operator_groups) else f"{len(operators)} people may"
    is_blind = not settings.allow_guests and granted is not None and GUESTS_SCOPE not in granted
    guests = (
        f"guests count as members in spite of ALLOW_GUESTS=false, since {GUESTS_SCOPE} is not granted: they read "
        "every execution as members do, and commands in channels that other organisations share are refused"
    )
    return _Found(f"{who}{where}; {acting} cancel and retry", (guests,) if is_blind else ())


async def _people(slack: SlackClient, users: Collection[str], groups: Collection[str], setting: str) -> set[str]:
    """The people of a list, with the members of the groups that `setting` names.

    Raises:
        _Failed: a group cannot be read.
    """
    people = set(users)
    for group in sorted(groups):
        try:
            people |= await slack.group(group)
        except SlackError as error:
            scope = f"Grant {GROUPS_SCOPE}" if error.code == "missing_scope" else f"Check {setting}"
            raise _Failed(
                f"cannot read user group {group} of {setting}: {error.code}",
                f"{scope}; user groups need a paid plan. Until then nobody is let in through this group.",
            ) from error
    return people


async def _connection(settings: Settings, slack: SlackClient) -> _Found:
    if settings.slack_app_token is None:
        return _Found(await _http_mode(settings), ("whether Slack reaches the bot cannot be tried from here",))
    token = settings.slack_app_token.get_secret_value()
    try:
        await slack.socket_url(token)
    except SlackBadCredentials as error:
        raise _Failed(str(error), "Copy SLACK_APP_TOKEN from api.slack.com/apps (App-Level Tokens) again.") from error
    named, ours = _APP.match(token), ""
    with suppress(SlackError):  # without the scope users:read
        ours = await slack.app_id()
    if problem := two_apps(named[1] if named else "", ours):
        raise _Failed(problem, "Copy both from the same app at api.slack.com/apps.")
    return _Found("Socket Mode opens")


async def _http_mode(settings: Settings) -> str:
    """How the bot on `PORT` answers a harmless request signed with our secret, by which Slack also tests an address."""
    where = f"port {settings.port}"
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    body, at = '{"type":"url_verification","challenge":"execution-bot"}', str(int(time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body) or ""
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": signature,
    }
    host = _ANYWHERE.get(settings.listen_host, settings.listen_host)
    url = URL.build(scheme="http", host=host, port=settings.port, path=PATH)
    try:
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as response:
            status, text = response.status, await response.text()
    except aiohttp.ClientConnectorError:
        return f"HTTP mode; no bot runs on {where}, so SLACK_SIGNING_SECRET was not tried"
    except (aiohttp.ClientError, UnicodeError, OSError):
        raise _Failed(
            f"what listens on {where} is not the bot: it does not speak HTTP", "End that program, or change PORT."
        ) from None
    if status == HTTPStatus.OK and "execution-bot" in text:
        return f"HTTP mode; the bot on {where} accepts what is signed with SLACK_SIGNING_SECRET"
    if status == HTTPStatus.UNAUTHORIZED:
        raise _Failed(
            f"the bot on {where} refuses what is signed with SLACK_SIGNING_SECRET",
            "It runs with another secret, or its clock is wrong: restart it with these settings.",
        )
    raise _Failed(
        f"what listens on {where} is not the bot: it answers with {status}", "End that program, or change PORT."
    )


async def _store(settings: Settings, slack: SlackClient) -> _Found:
    where = "REDIS_URL answers" if settings.redis_url else f"the embedded store starts in {settings.state_dir}"
    ends = time.monotonic() + STORE_WAIT_SECONDS
    while True:
        try:
            async with opened_store(settings, embedded_store(settings)) as store:
                notes, owner = await _store_notes(settings, store), await _owner(settings, store, slack)
                return _Found(f"{where}; {owner}", notes)
        except StateDirInUse:
            try:
                async with store_beside(settings) as store:
                    await _store_notes(settings, store)
                    owner = await _owner(settings, store, slack)
            except (StoreUnavailable, _Failed):
                if time.monotonic() > ends:
                    raise
            else:
                return _Found(f"a bot runs in {settings.state_dir}, and its store answers; {owner}")
        await asyncio.sleep(0.2)  # that bot, or another check, is starting or ending


async def _store_notes(settings: Settings, store: Store) -> tuple[str, ...]:
    """What should be known about a store that can be used.

    Raises:
        _Failed: it cannot be used, or would lose something for certain.
    """
    if problem := await store.problem():
        raise _Failed(problem, _REMEDIES[StoreUnavailable])
    evicts, server = await store.evicts(), await store.inspection.server()
    if evicts:
        raise _Failed("drops keys when it is full, and with them subscriptions", "Set maxmemory-policy noeviction.")
    if await store.lacks_replicas():
        raise _Failed(
            "fewer replicas than REDIS_REPLICAS hold what is written",
            "Check the store's replicas, or set REDIS_REPLICAS to what there are: 0 for none.",
        )
    hidden = "it does not say whether it drops keys when it is full: maxmemory-policy must be noeviction"
    is_hidden = server is not None and evicts is None  # by a managed service
    return (*([hidden] if is_hidden else []), *notes_of(server, is_ours=settings.redis_url is None))


async def _clock(settings: Settings, slack: SlackClient) -> _Found:
    """How far this machine's clock is from those of Slack and GCS."""
    async with HTTPClient(settings.network) as http:
        readings = {"Slack": _slack_skew(slack), "GCS": _gcs_skew(settings, http)}
        answers = await asyncio.gather(*readings.values(), return_exceptions=True)
    skews = {name: skew for name, skew in zip(readings, answers, strict=True) if isinstance(skew, float)}
    if not skews:
        return _Found("neither Slack nor GCS said what time it is")
    name, skew = max(skews.items(), key=lambda item: abs(item[1]))
    said = f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} {name}'s"
    if abs(skew) >= BROKEN_SKEW:
        raise _Failed(said, "Set this machine's clock (NTP): Slack and GCS refuse what is signed at a wrong time.")
    if abs(skew) >= NOTED_SKEW:
        return _Found(said, (f"from {BROKEN_SKEW:.0f} s on, Slack and GCS refuse requests: check NTP",))
    return _Found(f"agrees with {' and '.join(skews)}")


async def _slack_skew(slack: SlackClient) -> float:
    before = time.time()
    response = await slack.call(slack.web.auth_test)
    return _skew(response.headers.get("Date") or "", before)


async def _gcs_skew(settings: Settings, http: HTTPClient) -> float:
    before = time.time()
    response = await http.send("GET", f"{settings.gcs_endpoint}/v1")  # unsigned: any answer has a date
    return _skew(response.headers.get("Date") or "", before)


def _skew(date: str, before: float) -> float:
    """Seconds by which a server that answered with `date` is ahead of us; both are rounded to about a second.

    Raises:
        ValueError: there is no date.
    """
    return parsedate_to_datetime(date).timestamp() + 0.5 - (before + time.time()) / 2


async def _owner(settings: Settings, store: Store, slack: SlackClient) -> str:
    """Whose store it is."""
    record = await store.ownership.read()
    if record is None:
        return "nobody owns it yet"
    try:
        identity = await slack.identity()
    except SlackError as error:
        return f"its owner was not compared, since Slack did not say which workspace this is ({error.code})"
    async with HTTPClient(settings.network) as http:
        ours = await OwnerCheck(settings, store.ownership, gcs_client(settings, http)).ours(identity)
    if found := differences(record, ours):
        raise StoreNotOurs(found)
    return "it belongs to this bot"


_KINDS = {"keys": "signature of GCS_AK", "password": "password of GCS_USERNAME"}
_NETWORK = "Check network, proxy and firewall from here to there."
_REMEDIES: dict[type[BotError], str] = {
    GCSBadCredentials: (
        "Check GCS_AK and GCS_SK (or name, password and domain), GCS_PROJECT_ID, and this machine's clock."
    ),
    GCSForbidden: "Grant the IAM user the right to read executions (gcs:executions:get and gcs:executions:list).",
    GCSMisdirected: "Check GCS_REGION, GCS_ENDPOINT and IAM_ENDPOINT.",
    GCSError: _NETWORK,
    SlackBadCredentials: "Copy the tokens from api.slack.com/apps again, and check that the app is installed.",
    SlackError: _NETWORK,
    SettingsInvalid: "Correct the setting that it names; docs/settings.md describes it.",
    StoreUnavailable: (
        "Check REDIS_URL and the server behind it (docs/operations.md lists the rights of its user), or that STATE_DIR "
        "can be written."
    ),
}
"""What to do about an error, the more specific kinds first."""


def _remedy(error: BotError) -> str:
    return next((remedy for kind, remedy in _REMEDIES.items() if isinstance(error, kind)), _NETWORK)
