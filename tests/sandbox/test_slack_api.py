"""The simulated Web API through the real SDK: what is stored, who may call, and Slack's code for each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack import Slack
from sandbox.slack.state import Message
from tests.sandbox.slack_rig import CARD, MARK, World, world


async def test_auth_test_names_bot_and_scopes() -> None:
    """auth.test names team and bot; the scopes are in a header."""
    async with world(scopes={"chat:write", "commands"}, team_id="T1") as at:
        answer = await at.client.auth_test()
    assert (answer["team_id"], answer["user_id"]) == ("T1", at.slack.workspace.bot_user)
    assert answer.headers["x-oauth-scopes"] == "chat:write,commands"


async def test_post_and_read_back(at: World) -> None:
    """A message is stored with its blocks; its metadata is returned only on request."""
    posted = await at.client.chat_postMessage(channel=at.channel, text="card", blocks=CARD, metadata=MARK)
    plain = await at.client.conversations_history(channel=at.channel)
    full = await at.client.conversations_history(channel=at.channel, include_all_metadata=True)
    assert full["messages"][0]["ts"] == posted["ts"]
    assert full["messages"][0]["metadata"] == MARK
    assert "metadata" not in plain["messages"][0]
    assert at.slack.messages(at.channel)[0].blocks[0]["block_id"]


async def test_history_names_the_app_of_messages(at: World) -> None:
    """The bot's own messages have its `bot_id`, those of another app another one, those of people none."""
    await at.client.chat_postMessage(channel=at.channel, text="ours")
    at.slack.say(at.you, at.channel, "a person's")
    theirs = Message(at.channel, at.slack.workspace.next_ts(), at.you, "theirs", bot_id="B0OTHER")
    at.slack.workspace.post(theirs)
    own = (await at.client.auth_test())["bot_id"]
    read = (await at.client.conversations_history(channel=at.channel))["messages"]
    assert [row.get("bot_id") for row in read] == ["B0OTHER", None, own]


async def test_form_body_is_accepted_like_json(at: World) -> None:
    """Blocks as a JSON string in a form, with the token in the form, are accepted too."""
    form = {"token": at.slack.bot_token, "channel": at.channel, "text": "card", "blocks": '[{"type": "divider"}]'}
    async with at.session.post(f"{at.slack.api_url}chat.postMessage", data=form) as response:
        assert (await response.json())["ok"]
    assert at.slack.messages(at.channel)[0].blocks[0]["type"] == "divider"
    assert "token" not in at.slack.calls[0].args


async def test_ts_grows_though_time_stands_still(at: World) -> None:
    """Every message has a unique ts, later than all before."""
    posted = [(await at.client.chat_postMessage(channel=at.channel, text="x"))["ts"] for _ in range(3)]
    assert sorted(set(posted)) == posted


async def test_edit_keeps_earlier_versions(at: World) -> None:
    """An edit changes the message in place; the earlier version is kept with its time."""
    ts = (await at.client.chat_postMessage(channel=at.channel, text="1 of 3", metadata=MARK))["ts"]
    at.clock.now += 60
    await at.client.chat_update(channel=at.channel, ts=ts, text="2 of 3")
    (message,) = at.slack.messages(at.channel)
    assert (message.text, message.metadata) == ("2 of 3", MARK)
    assert [(edit.text, edit.at) for edit in message.edits] == [("1 of 3", at.clock.now)]


async def test_edit_keeps_blocks_unless_it_sends_some(at: World) -> None:
    """An edit without blocks keeps them; an empty list removes them."""
    ts = (await at.client.chat_postMessage(channel=at.channel, text="card", blocks=CARD))["ts"]
    await at.client.chat_update(channel=at.channel, ts=ts, text="new")
    assert len(at.slack.messages(at.channel)[0].blocks) == 2
    await at.client.chat_update(channel=at.channel, ts=ts, text="new", blocks=[])
    assert at.slack.messages(at.channel)[0].blocks == []


async def test_thread_and_broadcast(at: World) -> None:
    """Replies are in the thread; a broadcast reply is in the channel too."""
    ts = (await at.client.chat_postMessage(channel=at.channel, text="card"))["ts"]
    await at.client.chat_postMessage(channel=at.channel, thread_ts=ts, text="quiet")
    await at.client.chat_postMessage(channel=at.channel, thread_ts=ts, text="loud", reply_broadcast=True)
    thread = await at.client.conversations_replies(channel=at.channel, ts=ts)
    history = await at.client.conversations_history(channel=at.channel)
    assert [row["text"] for row in thread["messages"]] == ["card", "quiet", "loud"]
    assert [row["text"] for row in history["messages"]] == ["loud", "card"]
    assert [reply.text for reply in at.slack.thread(at.channel, ts)] == ["quiet", "loud"]


