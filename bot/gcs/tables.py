"""The answer to `GET /v1/executions/{id}` as it arrives: Tables 1-12 of the GCS reference, and its Cromwell variant.

Lives here: every documented field, and the one translation to `bot.domain.model.Execution`. Lenient about what the
reference leaves open (missing, null, blank, unknown words and fields), strict about the frame: what is no execution
is `GCSMalformed`, which names places and never quotes values. Does not live here: what a single value means
(`bot.gcs.values`). Called by `bot.gcs.client` and `fingerprint`; `to_execution` by the workers and `subscriptions`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from bot.domain.model import Execution, Step
from bot.errors import GCSMalformed
from bot.gcs import values

_DOCUMENTED, _LENIENT = "as documented", "read leniently"
"""The two branches of a value's schema, as pydantic's errors name them; no key is called like that."""


def _lenient(read: Callable[[Any], Any], documented: CoreSchema | None = None) -> GetPydanticSchema:
    """Let pydantic take a value that is as documented; only another one is `read` first, which costs more."""

    def schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kind = handler(source)
        lenient = core_schema.no_info_before_validator_function(read, kind)
        return core_schema.union_schema([(documented or kind, _DOCUMENTED), (lenient, _LENIENT)], mode="left_to_right")

    return GetPydanticSchema(schema)


def _blank_to_map(value: Any) -> Any:
    return {} if value in ("", [], None) else value


def _to_list(value: Any) -> Any:
    """Read a list of steps or a map from name to step: the reference leaves it open."""
    if value in ("", None):
        return []
    if isinstance(value, dict):
        return [_node(entry, name) for name, entry in value.items()]
    return [_node(entry) for entry in value] if isinstance(value, list) else value


def _node(entry: Any, name: str = "") -> Any:
    if entry is None or isinstance(entry, str):
        return {"name": name, "status": entry}
    return {**entry, "name": entry.get("name") or name} if isinstance(entry, dict) else entry


T = TypeVar("T")
Text = Annotated[str, _lenient(values.plain, core_schema.str_schema(strict=True))]
Whole = Annotated[
    int | None, _lenient(values.whole, core_schema.int_schema(strict=True, ge=-values.EXACT, le=values.EXACT))
]
Number = Annotated[float | None, _lenient(values.number, core_schema.float_schema(strict=True, allow_inf_nan=False))]
Maybe = Annotated[T | None, _lenient(values.unless_blank)]
Map = Annotated[dict[str, T], _lenient(_blank_to_map)]
Several = Annotated[list[T], _lenient(_to_list)]


class SnakeTable(BaseModel):
    """Base of the tables whose keys are snake_case on the wire; unknown fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class CamelTable(BaseModel):
    """Base of the tables whose keys are camelCase on the wire; unknown fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel)


class EnterpriseProject(SnakeTable):
    """Table 2."""

    id: Text = ""
    name: Text = ""


class ExecutionRecord(SnakeTable):
    """Table 3, the flat record; from `wdl_name` on the Cromwell variant's own fields (5.7)."""

    guid: Text = ""
    name: Text = ""
    namespace: Text = ""
    cluster_name: Text = ""
    cluster_id: Text = ""
    project_id: Text = ""
    domain_id: Text = ""
    description: Text = ""
    status: Text = ""
    workflow_id: Text = ""
    workflow_name: Text = ""
    workflow_scope: Text = ""
    inputs_json: Any = None
    outputs_json: Any = None
    image: Any = None
    time_duration: Number = None
    sfs_volume_name: Text = ""
    job_type: str | dict[str, Any] | None = None
    jobs_type: str | dict[str, Any] | None = None
    target: Text = ""
    create_at: Text = ""
    update_at: Text = ""
    label: Map[Any] = Field(default_factory=dict)
    resources: Map[Any] = Field(default_factory=dict)
    priority: Whole = None
    wdl_name: Text = ""
    task_status: Any = None
    engine_deployment: Any = None
    env_guid: Text = ""
    node_number: Whole = None
    metadata_json: Any = None
    tae_resources: Any = None


