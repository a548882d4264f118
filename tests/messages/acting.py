"""Examples of the modal in which an operator cancels or retries an execution.

Lives here: the examples. Does not live here: what they show (`tests.messages.world`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bot.blocks import acted_modal, details_modal, error_modal, loading_action, question_modal, why_modal
from bot.blocks.message import Block
from bot.blocks.sentences import sentence
from bot.blocks.why import Evidence
from bot.domain.acting import Act, Action, Result
from bot.domain.execution import Execution
from bot.errors import BotError, GCSActionForbidden, GCSActionRefused, InputProblem, NotAllowed
from tests.messages import world
from tests.messages.example import Example, Place, Surface
from tests.messages.world import NOW, OTHER_PERSON, snapshot

CANCEL, RETRY = Action.CANCEL, Action.RETRY


def _asked(action: Action, execution: Execution, last: Act | None = None, **more: Any) -> Callable[[], Block]:
    return lambda: question_modal(action, snapshot(execution), last, now=NOW, **more)


def _act(action: Action, result: Result, *, at: datetime = NOW - timedelta(minutes=5)) -> Act:
    return Act(token="0123456789ab", action=action, by=OTHER_PERSON, began_at=at, result=result)  # an id


def _ended(action: Action, result: Result, execution: Execution, error: BotError | None = None) -> Callable[[], Block]:
    return lambda: acted_modal(action, result, snapshot(execution), refusal=sentence(error) if error else "")


def _refused(problem: InputProblem) -> Callable[[], Block]:
    return lambda: error_modal(sentence(NotAllowed(problem)))


ACTING = Surface(
    "Cancel and retry",
    "For operators only: the buttons, and the modal that they open.",
    Place.MODAL,
    (
        Example(
            "Details, for an operator",
            "What runs can be cancelled.",
            lambda: details_modal(snapshot(), now=NOW, offer=CANCEL),
        ),
        Example(
            "Why, for an operator",
            "What has failed can be retried.",
            lambda: why_modal(snapshot(world.FAILED), Evidence(), offer=RETRY),
        ),
        Example("Cancel, loading", "While GCS is called.", lambda: loading_action(CANCEL)),
        Example("Cancel", "Before anything is done.", _asked(CANCEL, world.RUNNING)),
        Example("Cancel, wide", "Many steps run.", _asked(CANCEL, world.WIDE)),
        Example("Cancel, changed", "A step failed meanwhile.", _asked(CANCEL, world.EARLY, has_changed=True)),
        Example("Cancel, over", "It failed meanwhile.", _asked(CANCEL, world.FAILED, has_changed=True)),
        Example(
            "Cancel, retried before",
            "Somebody had it retried a while ago.",
            _asked(CANCEL, world.RUNNING, _act(RETRY, Result.DONE)),
        ),
        Example(
            "Cancel, asked before",
            "GCS's answer was lost.",
            _asked(CANCEL, world.RUNNING, _act(CANCEL, Result.UNKNOWN)),
        ),
        Example(
            "Cancel, under way",
            "Somebody else confirmed it a moment ago.",
            _asked(CANCEL, world.RUNNING, _act(CANCEL, Result.UNDER_WAY, at=NOW)),
        ),
        Example("Cancelled", "GCS takes it.", _ended(CANCEL, Result.DONE, world.CANCELLING)),
        Example("Not known", "GCS's answer is lost.", _ended(CANCEL, Result.UNKNOWN, world.RUNNING)),
        Example(
            "Refused",
            "GCS does not do that.",
            _ended(CANCEL, Result.REFUSED, world.RUNNING, GCSActionRefused(code="GCS.4000003")),
        ),
        Example(
            "Forbidden",
            "The IAM user lacks the right.",
            _ended(CANCEL, Result.REFUSED, world.RUNNING, GCSActionForbidden()),
        ),
        Example("Retry", "Before anything is done.", _asked(RETRY, world.FAILED)),
        Example("Retry, running", "It runs again already.", _asked(RETRY, world.RUNNING)),
        Example(
            "Retry, cancelled before",
            "Somebody had it cancelled.",
            _asked(RETRY, world.CANCELLED, _act(CANCEL, Result.DONE)),
        ),
        Example(
            "Retry, asked before",
            "GCS's answer was lost.",
            _asked(RETRY, world.FAILED, _act(RETRY, Result.UNKNOWN)),
        ),
        Example(
            "Retry, under way",
            "Somebody else confirmed it a moment ago.",
            _asked(RETRY, world.FAILED, _act(RETRY, Result.UNDER_WAY, at=NOW)),
        ),
        Example("Retried", "GCS takes it.", _ended(RETRY, Result.DONE, world.RETRYING)),
        Example("No operator", "The button is somebody else's.", _refused(InputProblem.NO_OPERATOR)),
        Example("Operators not readable", "Slack does not say.", _refused(InputProblem.OPERATORS_UNREADABLE)),
    ),
)
