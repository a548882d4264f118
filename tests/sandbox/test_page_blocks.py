"""The page's Block Kit renderer, block by block, as pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.page.mrkdwn import Viewer
from sandbox.page.render import DRAW, block, blocks

VIEWER = Viewer(id="U1", now=datetime(2026, 11, 23, tzinfo=UTC), users={"U1": "You"}, channels={"C1": "sequencing"})


def words(text: str) -> dict[str, str]:
    """A `plain_text` object."""
    return {"type": "plain_text", "text": text}


def rich(text: str, **style: bool) -> dict[str, Any]:
    """A `rich_text` object with one stretch of text."""
    inside = {"type": "text", "text": text, "style": style}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [inside]}]}


def task(status: str, title: str = "bwa-mem", **more: Any) -> dict[str, Any]:
    """A task of a plan."""
    return {"task_id": title, "title": title, "status": status, **more}


def plan(*statuses: str) -> str:
    """A plan with one task per status, drawn."""
    tasks = [task(status, f"step-{index}") for index, status in enumerate(statuses)]
    return block({"type": "plan", "title": "Steps", "tasks": tasks}, VIEWER)


def test_plan_shows_state_and_details_of_tasks() -> None:
    """A reader sees name, state in words and output of each step."""
    drawn = block({"type": "plan", "title": "T", "tasks": [task("error", output=rich("OOM"))]}, VIEWER)
    assert all(part in drawn for part in ('aria-label="failed"', "bwa-mem", "OOM", "task-error"))


@pytest.mark.parametrize(
    ("statuses", "icon"),
    [
        (("pending", "pending"), "icon-pending"),
        (("complete", "pending"), "icon-in_progress"),
        (("complete", "complete"), "icon-complete"),
        (("error", "in_progress"), "icon-error"),
    ],
)
def test_plan_title_summarizes_its_tasks(statuses: tuple[str, ...], icon: str) -> None:
    """The folded plan shows the overall state."""
    assert icon in plan(*statuses).partition("</summary>")[0]


def test_a_button_carries_what_a_press_needs() -> None:
    """The script finds block, action, value and confirmation on the button itself."""
    button = {"type": "button", "action_id": "stop", "value": 'a"b', "style": "danger", "text": words("Stop")}
    asked = button | {"confirm": {"title": words("Sure?"), "text": words("It ends."), "confirm": words("Yes")}}
    drawn = block({"type": "actions", "block_id": "B1", "elements": [asked]}, VIEWER)
    assert 'data-block-id="B1"' in drawn
    assert 'data-action-id="stop"' in drawn
    assert 'data-value="a&quot;b"' in drawn
    assert "&quot;title&quot;: &quot;Sure?&quot;" in drawn


def test_a_menu_shows_what_is_chosen() -> None:
    """The sender's initial option is selected."""
    options = [{"text": words("All"), "value": "a"}, {"text": words("End"), "value": "e"}]
    menu = {"type": "static_select", "action_id": "level", "options": options, "initial_option": options[1]}
    assert '<option value="e" selected>End</option>' in block({"type": "actions", "elements": [menu]}, VIEWER)


@pytest.mark.parametrize("kind", ["radio_buttons", "checkboxes"])
def test_ticks_are_a_labelled_group(kind: str) -> None:
    """A group of check boxes is a fieldset with a legend, for screen readers."""
    inner = {"type": kind, "action_id": "x", "options": [{"text": words("One"), "value": "1"}]}
    drawn = block({"type": "input", "label": words("Which"), "element": inner}, VIEWER)
    assert "<legend><span" in drawn
    assert 'name="x" value="1"' in drawn


def test_optional_field_is_marked_and_not_required() -> None:
    """An optional field is labelled so and may stay empty."""
    inner = {"type": "plain_text_input", "action_id": "x"}
    drawn = block({"type": "input", "optional": True, "label": words("Note"), "element": inner}, VIEWER)
    assert "(optional)" in drawn
    assert "data-required" not in drawn


def test_channel_can_be_chosen_by_name() -> None:
    """A conversations menu offers the channels that the viewer knows."""
    inner = {"type": "conversations_select", "action_id": "x", "initial_conversation": "C1"}
    drawn = block({"type": "input", "label": words("Where"), "element": inner}, VIEWER)
    assert '<option value="C1" selected>#sequencing</option>' in drawn


def test_a_table_has_head_cells_and_alignment() -> None:
    """The first row is the head; the settings align the columns."""
    rows = [[{"type": "raw_text", "text": "step"}], [rich("bwa")]]
    drawn = block({"type": "table", "rows": rows, "column_settings": [{"align": "right"}]}, VIEWER)
    assert '<th class="align-right">step</th>' in drawn
    assert '<td class="align-right"><div class="rich-section">bwa</div></td>' in drawn


def test_external_image_is_described_not_fetched() -> None:
    """The page opens no external connection: a frame with the description replaces the image."""
    drawn = block({"type": "image", "image_url": "https://x.test/a.png", "alt_text": "A chart"}, VIEWER)
    assert "<img" not in drawn
    assert "A chart" in drawn


def test_an_unknown_block_is_named() -> None:
    """An unknown block does not disappear silently."""
    assert "A block that this page cannot show: hologram" in block({"type": "hologram"}, VIEWER)


@pytest.mark.parametrize("kind", sorted(DRAW))
def test_an_empty_block_breaks_nothing(kind: str) -> None:
    """A block with missing fields does not prevent the rest from being shown."""
    assert f"block-{kind}" in blocks([{"type": kind}], VIEWER)


def test_text_inside_blocks_is_inert() -> None:
    """Foreign text in any part of a block stays text."""
    bad = "<script>alert(1)</script>"
    sent: list[dict[str, Any]] = [
        {"type": "header", "text": words(bad)},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": bad}], "block_id": f'"{bad}'},
        {"type": "plan", "title": bad, "tasks": [task("pending", bad, details=rich(bad))]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": bad}]]},
        {"type": "markdown", "text": bad},
    ]
    assert "<script" not in blocks(sent, VIEWER)
