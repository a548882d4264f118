"""What a channel that other organisations share reads: nothing until a member approves it, and then everything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.access import AccessRules
from bot.slack.languages import Languages
from bot.workers.notifier import Notifier, audience
from sandbox import story
from sandbox.slack.catalogue import all_scopes
from tests.servers import let_time_pass
from tests.workers.rig import Rig, ample_limits


async def approve(rig: Rig, channel: str) -> None:
    """What the button does."""
    await rig.store.channels.approve(rig.slack.workspace.team_id, channel, rig.alice)
    await rig.subscriptions.resume(rig.who(channel))


async def shared(rig: Rig) -> None:
    """Another organisation shares the channel from now on, and the bot has noticed."""
    rig.slack.workspace.channels[rig.lab].connected.add("T0OTHER")
    await rig.store.channels.note(rig.slack.workspace.team_id, rig.lab, is_shared=True)


async def test_a_new_card_waits_for_approval(rig: Rig) -> None:
    """The owner reads why, once; after the approval the card comes without waiting for its pause."""
    await shared(rig)
    await rig.followed(rig.lab)
    await rig.later(times=3)
    assert rig.read(rig.lab) == []
    assert rig.read(rig.alice) == ["held"]
    assert "shared with another organisation" in rig.slack.messages(rig.slack.dm(rig.alice))[0].text
    await approve(rig, rig.lab)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]


async def test_a_channel_shared_later_loses_nothing(rig: Rig) -> None:
    """Lines and the outcome wait together; edits of the card wait, too; then all of it comes."""
    execution = await rig.followed(rig.lab)
    await shared(rig)
    edits = rig.times("chat.update")
    await rig.step(execution, to="running 1/2")
    await rig.deliver()
    await rig.step(execution, to="succeeded")
    await rig.later()
    assert rig.read(rig.lab) == ["card"]
    assert rig.times("chat.update") == edits
    await rig.subscriptions.of(rig.who(rig.lab))  # from then on the index has forgotten the ended subscription
    await approve(rig, rig.lab)
    await rig.deliver()
    assert rig.read(rig.lab)[0] == "card"
    assert "Succeeded" in rig.cards(rig.lab)[0]
    assert len(rig.read(rig.lab)) == 3
    assert rig.left_over() == []


async def test_an_approval_ends_with_the_sharing(rig: Rig) -> None:
    """A channel that is shared again needs another one."""
    await shared(rig)
    await approve(rig, rig.lab)
    await rig.store.channels.note(rig.slack.workspace.team_id, rig.lab, is_shared=False)
    await shared(rig)
    await rig.followed(rig.lab)
    assert rig.read(rig.lab) == []


async def approved_for(rig: Rig, *organisations: str) -> None:
    """A member approves the channel, which these organisations read."""
    place = rig.slack.workspace.channels[rig.lab]
    place.connected |= set(organisations)
    team = rig.slack.workspace.team_id
    await rig.store.channels.note(team, rig.lab, is_shared=True, organisations=place.connected)
    await rig.store.channels.approve(team, rig.lab, rig.alice, organisations=place.connected)
    await rig.subscriptions.resume(rig.who(rig.lab))


@pytest.mark.parametrize("has_event", [True, False])
async def test_another_organisation_needs_another_approval(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, has_event: bool
) -> None:
    """Whether Slack's event says that it joined or the look before sending: nothing is written, the owner reads why."""
    await approved_for(rig, "T0OTHER")
    execution = await rig.followed(rig.lab)
    assert rig.read(rig.lab) == ["card"]
    rig.slack.workspace.channels[rig.lab].connected.add("T0THIRD")
    if has_event:
        await rig.store.channels.note(
            rig.slack.workspace.team_id, rig.lab, is_shared=True, organisations={"T0THIRD"}, has_joined=True
        )
    else:
        monkeypatch.setattr(audience, "FRESH_SHARED", timedelta(0))
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    await rig.later()
    assert (rig.read(rig.lab), rig.read(rig.alice)) == (["card"], ["held"])
    assert "another organisation has joined" in rig.slack.messages(rig.slack.dm(rig.alice))[0].text
    await approved_for(rig, "T0THIRD")
    await rig.deliver()
    assert rig.read(rig.lab)[-1].startswith("change")


async def test_an_organisation_that_leaves_changes_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """But if it comes back, that is approved again: others may read there now."""
    await approved_for(rig, "T0OTHER", "T0THIRD")
    execution = await rig.followed(rig.lab)
    monkeypatch.setattr(audience, "FRESH_SHARED", timedelta(0))
    rig.slack.workspace.channels[rig.lab].connected.discard("T0THIRD")
    await rig.step(execution)
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]
    rig.slack.workspace.channels[rig.lab].connected.add("T0THIRD")
    await rig.step(execution)
    await rig.later()
    assert rig.read(rig.lab) == ["card", "change 2"]


