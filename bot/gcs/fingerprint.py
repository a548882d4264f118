"""Fingerprints: whether an execution has changed since the last poll, known without comparing all of it.

Lives here: a fingerprint covers everything that a card can show, except what moves by itself (times of updates,
durations, resources). One function takes the same values from an answer about one execution (`bot.gcs.tables`) and from
an item of a list, so that the two can be compared. An item is read again only if its text changed. Does not live here:
what the values mean (`bot.gcs.values`). Called by `bot.gcs.client`, `bot.subscriptions` and the watcher. A list item of
an undocumented shape has no fingerprint.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from hashlib import sha1
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from bot.errors import GCSMalformed
from bot.gcs import values
from bot.gcs.body import MAX_REPORTS, mend
from bot.gcs.tables import ActionStatus, GetExecutionResponse, StepCounts


class Fingerprint(NamedTuple):
    """The fingerprint of one answer in two parts of 8 characters each."""

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
    """Equal to `Fingerprint.state` of the execution's own answer."""
    text_hash: int = 0
    """Of the parts of the item's text that `state` depends on; an equal one means an equal state, in this process."""


NOTHING_LISTED: Mapping[str, Listed] = MappingProxyType({})
"""What was listed before the first page."""


class Page(NamedTuple):
    """One page of the list of executions."""

    items: tuple[Listed, ...]
    """Those that can be read; no order is promised."""
    length: int
    """Items on the page, unreadable ones included."""
    total: int
    """Executions in the whole list."""
    size_bytes: int


def fingerprint_of(response: GetExecutionResponse) -> Fingerprint:
    """The fingerprint of an answer about one execution."""
    counts = response.status or StepCounts()
    nodes = counts.actual_node_status
    steps = [(node.name, node.status, node.sub_job_num, node.finished_sub_job_num) for node in nodes]
    control = response.object.status if response.object else None
    left_out = counts.left_out, control.left_out if control else 0
    return Fingerprint(
        state=_state(response),
        counts=_digest((counts.node_number, counts.finished_node_number, steps, left_out)),
        is_covered=bool(control and control.sub_object_statuses) or not nodes,
    )


def parse_page(body: bytes, before: Mapping[str, Listed] = NOTHING_LISTED) -> Page:
    """One answer to list-executions.

    `before`: items of earlier pages by their ids; most items are still the same, and those cost half as much.

    Raises:
        GCSMalformed: `body` is no list.
    """
    try:
        try:
            texts, total = _texts(body)
        except msgspec.DecodeError:
            texts, total = _texts(mend(body))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise GCSMalformed("not a list of executions: is this GeneContainer Service?") from None
    items = tuple(item for text in texts if text is not None and (item := _listed(text, before)) is not None)
    return Page(items, len(texts), max(total, len(texts)), len(body))


def _texts(body: bytes) -> tuple[Sequence[_ItemText | None], int]:
    """The text of each item, None where an item is unreadable, and the list's total."""
    try:
        read = _list.decode(body)
    except msgspec.ValidationError:  # perhaps only one item is unreadable
        unread = _any_list.decode(body)
        return [_text(raw) for raw in unread.executions], int(unread.total_num or 0)
    return read.executions, int(read.total_num or 0)


def _text(raw: Raw) -> _ItemText | None:
    try:
        return _item_text.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _listed(text: _ItemText, before: Mapping[str, Listed]) -> Listed | None:
    execution_id = text.execution.guid.strip().casefold()
    relevant = _encode(text)
    known, text_hash = before.get(execution_id), hash(relevant)
    if known is not None and known.text_hash == text_hash:
        return known
    try:
        return Listed(execution_id, _state(_read(relevant)), text_hash)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None


def _read(relevant: bytes) -> _Item:
    try:
        return _item.decode(relevant)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # perhaps half a character
        return _item.decode(mend(relevant))


