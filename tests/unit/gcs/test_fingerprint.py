"""Promises of the fingerprint: it moves with all that a card shows, and with nothing that moves by itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.execution import Execution
from bot.domain.following import Subscriber, Subscription
from bot.gcs.body import MAX_REPORTS
from bot.gcs.fingerprint import Fingerprint, fingerprint_of
from bot.gcs.known import NOTHING_LISTED, Listing
from bot.gcs.listing import Page, parse_page
from bot.gcs.tables import WIRE_NAMES, GetExecutionResponse

from .conftest import ID, body_of

Json = dict[str, Any]
Change = Callable[[Json], object]
Path = tuple[str | int, ...]

ANSWERS: dict[str, Json] = {name: json.loads(body_of(name)) for name in ("running", "complete", "cromwell")}
RUNNING = ANSWERS["running"]


def bare() -> Json:
    """The complete answer without the fields that have a fallback, so that each fallback is shown."""
    body = copy.deepcopy(ANSWERS["complete"])
    body["execution"].update(
        cluster_name="", workflow_name="", wdl_name="germline", label={}, create_at="", node_number=4
    )
    body["enterprise_project"]["name"] = ""
    body["status"] = None
    return body


ANSWERS["bare"] = bare()


def changed(change: Change) -> Json:
    """The running execution of the reference after `change`."""
    body = copy.deepcopy(RUNNING)
    change(body)
    return body


def parsed(body: Json) -> GetExecutionResponse:
    """`body` as an answer."""
    return GetExecutionResponse.parse(json.dumps(body).encode(), requested_id=ID)


def fingerprint(body: Json) -> Fingerprint:
    """The fingerprint of `body` as an answer."""
    return fingerprint_of(parsed(body))


def page_of(body: Json, before: Listing = NOTHING_LISTED) -> Page:
    """A page whose one item has the content of `body`."""
    return parse_page(json.dumps({"executions": [{**body, "status": None}]}).encode(), before)


def listed_state(body: Json) -> str:
    """The state that a list shows whose one item has the content of `body`."""
    (item,) = page_of(body).items
    assert item.execution_id == ID
    return item.state


def control(body: Json) -> Json:
    """`object.status`."""
    status: Json = body["object"]["status"]
    return status


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths to all values that hold no others."""
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def variants(body: Json) -> Iterator[Json]:
    """`body` with each of its leaves set to other values, and without it."""
    for path in leaves(body):
        if path[-1] != "guid":
            yield from _variants(body, path)


def _variants(body: Json, path: Path) -> Iterator[Json]:
    for other in (None, "", "Succeeded", "Cancelled", "2018-08-20T05:00:00Z", 5, "another", {"key": "x"}, ["x"], True):
        variant, holder = holding(body, path)
        holder[path[-1]] = other
        yield variant
    variant, holder = holding(body, path)
    del holder[path[-1]]
    yield variant


def holding(body: Json, path: Path) -> tuple[Json, Any]:
    """A copy of `body`, and what holds the leaf at `path` in it."""
    body = copy.deepcopy(body)
    holder: Any = body
    for key in path[:-1]:
        holder = holder[key]
    return body, holder


def settled(execution: Execution) -> Execution:
    """`execution` without what moves by itself."""
    steps = tuple(replace(step, elapsed=None, resources={}) for step in execution.steps)
    return replace(execution, elapsed=None, updated_at=None, resources={}, time_ratio=None, steps=steps)


NOW = datetime(2018, 8, 20, 7, 0, tzinfo=UTC)
FOLLOWER = Subscriber(team_id="T1", id="U1")
FOLLOWED = Subscription(execution_id=ID, subscriber=FOLLOWER, owner="U1", created_at=NOW)


def test_the_answers_have_every_documented_field() -> None:
    """The two reference answers leave no documented field out of the tests below."""

    def keys(value: Any) -> Iterator[str]:
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from keys(inner)
        yield from value if isinstance(value, dict) else ()

    assert {key for name in ("complete", "cromwell") for key in keys(ANSWERS[name])} >= WIRE_NAMES


@pytest.mark.parametrize("name", ANSWERS)
def test_moves_with_everything_that_is_shown(name: str) -> None:
    """Whatever leaf of an answer changes: if the execution differs that all is drawn from, the fingerprint does."""
    body = ANSWERS[name]
    before, execution = fingerprint(body), settled(parsed(body).to_execution())
    for variant in variants(body):
        if settled(parsed(variant).to_execution()) != execution:
            assert fingerprint(variant) != before, variant


@pytest.mark.parametrize("name", ANSWERS)
def test_lists_agree_with_answers(name: str) -> None:
    """Whatever value a leaf has: a list's item has the state of the execution's own answer."""
    before = Listing(page_of(ANSWERS[name]).items, {ID: 0})
    for body in (ANSWERS[name], *variants(ANSWERS[name])):
        for item in (*page_of(body).items, *page_of(body, before).items):  # an undocumented shape has none
            assert item.state == fingerprint(body).state


