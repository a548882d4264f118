"""What shows at a glance whether an execution has changed, without reading all of it.

Lives here: a *print*, a digest of everything in an answer that can be news and of nothing that moves by itself (times,
durations, resources); the same one from a list's item and from a whole answer, so that they can be compared. Does not
live here: what the fields mean (`bot.gcs.tables`). Called by `bot.gcs.client`. An answer of a shape that the reference
does not document has no print: it is then read in full each time.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha1
from typing import Any, NamedTuple

import msgspec

from bot.errors import GCSMalformed


class Fingerprint(NamedTuple):
    """The print of one whole answer, in two parts of 8 characters, and how much of it lists show."""

    state: str
    """Of what lists show as well: phases, reasons, names."""
    counts: str
    """Of the step counts, which lists leave out."""
    is_covered: bool
    """Whether lists would show the next step as well: the control object reports on steps."""


class Listed(NamedTuple):
    """One item of a list."""

    execution_id: str
    state: str
    """Its print."""


class Page(NamedTuple):
    """One page of the list of executions."""

    items: tuple[Listed, ...]
    """Those that can be read; no order is promised."""
    length: int
    """Items on the page, unreadable ones included."""
    total: int
    """Executions that the whole list has."""
    size_bytes: int


class _Part(msgspec.Struct, gc=False):
    """Of a JSON text, which has no cycles for the garbage collector to look for."""


class _Status(_Part):
    phase: Any = None
    message: Any = None
    reason: Any = None


class _Control(_Part, rename="camel"):
    action_name: Any = None
    object_status: _Status | None = None
    sub_object_statuses: dict[str, _Status | None] | None = None


class _Limits(_Part, rename="camel"):
    timeout_in_minutes: Any = None


class _Object(_Part):
    status: _Control | None = None
    spec: _Limits | None = None


class _Record(_Part):
    guid: str
    status: Any = None
    name: Any = None
    workflow_name: Any = None
    cluster_name: Any = None
    target: Any = None
    description: Any = None
    label: Any = None
    priority: Any = None
    wdl_name: Any = None
    task_status: Any = None
    node_number: Any = None


class _Item(_Part):
    execution: _Record
    object: _Object | None = None
    enterprise_project: Any = None


class _Node(_Part):
    name: Any = None
    status: Any = None
    sub_job_num: Any = None
    finished_sub_job_num: Any = None


class _Counts(_Part):
    node_number: Any = None
    finished_node_number: Any = None
    actual_node_status: list[_Node] | dict[str, _Node] | None = None


class _Whole(_Item):
    status: _Counts | None = None


class _List(_Part):
    executions: list[msgspec.Raw]
    total_num: int | str | None = None


_item, _whole, _list = msgspec.json.Decoder(_Item), msgspec.json.Decoder(_Whole), msgspec.json.Decoder(_List)
_encode = msgspec.json.Encoder().encode


def fingerprint_of(body: bytes, *, asked: str) -> Fingerprint | None:
    """The print of the answer to get-execution; None where it is another one's, or has an unknown shape."""
    try:
        found = _whole.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    guid = found.execution.guid
    if guid != asked and guid.strip().casefold() != asked:
        return None
    control = found.object.status if found.object else None
    is_covered = bool(control and control.sub_object_statuses) or not (found.status and found.status.actual_node_status)
    return Fingerprint(_state(found), _digest(_encode(found.status)), is_covered)


def parse_page(body: bytes) -> Page:
    """One answer to list-executions.

    Raises:
        GCSMalformed: `body` is no list.
    """
    try:
        found = _list.decode(body)
        total = int(found.total_num or 0)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise GCSMalformed("not a list of executions: is this GeneContainer Service?") from None
    items = tuple(item for raw in found.executions if (item := _listed(raw)) is not None)
    return Page(items, len(found.executions), max(total, len(found.executions)), len(body))


def _listed(raw: msgspec.Raw) -> Listed | None:
    try:
        found = _item.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return Listed(found.execution.guid.strip().casefold(), _state(found))


def _state(found: _Item) -> str:
    return _digest(_encode((found.execution, found.object, found.enterprise_project)))


def _digest(said: bytes) -> str:
    """48 bits: two different ones of an execution agree by chance once in 10¹⁴ times."""
    return b2a_base64(sha1(said, usedforsecurity=False).digest()[:6], newline=False).decode()
