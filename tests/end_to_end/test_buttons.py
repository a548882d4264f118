"""Each button of responses, cards, modals and the Home tab does what its label says, in both modes."""

from __future__ import annotations

import asyncio

import pytest

from sandbox import story
from sandbox.gcs import Fault
from sandbox.slack import Message
from sandbox.slack.delivery import Parcel
from sandbox.slack.views import put_on_top
from tests.end_to_end.conftest import World, answers_forgotten
from tests.end_to_end.people import PATIENCE, Person, labels, words

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_subscribe_on_a_summary_unsubscribe_on_its_response(carol: Person, running: str) -> None:
    """One press follows, one press ends it."""
    summary = await carol.types(running)
    answer = await carol.gets("Follow", summary)
    assert "Its card comes as a direct message." in answer.text
    await carol.card()
    assert "no longer" in (await carol.gets("Stop following", answer)).text
    assert "nothing to stop" in (await carol.gets("Stop following", answer)).text


async def test_refresh_takes_the_place_of_the_summary(talk: World, carol: Person, running: str) -> None:
    """The same ephemeral shows the change; there is no second one."""
    summary = await carol.types(running)
    talk.gcs.step(running, to="running 2/3")
    await carol.presses("Refresh", summary)
    await talk.slack.wait_for(lambda: "2 of 3 steps" in summary.text)
    assert carol.read == [summary]


@pytest.mark.parametrize("channel", [{}, {"private": True}, {"bot_is_member": False}])
async def test_share_shows_it_to_all(talk: World, running: str, channel: dict[str, bool]) -> None:
    """Everybody in the channel sees it and who shared it, even where the bot is no member; who presses follows."""
    carol, dave = Person.new(talk, **channel), Person.new(talk)
    await carol.presses("Share to channel", await carol.types(running))
    shared = await carol.card(carol.channel)
    assert f"shared by <@{carol.id}>" in shared.text
    assert "Its card comes as a direct message." in (await dave.gets("Follow", shared)).text
    assert "You follow no executions." in (await carol.types("list")).text


async def test_two_presses_share_it_once(talk: World, carol: Person, running: str) -> None:
    """It takes a moment, and who presses again wants no second message for everybody. Others share it, too."""
    summary = await carol.types(running)
    await asyncio.gather(*(carol.presses("Share to channel", summary) for _ in range(2)))
    await carol.card(carol.channel)
    dave = Person(talk, carol.channel, talk.slack.add_user("dave"))
    talk.slack.workspace.channels[carol.channel].members.add(dave.id)
    await dave.presses("Share to channel", await dave.types(running))
    by_dave = f"shared by <@{dave.id}>"
    await talk.slack.wait_for(lambda: by_dave in talk.slack.messages(carol.channel)[-1].text)
    assert len(talk.slack.messages(carol.channel)) == 2


async def test_share_from_a_direct_message(talk: World, running: str) -> None:
    """The modal asks for a channel; everybody there sees it, and the modal says so."""
    carol = Person.new(talk)
    await carol.types(f"subscribe {running}")
    await carol.presses("Share to channel", await carol.card())
    asking = await carol.modal("conversations_select")
    await talk.slack.submit(carol.id, asking.id, {"channel": carol.channel})
    shared = await carol.card(carol.channel)
    assert f"shared by <@{carol.id}>" in shared.text
    await carol.modal(f"<#{carol.channel}>")


async def test_a_channels_card_is_shared_elsewhere(talk: World, carol: Person, running: str) -> None:
    """With a channel that the person is in, and with none that another organisation reads and nobody has approved."""
    elsewhere = talk.slack.add_channel("elsewhere", members=(carol.id,))
    foreign = talk.slack.add_channel("foreign", members=(carol.id,))
    await talk.slack.share(foreign)
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    await carol.presses("Share elsewhere …", card)
    await talk.slack.submit(carol.id, (await carol.modal("conversations_select")).id, {"channel": foreign})
    await carol.modal("shared with another organisation")
    await carol.presses("Share elsewhere …", card)
    await talk.slack.submit(carol.id, (await carol.modal("conversations_select")).id, {"channel": elsewhere})
    assert f"shared by <@{carol.id}>" in (await carol.card(elsewhere)).text
    assert [len(talk.slack.messages(each)) for each in (carol.channel, foreign)] == [1, 0]