async def test_history_in_pages(at: World) -> None:
    """History goes newest first, page by page, until there is no cursor."""
    for number in range(5):
        at.slack.say(at.you, at.channel, str(number))
    first = await at.client.conversations_history(channel=at.channel, limit=3)
    cursor = first["response_metadata"]["next_cursor"]
    second = await at.client.conversations_history(channel=at.channel, limit=3, cursor=cursor)
    assert [row["text"] for row in [*first["messages"], *second["messages"]]] == ["4", "3", "2", "1", "0"]
    assert second["response_metadata"]["next_cursor"] == ""


async def test_history_between_moments(at: World) -> None:
    """`oldest` is excluded unless `inclusive` is set."""
    said = [at.slack.say(at.you, at.channel, str(number)).ts for number in range(3)]
    after = await at.client.conversations_history(channel=at.channel, oldest=said[1])
    with_it = await at.client.conversations_history(channel=at.channel, oldest=said[1], inclusive=True)
    assert [row["text"] for row in after["messages"]] == ["2"]
    assert [row["text"] for row in with_it["messages"]] == ["2", "1"]


async def test_post_to_a_person_opens_direct_messages(at: World) -> None:
    """A user id as channel works, and the answer has the D… id."""
    posted = await at.client.chat_postMessage(channel=at.you, text="hello")
    opened = await at.client.conversations_open(users=at.you)
    assert posted["channel"] == opened["channel"]["id"] == at.slack.dm(at.you)
    assert posted["channel"].startswith("D")


async def test_join_makes_posting_possible(at: World) -> None:
    """The bot can join a public channel and then post to it."""
    channel = at.slack.add_channel("random", bot_is_member=False)
    assert await at.code("chat.postMessage", channel=channel, text="x") == "not_in_channel"
    assert (await at.client.conversations_join(channel=channel))["channel"]["is_member"]
    assert await at.code("chat.postMessage", channel=channel, text="x") == ""


async def test_who_and_where(at: World) -> None:
    """People, members and the bot's channels can be listed."""
    assert (await at.client.users_info(user=at.you))["user"]["tz"] == "Europe/London"
    assert at.you in (await at.client.conversations_members(channel=at.channel))["members"]
    assert [row["id"] for row in (await at.client.users_conversations())["channels"]] == [at.channel]


def archive(slack: Slack, channel: str) -> None:
    """Archive the channel."""
    slack.archive(channel)


def hide(slack: Slack, channel: str) -> None:
    """Make the channel private and leave it."""
    slack.workspace.channels[channel].is_private = True
    slack.remove_bot(channel)


@pytest.mark.parametrize(("change", "code"), [(archive, "is_archived"), (hide, "channel_not_found")])
async def test_closed_channel(at: World, change: Any, code: str) -> None:
    """A post to a closed channel is refused with the matching code."""
    change(at.slack, at.channel)
    assert await at.code("chat.postMessage", channel=at.channel, text="x") == code


async def test_deactivated_person(at: World) -> None:
    """Direct messages to a deactivated person are refused."""
    direct = at.slack.dm(at.you)
    at.slack.deactivate(at.you)
    assert await at.code("conversations.open", users=at.you) == "user_disabled"
    assert await at.code("chat.postMessage", channel=at.you, text="x") == "channel_not_found"
    assert await at.code("chat.postMessage", channel=direct, text="x") == "is_archived"


async def test_messages_tab_disabled(at: World) -> None:
    """Direct messages are refused while the app's messages tab is off."""
    at.slack.workspace.messages_tab_disabled = True
    assert await at.code("chat.postMessage", channel=at.you, text="x") == "messages_tab_disabled"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": [{"type": "alert"}]}, "invalid_blocks"),
        (
            {"text": "x", "blocks": [CARD[0] | {"text": {"type": "mrkdwn", "text": "x" * 3000}}] * 5},
            "msg_blocks_too_long",
        ),
        ({"text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"text": "x", "thread_ts": "1.000000"}, "thread_not_found"),
        ({"text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": "x", "event_payload": {"a": "x" * 9000}}}, "metadata_too_large"),
        ({"text": "x", "metadata": {"event_type": "an event", "event_payload": {}}}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": 7, "event_payload": {}}}, "invalid_metadata_format"),
        ({"text": "x", "channel": "C404"}, "channel_not_found"),
    ],
)
async def test_post_refused(at: World, arguments: dict[str, Any], code: str) -> None:
    """A message that Slack would refuse gets Slack's code, and nothing is posted."""
    assert await at.code("chat.postMessage", **{"channel": at.channel, **arguments}) == code
    assert at.slack.messages(at.channel) == []


