"""Promises of the short replies: what was done, for whom, and what can be done next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.blocks import Message, matches, replies
from bot.blocks.replies import Twice
from bot.domain.execution import Phase
from bot.domain.following import Level
from bot.domain.search import Found, Match
from tests.unit.blocks.world import FAILED_STEP, ID, NOW, buttons_of, execution, shown, snapshot, subscription

NAME = "gcs-exec-3-08-20-144951"
ME, HERE = subscription("U1"), subscription("C123", level=Level.FINAL)


def both(message: Message) -> str:
    """The blocks and the plain text, as text."""
    return f"{shown(message.blocks)}\n{message.text}"


def test_a_confirmation_is_one_line() -> None:
    """Who follows what, and where its card is, which says the rest; the button that undoes it."""
    for message, line, value in [
        (replies.subscribed(ME, snapshot()), f"You follow {NAME} now. Its card comes as a direct message.", "U1"),
        (replies.subscribed(ME, snapshot(), is_above_card=True), f"You follow {NAME} now. Its card comes below.", "U1"),
        (
            replies.subscribed(HERE, snapshot()),
            f"This channel follows {NAME} now. Its card comes as a message.",
            "C123",
        ),
    ]:
        assert message.text == line
        assert [block["type"] for block in message.blocks] == ["section", "actions"]
        assert "\n" not in message.blocks[0]["text"]["text"]
        assert list(buttons_of(message.blocks).values()) == [f"{ID}|{value}"]


def test_a_confirmation_says_what_is_wrong() -> None:
    """A warning, why the run has failed, and that nothing is posted before somebody approves that."""
    assert "⚠️ Guests read along." in shown(replies.subscribed(ME, snapshot(), note="Guests read along.").blocks)
    failed = replies.subscribed(ME, snapshot(execution(phase="Failed", steps=(FAILED_STEP,))))
    assert "ran out of memory" in both(failed)
    assert list(buttons_of(failed.blocks)) == ["Why", "Stop following"]
    held = replies.subscribed(HERE, snapshot(), is_held=True)
    assert held.text == f"This channel follows {NAME} now."
    assert list(buttons_of(held.blocks)) == ["Approve this channel", "Stop following here"]


def test_a_reply_says_who_reads_twice() -> None:
    """In person and in channels; either way one press ends their own."""
    mine = replies.subscribed(ME, snapshot(), twice=Twice(channels=("C1", "C2")))
    assert mine.text.splitlines()[1] == "It is followed in <#C1> and <#C2> too, so you get notified twice."
    assert buttons_of(mine.blocks) == {"Stop following": f"{ID}|U1"}
    for theirs in (
        replies.subscribed(HERE, snapshot(), twice=Twice(in_person=True)),
        replies.already_subscribed(HERE, snapshot(), twice=Twice(in_person=True)),
        replies.level_changed(HERE, snapshot(), was=Level.STEPS, twice=Twice(in_person=True)),
    ):
        assert "You follow it yourself too, so you get notified twice." in both(theirs)
        assert buttons_of(theirs.blocks)["Stop following it myself"] == ID


def test_subscribing_again_says_what_changed() -> None:
    """It changes nothing, or only the level."""
    again = f"You already follow {NAME}: phases and every quarter."
    assert replies.already_subscribed(ME, snapshot()).text == again
    assert "Mind it." in replies.already_subscribed(ME, snapshot(), note="Mind it.").text
    assert "Mind it." in replies.level_changed(HERE, snapshot(), was=Level.STEPS, note="Mind it.").text
    changed = replies.level_changed(HERE, snapshot(), was=Level.STEPS).text
    assert changed.startswith(f"This channel's notifications about {NAME} are now")
    assert "failures and the end (was: every step)" in changed


def test_unsubscribing_names_the_execution() -> None:
    """By its id, with the warning."""
    ended = both(replies.unsubscribed(ME.subscriber, ID, note="Mind it."))
    assert "You no longer follow it." in ended
    assert "Mind it." in ended
    assert "This channel does not follow it, so there is nothing to stop." in both(
        replies.not_subscribed(HERE.subscriber, ID)
    )


def test_a_succeeded_execution_is_not_followed() -> None:
    """The reply says how it ended instead."""
    done = snapshot(execution(phase="Succeeded", steps_finished=12))
    expected = "(12 of 12 steps in 7 min 1 s). There is nothing left to follow."
    assert replies.nothing_to_follow(done).text.startswith("Succeeded: ")
    assert expected in both(replies.nothing_to_follow(done))


def test_only_what_may_go_on_is_offered() -> None:
    """In a list to follow from, a run that has succeeded can be shown."""
    found = Found(tuple(Match(phase.value, phase=phase) for phase in (Phase.RUNNING, Phase.FAILED, Phase.SUCCEEDED)))
    listed = matches.to_follow(found, ME.subscriber)
    assert [each["accessory"]["text"]["text"] for each in listed.blocks if "accessory" in each] == [
        "Follow",
        "Follow",
        "Show",
    ]


def test_the_list_has_one_entry_each() -> None:
    """Name, phase and counts, also in plain text; an execution that was not polled yet is listed too."""
    message = replies.subscription_list([(ME, snapshot()), (HERE, None)], now=NOW)
    assert "2 executions" in shown(message.blocks)
    assert "deepvariant execution gcs-exec-3-08-20-144951: Running, 3 of 12 steps" in message.text
    assert f"{ID}: no data from GCS yet" in message.text


@pytest.mark.parametrize(("ago", "is_said"), [(15, False), (119, False), (300, True)])
def test_a_list_says_what_is_old(ago: int, is_said: bool) -> None:
    """When it was seen, where that is not just now: the line stays short."""
    old = replace(snapshot(), seen_at=NOW - timedelta(seconds=ago))
    assert ("as of <!date" in both(replies.subscription_list([(ME, old)], now=NOW))) is is_said


def test_a_list_names_what_is_unreadable() -> None:
    """By its id, beside the others and alone; many are counted."""
    for items in ([(ME, snapshot())], []):
        listed = both(replies.subscription_list(items, unreadable=["e-bad"], now=NOW))
        assert "I cannot read what I have stored about `e-bad`" in listed
        assert "`/execution` and the id still shows it" in listed
        assert "No executions" not in listed
        assert ("1 execution" in listed) == bool(items)
    assert " and 5 more" in both(replies.subscription_list([], unreadable=["e"] * 15, now=NOW))


def test_an_empty_list_says_what_to_type() -> None:
    """An empty list shows how to follow an execution."""
    assert "`/execution subscribe`" in both(replies.subscription_list([], now=NOW))


def test_help_shows_every_command() -> None:
    """Each with what it does."""
    plain = replies.help_text().text
    for usage in ("&lt;name or id&gt;", "subscribe &lt;name or id&gt; [here]", "list", "running", "failed", "help"):
        assert f"`/execution {usage}" in plain
    assert all(level.value in plain for level in Level)


def test_an_error_is_a_sentence() -> None:
    """It is in the blocks and in the plain text; quoted text is harmless."""
    message = replies.error_reply("I do not know `<!here>`.")
    assert "⚠️ I do not know `&lt;!here&gt;`." in shown(message.blocks)
    assert message.text == "I do not know `&lt;!here&gt;`."
