"""What people read after somebody had their data deleted."""

from __future__ import annotations

from tests.workers.rig import Rig


async def test_without_an_owner_nobody_is_notified(rig: Rig) -> None:
    """The channel dies after its owner is gone: it ends with a dead letter, and no message goes to anybody."""
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.forget(rig.who(rig.alice))
    rig.fault("error", None, error="is_archived", channel=rig.lab, times=None)
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    assert (rig.read(rig.alice), rig.left_over()) == ([], [])
    (letter,) = await rig.store.outbox.dead_letters()
    assert (letter.owner, letter.reason) == ("", "is_archived")


async def test_a_channel_goes_on_without_its_owner(rig: Rig) -> None:
    """Its changes come as before."""
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.forget(rig.who(rig.alice))
    await rig.step(execution, to="succeeded")
    await rig.later(times=2)
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_a_shared_channel_without_owner_waits(rig: Rig) -> None:
    """Nobody is notified of what is held, and it is delivered once the channel is approved."""
    await rig.follow(rig.lab)
    await rig.store.channels.note(rig.slack.workspace.team_id, rig.lab, is_shared=True)
    await rig.subscriptions.forget(rig.who(rig.alice))
    await rig.deliver()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == ([], [])
    await rig.store.channels.approve(rig.slack.workspace.team_id, rig.lab, "U9")
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], [])


async def test_the_next_who_subscribes_owns_it(rig: Rig) -> None:
    """A subscription without an owner gets the person who asks for it again."""
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.forget(rig.who(rig.alice))
    bob = rig.slack.add_user("bob")
    await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=None, owner=bob)
    found = await rig.store.subscribers.find(rig.who(rig.lab), execution)
    assert found is not None
    assert found.owner == bob