async def test_invalid_blocks_are_explained(at: World) -> None:
    """The answer to invalid blocks lists each problem."""
    with pytest.raises(SlackApiError) as caught:
        await at.client.chat_postMessage(channel=at.channel, text="x", blocks=[{"type": "section"}])
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] /blocks/0: a section needs text or fields"
    ]


async def test_update_refused(at: World) -> None:
    """Only the app's own existing messages can be edited, to at most 4,000 characters."""
    own = (await at.client.chat_postMessage(channel=at.channel, text="card"))["ts"]
    other = at.slack.say(at.you, at.channel, "mine").ts
    assert await at.code("chat.update", channel=at.channel, ts=other, text="x") == "cant_update_message"
    assert await at.code("chat.update", channel=at.channel, ts="1.000000", text="x") == "message_not_found"
    assert await at.code("chat.update", channel=at.channel, ts=own, text="x" * 4001) == "msg_too_long"
    assert await at.code("chat.update", channel=at.channel, ts=own) == "no_text"


async def test_archived_channels_take_no_edits(at: World) -> None:
    """An edit there is refused with another code than a post."""
    own = (await at.client.chat_postMessage(channel=at.channel, text="card"))["ts"]
    at.slack.archive(at.channel)
    assert await at.code("chat.update", channel=at.channel, ts=own, text="x") == "is_inactive"


@pytest.mark.parametrize(("limit", "code"), [(999, ""), (1000, "invalid_limit"), (-1, "invalid_limit")])
async def test_history_pages_have_a_limit(at: World, limit: int, code: str) -> None:
    """A page of more than 999 messages is refused, not cut."""
    assert await at.code("conversations.history", channel=at.channel, limit=limit) == code


async def test_deleted_message_is_gone(at: World) -> None:
    """A deleted message cannot be edited; foreign messages cannot be deleted."""
    own = (await at.client.chat_postMessage(channel=at.channel, text="card"))["ts"]
    other = at.slack.say(at.you, at.channel, "mine").ts
    await at.client.chat_delete(channel=at.channel, ts=own)
    assert await at.code("chat.update", channel=at.channel, ts=own, text="x") == "message_not_found"
    assert await at.code("chat.delete", channel=at.channel, ts=other) == "cant_delete_message"


async def test_ephemeral_only_for_members(at: World) -> None:
    """An ephemeral is seen by one member of the channel; others are refused."""
    stranger = at.slack.add_user("Lab desk")
    await at.client.chat_postEphemeral(channel=at.channel, user=at.you, text="psst")
    assert [each.text for each in at.slack.ephemerals(at.you)] == ["psst"]
    assert await at.code("chat.postEphemeral", channel=at.channel, user=stranger, text="x") == "user_not_in_channel"


@pytest.mark.parametrize(
    ("token", "code"),
    [("", "not_authed"), ("xoxb-other", "invalid_auth"), ("xapp-sandbox-app", "not_allowed_token_type")],
)
async def test_wrong_token(at: World, token: str, code: str) -> None:
    """A call without the right token is refused."""
    at.client.token = token
    assert await at.code("auth.test") == code


async def test_missing_scope() -> None:
    """A call beyond the scopes is refused, with the needed and the granted scopes."""
    async with world(scopes={"chat:write"}) as at:
        with pytest.raises(SlackApiError) as caught:
            await at.client.conversations_history(channel=at.channel)
    answer = caught.value.response
    assert (answer["error"], answer["needed"], answer["provided"]) == (
        "missing_scope",
        "channels:history",
        "chat:write",
    )


async def test_private_channel_needs_its_own_scope() -> None:
    """A private channel needs groups:history."""
    async with world(scopes={"channels:history"}) as at:
        channel = at.slack.add_channel("clinic", private=True)
        assert await at.code("conversations.history", channel=channel) == "missing_scope"
        assert await at.code("conversations.history", channel=at.channel) == ""


async def test_unknown_method(at: World) -> None:
    """A method that is not simulated is refused."""
    assert await at.code("chat.meMessage", channel=at.channel) == "unknown_method"


@pytest.mark.parametrize("body", ["[]", "7", '"text"', "null", "{"])
async def test_response_url_takes_objects_only(at: World, body: str) -> None:
    """Anything else is a 400, and uses nothing up."""
    url = (await at.slack.command(at.you, at.channel, "x")).response_url
    async with at.session.post(url, data=body) as response:
        assert (response.status, await response.text()) == (400, "invalid_payload")


