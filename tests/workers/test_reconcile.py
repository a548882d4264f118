"""Sends with an unknown outcome: the message is there once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis

from bot.domain.following import Level
from bot.metrics import NOTIFIER_RECONCILED
from bot.slack import messages
from bot.slack.messages import Mark
from bot.store import Store
from bot.workers.notifier import reconcile
from sandbox.slack.catalogue import all_scopes
from sandbox.slack.state import Message
from tests.workers.rig import Rig, made

IN_DOUBT: list[tuple[str, dict[str, Any]]] = [
    ("drop_after", {}),
    ("status_after", {"status": 502}),
    ("slow_after", {"delay": 0.5}),
    ("drop_before", {}),
    ("status", {"status": 503}),
    ("error", {"error": "internal_error"}),
]
"""Faults that leave the outcome unknown; in the first three the message arrived."""

in_doubt = pytest.mark.parametrize(("kind", "more"), IN_DOUBT)


@in_doubt
async def test_a_card_in_doubt_is_there_once(rig: Rig, kind: str, more: dict[str, Any]) -> None:
    """Whether or not the post arrived, there is one card, and it stays up to date."""
    rig.fault(kind, **more)
    execution = await rig.followed(rig.lab)
    await rig.later()
    await rig.step(execution)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert "Running" in rig.cards(rig.lab)[0]


@in_doubt
@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_a_line_in_doubt_is_there_once(rig: Rig, name: str, kind: str, more: dict[str, Any]) -> None:
    """A thread line is found in the thread."""
    who = getattr(rig, name)
    execution = await rig.followed(who)
    rig.fault(kind, **more)
    await rig.step(execution)
    await rig.deliver()
    await rig.later()
    assert rig.read(who) == ["card", "change 2"]


@in_doubt
@pytest.mark.parametrize("name", ["alice", "lab"])
async def test_an_outcome_in_doubt_is_there_once(rig: Rig, name: str, kind: str, more: dict[str, Any]) -> None:
    """A person's own message and a channel's broadcast alike; then nothing stays of the subscription."""
    who = getattr(rig, name)
    execution = await rig.followed(who)
    rig.fault(kind, **more)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await rig.later()
    assert rig.read(who) == ["card", "change 2"]
    assert "Succeeded" in rig.cards(who)[0]
    assert rig.left_over() == []


async def test_an_edit_in_doubt_is_made_again(rig: Rig) -> None:
    """The same edit twice has the same effect as once."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_before", "chat.update")
    await rig.step(execution)
    await rig.deliver()
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert "Running" in rig.cards(rig.lab)[0]


