"""Dead letters that are resurrected: the subscription goes on, what was not delivered is, nothing comes twice."""

from __future__ import annotations

from bot.domain.following import Level
from sandbox import story
from sandbox.story import Life
from tests.workers.rig import Rig

LONG = story.happy(6)


async def died(rig: Rig, *, life: Life = LONG, to: str | None = None, level: Level | None = None) -> str:
    """A channel has read two changes, and then could not be reached: its subscription has become a dead letter."""
    execution = await rig.followed(rig.lab, life=life, level=level)
    await rig.step(execution)
    await rig.deliver()
    rig.fault("error", "chat.postMessage", error="channel_not_found", channel=rig.lab, times=1)
    await rig.step(execution, to=to)
    await rig.deliver()
    assert len(await rig.store.outbox.dead_letters()) == 1
    assert await rig.store.subscribers.find(rig.who(rig.lab), execution) is None
    return execution


async def resurrected(rig: Rig) -> bool:
    """Resurrect the one letter, and deliver."""
    ((row, _),) = await rig.store.outbox.letters.rows()
    done = await rig.store.outbox.letters.resurrect(row)
    await rig.later(times=2)
    return done


async def test_an_outcome_is_delivered_after_all(rig: Rig) -> None:
    """Once, below the card that was there, which shows it as well; then nothing is left."""
    await died(rig, to="succeeded")
    assert await resurrected(rig)
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
    assert "Succeeded" in rig.cards(rig.lab)[0]
    assert (rig.left_over(), await rig.store.outbox.dead_letters()) == ([], [])


async def test_a_resurrected_subscription_goes_on(rig: Rig) -> None:
    """It is in the list, what happened meanwhile is seen with the next poll, and each change comes once."""
    execution = await died(rig)
    rig.gcs.step(execution)
    assert await resurrected(rig)
    ((subscription, _),) = (await rig.subscriptions.of(rig.who(rig.lab))).items
    assert subscription.execution_id == execution
    await rig.poll()
    await rig.deliver()
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab) == ["card", *(f"change {number}" for number in range(2, 6))]
    assert rig.left_over() == []


async def test_what_others_have_read_is_delivered(rig: Rig) -> None:
    """The execution failed meanwhile, and others wait for its retry: the outcome is not missed."""
    life = story.failing(4)
    execution = await died(rig, life=life)
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    await rig.deliver()
    await rig.step(execution, to="failed")
    await rig.deliver()
    assert await resurrected(rig)
    assert "Failed" in rig.slack.messages(rig.lab)[-1].text
    assert "Failed" in rig.cards(rig.lab)[0]


async def test_later_changes_are_not_taken_for_delivered(rig: Rig) -> None:
    """Others followed the execution from the beginning again, so its revisions are lower than what was delivered."""
    execution = await died(rig)
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    await rig.deliver()
    assert await resurrected(rig)
    for _ in range(2):
        await rig.step(execution)
        await rig.deliver()
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert len(rig.read(rig.lab)) == len(set(rig.read(rig.lab))) == 6
    assert len(rig.read(rig.alice)) == len(set(rig.read(rig.alice)))
    assert rig.left_over() == []


async def test_a_letter_is_resurrected_once(rig: Rig) -> None:
    """Two operators at once: the second finds nothing to do."""
    await died(rig)
    ((row, _),) = await rig.store.outbox.letters.rows()
    assert await rig.store.outbox.letters.resurrect(row)
    assert not await rig.store.outbox.letters.resurrect(row)
    await rig.later(times=2)
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]


async def test_who_follows_again_keeps_that(rig: Rig) -> None:
    """The letter stays where it is, and the new subscription as well."""
    execution = await died(rig)
    await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=Level.FINAL, owner=rig.alice)
    await rig.deliver()
    assert not await resurrected(rig)
    found = await rig.store.subscribers.find(rig.who(rig.lab), execution)
    assert found is not None
    assert (found.level, len(await rig.store.outbox.dead_letters())) == (Level.FINAL, 1)


async def test_a_letter_moves_to_another_store(rig: Rig) -> None:
    """Exported, deleted, imported twice: it is there once, and can be resurrected."""
    await died(rig, to="succeeded")
    ((row, _),) = await rig.store.outbox.letters.rows()
    assert await rig.store.outbox.letters.delete(row)
    assert await rig.store.outbox.dead_letters() == []
    assert [await rig.store.outbox.letters.add(each) for each in (row, row, "{}")] == [True, False, None]
    assert await resurrected(rig)
    assert rig.read(rig.lab) == ["card", "change 2", "change 3"]
