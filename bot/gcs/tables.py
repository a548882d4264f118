"""The answer to `GET /v1/executions/{id}` as it arrives: Tables 1-12 of the GCS reference, and its Cromwell variant.

Lives here: every documented field, read or named as not read, and the one translation to
`bot.domain.execution.Execution`. Lenient: a field that is missing, null or not as documented is read as well as
possible or counts as unknown, and all others are read. Only an object `execution` with the requested id is required;
without one the answer is `GCSMalformed`, whose text never quotes values. Does not live here: what a single value means
(`bot.gcs.values`), bytes (`bot.gcs.body`). Called by `bot.gcs.client` and `fingerprint`; `to_execution` by the workers
and `subscriptions`.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from bot.domain.execution import MOST_STEPS, TERMINAL_PHASES, Execution, Step
from bot.errors import GCSMalformed
from bot.gcs import body as bodies
from bot.gcs import values
from bot.gcs.lenient import Id, Map, Maybe, Number, Prose, Several, Text, Whole, lenient, named

CLOCKS_APART = timedelta(days=1)
"""How far ahead of the bot's clock GCS's may be; what was created later than that has a wrong date."""


class SnakeTable(BaseModel):
    """Base of the tables whose keys are snake_case on the wire. A field is read only if it is shown somewhere."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    NOT_READ: ClassVar[tuple[str, ...]] = ()
    """The documented fields that nothing shows."""


class CamelTable(SnakeTable):
    """Base of the tables whose keys are camelCase on the wire."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)


class EnterpriseProject(SnakeTable):
    """Table 2."""

    id: Text = ""
    name: Text = ""


class ExecutionRecord(SnakeTable):
    """Table 3, the flat record; from `wdl_name` on the Cromwell variant's own fields (5.7)."""

    NOT_READ = (
        *("domain_id", "workflow_scope", "inputs_json", "outputs_json", "image", "sfs_volume_name"),
        *("job_type", "jobs_type", "task_status", "engine_deployment", "env_guid", "metadata_json"),
    )
    guid: Id = ""
    name: Text = ""
    namespace: Text = ""
    cluster_name: Text = ""
    cluster_id: Text = ""
    project_id: Text = ""
    description: Prose = ""
    status: Text = ""
    workflow_id: Text = ""
    workflow_name: Text = ""
    time_duration: Number = None
    target: Text = ""
    create_at: Text = ""
    update_at: Text = ""
    label: Map[Any] = Field(default_factory=dict)
    resources: Map[Any] = Field(default_factory=dict)
    priority: Whole = None
    wdl_name: Text = ""
    node_number: Whole = None
    tae_resources: Map[Any] = Field(default_factory=dict)


class ObjectMetadata(CamelTable):
    """Table 5."""

    NOT_READ = ("name", "namespace", "selfLink", "uid", "annotations", "resourceVersion")
    creation_timestamp: Text = ""


class SpecMetadata(CamelTable):
    """Table 7."""

    NOT_READ = ("namespace",)
    labels: Map[Any] = Field(default_factory=dict)


class ObjectSpec(CamelTable):
    """Table 6."""

    NOT_READ = ("actionName", "onFailureStrategy", "objectData", "location")
    metadata: Maybe[SpecMetadata] = None
    timeout_in_minutes: Number = None


class ActionStatus(CamelTable):
    """Table 9."""

    phase: Text = ""
    message: Prose = ""
    reason: Prose = ""
    update_at: Text = ""


class SubActionStatus(ActionStatus):
    """Table 10."""

    NOT_READ = ("createAt", "subActionName")


class ExecutionStatus(CamelTable):
    """Table 8."""

    NOT_READ = ("progress", "elementStatuses")
    action_name: Text = ""
    object_status: Annotated[ActionStatus | None, lenient(named("phase"))] = None
    sub_object_statuses: Map[Annotated[SubActionStatus | None, lenient(named("phase"))]] = Field(default_factory=dict)
    left_out: int = Field(0, alias=bodies.LEFT_OUT)
    """Reports that are not among `sub_object_statuses`."""


class ExecutionObject(CamelTable):
    """Table 4, the Kubernetes-style object."""

    NOT_READ = ("kind", "apiVersion")
    metadata: Maybe[ObjectMetadata] = None
    spec: Maybe[ObjectSpec] = None
    status: Maybe[ExecutionStatus] = None


class NodeStatus(SnakeTable):
    """Table 12, one step."""

    NOT_READ = ("sub_job_status",)
    name: Text = ""
    status: Text = ""
    sub_job_num: Whole = None
    finished_sub_job_num: Whole = None
    time_duration: Number = None
    resources: Map[Any] = Field(default_factory=dict)


