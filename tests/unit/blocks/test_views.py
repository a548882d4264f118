"""The list of steps, the Home tab, and what their buttons carry."""

from __future__ import annotations

import pytest

from bot.blocks import buttons, error_modal, home_tab, loading_modal, parse_metadata, steps_modal
from bot.blocks.steps import by_priority
from bot.domain.model import Phase, Step
from tests.unit.blocks.world import FAILED, ID, NOW, buttons_of, execution, shown, snapshot, subscription

WIDE = execution(
    steps=tuple(Step(name=f"scatter-{number}", phase="Failed" if number == 70 else "Running") for number in range(75))
)


def test_the_list_begins_with_what_failed() -> None:
    """Failed, running, waiting, finished; every step with sign and word."""
    seen = shown(steps_modal(snapshot(FAILED), now=NOW, execution_id=ID))
    places = [seen.index(name) for name in ("*call*", "*sort*", "*merge*", "*bwa-mem*")]
    assert places == sorted(places)
    assert "⏳ *merge* · Waiting" in seen


@pytest.mark.parametrize("phase", ["", "Resting", *Phase])
def test_steps_stand_where_the_model_says(phase: str) -> None:
    """Known phases, none, and one of next year: each step in the group that its own properties name."""
    step = Step(name="call", phase=phase)
    kinds = by_priority([step])
    is_well = step.is_finished and not step.is_failed
    assert [bool(kind) for kind in kinds] == [step.is_failed, step.is_running, step.is_waiting, is_well]


def test_a_long_list_has_pages() -> None:
    """Thirty steps a page, and the way back and on."""
    view = steps_modal(snapshot(WIDE), page=1, now=NOW, execution_id=ID)
    assert "Steps 31 to 60 of 75" in shown(view)
    assert buttons_of(view) == {"◀ Previous": "0", "Next ▶": "2", "Refresh": "1"}


def test_the_first_page_has_the_failed_step() -> None:
    """A failure among many is not on page three."""
    assert "❌ *scatter-70*" in shown(steps_modal(snapshot(WIDE), now=NOW, execution_id=ID))


@pytest.mark.parametrize(("asked", "got"), [(-1, 0), (0, 0), (2, 2), (99, 2)])
def test_a_page_that_is_not_there_is_the_nearest(asked: int, got: int) -> None:
    """Steps may have become fewer since the button was drawn."""
    view = steps_modal(snapshot(WIDE), page=asked, now=NOW, execution_id=ID)
    assert parse_metadata(view["private_metadata"]) == (ID, got)


def test_no_steps_yet_is_a_sentence() -> None:
    """An empty list is not an empty window."""
    view = steps_modal(snapshot(execution(steps=())), now=NOW, execution_id=ID)
    assert "GeneContainer Service has not listed any steps yet." in shown(view)


def test_waiting_and_errors_have_their_modals() -> None:
    """The window that opens at once says what it waits for; one that cannot be filled says why."""
    assert "Asking GeneContainer Service" in shown(loading_modal(ID))
    assert parse_metadata(loading_modal(ID)["private_metadata"]).execution_id == ID
    assert "⚠️ GCS does not answer." in shown(error_modal("GCS does not answer."))


@pytest.mark.parametrize("foreign", ["", "[]", "{}", '{"execution_id": "x", "page": null}', "null"])
def test_foreign_metadata_is_refused(foreign: str) -> None:
    """What this bot did not write is an error, not a guess."""
    with pytest.raises(ValueError, match="not the metadata of a list of steps"):
        parse_metadata(foreign)


def test_home_lists_what_is_followed() -> None:
    """Each with phase, progress, freshness and its own buttons; one not seen yet is there too."""
    view = home_tab([(subscription("U1"), snapshot()), (subscription("U1"), None)], now=NOW)
    assert "*gcs-exec-3-08-20-144951* (deepvariant)\nRunning · ▰▰▱▱▱▱▱▱▱▱ 3 of 12 steps" in shown(view)
    assert f"*{ID}*\nnot looked at yet · every step" in shown(view)
    assert buttons_of(view)["Unsubscribe"] == f"{ID}|U1"


def test_an_empty_home_says_how_to_begin() -> None:
    """Somebody new learns what to type."""
    assert "`/execution subscribe`" in shown(home_tab([], now=NOW))


def test_a_crowded_home_stays_within_its_blocks() -> None:
    """What does not fit is counted."""
    view = home_tab([(subscription("U1"), snapshot())] * 300, now=NOW)
    assert len(view["blocks"]) <= 100
    assert "300 subscriptions, the first 25 shown" in shown(view)


def test_a_button_carries_execution_and_subscriber() -> None:
    """What is written into a value is read back; without a subscriber it is the person who presses."""
    assert buttons.parse_action_value(buttons.action_value(ID)) == (ID, "")
    assert buttons.parse_action_value(buttons.action_value(ID, subscription("C123").subscriber)) == (ID, "C123")