class ObjectMetadata(CamelTable):
    """Table 5."""

    name: Text = ""
    namespace: Text = ""
    self_link: Text = ""
    uid: Text = ""
    annotations: Map[Any] = Field(default_factory=dict)
    resource_version: Text = ""
    creation_timestamp: Text = ""


class SpecMetadata(CamelTable):
    """Table 7."""

    labels: Map[Any] = Field(default_factory=dict)
    namespace: Text = ""


class ObjectSpec(CamelTable):
    """Table 6."""

    metadata: Maybe[SpecMetadata] = None
    action_name: Text = ""
    timeout_in_minutes: Number = None
    on_failure_strategy: Text = ""
    object_data: Any = None
    location: Text = ""


class ActionStatus(CamelTable):
    """Table 9."""

    phase: Text = ""
    message: Text = ""
    reason: Text = ""
    update_at: Text = ""


class SubActionStatus(ActionStatus):
    """Table 10."""

    create_at: Text = ""
    sub_action_name: Text = ""


class ExecutionStatus(CamelTable):
    """Table 8."""

    action_name: Text = ""
    progress: Number = None
    object_status: Maybe[ActionStatus] = None
    sub_object_statuses: Map[Maybe[SubActionStatus]] = Field(default_factory=dict)
    element_statuses: Any = None


class ExecutionObject(CamelTable):
    """Table 4, the Kubernetes-style object."""

    kind: Text = ""
    api_version: Text = ""
    metadata: Maybe[ObjectMetadata] = None
    spec: Maybe[ObjectSpec] = None
    status: Maybe[ExecutionStatus] = None


class NodeStatus(SnakeTable):
    """Table 12, one step."""

    name: Text = ""
    status: Text = ""
    sub_job_num: Whole = None
    finished_sub_job_num: Whole = None
    sub_job_status: Any = None
    time_duration: Number = None
    resources: Map[Any] = Field(default_factory=dict)


class StepCounts(SnakeTable):
    """Table 11."""

    node_number: Whole = None
    finished_node_number: Whole = None
    actual_node_status: Several[NodeStatus] = Field(default_factory=list)