class StepCounts(SnakeTable):
    """Table 11."""

    node_number: Whole = None
    finished_node_number: Whole = None
    actual_node_status: Several[NodeStatus] = Field(default_factory=list)
    left_out: int = Field(0, alias=bodies.LEFT_OUT)
    """Steps that are not among `actual_node_status`."""


class GetExecutionResponse(SnakeTable):
    """Table 1."""

    execution: ExecutionRecord
    object: Maybe[ExecutionObject] = None
    status: Maybe[StepCounts] = None
    enterprise_project: Annotated[EnterpriseProject | None, lenient(named("id"))] = None
    metadata: Any = None
    """Only in the Cromwell variant, in place of `object`."""
    is_partial: bool = Field(False, alias=bodies.PARTIAL)
    """Whether it comes from a list, because the execution's own answer was too large."""

    @classmethod
    def parse(cls, body: bytes, *, requested_id: str) -> GetExecutionResponse:
        """The execution `requested_id` from the body of an answer.

        Raises:
            GCSMalformed: `body` is not an execution, or is another one.
        """
        try:
            response = cls.read(body)
        except GCSMalformed:
            mended = bodies.mend(body)
            if mended == body:
                raise
            response = cls.read(mended)
        guid = response.execution.guid.strip().casefold()
        if guid != requested_id.casefold():
            raise GCSMalformed(f"execution.guid: {'another execution than requested' if guid else 'missing'}")
        return response

    @classmethod
    def read(cls, body: bytes) -> GetExecutionResponse:
        """The execution in `body`, whichever it is.

        Raises:
            GCSMalformed: `body` is not an execution.
        """
        try:
            if len(body) <= bodies.SLIM_ABOVE_BYTES:
                with suppress(ValidationError):  # what cannot be read may be among what is never shown
                    return cls.model_validate_json(bodies.whole(body))
            return cls.model_validate_json(bodies.slim(body, _FRAME))
        except msgspec.ValidationError:
            raise GCSMalformed("not an execution: no object") from None
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            problem = _problem(error) if isinstance(error, ValidationError) else "no JSON"
            raise GCSMalformed(f"not an execution: {problem}") from None

    @property
    def is_cromwell(self) -> bool:
        """Whether it has the Cromwell variant's shape."""
        return self.object is None and values.unless_blank(self.metadata) is not None

    def to_execution(self, *, now: datetime | None = None) -> Execution:
        """The domain's execution. Inputs, outputs, workflow source and picture are left out.

        `now` is when GCS answered. How long an execution has run until then shows the unit of durations.
        """
        record, counts = self.execution, self.status or StepCounts()
        whole = self.object or ExecutionObject()
        spec, control = whole.spec or ObjectSpec(), whole.status or ExecutionStatus()
        # While it is deleted, phase and reason describe the deletion, which may succeed (reference 3.2).
        is_own = control.action_name.strip().casefold() != "delete"
        outcome = (control.object_status if is_own else None) or ActionStatus()
        created, updated = self._created_at(now), self._updated_at()
        durations = [record.time_duration, *(node.time_duration for node in counts.actual_node_status)]
        phase = values.phase(record.status)
        lives = phase not in TERMINAL_PHASES
        until = max((moment for moment in (updated, now if lives else None) if moment), default=None)
        life, age = (moment - created if created and moment else None for moment in (until, now))
        unit = values.duration_unit(durations, life, age)
        project = self.enterprise_project or EnterpriseProject()
        resources, ratio = values.without_ratio(record.resources or record.tae_resources)
        reason, message = values.bilingual(outcome.reason), values.bilingual(outcome.message)
        steps = _steps(counts.actual_node_status, control.sub_object_statuses, unit)
        total = values.count(counts.node_number if counts.node_number is not None else record.node_number)
        finished = values.count(counts.finished_node_number)
        is_impossible = counts.finished_node_number is not None and finished is None
        if is_impossible or (total is not None and finished is not None and finished > total):
            total = finished = None  # neither can be relied upon
        return Execution(
            id=record.guid.strip().casefold(),
            name=values.cut(record.name),
            workflow_id=values.cut(record.workflow_id),
            workflow_name=values.cut(record.workflow_name) or values.cut(record.wdl_name),
            phase=phase,
            witness=values.phase((control.object_status or ActionStatus()).phase),
            action=values.cut(control.action_name),
            reason=reason.text,
            reason_zh=reason.chinese,
            message=message.text,
            message_zh=message.chinese,
            steps_total=total,
            steps_finished=finished,
            steps=steps[:MOST_STEPS],
            steps_left_out=len(steps[MOST_STEPS:]) + (counts if counts.actual_node_status else control).left_out,
            created_at=created,
            updated_at=updated,
            elapsed=values.span(record.time_duration, unit=unit),
            timeout=values.span(spec.timeout_in_minutes, unit=timedelta(minutes=1)),
            target=values.cut(record.target),
            cluster=values.cut(record.cluster_name) or values.cut(record.cluster_id),
            namespace=values.cut(record.namespace),
            project_id=values.cut(record.project_id),
            enterprise_project=values.cut(project.name) or values.cut(project.id),
            description=values.cut(record.description),
            priority=record.priority,
            labels=values.labels(record.label or (spec.metadata or SpecMetadata()).labels),
            resources=resources,
            time_ratio=ratio,
            is_cromwell=self.is_cromwell,
            is_partial=self.is_partial,
        )

    def _created_at(self, now: datetime | None) -> datetime | None:
        record, metadata = self.execution, (self.object and self.object.metadata) or ObjectMetadata()
        texts = (record.create_at, metadata.creation_timestamp)
        found = (*map(values.moment, texts), values.moment_of_id(record.guid.strip().casefold()))
        return next((each for each in found if each and (now is None or each < now + CLOCKS_APART)), None)

    def _updated_at(self) -> datetime | None:
        control = (self.object and self.object.status) or ExecutionStatus()
        outcome = control.object_status or ActionStatus()
        return values.first_moment([self.execution.update_at, outcome.update_at])