async def test_nothing_is_shared_where_nobody_knows_who_reads(talk: World, running: str) -> None:
    """A private channel without the bot may have anybody in it: one sentence with the remedy."""
    carol = Person.new(talk, bot_is_member=False, private=True)
    assert "invite me" in (await carol.gets("Share to channel", await carol.types(running))).text
    assert not talk.slack.messages(carol.channel)


async def test_steps_open_at_once_and_fill(talk: World, carol: Person, running: str) -> None:
    """The modal opens before GCS has responded, then shows every step."""
    summary = await carol.types(running)
    await answers_forgotten()
    talk.gcs.faults.add(Fault(kind="slow", delay=0.5, execution_id=running, times=1))
    await carol.presses("Steps", summary)
    await carol.modal("Asking GeneContainer Service")
    modal = await carol.modal("Steps 1 to 3 of 3")
    for name in ("fastq-split", "bwa-mem", "mark-duplicates"):
        assert name in words(modal)


async def test_pages_of_steps_can_be_turned(talk: World, carol: Person) -> None:
    """Forty-five steps on two pages: on, again, and back."""
    execution_id = talk.gcs.play(story.wide(40), by_hand=True)
    talk.gcs.step(execution_id, to="running 3/45")
    await carol.presses("Steps", await carol.types(execution_id))
    first = await carol.modal("Steps 1 to 30 of 45")
    assert labels(first) == ["Next →", "Refresh"]
    await carol.presses("Next →", first)
    second = await carol.modal("Steps 31 to 45 of 45")
    assert labels(second) == ["← Previous", "Refresh"]
    await carol.presses("← Previous", second)
    await carol.modal("Steps 1 to 30 of 45")


async def test_refresh_in_the_modal_polls_again(talk: World, carol: Person, running: str) -> None:
    """The open modal shows the change; it is still one modal."""
    await carol.presses("Steps", await carol.types(running))
    modal = await carol.modal("1 of 3 steps")
    talk.gcs.step(running, to="running 2/3")
    await carol.presses("Refresh", modal)
    await carol.modal("2 of 3 steps")
    assert len(talk.slack.views(carol.id)) == 1


@pytest.mark.parametrize("button", ["Steps", "Refresh"])
async def test_a_modal_shows_why_it_failed(talk: World, carol: Person, running: str, button: str) -> None:
    """The reason is in the modal that they have just opened or refreshed."""
    shown = await carol.types(running)
    if button == "Refresh":
        await carol.presses("Steps", shown)
        shown = await carol.modal("1 of 3 steps")  # type: ignore[assignment]  # another thing to press in
    await answers_forgotten()
    talk.gcs.faults.add(Fault(kind="status", status=403, execution_id=running, times=1))
    await carol.presses(button, shown)
    await carol.modal("not allowed to read")


async def test_refresh_on_a_card_edits_it(talk: World, carol: Person, running: str) -> None:
    """The card is edited; no new message comes, to nobody."""
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    edits, read = len(card.edits), len(carol.read)
    await carol.presses("Refresh", card)
    await talk.slack.wait_for(lambda: len(card.edits) > edits)
    assert len(talk.slack.messages(carol.channel)) == 1
    assert len(carol.read) == read


async def stop(person: Person, card: Message) -> None:
    """End what a channel follows: the entry of the menu asks first."""
    question = await person.gets("Stop following here …", card)
    assert "no longer follows" in (await person.gets("Stop following here", question)).text


async def test_the_level_is_chosen_from_the_card(talk: World, carol: Person, running: str) -> None:
    """The modal marks the new one, the thread and the card say it, and a person has it in their own."""
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    await carol.presses("Notifications …", card)
    modal = await carol.modal("What this channel gets")
    choices = [each for each in modal.body["blocks"] if "accessory" in each]
    assert len(choices) == 3 + 1  # the last one posts successes in the channel, too
    button = choices[0]["accessory"]
    await talk.slack.press(carol.id, action_id=button["action_id"], value=button["value"], view=modal.id)
    await carol.modal("✓ *failures only*")
    await carol.card(carol.channel, text="notify: failures only")
    await talk.slack.wait_for(lambda: len(talk.slack.thread(card.channel, card.ts)) == 1)


