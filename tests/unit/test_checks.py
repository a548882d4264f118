"""Promises of `execution-bot check`: every part is tried, and each failure comes with its remedy."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.app import checks
from bot.app.checks import OPTIONAL, SCOPES, CheckResult, check
from bot.errors import (
    BotError,
    GCSBadCredentials,
    GCSForbidden,
    SlackBadCredentials,
    SlackError,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.gcs.listed_ids import ListedId
from bot.settings import Settings
from bot.slack.client import Identity
from bot.store.inspection import ServerState
from bot.store.owner import Owner

KEEPING = ServerState(evicts="", is_limited=False, has_file=True, fsync="always", replicas=0, failed_writes=())
"""A store that keeps what it is given."""


class Outside:
    """Slack, GCS and the store, as the test wants them."""

    def __init__(self) -> None:
        self.gcs: BotError | None = None
        self.slack: BotError | None = None
        self.socket: Exception | None = None
        self.group_error: SlackError | None = None
        self.store: BotError | None = None
        self.scopes: frozenset[str] | None = SCOPES
        self.is_forgetful: bool | None = False
        self.server_state: ServerState | None = KEEPING
        self.app = "A0OURS"
        self.is_alone = False
        self.ownership = self.inspection = self
        self.owner: Owner | None = None

    async def read(self) -> Owner | None:
        """In the place of `Ownership.read`."""
        return self.owner

    async def list_ids(self, *, limit: int) -> tuple[ListedId, ...]:
        """In the place of `GCSClient.list_ids`."""
        return (ListedId("e1", "p1"),)[:limit]

    async def identity(self) -> Identity:
        """In the place of `SlackClient.identity`."""
        _raise(self.slack)
        return Identity("T1", "UBOT", "B1", self.scopes)

    async def group(self, group_id: str) -> frozenset[str]:
        """In the place of `SlackClient.group`."""
        _raise(self.group_error)
        return frozenset({"U1", f"U{group_id}"})

    async def socket_url(self, app_token: str) -> str:
        """In the place of `SlackClient.socket_url`."""
        _raise(self.socket)
        return f"wss://{app_token}"

    async def app_id(self) -> str:
        """In the place of `SlackClient.app_id`."""
        if not self.app:
            raise SlackError("missing_scope")
        return self.app

    async def check(self) -> None:
        """In the place of `GCSClient.check`."""
        _raise(self.gcs)

    async def problem(self) -> str | None:
        """In the place of `Store.problem`."""
        return str(self.store) if self.store else None

    async def evicts(self) -> bool | None:
        """In the place of `Store.evicts`."""
        return self.is_forgetful

    async def server(self) -> ServerState | None:
        """In the place of `Inspection.server`."""
        return self.server_state

    async def lacks_replicas(self) -> bool:
        """In the place of `Store.lacks_replicas`."""
        return self.is_alone


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Outside:
    """Services without any problem, until the test sets one."""
    world = Outside()

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Outside]:
        yield world

    monkeypatch.setattr(checks, "SlackClient", lambda *_args, **_kwargs: world)
    monkeypatch.setattr(checks, "gcs_client", lambda *_args: world)
    monkeypatch.setattr(checks, "opened_store", opened)
    monkeypatch.chdir(tmp_path)  # away from a developer's .env
    return world


def settings(**changes: str | None) -> Settings:
    """Settings for Socket Mode and keys."""
    given = {
        "slack_bot_token": "xoxb-1",
        "slack_app_token": "xapp-secret",
        "gcs_ak": "AK",
        "gcs_sk": "sk-secret",
        "gcs_endpoint": "http://127.0.0.1:9",
    }
    return Settings(**(given | changes))


async def test_every_check_passes(outside: Outside) -> None:
    """One result each, in a fixed order, all ok, nothing to note."""
    outside.scopes = SCOPES | {"users:read", *OPTIONAL}
    results = await check(settings())
    assert [result.name for result in results] == [
        "Settings",
        "Network",
        "GeneContainer Service",
        "Slack token",
        "Slack scopes",
        "Slack connection",
        "Store",
        "Access",
        "Clock",
    ]
    assert all(result.is_ok and not result.notes for result in results)


async def test_unknown_scopes_are_not_missing(outside: Outside) -> None:
    """Without Slack's header nobody knows which scopes are granted."""
    outside.scopes = None
    (scopes,) = [result for result in await check(settings()) if result.name == "Slack scopes"]
    assert (scopes.is_ok, scopes.detail) == (True, "Slack did not say which scopes are granted")