async def test_the_owner_hears_once_of_each_newcomer(rig: Rig) -> None:
    """An event that comes again notifies nobody again."""
    await approved_for(rig, "T0OTHER")
    execution = await rig.followed(rig.lab)
    for team_id in ("T0THIRD", "T0THIRD", "T0FOURTH"):
        await rig.store.channels.note(
            rig.slack.workspace.team_id, rig.lab, is_shared=True, organisations={team_id}, has_joined=True
        )
        await rig.step(execution)
        await rig.later(times=2)
    assert rig.read(rig.alice) == ["held", "held"]


async def test_an_approval_without_organisations_covers_none(rig: Rig) -> None:
    """A copy of an older version wrote it: once Slack lists who reads there, it is asked again."""
    await shared(rig)
    await approve(rig, rig.lab)
    team = rig.slack.workspace.team_id
    await rig.store.channels.note(team, rig.lab, is_shared=True, organisations={"T0OTHER"})
    await rig.followed(rig.lab)
    assert rig.read(rig.lab) == []


async def test_a_withdrawn_approval_holds_again(rig: Rig) -> None:
    """From the next message on; the owner is notified again."""
    await shared(rig)
    await approve(rig, rig.lab)
    execution = await rig.followed(rig.lab)
    await rig.store.channels.approve(rig.slack.workspace.team_id, rig.lab, "")
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]
    assert rig.read(rig.alice) == ["held"]


async def test_an_unknown_channel_is_looked_at_once(rig: Rig) -> None:
    """A channel without a record is looked at before the first message, and not again for hours."""
    den = rig.slack.add_channel("den", members=[rig.alice])
    rig.slack.workspace.channels[den].invited.add("T0OTHER")
    execution = await rig.followed(rig.lab, den)
    assert (rig.read(rig.lab), rig.read(den)) == (["card"], [])
    await rig.step(execution)
    await rig.later()
    assert rig.times("conversations.info") == 1


async def test_an_old_record_is_renewed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack may not have sent the event: the channel is looked at again."""
    execution = await rig.followed(rig.lab)
    rig.slack.workspace.channels[rig.lab].connected.add("T0OTHER")
    monkeypatch.setattr(audience, "FRESH", timedelta(0))
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]


async def test_an_old_record_serves_while_calls_are_limited(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outcome does not wait for a look at a channel that was fine before."""
    execution = await rig.followed(rig.lab)
    monkeypatch.setattr(audience, "FRESH", timedelta(0))
    await rig.store.slack_limits(calls=1, posts=1, channel_posts=1).pause(
        rig.slack.workspace.team_id, "conversations.info", timedelta(minutes=5)
    )
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    assert rig.read(rig.lab)[-1].startswith("change")
    assert rig.times("conversations.info") == 0


@pytest.mark.parametrize("fault", [("error", {"error": "a_code_of_next_year"}), ("status", {})])
async def test_a_look_that_fails_holds_and_comes_back(rig: Rig, fault: tuple[str, dict[str, str]]) -> None:
    """Nothing is written before Slack has said who reads it, and nothing is lost."""
    den = rig.slack.add_channel("den", members=[rig.alice])
    rig.fault(fault[0], "conversations.info", **fault[1])
    await rig.followed(den)
    assert rig.read(den) == []
    await rig.later(times=2)
    assert rig.read(den) == ["card"]


async def test_without_the_scope_nothing_is_written(rig: Rig) -> None:
    """The kind of channel that the app may not look at waits; `/readyz` says why; the other kind is served."""
    den = rig.slack.add_channel("den", private=True, members=[rig.alice])
    open_den = rig.slack.add_channel("open", members=[rig.alice])
    rig.slack.grant(all_scopes() - {"groups:read"})
    await rig.followed(den, open_den)
    await rig.later()
    assert (rig.read(den), rig.read(open_den)) == ([], ["card"])
    rig.slack.grant(all_scopes())
    await rig.later()
    assert rig.read(den) == ["card"]


async def test_stopping_ends_what_was_held(rig: Rig) -> None:
    """A subscription that ends before its channel is approved leaves nothing."""
    await shared(rig)
    execution = await rig.followed(rig.lab)
    await rig.subscriptions.unsubscribe(rig.who(rig.lab), execution)
    await rig.later()
    assert rig.left_over() == []
    assert rig.read(rig.lab) == []