async def test_a_channel_is_muted_from_the_card(talk: World, carol: Person, running: str) -> None:
    """The modal and the card say so, the thread says who did it, and the card's menu ends it."""
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    await carol.presses("Notifications …", card)
    modal = await carol.modal("What this channel gets")
    await talk.slack.press(carol.id, action_id="choose_mute", value="8h", view=modal.id)
    await carol.modal("No notifications here until")
    card = await carol.card(carol.channel, text="muted until")
    await talk.slack.wait_for(lambda: len(talk.slack.thread(card.channel, card.ts)) == 1)
    assert "What was waiting comes now." in (await carol.gets("Unmute", card)).text
    await talk.slack.wait_for(lambda: "muted until" not in words(card))
    assert "It is not muted" in (await carol.types(f"unmute {running} here")).text


async def test_a_person_mutes_by_name(carol: Person, running: str) -> None:
    """What is not followed cannot be muted; what is says so on its card."""
    assert "nothing to mute" in (await carol.types(f"mute {running}")).text
    await carol.types(f"subscribe {running}")
    await carol.card()
    assert "until it ends" in (await carol.types(f"mute {running} until it ends")).text
    await carol.card(text="muted until it ends")


async def test_details_have_all_facts(carol: Person, running: str) -> None:
    """What left the card is one choice away."""
    await carol.presses("Details", await carol.types(running))
    assert running in words(await carol.modal("Namespace"))


async def test_a_channel_stops_and_follows_again(carol: Person, running: str) -> None:
    """`Stop following here` closes the card; `Follow again` subscribes the channel, not the person."""
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    await stop(carol, card)
    card = await carol.card(carol.channel, text="no longer followed")
    assert labels(card) == ["Steps", "Follow again", "Details"]
    assert "Its card comes as a message." in (await carol.gets("Follow again", card)).text
    assert running in words(await carol.types("list here"))
    assert "You follow no executions." in (await carol.types("list")).text


async def test_who_stopped_a_channel_is_named(talk: World, carol: Person, running: str) -> None:
    """In the thread and on the card, and to the person who had the channel follow."""
    dave = Person(talk, carol.channel, talk.slack.add_user("dave"))
    await carol.types(f"subscribe {running} here")
    card = await carol.card(carol.channel)
    await dave.types(f"subscribe {running} here final")
    await talk.slack.wait_for(lambda: len(talk.slack.thread(card.channel, card.ts)) == 1)
    await stop(dave, card)
    await carol.card(carol.channel, text=f"stopped by <@{dave.id}>")
    level, stopped = (line.text for line in talk.slack.thread(card.channel, card.ts))
    assert f"<@{dave.id}> changed the notifications here: failures and the end" in level
    assert f"<@{dave.id}> stopped following this execution" in stopped
    assert [f"<@{dave.id}>" in message.text for message in carol.dm] == [True, True]
    assert not dave.dm


async def test_follow_again_without_membership_says_so(talk: World, carol: Person, running: str) -> None:
    """The button follows the same rule as `here`: no subscription where the bot cannot post."""
    await carol.types(f"subscribe {running} here")
    await stop(carol, await carol.card(carol.channel))
    card = await carol.card(carol.channel, text="Follow again")
    talk.slack.remove_bot(carol.channel)
    assert "Invite me" in (await carol.gets("Follow again", card)).text
    assert "No executions" in (await carol.types("list here")).text


async def test_refresh_on_an_unfollowed_card_says_so(carol: Person, running: str) -> None:
    """A button that was still on a screen: one sentence with the command that helps."""
    await carol.types(f"subscribe {running}")
    card = await carol.card()
    stale = Message(card.channel, card.ts, card.user, card.text, list(card.blocks))
    await carol.types(f"unsubscribe {running}")
    await carol.card(text="no longer followed")
    carol.world.slack.workspace.messages[card.channel][0] = stale
    assert f"/execution {running}" in (await carol.gets("Refresh", stale)).text