@pytest.mark.parametrize(
    ("state", "note"),
    [
        (None, "may not run INFO"),
        (dataclasses.replace(KEEPING, has_file=False), "set appendonly yes"),
        (dataclasses.replace(KEEPING, fsync="everysec"), "set appendfsync always"),
        (dataclasses.replace(KEEPING, evicts="allkeys-lru"), "set maxmemory-policy noeviction"),
    ],
)
async def test_what_a_store_may_lose_is_noted(outside: Outside, state: ServerState | None, note: str) -> None:
    """It works, so the check passes; the bot notes the same while it runs."""
    outside.server_state = state
    (store,) = [each for each in await check(settings(redis_url="redis://h")) if each.name == "Store"]
    assert store.is_ok
    assert [note in line for line in store.notes] == [True]


async def store_check() -> CheckResult:
    """The line about the store."""
    return next(result for result in await check(settings()) if result.name == "Store")


async def test_the_owner_of_the_store_is_compared(outside: Outside) -> None:
    """Nobody's, ours, and another bot's; not compared while Slack does not say who we are."""
    ours = Owner(account="gcs1", team="T1", endpoint=settings().gcs_endpoint, project="p1")
    for owner, detail in ((None, "nobody owns it yet"), (ours, "it belongs to this bot")):
        outside.owner = owner
        assert (await store_check()).detail.endswith(detail)
    outside.slack = SlackUnavailable("503")
    assert "was not compared" in (await store_check()).detail
    outside.slack, outside.owner = None, replace(ours, team="T2")
    failed = await store_check()
    assert (failed.is_ok, failed.detail) == (False, "the store is not this bot's: team T2, not T1")
    assert "execution-bot store adopt" in failed.remedy


@pytest.mark.parametrize("scope", OPTIONAL)
async def test_a_declined_scope_says_what_it_costs(outside: Outside, scope: str) -> None:
    """The check passes, with a note."""
    outside.scopes = SCOPES | set(OPTIONAL) - {scope}
    (scopes,) = [result for result in await check(settings()) if result.name == "Slack scopes"]
    assert (scopes.is_ok, scopes.notes) == (True, (f"{scope} (optional) is not granted: {OPTIONAL[scope]}",))


async def test_a_missing_scope_is_named(outside: Outside) -> None:
    """The scope that the token lacks, and where to add it."""
    outside.scopes = SCOPES - {"im:write"}
    (failed,) = [result for result in await check(settings()) if not result.is_ok]
    assert failed.detail == "missing: im:write"
    assert "reinstall" in failed.remedy


async def test_a_store_that_drops_keys_is_found(outside: Outside) -> None:
    """A store that drops keys when it is full works until then, and loses subscriptions."""
    outside.is_forgetful = True
    (failed,) = [result for result in await check(settings()) if not result.is_ok]
    assert failed.name == "Store"
    assert "noeviction" in failed.remedy


async def test_a_store_with_too_few_copies_is_found(outside: Outside) -> None:
    """It works until a master dies, and people would be warned each time they subscribe."""
    outside.is_alone = True
    (failed,) = [result for result in await check(settings()) if not result.is_ok]
    assert failed.name == "Store"
    assert "REDIS_REPLICAS" in failed.remedy


