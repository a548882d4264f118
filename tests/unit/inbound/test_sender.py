"""Promises of `bot.slack.inbound.sender`: what strangers send is never taken for Slack's."""

from __future__ import annotations

import asyncio
import json

import pytest

from bot.errors import StoreUnavailable
from bot.slack.client import Identity
from bot.slack.inbound.sender import MOST_BYTES, Sender

US = Identity("T1", "UBOT", "BBOT", None, enterprise_id="E1")
FORM = "application/x-www-form-urlencoded"


class Kept:
    """A store for two copies of the bot."""

    def __init__(self) -> None:
        self.digest, self.is_away = "", False

    async def sender(self, team_id: str) -> str:
        """What is kept for `team_id`."""
        assert team_id == "T1"
        if self.is_away:
            raise StoreUnavailable
        return self.digest

    async def note_sender(self, team_id: str, digest: str) -> None:
        """Keep it."""
        assert team_id == "T1"
        self.digest = digest


def command(token: str = "of-slack", team: str = "T1") -> bytes:
    """The body of a command."""
    return f"token={token}&team_id={team}&command=%2Fexecution".encode()


async def learned() -> tuple[Sender, Kept]:
    """A sender that has seen a request with a good signature."""
    kept = Kept()
    sender = Sender(US, kept)
    sender.learn({"token": "of-slack", "team_id": "T1"})
    await asyncio.sleep(0)
    return sender, kept


async def test_only_slacks_word_counts_once_known() -> None:
    """Those who know our workspace's id do not know the token."""
    sender, _ = await learned()
    assert await sender.is_slacks(command(), FORM)
    assert not await sender.is_slacks(command("guessed"), FORM)
    assert not await sender.is_slacks(b"team_id=T1", FORM)


async def test_what_was_learned_outlives_a_restart() -> None:
    """And the token itself is not kept."""
    _, kept = await learned()
    assert "of-slack" not in kept.digest
    again = Sender(US, kept)
    assert await again.is_slacks(command(), FORM)
    assert not await again.is_slacks(command("guessed"), FORM)


async def test_before_the_first_request_the_workspace_counts() -> None:
    """A wrong secret must show with the first command after the installation."""
    sender = Sender(US, Kept())
    assert await sender.is_slacks(command(), FORM)
    assert await sender.is_slacks(
        json.dumps({"team": {"id": "T9"}, "enterprise": {"id": "E1"}}).encode(), "application/json"
    )
    assert not await sender.is_slacks(command(team="T2"), FORM)


BODIES = [
    b"",
    b"x",
    b"\xff",
    b"[1]",
    b"{}",
    b'{"team_id": ["T1"]}',
    b'{"team": "T1"}',
    b"[" * 5000,
    b'{"token": "\\ud800", "team_id": "T2"}',
    b"x" * (MOST_BYTES + 1),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("kind", [FORM, "application/json", ""])
async def test_rubbish_is_nobodys(body: bytes, kind: str) -> None:
    """It raises nothing, either."""
    assert not await Sender(US, Kept()).is_slacks(body, kind)


async def test_half_a_character_is_no_token() -> None:
    """Neither that of a stranger nor, before it is replaced, that of a signed request."""
    sender, _ = await learned()
    stranger = json.dumps({"token": "\ud800", "team_id": "T1"}).encode()
    assert not await sender.is_slacks(stranger, "application/json")
    sender.learn({"token": "\ud800", "team_id": "T1"})
    assert not await sender.is_slacks(command(), FORM)


async def test_a_store_that_is_away_decides_nothing() -> None:
    """What this process has learned is enough; without it, the workspace counts as before."""
    sender, kept = await learned()
    kept.is_away = True
    assert not await sender.is_slacks(command("guessed"), FORM)
    assert await Sender(US, kept).is_slacks(command(), FORM)