async def test_response_url_expires(at: World) -> None:
    """A response_url allows five responses within half an hour."""
    used, late = [(await at.slack.command(at.you, at.channel, "x")).response_url for _ in range(2)]
    codes = []
    for _ in range(6):
        async with at.session.post(used, json={"text": "x"}) as response:
            codes.append(response.status)
    at.clock.now += 1801
    async with at.session.post(late, json={"text": "x"}) as response:
        assert await response.text() == "expired_url"
    assert codes == [200] * 5 + [404]


async def test_wait_for_says_what_is_there(at: World) -> None:
    """A wait that times out includes a transcript."""
    at.slack.say(at.you, at.channel, "still Running")
    with pytest.raises(TimeoutError, match="still Running"):
        await at.slack.wait_for(lambda: len(at.slack.messages(at.channel)) > 1, timeout=0.01)


async def test_version_grows_with_each_change(at: World) -> None:
    """Waiters for a change wake up and find a greater version."""
    before, changed = at.slack.workspace.version, at.slack.workspace.changed
    at.slack.say(at.you, at.channel, "hello")
    assert changed.is_set()
    assert at.slack.workspace.version > before


async def test_members_in_pages(at: World) -> None:
    """A hundred a page unless the call says otherwise."""
    den = at.slack.add_channel("den", members=[at.slack.add_user(f"p{number}") for number in range(5)])
    first = await at.client.conversations_members(channel=den, limit=4)
    rest = await at.client.conversations_members(channel=den, limit=4, cursor=first["response_metadata"]["next_cursor"])
    found = [*first["members"], *rest["members"]]
    assert rest["response_metadata"]["next_cursor"] == ""
    assert sorted(found) == sorted(at.slack.workspace.channels[den].members)
    with pytest.raises(SlackApiError, match="invalid_limit"):
        await at.client.conversations_members(channel=den, limit=1001)


async def test_people_are_described_as_slack_does(at: World) -> None:
    """Guests have flags; somebody of another organisation is a stranger only while no channel of the bot has them."""
    guest, single = at.slack.add_user("g", guest="multi"), at.slack.add_user("s", guest="single")
    outsider = at.slack.add_user("o", team_id="T0OTHER", enterprise_id="E0OTHER")
    described = {who: (await at.client.users_info(user=who))["user"] for who in (at.you, guest, single, outsider)}
    flags = [
        (row["team_id"], row.get("is_restricted"), row.get("is_ultra_restricted"), row.get("is_stranger"))
        for row in described.values()
    ]
    own = at.slack.workspace.team_id
    assert flags == [
        (own, False, False, None),
        (own, True, False, None),
        (own, True, True, None),
        ("T0OTHER", None, None, True),
    ]
    assert described[outsider]["enterprise_user"]["enterprise_id"] == "E0OTHER"
    at.slack.workspace.channels[at.channel].members.add(outsider)
    assert not (await at.client.users_info(user=outsider))["user"]["is_stranger"]


async def test_a_channel_says_who_shares_it(at: World) -> None:
    """An invitation, then the connection, then neither."""
    seen, place = [], at.slack.workspace.channels[at.channel]
    for place.invited, place.connected in ((set(), set()), ({"T0OTHER"}, set()), (set(), {"T0OTHER"}), (set(), set())):
        channel = (await at.client.conversations_info(channel=at.channel))["channel"]
        seen.append((channel["is_ext_shared"], channel["is_pending_ext_shared"]))
    assert seen == [(False, False), (False, True), (True, False), (False, False)]


async def test_user_groups_need_scope_and_plan(at: World) -> None:
    """Members of a group, and Slack's code for each reason why not."""
    at.slack.workspace.usergroups["S1"] = {at.you}
    assert (await at.client.usergroups_users_list(usergroup="S1"))["users"] == [at.you]
    with pytest.raises(SlackApiError, match="no_such_subteam"):
        await at.client.usergroups_users_list(usergroup="S2")
    at.slack.workspace.is_paid = False
    with pytest.raises(SlackApiError, match="paid_teams_only"):
        await at.client.usergroups_users_list(usergroup="S1")
    at.slack.grant({"chat:write"})
    with pytest.raises(SlackApiError) as refused:
        await at.client.usergroups_users_list(usergroup="S1")
    assert (refused.value.response["needed"], refused.value.response["provided"]) == ("usergroups:read", "chat:write")
