"""The simulated Slack checks blocks as strictly as Slack: each limit, each surface, each rule across blocks."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.slack.blockkit import Surface, problems, text_size, view_problems

Block = dict[str, Any]


def plain(text: str = "Steps") -> Block:
    """Plain text."""
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "*Running*") -> Block:
    """Text with markup."""
    return {"type": "mrkdwn", "text": text}


def section(text: str = "*Running*", **more: Any) -> Block:
    """A section."""
    return {"type": "section", "text": mrkdwn(text), **more}


def button(**more: Any) -> Block:
    """A button."""
    return {"type": "button", "text": plain(), "action_id": "show_steps", **more}


def buttons(*elements: Block) -> Block:
    """A row of elements."""
    return {"type": "actions", "elements": list(elements)}


def rich_text(text: str = "exit code 137") -> Block:
    """Rich text of one line."""
    inline = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [inline]}


def task(task_id: str = "s1", status: str = "complete", **more: Any) -> Block:
    """A task card."""
    return {"type": "task_card", "task_id": task_id, "title": "bwa-mem", "status": status, **more}


def plan(*tasks: Block) -> Block:
    """A plan."""
    return {"type": "plan", "title": "1 of 2 steps", "tasks": list(tasks)}


def modal(*blocks: Block, **more: Any) -> Block:
    """A modal."""
    return {"type": "modal", "title": plain(), "blocks": list(blocks), **more}


ASK: Block = {
    "type": "input",
    "block_id": "b",
    "label": plain("Execution id"),
    "element": {"type": "plain_text_input", "action_id": "execution_id"},
}
OPTION: Block = {"text": plain("Final"), "value": "final"}
SELECT: Block = {"type": "static_select", "action_id": "pick", "options": [OPTION], "placeholder": plain()}
IMAGE: Block = {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "topology"}

GOOD: list[tuple[str, Block]] = [
    ("section", section("x" * 3000)),
    ("fields", {"type": "section", "fields": [mrkdwn("x" * 1000)] * 10}),
    ("accessory", section(accessory=button(style="danger", value="x" * 2000))),
    ("header", {"type": "header", "text": plain("x" * 150)}),
    ("divider", {"type": "divider"}),
    ("image", IMAGE),
    ("context", {"type": "context", "elements": [mrkdwn()] * 10}),
    ("actions", buttons(*[button(action_id=f"a{n}") for n in range(25)])),
    ("select", buttons(SELECT)),
    ("plan", plan(*[task(f"s{n}", status="pending") for n in range(50)])),
    ("task details", plan(task(status="error", details=rich_text(), output=rich_text()))),
    ("task_card", task(status="in_progress")),
    ("table", {"type": "table", "rows": [[{"type": "raw_text", "text": "step"}, rich_text()]]}),
    ("rich_text", rich_text()),
    ("markdown", {"type": "markdown", "text": "# Done"}),
]

BAD: list[tuple[str, Block, str]] = [
    ("unknown type", {"type": "data_table"}, "unsupported type: data_table"),
    ("unknown key", section(colour="red"), "unknown field: colour"),
    ("bare section", {"type": "section"}, "needs text or fields"),
    ("text 3001", section("x" * 3001), "/blocks/0/text/text: must be no more than 3000"),
    ("text empty", section(""), "no less than 1"),
    ("text as string", {"type": "section", "text": "hello"}, "unsupported type: None"),
    ("emoji on mrkdwn", {"type": "section", "text": {**mrkdwn(), "emoji": True}}, "unknown field: emoji"),
    ("field 2001", {"type": "section", "fields": [mrkdwn("x" * 2001)]}, "/fields/0/text: must be no more than 2000"),
    ("11 fields", {"type": "section", "fields": [mrkdwn()] * 11}, "no more than 10 items"),
    ("header 151", {"type": "header", "text": plain("x" * 151)}, "no more than 150"),
    ("header mrkdwn", {"type": "header", "text": mrkdwn()}, "unsupported type: mrkdwn"),
    ("image without alt", {"type": "image", "image_url": "https://example.com/a.png"}, "alt_text"),
    ("image from a file", {"type": "image", "image_url": "file:///etc/hosts", "alt_text": "a"}, "must be a URL"),
    ("link without host", buttons(button(url="https:///x")), "must be a URL"),
    ("link with a space", buttons(button(url="https://example.com/a b")), "must be a URL"),
    ("link that is text", buttons(button(url="see the page")), "must be a URL"),
    ("image without source", {"type": "image", "alt_text": "a"}, "exactly one of image_url"),
    ("11 in context", {"type": "context", "elements": [mrkdwn()] * 11}, "no more than 10 items"),
    ("no actions", buttons(), "no fewer than 1 items"),
    ("26 actions", buttons(*[button(action_id=f"a{n}") for n in range(26)]), "no more than 25 items"),
    ("twin action_id", buttons(button(), button()), "action_id `show_steps` is there twice"),
    ("action_id 256", buttons(button(action_id="x" * 256)), "no more than 255"),
    ("button text 76", buttons(button(text=plain("x" * 76))), "no more than 75"),
    ("button value 2001", buttons(button(value="x" * 2001)), "no more than 2000"),
    ("button style", buttons(button(style="default")), "must be one of primary, danger"),
    ("block_id 256", section(block_id="x" * 256), "no more than 255"),
    ("option value 151", buttons({**SELECT, "options": [{**OPTION, "value": "x" * 151}]}), "no more than 150"),
    ("101 options", buttons({**SELECT, "options": [OPTION] * 101}), "no more than 100 items"),
    ("status word", plan(task(status="completed")), "pending, in_progress, complete, error"),
    ("pending card", task(status="pending"), "in_progress, complete, error"),
    ("51 tasks", plan(*[task(f"s{n}") for n in range(51)]), "no more than 50 items"),
    ("twin task_id", plan(task(), task()), "task_id `s1` is there twice"),
    ("details as string", plan(task(details="exit 137")), "unsupported type: None"),
    ("table rows", {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}, "no more than 100 items"),
    ("rich text inline", {"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}, "unsupported type: text"),
]


@pytest.mark.parametrize("block", [block for _, block in GOOD], ids=[name for name, _ in GOOD])
def test_good_block(block: Block) -> None:
    """A block at Slack's limit is accepted in a message."""
    assert problems([block], "message") == []