UNCHANGED: list[Change] = [
    lambda body: body["execution"].update(time_duration=999, update_at="2018-08-20T07:00:00Z"),
    lambda body: body["execution"].update(resources={"cpu": 3, "ratio": 50}),
    lambda body: control(body)["objectStatus"].update(updateAt="2018-08-20T07:00:00Z"),
    lambda body: control(body)["subObjectStatuses"]["job-b"].update(updateAt="2018-08-20T07:00:00Z"),
    lambda body: body["object"]["metadata"].update(resourceVersion="2"),
    lambda body: body["status"]["actual_node_status"][1].update(time_duration=999, resources={"cpu": 1}),
]
"""What moves by itself."""

SHOWN_IN_LISTS: list[Change] = [
    lambda body: body["execution"].update(status="Cancelling"),
    lambda body: body["execution"].update(name="another"),
    lambda body: control(body).update(actionName="delete"),
    lambda body: control(body)["objectStatus"].update(phase="Failed"),
    lambda body: control(body)["objectStatus"].update(reason="ExecutionTimeout"),
    lambda body: control(body)["subObjectStatuses"]["job-b"].update(phase="Succeeded"),
    lambda body: control(body)["subObjectStatuses"].update({"job-c": {"phase": "Running"}}),
]

ONLY_IN_ANSWERS: list[Change] = [
    lambda body: body["status"].update(finished_node_number=2),
    lambda body: body["status"]["actual_node_status"][1].update(status="Succeeded"),
    lambda body: body["status"]["actual_node_status"][1].update(finished_sub_job_num=1),
    lambda body: body.pop("status"),
]
"""Step counts, which lists leave out."""


@pytest.mark.parametrize("change", UNCHANGED)
def test_ignores_what_moves_by_itself(change: Change) -> None:
    """Times, durations and resources do not count as changes."""
    assert fingerprint(changed(change)) == fingerprint(RUNNING)


@pytest.mark.parametrize("change", SHOWN_IN_LISTS)
def test_changes_in_lists_move_the_state(change: Change) -> None:
    """What lists show as well moves the state, in answers and in lists."""
    before, after = fingerprint(RUNNING), fingerprint(changed(change))
    assert after.state != before.state
    assert listed_state(changed(change)) == after.state


@pytest.mark.parametrize("change", ONLY_IN_ANSWERS)
def test_counts_have_their_own_part(change: Change) -> None:
    """A list, which leaves the counts out, still agrees with the answer's state."""
    before, after = fingerprint(RUNNING), fingerprint(changed(change))
    assert (before.state, before.counts != after.counts) == (after.state, True)


def test_half_a_character_in_a_list() -> None:
    """The item is read, as the execution's own answer is, and hides no other."""
    body = changed(lambda body: body["execution"].update(description="half \ud83d"))
    assert listed_state(body) == fingerprint(body).state != fingerprint(RUNNING).state
    raw = json.dumps({"executions": [body, RUNNING]}).encode().replace(b"dts", b"dt\xe4")
    assert parse_page(raw).length == len(parse_page(raw).items) == 2


def test_a_flood_of_reports() -> None:
    """Lists and answers take the same reports into account, and the number of the others is no secret."""
    reports = {f"job-{number}": {"phase": "Running"} for number in range(MAX_REPORTS + 5)}
    more = {**reports, "one more": {"phase": "Running"}}
    many_body = changed(lambda body: control(body).update(subObjectStatuses=reports))
    more_body = changed(lambda body: control(body).update(subObjectStatuses=more))
    assert listed_state(many_body) == fingerprint(many_body).state
    assert fingerprint(many_body).counts != fingerprint(more_body).counts


def test_control_object_without_steps_covers_nothing() -> None:
    """Where only the counts show steps, lists would never show the next one."""
    bare = changed(lambda body: control(body).update(subObjectStatuses={}))
    assert (fingerprint(RUNNING).is_covered, fingerprint(bare).is_covered) == (True, False)


def nodes(*named: tuple[str, str]) -> Json:
    """The running execution with these steps, by name and status; the reports stay."""
    steps = [{"name": name, "status": status, "sub_job_num": 1} for name, status in named]
    return changed(lambda body: body["status"].update(actual_node_status=steps))


REPORTED = control(RUNNING)["subObjectStatuses"]


@pytest.mark.parametrize(
    ("steps", "is_covered"),
    [
        ([("job-a", "Running"), ("job-b", "")], True),
        ([("job-a", "Running"), ("unreported", "Pending")], True),
        ([("job-a", "Running"), ("unreported", "Running")], False),
        ([("job-a", "Running"), ("job-a", "Running")], False),
    ],
)
def test_lists_cover_steps_with_a_report_each(steps: list[tuple[str, str]], is_covered: bool) -> None:
    """Steps that share a name have one report, which need not move when one of them fails."""
    assert "job-a" in REPORTED
    assert fingerprint(nodes(*steps)).is_covered is is_covered


def test_a_report_without_a_phase_covers_nothing() -> None:
    """A list would show the same after the step has failed."""
    bare = changed(lambda body: control(body)["subObjectStatuses"].update({"job-a": {"message": "x"}}))
    bare["status"]["actual_node_status"] = [{"name": "job-a", "status": "Running"}]
    assert not fingerprint(bare).is_covered


def test_a_failed_step_moves_the_list() -> None:
    """Phase and counts stay: only the report shows it."""
    failed = changed(lambda body: control(body)["subObjectStatuses"].update({"job-a": {"phase": "Failed"}}))
    assert listed_state(failed) != listed_state(RUNNING)