async def test_after_a_week_it_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner reads why, and a dead letter stays."""
    await shared(rig)
    await rig.followed(rig.lab)
    monkeypatch.setattr(audience, "HELD", timedelta(0))
    await rig.later()
    assert rig.read(rig.alice) == ["held", "dead"]
    (letter,) = await rig.store.outbox.dead_letters()
    assert letter.reason == "channel_not_approved"
    assert rig.left_over() == []


async def test_the_owner_is_notified_once_after_a_crash(rig: Rig) -> None:
    """The worker died after the message and before it noted that."""
    await shared(rig)
    await rig.follow(rig.lab)
    rig.fault("status_after", "chat.postMessage")
    await rig.deliver()
    await rig.later(times=3)
    await rig.after_a_crash()
    assert rig.read(rig.alice) == ["held"]


async def test_a_channel_taken_off_the_list_waits(rig: Rig) -> None:
    """`ALLOWED_CHANNELS` holds for messages, too."""
    rules = AccessRules(channels=frozenset({"C0OTHER"}))
    limits = ample_limits(rig.store)
    strict = Notifier(rig.door, rig.store, limits, access=rules)
    await rig.follow(rig.lab, rig.alice, life=story.happy(2))
    den = rig.slack.add_channel("den")  # never looked at
    await rig.follow(den)
    for _ in range(3):
        await strict.run_once()
        let_time_pass(rig.redis)
    assert (rig.read(rig.lab), rig.read(den)) == ([], [])
    assert sorted(rig.read(rig.alice)) == ["card", "held", "held"]
    held = [message.text for message in rig.slack.messages(rig.slack.dm(rig.alice)) if "It is on hold" in message.text]
    assert all("ask this bot's operator" in text for text in held)
    await rig.deliver()
    assert rig.read(rig.lab) == ["card"]


class Guests:
    """Slack that says of everybody that they are guests."""

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """What it says about a person."""
        return {"id": user_id, "is_restricted": True}


def guarded(rig: Rig, access: AccessRules) -> Notifier:
    """A notifier with these rules, for which everybody is a guest."""
    languages = Languages(Guests(), rig.store.languages)
    return Notifier(rig.door, rig.store, ample_limits(rig.store), access=access, languages=languages)


NOBODY_MAY = pytest.mark.parametrize(
    "access", [AccessRules(), AccessRules(guests=True, users=frozenset({"U9"}))], ids=["guests", "unlisted"]
)


@NOBODY_MAY
async def test_who_may_not_ask_reads_nothing(rig: Rig, access: AccessRules) -> None:
    """What somebody followed when they still were allowed to waits, and comes once they are again."""
    execution = await rig.followed(rig.alice)
    await rig.step(execution, to="succeeded")
    edits = rig.times("chat.update")
    await guarded(rig, access).run_once()
    assert (rig.read(rig.alice), rig.times("chat.update")) == (["card"], edits)
    await rig.later()
    assert rig.read(rig.alice) == ["card", "change 2"]
    assert rig.left_over() == []


@NOBODY_MAY
async def test_owners_who_may_not_ask_read_nothing(rig: Rig, access: AccessRules) -> None:
    """Nor why a channel of theirs cannot be reached, which names the execution."""
    execution = await rig.followed(rig.lab)
    await rig.step(execution)
    rig.slack.archive(rig.lab)
    await guarded(rig, access).run_once()
    assert rig.read(rig.alice) == []
    assert [letter.owner for letter in await rig.store.outbox.dead_letters()] == [rig.alice]


@NOBODY_MAY
async def test_after_a_week_their_subscription_ends(
    rig: Rig, access: AccessRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a dead letter for those who run the bot; nobody reads of it."""
    execution = await rig.followed(rig.alice)
    await rig.step(execution, to="succeeded")
    monkeypatch.setattr(audience, "HELD", timedelta(0))
    await guarded(rig, access).run_once()
    assert rig.read(rig.alice) == ["card"]
    assert [letter.reason for letter in await rig.store.outbox.dead_letters()] == [audience.NOT_ALLOWED]
    assert rig.left_over() == []


@pytest.mark.parametrize(
    "access",
    [
        AccessRules(guests=True),
        AccessRules(guests=True, groups=frozenset({"S1"})),
        AccessRules(guests=True, users=frozenset({"U9"}), groups=frozenset({"S1"})),
    ],
)
async def test_who_may_perhaps_ask_reads_on(rig: Rig, access: AccessRules) -> None:
    """Guests where they are allowed, and whom a group may let in."""
    execution = await rig.followed(rig.alice)
    await rig.step(execution, to="succeeded")
    await guarded(rig, access).run_once()
    assert rig.read(rig.alice) == ["card", "change 2"]