def _state(item: GetExecutionResponse | _Item) -> str:
    """The digest of all that both a list and an answer about one execution show of it."""
    record, project = item.execution, item.enterprise_project
    whole = item.object
    metadata, spec, control = (whole.metadata, whole.spec, whole.status) if whole else (None, None, None)
    texts = (
        *(record.status, record.name, record.namespace, record.cluster_name, record.cluster_id, record.project_id),
        *(record.workflow_id, record.workflow_name, record.wdl_name, record.target, record.description),
        *(record.create_at, metadata.creation_timestamp if metadata else None),
        *((project.id, project.name) if project else (None, None)),
        control.action_name if control else None,
    )
    reports = control.sub_object_statuses if control else None
    spec_labels = spec.metadata.labels if spec and spec.metadata else None
    return _digest(
        (
            [text or "" for text in texts],
            values.whole(record.priority),
            values.whole(record.node_number),
            values.number(spec.timeout_in_minutes) if spec else None,
            values.labels(record.label or spec_labels or {}),
            _report(control.object_status if control else None),
            {name: _report(report) for name, report in islice((reports or {}).items(), MAX_REPORTS)},
            whole is None and values.unless_blank(item.metadata) is not None,
        )
    )


def _report(status: ActionStatus | _Status | None) -> tuple[str, str, str] | None:
    return None if status is None else (status.phase or "", status.reason or "", status.message or "")


def _digest(content: object) -> str:
    """48 bits: two different contents of one execution agree by chance once in 10¹⁴ times."""
    return b2a_base64(sha1(_encode(content), usedforsecurity=False).digest()[:6], newline=False).decode()


class _Part(msgspec.Struct, gc=False):
    """Part of a list item: the fields that `_state` takes, named as in `bot.gcs.tables`; JSON has no cycles."""


class _Status(_Part):
    phase: str | None = None
    message: str | None = None
    reason: str | None = None


class _Control(_Part, rename="camel"):
    action_name: str | None = None
    object_status: _Status | None = None
    sub_object_statuses: dict[str, _Status | None] | None = None


class _SpecMetadata(_Part):
    labels: dict[str, Any] | None = None


class _Spec(_Part, rename="camel"):
    metadata: _SpecMetadata | None = None
    timeout_in_minutes: Any = None


class _Metadata(_Part, rename="camel"):
    creation_timestamp: str | None = None


class _Object(_Part):
    metadata: _Metadata | None = None
    spec: _Spec | None = None
    status: _Control | None = None


class _Record(_Part):
    guid: str
    status: str | None = None
    name: str | None = None
    namespace: str | None = None
    cluster_name: str | None = None
    cluster_id: str | None = None
    project_id: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    wdl_name: str | None = None
    target: str | None = None
    description: str | None = None
    create_at: str | None = None
    priority: Any = None
    node_number: Any = None
    label: dict[str, Any] | None = None


class _Project(_Part):
    id: str | None = None
    name: str | None = None


class _Item(_Part):
    execution: _Record
    object: _Object | None = None
    enterprise_project: _Project | None = None
    metadata: Any = None


_NULL = Raw(b"null")


class _StatusText(_Part):
    """The text of a `_Status`: the same fields, not read yet. The classes below are those of the other parts."""

    phase: Raw = _NULL
    message: Raw = _NULL
    reason: Raw = _NULL


class _ControlText(_Part, rename="camel"):
    action_name: Raw = _NULL
    object_status: _StatusText | None = None
    sub_object_statuses: Raw = _NULL


class _SpecText(_Part, rename="camel"):
    metadata: Raw = _NULL
    timeout_in_minutes: Raw = _NULL


class _MetadataText(_Part, rename="camel"):
    creation_timestamp: Raw = _NULL


class _ObjectText(_Part):
    metadata: _MetadataText | None = None
    spec: _SpecText | None = None
    status: _ControlText | None = None


class _RecordText(_Part):
    guid: str
    status: Raw = _NULL
    name: Raw = _NULL
    namespace: Raw = _NULL
    cluster_name: Raw = _NULL
    cluster_id: Raw = _NULL
    project_id: Raw = _NULL
    workflow_id: Raw = _NULL
    workflow_name: Raw = _NULL
    wdl_name: Raw = _NULL
    target: Raw = _NULL
    description: Raw = _NULL
    create_at: Raw = _NULL
    priority: Raw = _NULL
    node_number: Raw = _NULL
    label: Raw = _NULL


class _ItemText(_Part):
    execution: _RecordText
    object: _ObjectText | None = None
    enterprise_project: Raw = _NULL
    metadata: Raw = _NULL


class _List(_Part):
    executions: list[_ItemText]
    total_num: int | str | None = None


class _AnyList(_Part):
    executions: list[Raw]
    total_num: int | str | None = None


_list, _any_list = msgspec.json.Decoder(_List), msgspec.json.Decoder(_AnyList)
_item_text, _item = msgspec.json.Decoder(_ItemText), msgspec.json.Decoder(_Item)
_encode = msgspec.json.Encoder().encode
