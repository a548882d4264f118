"""Answers of undocumented shapes and types are read as far as they can be."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.execution import Execution, Step
from bot.errors import GCSMalformed
from bot.gcs.fingerprint import fingerprint_of
from bot.gcs.listed_ids import parse_listed_ids
from bot.gcs.tables import WIRE_NAMES, GetExecutionResponse, find_listed

from .conftest import ID, body_of, changed

OTHER_TYPES: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({"execution": {"label": [{"key": "batch", "value": "7"}]}}, {"labels": {"batch": "7"}}),
    ({"execution": {"label": [{"batch": "7"}, "x", {"a": 1, "b": 2}]}}, {"labels": {"batch": "7"}}),
    ({"execution": {"label": "batch=7", "name": ["x"], "description": ["a", "b"]}}, {"description": "a; b"}),
    ({"enterprise_project": "0"}, {"enterprise_project": "0"}),
    ({"enterprise_project": []}, {"enterprise_project": ""}),
    ({"object": {"status": {"objectStatus": {"phase": "Failed", "message": ["a", "b"]}}}}, {"message": "a; b"}),
    ({"object": {"status": {"objectStatus": {"reason": {"en": "OOM"}}}}}, {"reason": "OOM"}),
    ({"object": {"status": {"objectStatus": "Failed"}}}, {"witness": "Failed"}),
    ({"object": {"status": {"subObjectStatuses": {"a": "Failed"}}}}, {"steps": (Step(name="a", phase="Failed"),)}),
    ({"object": {"status": {"subObjectStatuses": [{"name": "a", "phase": "Failed"}]}}}, {"witness": ""}),
    ({"object": "x", "status": "y"}, {"phase": "Running", "steps_total": None}),
    ({"object": {"metadata": 1, "spec": "x", "status": []}}, {"phase": "Running"}),
    ({"status": {"node_number": {"a": 1}, "finished_node_number": [2]}}, {"steps_total": None}),
    ({"status": {"actual_node_status": ["a", {"name": 7}]}}, {"steps": (Step(name="a"), Step(name="7"))}),
    ({"status": {"actual_node_status": {"a": ["x"]}}}, {"steps": (Step(name="a"),)}),
    ({"execution": {"resources": 5, "priority": {}, "time_duration": []}}, {"priority": None, "elapsed": None}),
]


def test_a_list_with_half_a_key() -> None:
    """A page whose key is cut in the middle of a character is read all the same."""
    page = b'{"\xe6\x89": 1, "executions": [' + body_of("running") + b"]}"
    assert find_listed(page, ID) is not None
    assert [item.execution_id for item in parse_listed_ids(page)] == [ID]


def test_an_undocumented_shape_is_no_fault() -> None:
    """However many fields have another type than documented: the rest is read."""
    reports = {f"step-{number}": 3 for number in range(10_000)}
    execution = changed(object={"status": {"subObjectStatuses": reports, "actionName": ["create"]}}, status=7)
    assert (execution.phase, execution.steps[0]) == ("Running", Step(name="step-0", phase="3"))


"""Answers with fields of another type than documented, and what is read of them."""


@pytest.mark.parametrize(("wire", "read"), OTHER_TYPES)
def test_fields_of_another_type(wire: dict[str, Any], read: dict[str, object]) -> None:
    """Such a field is read sensibly or is unknown; the rest is read."""
    execution = changed(**wire)
    assert {name: getattr(execution, name) for name in read} == read
    assert (execution.id, execution.phase) == (ID, "Running")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (rb"half \ud83d", "half �"),
        (rb"\udc00\ud83d\ude00 whole", "�😀 whole"),
        (rb"a path \\ud83d", r"a path \ud83d"),
        (b"half \xe4\xb8", "half �"),
        (b"\xff\xfe", "��"),
        (b"two\nlines", "two lines"),
        (rb"cut \ud8", "cut �"),
        (rb"cut \u4f", "cut �"),
        (rb"cut \u and \u6587\ud83d\u6587", "cut � and 文�文"),
        (rb"C:\data\x41\\u4f", r"C:\data\x41\u4f"),
    ],
)
def test_halves_of_characters(text: bytes, read: str) -> None:
    """Half a surrogate or half a UTF-8 character is shown as U+FFFD, and everything else is read."""
    body = b'\xef\xbb\xbf{"execution": {"guid": "%s", "description": "%s", "time_duration": NaN}}' % (ID.encode(), text)
    execution = GetExecutionResponse.parse(body, requested_id=ID).to_execution()
    assert (execution.description, execution.elapsed) == (read, None)


@pytest.mark.parametrize(
    "around",
    [
        lambda body: b"\xef\xbb\xbf\xef\xbb\xbf" + body,
        lambda body: body + b"\r\n\0\0",
        lambda body: body.decode().encode("utf-16"),
        lambda body: body.decode().encode("utf-32-be"),
    ],
    ids=["marks", "zeros", "utf-16", "utf-32"],
)
def test_bytes_around_and_between(around: Callable[[bytes], bytes]) -> None:
    """Several byte order marks, zeros at the end and wide characters are read like the plain body."""
    body = body_of("complete")
    read = GetExecutionResponse.parse(around(body), requested_id=ID)
    assert read == GetExecutionResponse.parse(body, requested_id=ID)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2018-08-20T06:41:40Z")
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(WIRE_NAMES)), inner, max_size=6),
    max_leaves=25,
)


def readable(wire: dict[str, Any]) -> Execution:
    """The execution of `wire`, which can be read, stored and compared."""
    response = GetExecutionResponse.parse(json.dumps(wire).encode(), requested_id=ID)
    assert len(fingerprint_of(response).state) == 8
    execution = response.to_execution()
    assert msgspec.json.decode(msgspec.json.encode(execution), type=Execution) == execution
    return execution


@given(st.dictionaries(st.sampled_from(sorted(WIRE_NAMES)), ANYTHING, max_size=8), ANYTHING)
def test_any_json(record: dict[str, Any], rest: Any) -> None:
    """Any JSON in which `execution` is an object with the id is an execution."""
    wire = {**(rest if isinstance(rest, dict) else {"object": rest}), "execution": {**record, "guid": ID}}
    assert readable(wire).id == ID


REFERENCE = {name: json.loads(body_of(name)) for name in ("complete", "running", "cromwell")}


def branches(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything in `value`, leaves and what holds them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, entry in inner for found in branches(entry, (*path, key)))]


def replace_at(value: Any, path: tuple[Any, ...], by: Any) -> None:
    """Replace what is at `path`, if earlier changes left it there."""
    with suppress(LookupError, TypeError):
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = by


PLACES = [
    (name, path)
    for name, body in REFERENCE.items()
    for path in branches(body)
    if path not in {(), ("execution",), ("execution", "guid")}
]


@given(st.lists(st.tuples(st.sampled_from(PLACES), ANYTHING), min_size=1, max_size=4))
def test_any_type_anywhere(changes: list[tuple[tuple[str, tuple[Any, ...]], Any]]) -> None:
    """Whatever leaf or branch of a reference answer has another type: the answer is read while its id stands."""
    (name, _), _ = changes[0]
    body = copy.deepcopy(REFERENCE[name])
    for (of, path), value in changes:
        if of == name:
            replace_at(body, path, value)
    assert readable({**body, "execution": {**body["execution"], "guid": ID}}).id == ID


@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_body(body: bytes) -> None:
    """Any body that does not name the execution is `GCSMalformed`."""
    with pytest.raises(GCSMalformed):
        GetExecutionResponse.parse(body, requested_id=ID)
