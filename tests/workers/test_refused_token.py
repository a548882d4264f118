"""Slack refuses the token, the app or a scope: everything waits, `/readyz` says why, and nothing is lost.

Lives here: what such an answer says about one call and about all. Does not live here: other refusals
(`test_refusals`). Called by pytest.
"""

from __future__ import annotations

from time import monotonic

import pytest
from structlog.testing import capture_logs

from bot.domain.following import Level
from bot.workers.notifier import card_failures
from sandbox import story
from sandbox.slack.catalogue import all_scopes
from tests.workers.rig import Rig, ample_limits


async def test_a_revoked_token_loses_nothing(rig: Rig) -> None:
    """Lanes wait, readiness has a reason, and with a good token everything is delivered."""
    execution = await rig.followed(rig.lab)
    rig.fault("error", None, error="token_revoked", times=None)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert str(rig.notifier.problem) == "Slack refuses the token: token_revoked"
    rig.slack.faults.clear()
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert not rig.notifier.problem


TOKEN_CODES = ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "accesslimited"]


@pytest.mark.parametrize("code", TOKEN_CODES)
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_one_call_says_nothing_about_the_token(
    rig: Rig, method: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auth.test` accepts the token: one lane waits ever longer, all others are delivered, and nothing ends."""
    passed = [0.0]
    monkeypatch.setattr(card_failures, "monotonic", lambda: monotonic() + sum(passed))
    execution = await rig.followed(rig.lab, rig.alice, life=story.happy(8))
    rig.fault("error", method, error=code, channel=rig.lab, times=3)
    await rig.step(execution)
    await rig.deliver()
    pauses = rig.waits()
    assert rig.read(rig.alice) == ["card", "change 2"]
    for _ in range(2):
        passed.append(pauses[-1])
        rig.aged(hours=0.05)
        await rig.later()
        pauses += rig.waits()
    assert pauses == [pytest.approx(60 * minutes, abs=5) for minutes in (1, 2, 4)]
    assert rig.times("auth.test") == 1
    assert not await ample_limits(rig.store).paused(rig.slack.workspace.team_id, "*")
    await rig.later()
    assert (rig.read(rig.lab), rig.waits(), rig.notifier.problem) == (["card", "change 2"], [], None)


async def test_readiness_names_a_call_that_is_refused(rig: Rig) -> None:
    """Until that method succeeds again; it does not say that the token is refused."""
    await rig.follow(rig.lab)
    rig.fault("error", error="token_revoked")
    await rig.deliver()
    assert rig.notifier.problem == "Slack refuses chat.postMessage with token_revoked, and accepts the token"


@pytest.mark.parametrize("fault", [("error", {"error": "internal_error"}), ("status", {}), ("ratelimited", {})])
async def test_no_word_on_the_token_pauses_nobody(rig: Rig, fault: tuple[str, dict[str, str]]) -> None:
    """Only a refusal by `auth.test` itself does."""
    await rig.follow(rig.lab, rig.alice)
    rig.fault("error", error="token_revoked", channel=rig.lab)
    rig.fault(fault[0], "auth.test", **fault[1])
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == ([], ["card"])


async def test_many_refused_calls_ask_once(rig: Rig) -> None:
    """It is known then that the token is refused, and nobody calls for a minute."""
    for number in range(6):
        await rig.follow(rig.slack.add_channel(f"lab{number}", members=[rig.alice]))
    rig.fault("error", None, error="token_revoked", times=None)
    await rig.deliver()
    assert rig.times("auth.test") == 1
    assert await ample_limits(rig.store).paused(rig.slack.workspace.team_id, "*")


async def test_a_refused_token_settles_no_doubt(rig: Rig) -> None:
    """The channel cannot be read back for it, and the token is fine: nothing is sent twice."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_after", "chat.postMessage")
    await rig.step(execution)
    await rig.deliver()
    rig.fault("error", "conversations.replies", error="invalid_auth")
    await rig.later(times=2)
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_a_missing_dm_scope_loses_nothing(rig: Rig) -> None:
    """Readiness and the log name it while channels are served; nobody retries for a minute; then people are served."""
    rig.slack.grant(all_scopes() - {"im:write"})
    await rig.follow(rig.alice)
    with capture_logs() as logs:
        await rig.deliver()
    (line,) = [line for line in logs if line["event"] == "notifier.paused"]
    assert (line["why"], line["what"], line["wait_s"]) == ("refused", "conversations.open", 60)
    await rig.follow(rig.lab, rig.slack.add_user("bob"))
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(rig.alice), rig.times("conversations.open")) == (["card"], [], 1)
    assert str(rig.notifier.problem) == "Slack refuses conversations.open: missing_scope: im:write"
    rig.slack.grant(all_scopes())
    await rig.later()
    assert (rig.read(rig.alice), rig.notifier.problem) == (["card"], None)


@pytest.mark.parametrize(
    ("level", "method", "read"),
    [(Level.STEPS, "chat.postMessage", ["card", "change 2"]), (Level.FINAL, "chat.update", ["card"])],
)
async def test_a_missing_post_scope_loses_nothing(rig: Rig, level: Level, method: str, read: list[str]) -> None:
    """Lines and edits wait alike, and readiness says why."""
    execution = await rig.followed(rig.lab, level=level)
    rig.slack.grant(all_scopes() - {"chat:write"})
    await rig.step(execution)
    await rig.deliver()
    assert str(rig.notifier.problem) == f"Slack refuses {method}: missing_scope: chat:write"
    assert rig.waits() == [pytest.approx(60, abs=1)]
    rig.slack.grant(all_scopes())
    await rig.later(times=2)
    assert (rig.read(rig.lab), rig.notifier.problem) == (read, None)
    assert "Running" in rig.cards(rig.lab)[0]


@pytest.mark.parametrize("code", ["accesslimited", "method_deprecated"])
async def test_a_refusal_of_the_app_ends_no_subscription(rig: Rig, code: str) -> None:
    """What Slack answers to every call is not about one destination: all lanes wait, and readiness says why."""
    await rig.follow(rig.lab, rig.alice)
    rig.fault("error", None, error=code, times=None)
    await rig.deliver()
    assert str(rig.notifier.problem) == f"Slack refuses the token: {code}"
    rig.slack.faults.clear()
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["card"])