def _steps(nodes: list[NodeStatus], reports: dict[str, SubActionStatus | None], unit: timedelta) -> tuple[Step, ...]:
    """The steps in GCS's order: from the node list, else from the control object's reports without its helpers."""
    if not nodes:
        # `job-a-init` prepares `job-a` and is not a step of the user's (reference, Table 8).
        named = [name for name in reports if not (name.endswith("-init") and name.removesuffix("-init") in reports)]
        nodes = [NodeStatus(name=name) for name in named]
    return tuple(
        _step(values.cut(node.name, 100) or f"step-{place}", node, reports.get(node.name) or _UNREPORTED, unit)
        for place, node in enumerate(nodes, start=1)
    )


_UNREPORTED = SubActionStatus()


def _step(name: str, node: NodeStatus, report: SubActionStatus, unit: timedelta) -> Step:
    reason, message = values.bilingual(report.reason), values.bilingual(report.message)
    sub_jobs, finished = (values.count(number) or 0 for number in (node.sub_job_num, node.finished_sub_job_num))
    return Step(
        name=name,
        phase=values.phase(node.status) or values.phase(report.phase),
        sub_jobs=sub_jobs,
        sub_jobs_finished=finished if finished <= sub_jobs else 0,
        elapsed=values.span(node.time_duration, unit=unit),
        reason=reason.text,
        reason_zh=reason.chinese,
        message=message.text,
        message_zh=message.chinese,
        resources=values.scalars(node.resources),
    )


def find_listed(body: bytes, execution_id: str) -> GetExecutionResponse | None:
    """The execution `execution_id` from a page of a list, which has no step counts; None if it is not there.

    Raises:
        GCSMalformed: `body` is not a list.
    """
    try:
        items = bodies.listed(body).items
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise GCSMalformed("not a list of executions") from None
    for item in items:
        try:
            found = GetExecutionResponse.parse(bytes(item), requested_id=execution_id)
        except GCSMalformed:  # another execution, or unreadable
            continue
        return found.model_copy(update={"is_partial": True})
    return None


_TABLES: tuple[type[SnakeTable], ...] = (
    *(GetExecutionResponse, EnterpriseProject, ExecutionRecord, ExecutionObject, ObjectMetadata, ObjectSpec),
    *(SpecMetadata, ExecutionStatus, ActionStatus, SubActionStatus, StepCounts, NodeStatus),
)
READ = frozenset(field.alias or name for table in _TABLES for name, field in table.model_fields.items()) - {
    bodies.LEFT_OUT,
    bodies.PARTIAL,
}
"""Every field name that is read."""
WIRE_NAMES = READ.union(*(table.NOT_READ for table in _TABLES))
"""Every documented field name."""


def _frame(table: type[BaseModel]) -> bodies.Frame:
    """What `table` reads, with the tables that its fields hold."""
    fields = {field.alias or name: _held(field.annotation) for name, field in table.model_fields.items()}
    return {name: _frame(held) if held else None for name, held in fields.items() if name in READ}


def _held(annotation: Any) -> type[BaseModel] | None:
    """The table that a field of this type holds; None if it holds something else."""
    choices = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    return next((kind for kind in choices if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


_FRAME = {**_frame(GetExecutionResponse), "metadata": {}}
"""What is read of an answer; of the Cromwell variant's `metadata` only whether it is there."""


def _problem(error: ValidationError) -> str:
    """What is wrong with the required parts, since all else is lenient; quotes no value."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc'])) or 'body'}: {found['type']}"