@pytest.mark.parametrize(("block", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_block(block: Block, said: str) -> None:
    """A block just over Slack's limit is refused, and the line says what is wrong."""
    assert any(said in line for line in problems([block], "message"))


@pytest.mark.parametrize(("surface", "most"), [("message", 50), ("modal", 100), ("home", 100)])
def test_number_of_blocks(surface: Surface, most: int) -> None:
    """A message may have 50 blocks, a view 100, and not one more."""
    assert problems([section("x")] * most, surface) == []
    assert "no more than" in problems([section("x")] * (most + 1), surface)[0]


@pytest.mark.parametrize("block", [plan(task()), task(), {"type": "markdown", "text": "x"}], ids=lambda b: b["type"])
@pytest.mark.parametrize("surface", ["modal", "home"])
def test_blocks_for_messages_only(block: Block, surface: Surface) -> None:
    """Plan, task_card and markdown are allowed in messages only."""
    assert any(f"not allowed in a {surface}" in line for line in problems([block], surface))


def test_block_id_twice() -> None:
    """Two blocks of one message may not share a block_id."""
    assert "block_id `card` is there twice" in problems([section(block_id="card")] * 2, "message")[0]


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([plan(task()), plan(task())], "only one plan"),
        ([plan(task()), task()], "do not go together"),
        ([{"type": "markdown", "text": "x" * 7000}] * 2, "all markdown together"),
        ([section("x" * 3000)] * 5, "all text together"),
    ],
)
def test_rules_of_a_whole_message(blocks: list[Block], said: str) -> None:
    """Rules across blocks hold too: one plan, no task_card beside it, a limit for all text together."""
    assert any(said in line for line in problems(blocks, "message"))


def test_not_a_list() -> None:
    """Blocks that are not a list are refused without a crash."""
    assert problems({"type": "section"}, "message") == ["/blocks: must be a list"]
    assert problems([None], "message") == ["/blocks/0: unsupported type: None"]


def test_text_size_counts_what_is_shown() -> None:
    """The size of a message counts texts and titles, but not values and ids."""
    assert text_size([section("12345"), plan(task()), buttons(button(value="long value"))]) == 5 + 12 + 7 + 5


def test_modal_accepted() -> None:
    """A modal with an input and a submit button is accepted."""
    assert view_problems(modal(ASK, submit=plain("Go"), close=plain("Stop"), private_metadata="x" * 3000)) == []


def test_home_accepted() -> None:
    """A Home tab of sections and buttons is accepted."""
    assert view_problems({"type": "home", "blocks": [section(), buttons(button())]}) == []


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (modal(ASK), "missing required field: submit"),
        (modal(section(), title=plain("x" * 25)), "/view/title/text: must be no more than 24"),
        (modal(section(), close=plain("x" * 25)), "/view/close/text: must be no more than 24"),
        (modal(section(), private_metadata="x" * 3001), "no more than 3000"),
        (modal(section(), callback_id="x" * 256), "no more than 255"),
        (modal(section(), titel="x"), "unknown field: titel"),
        (modal(), "no fewer than 1 items"),
        (modal(plan(task())), "not allowed in a modal"),
        ({"type": "home", "title": plain(), "blocks": []}, "unknown field: title"),
        ({"type": "message"}, "unsupported type: message"),
        (None, "unsupported type: None"),
    ],
)
def test_view_refused(view: Any, said: str) -> None:
    """A view that Slack would refuse is refused with a line that says why."""
    assert any(said in line for line in view_problems(view))