async def test_a_button_acts_for_who_presses_it(talk: World, carol: Person, running: str) -> None:
    """`Stop following` on a forwarded card does not end the subscription of its owner."""
    dave = Person.new(talk)
    await carol.types(f"subscribe {running}")
    assert "nothing to stop" in (await dave.gets("Stop following", await carol.card())).text
    assert running in words(await carol.types("list"))


async def test_the_home_tab_shows_what_is_followed(talk: World, carol: Person, running: str) -> None:
    """Empty, one, and empty again after its `Stop following`, which renders the tab again."""
    await talk.slack.open_home(carol.id)
    await carol.home("You follow no executions yet")
    await carol.types(f"subscribe {running}")
    await talk.slack.open_home(carol.id)
    home = await carol.home("1 of 3 steps")
    await carol.presses("Stop following", home)
    await carol.home("You follow no executions yet")


async def test_steps_open_from_the_home_tab(talk: World, carol: Person, running: str) -> None:
    """The tab's button opens the same modal."""
    await carol.types(f"subscribe {running}")
    await talk.slack.open_home(carol.id)
    await carol.presses("Steps", await carol.home("1 of 3 steps"))
    await carol.modal("Steps 1 to 3 of 3")


async def test_an_event_that_comes_twice_does_no_harm(talk: World, carol: Person) -> None:
    """Slack repeats an event whose ack it missed: the tab is rendered again, and nothing else happens."""
    event = {"type": "app_home_opened", "user": carol.id, "channel": talk.slack.dm(carol.id), "tab": "home"}
    body = {"type": "event_callback", "team_id": talk.slack.workspace.team_id, "event_id": "Ev1", "event": event}
    for attempt in range(3):
        await talk.slack._deliver(Parcel("events_api", body, attempt, "timeout" if attempt else ""))
    await carol.home("You follow no executions yet")
    assert not carol.dm
    assert not carol.read


async def test_unknown_requests_are_acked(talk: World, carol: Person) -> None:
    """Unknown events, buttons, modals, shortcuts and commands, as of other versions: acked.

    What somebody has pressed or submitted is explained, once each.
    """
    slack = talk.slack
    old = {"type": "button", "action_id": "of_1999", "text": {"type": "plain_text", "text": "Old"}, "value": "x"}
    blocks = [{"type": "actions", "elements": [old]}]
    message = slack.workspace.post(Message(carol.channel, slack.workspace.next_ts(), "U0BOT", "old", blocks))
    title = {"type": "plain_text", "text": "Old"}
    view = put_on_top(slack.workspace, carol.id, {"type": "modal", "callback_id": "old", "title": title, "blocks": []})
    done = [
        await slack.event({"type": "reaction_added", "user": carol.id, "reaction": "eyes"}),
        await slack.event({"type": "app_uninstalled"}),
        await carol.presses("Old", message),
        await slack.submit(carol.id, view.id),
        await slack.shortcut(carol.id, "old"),
        await slack.command(carol.id, carol.channel, "", command="/old"),
    ]
    assert [(each.acked, each.error, each.attempts) for each in done] == [(True, "", 1)] * len(done)
    await carol.modal("another version of me")
    await talk.slack.wait_for(lambda: bool(carol.read), PATIENCE)
    assert ["another version of me" in each.text for each in carol.read] == [True]


@pytest.mark.parametrize("value", ["", "|", "no id", "x" * 120, "../../v3/auth/tokens", "|C0NOWHERE"])
async def test_a_button_with_an_invalid_value_is_answered(talk: World, carol: Person, value: str) -> None:
    """Whatever a button carries, people get a sentence, and GCS is called with ids only."""
    option = {"text": {"type": "plain_text", "text": "Refresh"}, "value": f"refresh_summary:{value}"}
    menu = {"type": "overflow", "action_id": "choose", "options": [option]}
    blocks = [{"type": "actions", "elements": [menu]}]
    message = talk.slack.workspace.post(Message(carol.channel, talk.slack.workspace.next_ts(), "U0BOT", "old", blocks))
    assert "not an execution id" in (await carol.gets("Refresh", message)).text
    paths = {call.path for call in talk.gcs.calls if call.path != "/v1/executions"}  # that is a list
    assert all(path.startswith("/v1/executions/") for path in paths)
