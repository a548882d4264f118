"""Promises of `Refresh` on a card: it shows what GCS says after the press, never an older state."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import GCSError, InvalidInput
from sandbox.gcs import Fault
from tests.workers.rig import Rig


async def test_an_unchanged_card_is_dated_again(rig: Rig) -> None:
    """GCS was asked: the card is edited, and says when GCS answered."""
    execution = await rig.followed(rig.lab)
    (before,) = rig.cards(rig.lab)
    calls = len(rig.gcs.calls)
    await asyncio.sleep(1)  # the card has whole seconds
    await rig.subscriptions.refresh_card(rig.who(rig.lab), execution)
    assert await rig.deliver() == 1
    (after,) = rig.cards(rig.lab)
    assert len(rig.gcs.calls) == calls + 1
    assert before.splitlines()[0] == after.splitlines()[0]
    assert before != after


async def test_a_changed_card_waits_for_the_watcher(rig: Rig) -> None:
    """It is not drawn with what was known before the press; the change is posted with it."""
    execution = await rig.followed(rig.lab)
    rig.gcs.step(execution)
    refreshing = asyncio.create_task(rig.subscriptions.refresh_card(rig.who(rig.lab), execution))
    await asyncio.sleep(0.5)
    assert await rig.deliver() == 0
    assert not refreshing.done()
    await rig.watcher.run_once()  # it was woken for this one
    await refreshing
    await rig.later()
    assert rig.cards(rig.lab)[0].startswith("Running: ")


async def test_a_card_without_subscription_is_refused(rig: Rig) -> None:
    """The press is answered with a sentence, before GCS is asked."""
    execution = await rig.followed(rig.lab)
    calls = len(rig.gcs.calls)
    with pytest.raises(InvalidInput):
        await rig.subscriptions.refresh_card(rig.who(rig.alice), execution)
    assert len(rig.gcs.calls) == calls


async def test_a_card_stays_when_gcs_is_away(rig: Rig) -> None:
    """The person reads why; the card does not pretend to be fresh."""
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="malformed", times=1))
    with pytest.raises(GCSError):
        await rig.subscriptions.refresh_card(rig.who(rig.lab), execution)
    assert await rig.deliver() == 0
