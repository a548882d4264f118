"""Promises of the steps modal, and the values of buttons."""

from __future__ import annotations

import pytest

from bot.blocks import StepsPage, buttons, error_modal, loading_modal, parse_metadata, steps_modal
from bot.blocks.steps import by_priority
from bot.domain.execution import Phase, Step
from tests.unit.blocks.world import FAILED, ID, buttons_of, execution, shown, snapshot, subscription

WIDE = execution(
    steps=tuple(Step(name=f"scatter-{number}", phase="Failed" if number == 70 else "Running") for number in range(75))
)


def test_the_list_begins_with_what_failed() -> None:
    """Failed, running, waiting, finished; every step has its sign and phase."""
    seen = shown(steps_modal(snapshot(FAILED), execution_id=ID))
    places = [seen.index(name) for name in ("*call*", "*sort*", "*merge*", "*bwa-mem*")]
    assert places == sorted(places)
    assert "⏳ *merge* · Waiting" in seen


@pytest.mark.parametrize("phase", ["", "Resting", *Phase])
def test_groups_of_steps_match_the_model(phase: str) -> None:
    """Known phases, none, and an unknown one: each step is in the group that its properties name."""
    step = Step(name="call", phase=phase)
    groups = by_priority([step])
    is_well = step.is_finished and not step.is_failed
    assert [bool(group) for group in groups] == [step.is_failed, step.is_running, step.is_waiting, is_well]


def test_a_long_list_has_pages() -> None:
    """Thirty steps a page, with buttons to the pages before and after."""
    view = steps_modal(snapshot(WIDE), page=1, execution_id=ID)
    assert "Steps 31 to 60 of 75" in shown(view)
    assert buttons_of(view) == {"← Previous": "0", "Next →": "2", "Refresh": "1"}


def test_the_first_page_has_the_failed_step() -> None:
    """A failed step is on the first page, wherever GCS lists it."""
    assert "❌ *scatter-70*" in shown(steps_modal(snapshot(WIDE), execution_id=ID))


@pytest.mark.parametrize(("asked", "got"), [(-1, 0), (0, 0), (2, 2), (99, 2)])
def test_a_missing_page_becomes_the_nearest(asked: int, got: int) -> None:
    """There may be fewer steps than when the button was made."""
    view = steps_modal(snapshot(WIDE), page=asked, execution_id=ID)
    assert parse_metadata(view["private_metadata"], StepsPage) == StepsPage(ID, got)


def test_no_steps_yet_is_a_sentence() -> None:
    """An empty list does not make an empty modal."""
    view = steps_modal(snapshot(execution(steps=())), execution_id=ID)
    assert "GeneContainer Service has not listed any steps yet." in shown(view)


def test_waiting_and_errors_have_their_modals() -> None:
    """The modal that opens at once says what it waits for; one that cannot be filled says why."""
    assert "Asking GeneContainer Service" in shown(loading_modal("Steps"))
    assert "⚠️ GCS does not answer." in shown(error_modal("GCS does not answer."))


@pytest.mark.parametrize("foreign", ["", "[]", "{}", '{"execution_id": "x", "page": null}', "null"])
def test_foreign_metadata_is_refused(foreign: str) -> None:
    """Metadata that this bot did not write is an error."""
    with pytest.raises(ValueError, match="not the metadata of a StepsPage"):
        parse_metadata(foreign, StepsPage)


def test_a_button_carries_execution_and_subscriber() -> None:
    """A value is read back as it was written; without a subscriber it means the person who presses."""
    assert buttons.parse_action_value(buttons.action_value(ID)) == (ID, "", "")
    assert buttons.parse_action_value(buttons.action_value(ID, subscription("C123").subscriber)) == (ID, "C123", "")
