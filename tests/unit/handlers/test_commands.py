"""Promises of `/execution`, from the signed request to the answer.

Lives here: summaries, help, subscriptions and lists, and who is refused. Does not live here: the words
(`test_parsing`), rules (`test_rules`), names (`test_search`), errors (`test_errors`). Called by pytest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

import handlers
from bot.blocks import buttons, matches, replies
from bot.blocks.sentences import sentence
from bot.domain.following import Level
from bot.errors import SlackError, TooManyRequests
from handlers.parsing import parse
from tests.unit.handlers.conftest import World, made
from tests.unit.handlers.doubles import ID
from tests.unit.handlers.tiny_slack import OURS


async def test_an_id_is_answered_with_a_summary(world: World) -> None:
    """The ack is empty; the summary follows, for the person alone."""
    response = await world.command(f"`{ID.upper()}`")
    assert (response.status, response.body) == (200, "")
    assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]
    assert world.slack.answers[0]["response_type"] == "ephemeral"
    assert "deepvariant" in world.reply
    assert "Running" in world.reply


async def test_help_costs_no_call(world: World) -> None:
    """`help` shows what may be typed."""
    await world.command("help")
    assert "/execution subscribe" in world.reply
    assert world.subscriptions.asked == []


async def test_nothing_typed_shows_what_is_followed(world: World) -> None:
    """And three lines to type."""
    await world.command("")
    assert world.subscriptions.asked == [("of", "U1")]
    assert "deepvariant" in world.reply
    assert world.reply.count("`/execution ") == 4


async def test_the_examples_shown_parse() -> None:
    """What help and overview show can be typed."""
    for line in (replies.HELP_EXAMPLE, *(line for line, _ in matches.EXAMPLES)):
        assert parse(line).verb.value


async def test_subscribe_is_for_the_person(world: World) -> None:
    """Without `here` the person is subscribed, and no channel is checked."""
    await world.command(f"subscribe {ID} final")
    assert world.subscriptions.asked == [("subscribe", "U1", ID, Level.FINAL, "U1")]
    assert world.slack.called("conversations.info") == []


async def test_here_subscribes_the_channel(world: World) -> None:
    """With `here` the channel is checked first, then subscribed, with the person as its owner."""
    await world.command(f"subscribe {ID} here")
    assert world.slack.called("conversations.info")[0]["channel"] == "C1"
    assert world.subscriptions.asked == [("subscribe", "C1", ID, None, "U1")]


async def test_here_in_a_direct_message_is_the_person(world: World) -> None:
    """In direct messages, `here` means the person."""
    await world.command(f"subscribe {ID} here", channel="D1")
    assert world.subscriptions.asked == [("subscribe", "U1", ID, None, "U1")]


@pytest.mark.parametrize(
    ("result", "part"),
    [
        ({"channel": {"id": "C1", "is_member": False, "is_private": False, **OURS}}, "Invite me with `/invite`"),
        ({"ok": False, "error": "channel_not_found"}, "Invite me with `/invite`"),
        ({"channel": {"id": "C1", "is_member": True, "is_private": False, "is_archived": True, **OURS}}, "archived"),
        ({"ok": False, "error": "missing_scope"}, "Leave out `here`"),
        ({"ok": False, "error": "access_denied"}, "ask an admin of the workspace"),
        ({"ok": False, "error": "a_code_of_next_year"}, "Slack refuses it (`a_code_of_next_year`)"),
        ({"ok": False, "error": "invalid_auth"}, "Slack rejects my token"),
    ],
)
async def test_an_unreachable_channel_is_not_subscribed(world: World, result: object, part: str) -> None:
    """A channel that the bot cannot post to is refused with the remedy, and nothing is stored."""
    world.slack.results["conversations.info"] = dict(result)  # type: ignore[call-overload]
    await world.command(f"subscribe {ID} here")
    assert part in world.reply
    assert world.subscriptions.asked == []


async def test_a_gateways_page_asks_to_try_again(world: World) -> None:
    """When something in front of Slack answers, nothing is known of the channel, and nothing is stored."""
    world.slack.broken.add("conversations.info")
    await world.command(f"subscribe {ID} here")
    assert world.reply == sentence(SlackError())
    assert world.subscriptions.asked == []


async def test_the_log_says_which_scope_is_missing(world: World) -> None:
    """The person cannot fix it; those who run the bot can."""
    world.slack.results["conversations.info"] = {"ok": False, "error": "missing_scope", "needed": "groups:read"}
    with capture_logs() as logs:
        await world.command(f"subscribe {ID} here")
    assert [line["needed"] for line in logs if line["event"] == "slack.scope_missing"] == ["groups:read"]


async def test_the_reply_says_who_reads_twice(world: World) -> None:
    """Of channels that they are in (C1 and C2), and of themselves."""
    world.subscriptions.also = frozenset({"U1", "U7", "C2", "C9"})
    await world.command(f"subscribe {ID}")
    await world.command(f"subscribe {ID} here")
    mine, theirs = (answer["text"] for answer in world.slack.answers)
    assert "It is followed in <#C2> too, so you get notified twice." in mine
    assert "You follow it yourself too, so you get notified twice." in theirs
    await world.press(buttons.UNSUBSCRIBE_EXECUTION, ID)
    assert world.subscriptions.asked[-1] == ("unsubscribe", "U1", ID)


@pytest.mark.parametrize("also", [{"U7"}, {"C9"}, {"U7", "C9"}])
async def test_the_reply_names_no_other_channels(world: World, also: set[str]) -> None:
    """Neither of people, nor of channels that they are not in."""
    world.subscriptions.also = frozenset(also)
    for text in (f"subscribe {ID}", f"subscribe {ID} here"):
        await world.command(text)
    said = str(world.slack.answers)
    assert ("twice" in said, "C9" in said, "U7" in said) == (False, False, False)


async def test_unknown_memberships_say_nothing(world: World) -> None:
    """Slack does not say which channels they are in: it is followed all the same."""
    world.subscriptions.also = frozenset({"C2"})
    world.slack.results["users.conversations"] = {"ok": False, "error": "missing_scope"}
    await world.command(f"subscribe {ID}")
    (answer,) = world.slack.answers
    assert "You follow deepvariant now." in answer["text"]
    assert "C2" not in str(answer)


async def test_a_shared_channel_waits_for_approval(world: World) -> None:
    """Another organisation reads the channel: the person who subscribes reads what is missing, and gets a button."""
    world.slack.results["conversations.info"] = {
        "channel": {"id": "C1", "is_member": True, "is_private": False, "is_ext_shared": True}
    }
    await world.command(f"subscribe {ID} here")
    assert world.subscriptions.asked[0][:2] == ("subscribe", "C1")
    assert "shared with another organisation" in world.reply
    assert "approve_channel" in str(world.slack.answers[0]["blocks"])
    assert world.channels.records["T1/C1"].notified == {"U1"}


async def test_unsubscribe_says_whether_there_was_anything(world: World) -> None:
    """Ending a subscription that does not exist is answered differently."""
    await world.command(f"unsubscribe {ID}")
    world.subscriptions.was_subscribed = False
    await world.command(f"unsubscribe {ID} here")
    assert world.subscriptions.asked == [("unsubscribe", "U1", ID), ("unsubscribe", "C1", ID)]
    assert world.slack.answers[0]["text"] != world.slack.answers[1]["text"]


async def test_list_shows_what_the_person_follows(world: World) -> None:
    """`list` is about the person, `list here` about the channel."""
    await world.command("list")
    await world.command("list here")
    assert world.subscriptions.asked == [("of", "U1"), ("of", "C1"), ("of", "C1")]
    assert "deepvariant" in world.slack.answers[0]["text"]


async def test_list_names_what_the_channel_follows(world: World) -> None:
    """Somebody who follows nothing reads what the channel follows, unless it is a private one that they are not in."""
    world.subscriptions.followers = {"C1"}
    await world.command("list")
    assert "This channel follows 1 execution" in world.reply
    assert "deepvariant" in world.reply
    world.slack.results["conversations.info"] = {"channel": {"id": "C1", "is_member": True, "is_private": True, **OURS}}
    await world.command("list")
    assert "deepvariant" not in world.slack.answers[1]["text"]


async def test_a_typing_error_costs_no_call(world: World) -> None:
    """A line that cannot be parsed is answered at once with the right one."""
    await world.command(f"subscirbe {ID}")
    assert f"/execution subscribe {ID}" in world.reply
    assert world.subscriptions.asked == []


async def test_a_flood_gets_one_sentence(world: World) -> None:
    """What comes too soon is acked and not served; the person reads so once, and others are served."""
    for is_repeated in (False, True, True):
        world.subscriptions.refusal = TooManyRequests(timedelta(seconds=2.4), is_repeated=is_repeated)
        assert (await world.command(ID)).status == 200
    assert "Try again in 3 s." in world.reply
    assert world.subscriptions.asked == []


async def test_every_button_counts(world: World) -> None:
    """No button of a message or a modal is served to a person who asks too fast."""
    world.subscriptions.refusal = TooManyRequests(timedelta(seconds=2))
    modal: dict[str, Any] = {"view": {"id": "V1", "type": "modal", "private_metadata": "{}"}}
    in_modals = {
        *(buttons.PREVIOUS_PAGE, buttons.NEXT_PAGE, buttons.REFRESH_STEPS),
        buttons.CHOOSE_LEVEL,
    }
    action_ids = [*handlers._buttons(), *handlers._decisions()]
    for action_id in action_ids:
        await world.press(action_id, **(modal if action_id in in_modals else {}))
    assert world.subscriptions.admitted == ["U1"] * len(action_ids)
    assert world.subscriptions.asked == []


async def test_help_and_slips_do_not_count(world: World) -> None:
    """They cost no call; so the person who is refused can still read how to ask."""
    world.subscriptions.refusal = TooManyRequests(timedelta(seconds=2))
    for text in ("help", "subscirbe", "lst"):
        await world.command(text)
    assert world.subscriptions.admitted == []


async def test_people_of_another_organisation_get_no_summary(world: World) -> None:
    """People who share the channel from outside are refused before any call."""
    await world.command(ID, team_id="T2")
    assert "only answer people of the workspace" in world.reply
    assert world.subscriptions.asked == []


async def test_people_of_the_same_grid_are_answered() -> None:
    """People of another workspace of the same organisation are answered."""
    async with made(enterprise_id="E1") as world:
        await world.command(ID, team_id="T2", enterprise_id="E1")
        assert world.subscriptions.asked == [("summary", "T1", ID, "U1")]


@pytest.mark.parametrize("own", ["E1", ""])
@pytest.mark.parametrize(
    "said",
    [{"team_id": "T2", "enterprise_id": "E2"}, {"team_id": "E2"}, {"team_id": ""}, {"team_id": "", "user_id": ""}],
)
async def test_another_grid_or_none_is_refused(own: str, said: dict[str, str]) -> None:
    """An organisation alone opens nothing, nor does a request that names no workspace."""
    async with made(enterprise_id=own) as world:
        await world.command(f"unsubscribe {ID} here", **said)
        assert "only answer people of the workspace" in world.reply
        assert world.subscriptions.asked == []