class GetExecutionResponse(SnakeTable):
    """Table 1."""

    execution: ExecutionRecord
    object: Maybe[ExecutionObject] = None
    status: Maybe[StepCounts] = None
    enterprise_project: Maybe[EnterpriseProject] = None
    metadata: Any = None
    """Of the Cromwell variant, in place of `object`."""

    @classmethod
    def parse(cls, body: bytes, *, asked: str) -> GetExecutionResponse:
        """The execution `asked` from the body of an answer.

        Raises:
            GCSMalformed: `body` is no execution, or another one.
        """
        try:
            response = cls.model_validate_json(body)
        except ValidationError as error:
            raise GCSMalformed(f"not an execution: {_places(error)}") from None
        guid = response.execution.guid.strip().casefold()
        if guid != asked.casefold():
            raise GCSMalformed(f"execution.guid: {'another execution than asked' if guid else 'missing'}")
        return response

    @property
    def is_cromwell(self) -> bool:
        """Whether it has the Cromwell variant's shape."""
        return self.object is None and values.unless_blank(self.metadata) is not None

    def to_execution(self) -> Execution:
        """The domain's execution. Inputs, outputs, workflow source and picture are left out."""
        record, counts = self.execution, self.status or StepCounts()
        whole = self.object or ExecutionObject()
        spec, control = whole.spec or ObjectSpec(), whole.status or ExecutionStatus()
        # Under another action, phase and reason describe that action: a deletion may succeed (reference 3.2).
        is_own = control.action_name.strip().casefold() in {"", "create"}
        outcome = (control.object_status if is_own else None) or ActionStatus()
        created, updated = self._created_at(), self._updated_at()
        durations = [record.time_duration, *(node.time_duration for node in counts.actual_node_status)]
        unit = values.duration_unit(durations, updated - created if created and updated else None)
        project = self.enterprise_project or EnterpriseProject()
        resources, ratio = values.without_ratio(record.resources or _map(record.tae_resources))
        reason, message = values.bilingual(outcome.reason), values.bilingual(outcome.message)
        total = counts.node_number if counts.node_number is not None else record.node_number
        return Execution(
            id=record.guid.strip().casefold(),
            name=values.cut(record.name),
            workflow_id=values.cut(record.workflow_id),
            workflow_name=values.cut(record.workflow_name) or values.cut(record.wdl_name),
            phase=values.phase(record.status),
            witness=values.phase((control.object_status or ActionStatus()).phase),
            action=values.cut(control.action_name),
            reason=reason.text,
            reason_zh=reason.chinese,
            message=message.text,
            message_zh=message.chinese,
            steps_total=values.count(total),
            steps_finished=values.count(counts.finished_node_number),
            steps=_steps(counts.actual_node_status, control.sub_object_statuses, unit),
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
        )

    def _created_at(self) -> datetime | None:
        record, metadata = self.execution, (self.object and self.object.metadata) or ObjectMetadata()
        found = values.first_moment([record.create_at, metadata.creation_timestamp])
        return found or values.moment_of_id(record.guid.strip().casefold())

    def _updated_at(self) -> datetime | None:
        control = (self.object and self.object.status) or ExecutionStatus()
        outcome = control.object_status or ActionStatus()
        return values.first_moment([self.execution.update_at, outcome.update_at])


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _steps(nodes: list[NodeStatus], reports: dict[str, SubActionStatus | None], unit: timedelta) -> tuple[Step, ...]:
    """The steps in GCS's order: from the node list, else from the control object's reports without its helpers."""
    if not nodes:
        # `job-a-init` prepares `job-a` and is none of the user's steps (reference, Table 8).
        named = [name for name in reports if not (name.endswith("-init") and name.removesuffix("-init") in reports)]
        nodes = [NodeStatus(name=name) for name in named]
    by_name = [(node.name or f"step-{place}", node) for place, node in enumerate(nodes, start=1)]
    return tuple(_step(name, node, reports.get(name) or _UNREPORTED, unit) for name, node in by_name)


_UNREPORTED = SubActionStatus()


def _step(name: str, node: NodeStatus, report: SubActionStatus, unit: timedelta) -> Step:
    reason, message = values.bilingual(report.reason), values.bilingual(report.message)
    return Step(
        name=values.cut(name, 100),
        phase=values.phase(node.status) or values.phase(report.phase),
        sub_jobs=values.count(node.sub_job_num) or 0,
        sub_jobs_finished=values.count(node.finished_sub_job_num) or 0,
        elapsed=values.span(node.time_duration, unit=unit),
        reason=reason.text,
        reason_zh=reason.chinese,
        message=message.text,
        message_zh=message.chinese,
        resources=values.scalars(node.resources),
    )


_TABLES: tuple[type[BaseModel], ...] = (
    *(GetExecutionResponse, EnterpriseProject, ExecutionRecord, ExecutionObject, ObjectMetadata, ObjectSpec),
    *(SpecMetadata, ExecutionStatus, ActionStatus, SubActionStatus, StepCounts, NodeStatus),
)
WIRE_NAMES = frozenset(field.alias or name for table in _TABLES for name, field in table.model_fields.items())
"""Every documented field name; other keys are foreign text."""


_MOST_PROBLEMS = 5000
"""At most this many problems are listed to find the first few; pydantic is slow at listing them."""


def _places(error: ValidationError) -> str:
    """The places and kinds of the first faults: no values, and no keys that GCS does not document."""
    if error.error_count() > _MOST_PROBLEMS:
        return "in very many places"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [problem for problem in found if _DOCUMENTED not in problem["loc"]]
    return "; ".join(f"{_place(problem['loc'])}: {problem['type']}" for problem in problems[:5])


def _place(loc: tuple[int | str, ...]) -> str:
    parts = [part for part in loc if part != _LENIENT]
    return ".".join(str(part) if isinstance(part, int) or part in WIRE_NAMES else "*" for part in parts) or "body"