async def test_a_crash_before_the_receipt_repeats_nothing(rig: Rig) -> None:
    """The next worker finds what the dead one had sent."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution, to="succeeded")
    rig.fault("slow_after", delay=30)
    dying = asyncio.create_task(rig.deliver())
    await rig.slack.wait_for(lambda: len(rig.read(rig.lab)) == 2)
    dying.cancel()
    await asyncio.wait([dying])
    await rig.after_a_crash()
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert rig.left_over() == []


async def test_a_reused_revision_is_not_confused(rig: Rig) -> None:
    """A store that lost its last writes reuses a revision for the next change: that change is still delivered."""
    execution = await rig.followed(rig.lab)
    kept = {key: rig.redis.dump(key) or b"" for key in rig.redis.scan_iter("*{p*")}  # the limits' keys expire
    await rig.step(execution)
    await rig.deliver()
    rig.redis.flushall()  # what a fail-over does that lost the last writes
    for key, value in kept.items():
        rig.redis.restore(key, 0, value)
    await rig.step(execution, to="succeeded")
    rig.fault("drop_before")
    await rig.deliver()
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2", "change 2"]
    assert "Succeeded" in rig.slack.messages(rig.lab)[-1].text


async def test_doubt_survives_failures_while_reading_back(rig: Rig) -> None:
    """A 429 while reading back does not make the bot skip reading back."""
    execution = await rig.followed(rig.alice)
    rig.fault("drop_after")
    rig.fault("status", "conversations.replies")
    rig.fault("ratelimited", "conversations.history", retry_after=7)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await rig.later(times=2)
    assert rig.waits() == [pytest.approx(7, abs=0.5)]
    await rig.later()
    assert rig.read(rig.alice) == ["card", "change 2"]


async def test_doubt_survives_an_unknown_code(rig: Rig) -> None:
    """The line arrived, then Slack refuses everything for a while: afterwards it is looked for, not repeated."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_after")
    await rig.step(execution)
    await rig.deliver()
    rig.fault("error", None, error="workspace_under_maintenance", times=None)
    await rig.later(times=3)
    rig.slack.faults.clear()
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_a_mark_of_another_app_settles_nothing(rig: Rig) -> None:
    """Another app posts a copy of the bot's mark: the outcome is still posted, and the bot's own card is edited."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_before")
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    (lost,) = [call for call in rig.slack.calls if call.error == "drop_before"]
    workspace, eve = rig.slack.workspace, rig.slack.add_user("eve")
    for metadata in (lost.args["metadata"], rig.slack.messages(rig.lab)[0].metadata):
        forged = Message(rig.lab, workspace.next_ts(), eve, "forged", [], lost.args["thread_ts"], metadata=metadata)
        forged.bot_id = "B0OTHER"
        workspace.post(forged)
    await rig.later()
    own = [message for message in rig.slack.messages(rig.lab) if message.user == workspace.bot_user]
    assert [message.metadata["event_payload"]["part"] for message in own] == ["card", "change"]
    assert "Succeeded" in own[0].text
    assert rig.left_over() == []


async def test_reading_the_thread_is_enough(rig: Rig) -> None:
    """Calls for reading back are scarce: one is enough, and an edit in doubt needs none."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_after")
    await rig.step(execution)
    await rig.deliver()
    rig.fault("drop_after", "chat.update")
    await rig.later(times=2)
    assert rig.read(rig.lab) == ["card", "change 2"]
    assert (rig.times("conversations.replies"), rig.times("conversations.history")) == (1, 0)
    assert (rig.times("chat.update"), rig.waits()) == (2, [])


async def test_without_history_scopes_it_is_sent_again(store: Store, redis: Redis) -> None:
    """A repeat is better than silence, and a metric shows it."""
    counter = NOTIFIER_RECONCILED.labels("unreadable")
    before = counter._value.get()
    scopes = {scope for scope in all_scopes() if not scope.endswith(":history")}
    async with made(store, redis, scopes=scopes) as rig:
        execution = await rig.followed(rig.lab)
        rig.fault("drop_after")
        await rig.step(execution, to="succeeded")
        await rig.deliver()
        await rig.later()
        assert rig.read(rig.lab) == ["card", "change 2", "change 2"]
        assert not rig.notifier.problem
    assert counter._value.get() == before + 1


async def test_reading_back_stops_after_some_pages(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel too busy to read back does not keep a worker forever; the message is sent again."""
    monkeypatch.setattr(reconcile, "PAGES", 2)
    monkeypatch.setattr(messages, "PAGE", 1)
    rig.fault("drop_after")
    await rig.followed(rig.lab)
    for _ in range(4):
        await rig.door.post(rig.lab, text="noise", blocks=[], mark=Mark("T1/other", "noise", 0))
    await rig.later()
    assert rig.times("conversations.history") == 2
    assert len(rig.cards(rig.lab)) == 2


async def test_an_unreadable_channel_is_sent_to_again(rig: Rig) -> None:
    """An unknown error code while reading back ends no subscription."""
    execution = await rig.followed(rig.lab)
    rig.fault("drop_after")
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    rig.fault("error", "conversations.replies", error="some_new_code")
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2", "change 2"]


@in_doubt
async def test_a_reposted_card_in_doubt_is_there_once(rig: Rig, kind: str, more: dict[str, Any]) -> None:
    """The newest card counts, although the receipt still names the deleted one."""
    execution = await rig.followed(rig.lab, level=Level.FINAL)
    rig.delete_card()
    rig.fault(kind, **more)
    await rig.step(execution)
    await rig.deliver()
    await rig.later()
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 3"]


async def test_an_unsubscribed_card_in_doubt_is_edited(rig: Rig) -> None:
    """Otherwise it would promise updates forever."""
    rig.fault("drop_after")
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution)
    await rig.later()
    assert [call.method for call in rig.slack.calls].count("chat.update") == 1
    assert (rig.read(rig.lab), rig.left_over()) == (["card"], [])
