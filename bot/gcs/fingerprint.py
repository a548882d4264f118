"""Fingerprints, which show whether an execution has changed since the last poll without comparing all of it.

Lives here: `fingerprint_of` and `item_state`. A fingerprint covers everything that a card can show, except what changes
by itself (times of updates, durations, resources). One function takes the same values from an answer about one
execution (`bot.gcs.tables`) and from an item of a list, so that the two can be compared. Does not live here: what the
values mean (`bot.gcs.values`), where a list's items begin and end (`bot.gcs.listing`). Called by `bot.gcs`, `bot.reads`
and the watcher. A list item of an undocumented shape has no fingerprint.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha1
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from bot.domain.execution import TERMINAL_PHASES, WAITING_PHASES
from bot.domain.search import Match
from bot.errors import GCSMalformed
from bot.gcs import values
from bot.gcs.body import MAX_REPORTS, decoded
from bot.gcs.tables import ActionStatus, ExecutionStatus, GetExecutionResponse, NodeStatus, StepCounts


class Fingerprint(NamedTuple):
    """The fingerprint of one answer in two parts of 8 characters each."""

    state: str
    """A digest of what lists show as well: phases, reasons, names."""
    counts: str
    """A digest of the step counts, which lists leave out."""
    is_covered: bool
    """Whether a list would show the next change of a step as well, since the control object reports on steps."""


def fingerprint_of(response: GetExecutionResponse) -> Fingerprint:
    """The fingerprint of an answer about one execution."""
    counts = response.status or StepCounts()
    nodes = counts.actual_node_status
    steps = [(node.name, node.status, node.sub_job_num, node.finished_sub_job_num) for node in nodes]
    control = response.object.status if response.object else None
    left_out = counts.left_out, control.left_out if control else 0, response.is_partial
    return Fingerprint(
        state=_state(response),
        counts=_digest((counts.node_number, counts.finished_node_number, steps, left_out)),
        is_covered=not nodes or (control is not None and _reports_on_all(nodes, control)),
    )


def _reports_on_all(nodes: list[NodeStatus], control: ExecutionStatus) -> bool:
    """Whether the control object, which lists show, would report the next step that ends or fails.

    It has one report for each name, and none for steps that have not begun.
    """
    names = {node.name for node in nodes}
    if len(names) < len(nodes) or control.left_out or not control.sub_object_statuses:
        return False
    running = (node.name for node in nodes if values.phase(node.status) not in _AT_REST)
    return all((report := control.sub_object_statuses.get(name)) and report.phase for name in running)


_AT_REST = WAITING_PHASES | TERMINAL_PHASES


class ItemState(NamedTuple):
    """What one item of a list shows."""

    execution_id: str
    state: str
    """Equal to `Fingerprint.state` of the execution's own answer."""
    labels: frozenset[str]
    """The names of its labels."""
    item: _Item | GetExecutionResponse

    def match(self) -> Match:
        """What people and rules find the execution by."""
        item = self.item
        record, metadata = item.execution, item.object.metadata if item.object else None
        spec = item.object.spec if item.object else None
        labels = record.label or (spec.metadata.labels if spec and spec.metadata else None) or {}
        created = (record.create_at or "", (metadata and metadata.creation_timestamp) or "")
        project = item.enterprise_project
        return Match(
            execution_id=self.execution_id,
            name=values.cut(record.name or ""),
            phase=values.phase(record.status or ""),
            workflow_name=values.cut(record.workflow_name or record.wdl_name or ""),
            created_at=values.first_moment(created) or values.moment_of_id(self.execution_id),
            workflow_id=values.cut(record.workflow_id or ""),
            labels=tuple(values.labels(labels).items()),
            projects=tuple(values.cut(text) for text in (project.name, project.id) if text) if project else (),
        )


def item_state(text: bytes) -> ItemState | None:
    """What an item of a list shows; None for one that cannot be read."""
    try:
        try:
            item: _Item | GetExecutionResponse = decoded(_item, text)
        except msgspec.ValidationError:  # a field has another type than documented
            item = GetExecutionResponse.read(text)
        state = _state(item)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, GCSMalformed):
        return None
    execution_id, spec = item.execution.guid.strip().casefold(), item.object.spec if item.object else None
    if not values.ID_PATTERN.fullmatch(execution_id):
        return None
    labels = frozenset((spec.metadata.labels if spec and spec.metadata else None) or ())
    return ItemState(execution_id, state, labels.union(item.execution.label or ()), item)


def _state(item: GetExecutionResponse | _Item) -> str:
    """A digest of everything that both a list and an answer about one execution show of it."""
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


_item = msgspec.json.Decoder(_Item)
_encode = msgspec.json.Encoder().encode
