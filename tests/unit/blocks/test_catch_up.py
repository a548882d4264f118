"""Promises of the message about all that has ended: what failed comes first, and nothing is left out unsaid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.blocks import Message, catch_up_message
from bot.blocks.catch_up import MOST_FAILED
from bot.blocks.language import Language, speaking
from bot.domain.catch_up import Caught
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from sandbox.slack import blockkit
from tests.unit.blocks.world import FAILED_STEP, ID, NOW, shown

ADDRESS = "https://lab.slack.com/"
PUSHED = 110
"""So many characters of a message are certain to be seen in a notification."""


def ended(name: str, phase: str = "Succeeded", *, minute: int = 0, microseconds: int = 0, **fields: Any) -> Caught:
    """An end in the night."""
    at = NOW + timedelta(minutes=minute, microseconds=microseconds)
    known: dict[str, Any] = {"kind": ChangeKind.OUTCOME, "phase": phase, "at": at}
    if phase == "Failed":
        known |= {"failed_steps": (FAILED_STEP,), "failed_steps_total": 1}
    return Caught(
        execution=Execution(id=ID, name=name, workflow_name="deepvariant"),
        change=Change(revision=3, **(known | fields)),
        channel="D1",
        ts="1796061527.412619",
    )


def drawn(*ends: Caught, address: str = ADDRESS) -> Message:
    """The message, which Slack accepts."""
    message = catch_up_message(ends, address=address)
    assert blockkit.problems(list(message.blocks), "message") == []
    return message


def test_what_failed_comes_first() -> None:
    """With its cause, the way to its card and to more; the notification has the first of them."""
    message = drawn(ended("b"), ended("a-2", "Failed", minute=2), ended("a-1", "Failed", minute=1), ended("c"))
    lines = message.text.split("\n")
    assert lines[0] == "While you were away: 2 failed, 2 succeeded"
    assert [line for line in lines if line.startswith(("❌", "✅"))] == [
        "❌ Failed: a-1",
        "❌ Failed: a-2",
        "✅ Succeeded: b, c",
    ]
    assert "ran out of memory" in lines[2]
    assert "a-1" in message.text[:PUSHED]
    first = message.blocks[1]
    assert f"<{ADDRESS}archives/D1/p1796061527412619|a-1>" in first["text"]["text"]
    assert first["accessory"]["action_id"] == "show_why"


def test_a_bar_in_a_name_ends_no_link() -> None:
    """Slack's links have one, before what they show."""
    message = drawn(ended("a|b", "Failed"), ended("c", "Failed"))
    assert "Failed: a|b" in message.text
    assert f"<{ADDRESS}archives/D1/p1796061527412619|a∣b>" in message.blocks[1]["text"]["text"]


def test_names_stand_in_the_order_of_their_numbers() -> None:
    """Of what ended in one second; what ended before that comes first, whatever its name."""
    names = ["b-10", "b-2", "b-1", "b", "a-3", "b-2-x", "b-" + "9" * 5_000]
    ends = [ended(name, microseconds=place) for place, name in enumerate(names)]
    text = drawn(*ends, ended("z-1", minute=-1)).text
    assert ": z-1, a-3, b, b-1, b-2, b-2-x, b-10, b-99" in text


@pytest.mark.parametrize(("field", "value"), [("address", ""), ("ts", ""), ("ts", "x|<!channel>"), ("channel", "")])
def test_without_a_place_there_is_no_link(field: str, value: str) -> None:
    """Of the card, or of the workspace."""
    end = ended("a", "Failed")
    message = drawn(end, ended("b"), address=value) if field == "address" else drawn(replace(end, **{field: value}))
    assert "archives" not in shown(message.blocks)


def test_each_state_has_its_line() -> None:
    """Also deletions, and phases that nobody knows."""
    ends = [
        ended("a", "Cancelled"),
        ended("b", "Aborted"),
        ended("c", kind=ChangeKind.VANISHED),
        ended("d", "Melted"),
        ended("e"),
    ]
    text = drawn(*ends).text
    assert text.startswith("While you were away: 2 cancelled, 1 deleted, 1 ended otherwise, 1 succeeded\n")
    for line in ("🛑 Cancelled: a", "🛑 Aborted: b", "🗑 Deleted: c", "❔ Melted: d", "✅ Succeeded: e"):
        assert line in text.split("\n")


@pytest.mark.parametrize("language", Language)
def test_any_number_fits(language: Language) -> None:
    """Of the longest names; how many are not named is said, with where they are."""
    long = "x" * 60
    ends = [ended(f"{long}{number}", phase) for number in range(400) for phase in ("Failed", "Succeeded", "Cancelled")]
    with speaking(language):
        message = drawn(*ends)
    assert len(message.text) <= 3_900
    assert len(message.blocks) <= MOST_FAILED + 5
    named = message.text.count(long)
    hidden = [int(word) for word in message.text.replace("，", " ").split() if word.isdecimal() and int(word) < 400]
    assert named + sum(number for number in hidden if number > 300) == 1_200
    assert "/execution failed" in message.text


def test_it_is_read_in_chinese() -> None:
    """All of it."""
    with speaking(Language.CHINESE):
        text = drawn(ended("a", "Failed"), ended("b")).text
    assert text.startswith("你不在时：1 个失败、1 个成功\n❌ 执行失败：a\n")
    assert "Succeeded" not in text


def test_names_mention_nobody() -> None:
    """Nor make links."""
    message = drawn(ended("<!channel> <http://x|y> *b*", "Failed"), ended("<@U1>"))
    assert not {"<!", "<@", "<http:"} & {message.text[at : at + 6] for at in range(len(message.text))}
    assert "<@U1>" not in shown(message.blocks)
    assert "<!channel>" not in shown(message.blocks)