@pytest.mark.parametrize(
    ("part", "error", "remedy"),
    [
        ("gcs", GCSBadCredentials("401"), "GCS_AK"),
        ("gcs", GCSForbidden("403"), "gcs:executions:get"),
        ("slack", SlackBadCredentials("invalid_auth"), "api.slack.com/apps"),
        ("socket", SlackBadCredentials("invalid_auth"), "api.slack.com/apps"),
        ("store", StoreUnavailable("refused"), "REDIS_URL"),
    ],
)
async def test_each_failure_has_its_remedy(outside: Outside, part: str, error: BotError, remedy: str) -> None:
    """What failed says what to do; what works is still reported as working."""
    setattr(outside, part, error)
    results = await check(settings())
    failed = [result for result in results if not result.is_ok]
    assert failed
    assert all(remedy in result.remedy and result.detail == str(error) for result in failed)
    assert len(failed) < len(results)


async def test_http_mode_says_what_it_cannot_try(outside: Outside) -> None:
    """Whether Slack reaches the bot can be seen from outside only; the line says so."""
    results = await check(settings(slack_app_token=None, slack_signing_secret="8f742231b10e"))
    assert "cannot be tried from here" in results[5].notes[0]


async def test_tokens_of_two_apps_are_found(outside: Outside) -> None:
    """Socket Mode opens all the same, for the other app."""
    (found,) = [each for each in await check(settings(slack_app_token="xapp-1-A0THEIRS-1-x")) if not each.is_ok]
    assert (found.name, "of app A0THEIRS, and" in found.detail) == ("Slack connection", True)


@pytest.mark.parametrize(
    ("app", "token"), [("A0OURS", "xapp-1-A0OURS-1-x"), ("", "xapp-1-A0OURS-1-x"), ("A0OURS", "xapp-x")]
)
async def test_tokens_without_apps_are_not_compared(outside: Outside, app: str, token: str) -> None:
    """Without the scope to ask which app it is, or in another form; one and the same app is right."""
    outside.app = app
    assert all(each.is_ok for each in await check(settings(slack_app_token=token)))


async def test_an_unknown_error_shows_its_kind_only(outside: Outside) -> None:
    """No secret in the text of a foreign error reaches the terminal."""
    outside.socket = RuntimeError("xapp-secret")
    results = await check(settings())
    assert results[5].detail == "RuntimeError"
    assert "secret" not in str(results)


async def test_access_is_summed_up(outside: Outside) -> None:
    """Who may use the bot, with the groups counted, and what a missing scope means."""
    blind = (await check(settings()))[-2]
    assert (blind.detail, len(blind.notes)) == ("all members; nobody may cancel and retry", 1)
    assert (
        "in spite of ALLOW_GUESTS=false, since users:read is not granted: they read every execution" in blind.notes[0]
    )
    assert (await check(settings(allow_guests="true")))[-2].notes == ()
    outside.scopes = SCOPES | {"users:read"}
    lists = settings(allowed_users="U1, U2", allowed_user_groups="S1", allowed_channels="C1")
    assert (await check(lists))[-2].detail == "3 people, in 1 channels; nobody may cancel and retry"
    operators = settings(operators="U1, U2", operator_groups="S1")
    assert (await check(operators))[-2].detail == "all members; 3 people may cancel and retry"


@pytest.mark.parametrize(
    ("code", "remedy"), [("missing_scope", "usergroups:read"), ("no_such_subteam", "ALLOWED_USER")]
)
async def test_an_unreadable_group_fails(outside: Outside, code: str, remedy: str) -> None:
    """The group, Slack's code, and what to do."""
    outside.group_error = SlackError(code)
    failed = (await check(settings(allowed_user_groups="S1")))[-2]
    assert (failed.is_ok, failed.detail) == (False, f"cannot read user group S1 of ALLOWED_USER_GROUPS: {code}")
    assert remedy in failed.remedy
    failed = (await check(settings(operator_groups="S1")))[-2]
    assert (failed.is_ok, failed.detail) == (False, f"cannot read user group S1 of OPERATOR_GROUPS: {code}")
