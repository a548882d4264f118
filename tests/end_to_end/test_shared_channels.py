"""Channels that other organisations share: nothing is shown there until one of our members approves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import story
from sandbox.slack.delivery import Parcel
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.people import Person, labels, words

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_card_comes_once_it_is_approved(talk: World, carol: Person, running: str) -> None:
    """`here` in a shared channel: the reply offers the approval, which brings the card."""
    await talk.slack.share(carol.channel)
    answer = await carol.types(f"subscribe {running} here")
    assert "shared with another organisation" in answer.text
    assert "Approve this channel" in labels(answer)
    listed = await carol.types("list here")
    assert labels(listed) == ["Approve this channel"]
    assert not talk.slack.messages(carol.channel)
    assert "approved that I post" in (await carol.gets("Approve this channel", answer)).text
    await carol.card(carol.channel)
    assert labels(await carol.types("list here")) == ["Withdraw approval"]
    assert not carol.dm


async def test_a_channel_shared_later_is_noticed(talk: World, carol: Person, running: str) -> None:
    """The event alone stops all messages; the owner reads it in person; an approval brings what was missed."""
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    await talk.slack.share(carol.channel)
    await eventually(lambda: carol.channel in [line["channel"] for line in talk.bot.logged("handlers.sharing_changed")])
    talk.gcs.step(running, to="succeeded")
    await talk.slack.wait_for(lambda: any("shared with another" in each.text for each in carol.dm))
    assert len(talk.slack.messages(carol.channel)) == 1
    assert "1 of 3 steps" in words(card)
    await carol.gets("Approve this channel", await carol.types("list here"))
    await talk.slack.wait_for(lambda: "Succeeded" in talk.slack.messages(carol.channel)[-1].text)
    assert len(carol.dm) == 1


async def test_what_was_held_comes_once_unshared(talk: World, carol: Person, running: str) -> None:
    """The other organisation leaves: nobody has to approve anything, and the end comes at once."""
    await carol.types(f"subscribe {running} here")
    await carol.card(carol.channel)
    await talk.slack.share(carol.channel)
    await eventually(lambda: carol.channel in [line["channel"] for line in talk.bot.logged("handlers.sharing_changed")])
    talk.gcs.step(running, to="succeeded")
    await talk.slack.wait_for(lambda: any("shared with another" in each.text for each in carol.dm))
    await talk.slack.unshare(carol.channel)
    await talk.slack.wait_for(lambda: "Succeeded" in talk.slack.messages(carol.channel)[-1].text)


@pytest.mark.parametrize("is_pending", [False, True])
async def test_sharing_into_it_needs_the_approval(
    talk: World, carol: Person, running: str, *, is_pending: bool
) -> None:
    """`Share to channel` follows the same rule, also while the invitation is open."""
    await talk.slack.share(carol.channel, is_pending=is_pending)
    summary = await carol.types(running)
    refused = await carol.gets("Share to channel", summary)
    assert "post nothing here" in refused.text
    await carol.gets("Approve this channel", refused)
    await carol.presses("Share to channel", summary)
    assert f"shared by <@{carol.id}>" in (await carol.card(carol.channel)).text


async def test_people_of_the_other_organisation_approve_nothing(tmp_path: Path) -> None:
    """Not even where they may ask; nor do guests."""
    async with made(tmp_path, ALLOW_EXTERNAL="true", ALLOW_GUESTS="true") as world:
        execution = world.gcs.play(story.happy(3), by_hand=True)
        for who in ({"team_id": "T0OTHER"}, {"guest": "multi"}):
            erin = Person(world, world.lab, world.slack.add_user("erin", **who))
            world.slack.workspace.channels[world.lab].members.add(erin.id)
            await world.slack.share(world.lab)
            listed = await erin.types("list here")
            assert "Only a full member" in (await erin.gets("Approve this channel", listed)).text
        await erin.types(f"subscribe {execution} here")
        assert not world.slack.messages(world.lab)


async def test_an_approval_survives_a_restart(tmp_path: Path) -> None:
    """It is in the store, and so is its withdrawal."""
    async with made(tmp_path) as world:
        alice = Person(world, world.lab, world.alice)
        await world.slack.share(world.lab)
        await alice.gets("Approve this channel", await alice.types("list here"))
        await world.bot.kill()
        await world.bot.start()
        listed = await alice.types("list here")
        assert f"<@{alice.id}> approved" in listed.text
        await alice.gets("Withdraw approval", listed)
        await world.bot.kill()
        await world.bot.start()
        assert labels(await alice.types("list here")) == ["Approve this channel"]


async def test_an_id_of_a_private_channel_shows_nothing(talk: World, carol: Person, running: str) -> None:
    """A forged command that names a channel which the person is not in: no list, no change."""
    slack, dave = talk.slack, Person.new(talk, private=True)
    await dave.types(f"subscribe {running} here")
    await dave.card(dave.channel)
    for text in ("list here", f"unsubscribe {running} here", f"subscribe {running} here final"):
        done = await slack.command(carol.id, carol.channel, "help")
        body = {
            "command": "/execution",
            "text": text,
            "team_id": slack.workspace.team_id,
            "channel_id": dave.channel,
            "user_id": carol.id,
            "response_url": done.response_url,
        }
        seen = len(carol.read)
        await slack._deliver(Parcel("slash_commands", body))
        answer = await carol.next_answer(max(seen, 0))
        while "not in that channel" not in answer.text:
            seen += 1
            answer = await carol.next_answer(seen)
        assert running not in words(answer)
    assert running in words(await dave.types("list here"))
