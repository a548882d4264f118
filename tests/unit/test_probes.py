"""Promises of `bot.app.probes`, against the sandbox's Slack on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from bot.app import probes
from bot.app.probes import AGAIN_SECONDS, EVERY_SECONDS, UNSURE_SECONDS, TokenProbe, repeat
from bot.clock import ClockSkew
from bot.network import Network
from bot.slack import workspace
from bot.slack.client import SlackClient, slack_session
from bot.slack.workspace import Removal
from sandbox.slack import Fault, Slack


@dataclass
class Rig:
    """A probe of the sandbox's Slack, whose clock may be set."""

    slack: Slack
    probe: TokenProbe
    clock: ClockSkew
    removal: Removal
    ahead: list[float]
    """How far Slack's clock is ahead, in seconds."""


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A workspace in which all is well."""
    ahead, clock, removal = [0.0], ClockSkew(), Removal()
    async with Slack(now=lambda: time.time() + ahead[0]) as slack, slack_session(Network()) as session:
        client = SlackClient(slack.bot_token, base_url=slack.api_url, session=session, clock=clock)
        yield Rig(slack, TokenProbe(client, clock, removal), clock, removal, ahead)


@pytest.mark.parametrize("code", ["token_revoked", "account_inactive"])
async def test_a_revoked_token_is_named_once(rig: Rig, code: str) -> None:
    """With Slack's word; the log says it once, and when the token is accepted again."""
    assert (await rig.probe.run_once(), rig.probe.problem) == (EVERY_SECONDS, None)
    rig.slack.revoke(code)
    with capture_logs() as logs:
        for _ in range(3):
            await rig.probe.run_once()
    assert rig.probe.problem == f"Slack refuses the token: {code}"
    assert [line["code"] for line in logs if line["event"] == "slack.token_refused"] == [code]
    rig.slack.revoke("")
    await rig.probe.run_once()
    assert rig.probe.problem is None


@pytest.mark.parametrize("kind", ["drop_before", "status", "ratelimited"])
async def test_one_failed_call_means_nothing(rig: Rig, kind: str) -> None:
    """The network, a gateway or a rate limit: the next call is due soon, and the bot stays ready."""
    rig.slack.faults.add(Fault(kind=kind, times=2))  # type: ignore[arg-type]  # one of its kinds
    assert [await rig.probe.run_once() for _ in range(2)] == [AGAIN_SECONDS] * 2
    assert rig.probe.problem is None
    assert await rig.probe.run_once() == EVERY_SECONDS


async def test_a_silent_slack_is_named(rig: Rig) -> None:
    """After three calls in a row; the first answer ends it."""
    rig.slack.faults.add(Fault(kind="status", times=3))
    for _ in range(3):
        await rig.probe.run_once()
    assert rig.probe.problem == "Slack does not answer auth.test"
    await rig.probe.run_once()
    assert rig.probe.problem is None


async def test_no_calls_while_slack_is_known_away(rig: Rig) -> None:
    """The notifier finds out when it is back; further calls would only add to an outage."""
    is_away = True
    client = rig.probe._slack
    probe = TokenProbe(client, rig.clock, rig.removal, is_known_away=lambda: is_away)
    assert (await probe.run_once(), len(rig.slack.calls)) == (AGAIN_SECONDS, 0)
    is_away = False
    assert (await probe.run_once(), len(rig.slack.calls)) == (EVERY_SECONDS, 1)


async def test_a_wrong_clock_is_found_within_seconds(rig: Rig) -> None:
    """Three calls, ten seconds apart; then the pause is the usual one."""
    rig.ahead[0] = 360
    assert [await rig.probe.run_once() for _ in range(3)] == [UNSURE_SECONDS, UNSURE_SECONDS, EVERY_SECONDS]
    assert str(rig.clock.problem).endswith("s behind Slack's")
    rig.ahead[0] = 0
    for _ in range(3):
        await rig.probe.run_once()
    assert rig.clock.problem is None


async def test_a_refused_token_still_shows_the_clock(rig: Rig) -> None:
    """Slack's refusal has a date as well."""
    rig.ahead[0] = -600
    rig.slack.revoke()
    for _ in range(3):
        await rig.probe.run_once()
    assert "ahead of Slack's" in str(rig.clock.problem)


async def test_a_removed_app_is_marked_for_a_while(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack may accept the token some seconds longer; a token that works later means that the app is back."""
    rig.removal.note("app_uninstalled")
    await rig.probe.run_once()
    assert rig.probe.problem == "Slack says that the app was removed from the workspace: app_uninstalled"
    monkeypatch.setattr(workspace, "SETTLED_SECONDS", 0.0)
    await rig.probe.run_once()
    assert rig.probe.problem is None


async def test_a_broken_probe_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours in a probe ends neither the probe nor the bot."""
    monkeypatch.setattr(probes, "AGAIN_SECONDS", 0.0)
    stop, runs = asyncio.Event(), 0

    async def broken() -> float:
        nonlocal runs
        runs += 1
        if runs == 3:
            stop.set()
        raise RuntimeError("a bug")

    with capture_logs() as logs:
        await repeat(broken, stop)
    assert [line["event"] for line in logs] == ["probe.failed"] * 3
