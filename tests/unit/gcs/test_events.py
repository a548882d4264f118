"""The events of an execution: what is requested, and what is read of an answer that GCS documents loosely."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.events import Event
from bot.errors import ExecutionNotFound, GCSForbidden, GCSMalformed, GCSMisdirected, GCSTooLarge, InvalidInput
from bot.gcs.client import MAX_EVENTS_BYTES, GCSClient
from bot.gcs.events import MOST_EVENTS, parse_events
from tests.unit.gcs.conftest import ID, Scripted, body_of

DOCUMENTED = {
    "metadata": {"name": "gcs-exec-3-08-20-144951.154c848add38e9f9", "namespace": "c51567523b744d098a8a81ede51894ac"},
    "involvedObject": {"name": "gcs-exec-3-08-20-144951", "namespace": "c51567523b744d098a8a81ede51894ac"},
    "reason": "执行成功##SuccessfulFinish",
    "message": "元素(job-a-init)执行create成功. ## Element(job-a-init) execute Action: create successfully",
    "firstTimestamp": "2018-08-20T06:41:40Z",
    "lastTimestamp": "2018-08-20T06:41:44Z",
    "count": 2,
    "type": "Normal",
    "elemType": "KubeDAG.init",
    "elemId": "job-a-init",
    "actionName": "create",
}
"""The reference's example, but for the name."""


def read(*entries: object) -> tuple[Event, ...]:
    """The events of an answer with these entries."""
    return parse_events(json.dumps(entries).encode())


def test_the_documented_event_is_read() -> None:
    """Both halves of its texts, which step it is about, when it last happened and how often."""
    assert read(DOCUMENTED) == (
        Event(
            element="job-a-init",
            reason="SuccessfulFinish",
            message="Element(job-a-init) execute Action: create successfully",
            reason_zh="执行成功",
            message_zh="元素(job-a-init)执行create成功.",
            at=datetime(2018, 8, 20, 6, 41, 44, tzinfo=UTC),
            times=2,
        ),
    )


@pytest.mark.parametrize(
    ("changed", "event"),
    [
        ({"lastTimestamp": None}, {"at": datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)}),
        ({"lastTimestamp": "soon", "firstTimestamp": 5}, {"at": None}),
        ({"count": "3"}, {"times": 3}),
        ({"count": -3}, {"times": 1}),
        ({"elemId": None}, {"element": ""}),
        ({"reason": "Evicted", "message": ["a", "b"]}, {"reason": "Evicted", "reason_zh": "", "message": "a; b"}),
    ],
)
def test_other_shapes_are_read_sensibly(changed: dict[str, object], event: dict[str, object]) -> None:
    """What is not as documented is unknown, and the rest is read."""
    (found,) = read(DOCUMENTED | changed)
    assert {name: getattr(found, name) for name in event} == event


def test_what_says_nothing_is_left_out() -> None:
    """Neither what is no event nor one without words keeps the others from being read."""
    assert [event.element for event in read(5, "x", None, {}, {"elemId": "a"}, DOCUMENTED)] == ["job-a-init"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"events": []}', b"[", b"<html>", b'"x"', b"null", b"\xff"])
def test_what_is_no_array_is_refused(body: bytes) -> None:
    """The modal then says that GCS does not show the events."""
    with pytest.raises(GCSMalformed):
        parse_events(body)


def test_half_a_character_is_mended() -> None:
    """As in answers about executions."""
    assert len(parse_events(b'[{"reason": "\xff", "elemId": "a\x00"}]')) == 1


def test_there_is_a_bound() -> None:
    """However many events a run has."""
    assert len(read(*[{"reason": "x"}] * (MOST_EVENTS + 5))) == MOST_EVENTS


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing else happens."""
    with suppress(GCSMalformed):
        assert isinstance(parse_events(body), tuple)


async def test_they_are_requested_below_the_execution(client: GCSClient, scripted: Scripted) -> None:
    """One GET of the documented path."""
    scripted.says(200, json.dumps([DOCUMENTED]))
    assert len(await client.get_events(f" {ID.upper()}")) == 1
    assert scripted.requests[0].raw_path == f"/v1/executions/{ID}/events"


async def test_an_id_never_changes_the_path(client: GCSClient, scripted: Scripted) -> None:
    """What is no id is refused before anything is sent."""
    with pytest.raises(InvalidInput):
        await client.get_events(f"{ID}/../x")
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, body_of("refused"), GCSForbidden),
        (404, b'{"error_code": "GCS.0404", "error_msg": "no such execution"}', ExecutionNotFound),
        (404, b'{"error_code": "APIGW.0101", "error_msg": "no such API"}', GCSMisdirected),
        (200, b"[" + b" " * MAX_EVENTS_BYTES + b"]", GCSTooLarge),
    ],
)
async def test_refusals_are_distinguished(
    client: GCSClient, scripted: Scripted, status: int, body: bytes, error: type[Exception]
) -> None:
    """And executions are read all the same afterwards."""
    scripted.says(status, body).says(200, body_of("running"))
    with pytest.raises(error):
        await client.get_events(ID)
    assert (await client.get_execution(ID)).to_execution().id == ID


async def test_people_pay_for_them(scripted: Scripted, client: GCSClient) -> None:
    """They come out of the part of the quota that is people's."""
    taken: list[bool] = []

    async def take(*, is_person: bool) -> timedelta:
        taken.append(is_person)
        return timedelta()

    client._take = take
    scripted.says(200, "[]")
    assert await client.get_events(ID, is_person=True) == ()
    assert taken == [True]
