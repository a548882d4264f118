"""Promises of the print: it moves with every news, and with nothing that moves by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.errors import GCSMalformed
from bot.gcs.fingerprint import Fingerprint, fingerprint_of, parse_page

from .conftest import ID, body_of

RUNNING: dict[str, Any] = json.loads(body_of("running"))
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> bytes:
    """The running execution of the reference after `change`."""
    body = json.loads(body_of("running"))
    change(body)
    return json.dumps(body).encode()


def control(body: dict[str, Any]) -> dict[str, Any]:
    """`object.status`."""
    status: dict[str, Any] = body["object"]["status"]
    return status


SAME: list[Change] = [
    lambda body: body["execution"].update(time_duration=999, update_at="2018-08-20T07:00:00Z"),
    lambda body: body["execution"].update(resources={"cpu": 3, "ratio": 50}),
    lambda body: control(body)["objectStatus"].update(updateAt="2018-08-20T07:00:00Z"),
    lambda body: control(body)["subObjectStatuses"]["job-b"].update(updateAt="2018-08-20T07:00:00Z"),
    lambda body: body["object"]["metadata"].update(resourceVersion="2"),
    lambda body: body["status"]["actual_node_status"][1].update(time_duration=999, resources={"cpu": 1}),
]
"""What moves by itself."""

NEWS: list[Change] = [
    lambda body: body["execution"].update(status="Cancelling"),
    lambda body: body["execution"].update(name="another"),
    lambda body: control(body).update(actionName="delete"),
    lambda body: control(body)["objectStatus"].update(phase="Failed"),
    lambda body: control(body)["objectStatus"].update(reason="ExecutionTimeout"),
    lambda body: control(body)["subObjectStatuses"]["job-b"].update(phase="Succeeded"),
    lambda body: control(body)["subObjectStatuses"].update({"job-c": {"phase": "Running"}}),
]
"""What lists show as well."""

COUNTED: list[Change] = [
    lambda body: body["status"].update(finished_node_number=2),
    lambda body: body["status"]["actual_node_status"][1].update(status="Succeeded"),
    lambda body: body["status"]["actual_node_status"][1].update(finished_sub_job_num=1),
    lambda body: body.pop("status"),
]
"""What lists leave out."""


def fingerprint(body: bytes) -> Fingerprint:
    """The prints of a readable answer."""
    found = fingerprint_of(body, asked=ID)
    assert found is not None
    return found


@pytest.mark.parametrize("change", SAME)
def test_what_moves_by_itself_does_not_move_the_print(change: Change) -> None:
    """Times, durations and resources are no news."""
    assert fingerprint(changed(change)) == fingerprint(body_of("running"))


@pytest.mark.parametrize("change", NEWS)
def test_news_moves_the_state(change: Change) -> None:
    """And so do lists, which show it too."""
    assert fingerprint(changed(change)).state != fingerprint(body_of("running")).state


@pytest.mark.parametrize("change", COUNTED)
def test_counts_have_a_print_of_their_own(change: Change) -> None:
    """A list that leaves them out still agrees with the look."""
    before, after = fingerprint(body_of("running")), fingerprint(changed(change))
    assert (before.state, before.counts != after.counts) == (after.state, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"execution": {"guid": 7}}',
        body_of("failed"),
        changed(lambda body: body.update(object="")),
        changed(lambda body: body["status"].update(actual_node_status=["Running"])),
        b"\xff" * 10,
    ],
)
def test_what_cannot_be_compared_has_no_print(body: bytes) -> None:
    """Another execution, or a shape that nobody documented: it is read in full instead."""
    assert fingerprint_of(body, asked=ID) is None


def test_a_list_agrees_with_the_look() -> None:
    """An item has the print of the whole answer; one that cannot be read is passed over, but counted."""
    item = {key: value for key, value in RUNNING.items() if key != "status"} | {"status": None}
    page = parse_page(json.dumps({"executions": [item, {"execution": None}], "total_num": "7"}).encode())
    assert page.items == ((ID, fingerprint(body_of("running")).state),)
    assert (page.length, page.total) == (2, 7)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"executions": 3}', b'{"executions": [], "total_num": "many"}'])
def test_what_is_no_list_says_so(body: bytes) -> None:
    """A gateway's page or an execution is not taken for an empty list."""
    with pytest.raises(GCSMalformed):
        parse_page(body)


def test_a_control_object_without_steps_covers_nothing() -> None:
    """Where only the counts show steps, lists would never show the next one."""
    bare = changed(lambda body: control(body).update(subObjectStatuses={}))
    assert (fingerprint(body_of("running")).is_covered, fingerprint(bare).is_covered) == (True, False)
