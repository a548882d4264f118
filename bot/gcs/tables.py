"""The answer to `GET /v1/executions/{id}` as it arrives: Tables 1-12 of the GCS reference, and its Cromwell variant.

Lives here: every documented field, and the one translation to `bot.domain.model.Execution`. Lenient about what the
reference leaves open (missing, null, blank, unknown words and fields), strict about the frame: what is no execution
is `GCSMalformed`, which names places and never quotes values. Does not live here: what a single value means
(`bot.gcs.values`). Called by `bot.gcs.client`; `to_execution` by the rooms.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    PrivateAttr,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from bot.domain.model import Execution, Step
from bot.errors import GCSMalformed
from bot.gcs import values
from bot.gcs.fingerprint import Fingerprint, fingerprint_of

_USUAL, _OTHERWISE = "as documented", "read leniently"
"""The two ways to take a value, as they stand in pydantic's errors: no key is called like that."""


def _usually(read: Callable[[Any], Any], usual: CoreSchema | None = None) -> GetPydanticSchema:
    """A value that is as documented pydantic takes by itself; only another one is `read` first, which costs more."""

    def schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kind = handler(source)
        otherwise = core_schema.no_info_before_validator_function(read, kind)
        return core_schema.union_schema([(usual or kind, _USUAL), (otherwise, _OTHERWISE)], mode="left_to_right")

    return GetPydanticSchema(schema)


def _blank_to_none(value: Any) -> Any:
    return None if value in ("", [], None) else value


def _blank_to_map(value: Any) -> Any:
    return {} if value in ("", [], None) else value


def _to_list(value: Any) -> Any:
    """A list or a map name → step: the reference leaves it open."""
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
Text = Annotated[str, _usually(values.plain, core_schema.str_schema(strict=True))]
Whole = Annotated[
    int | None, _usually(values.whole, core_schema.int_schema(strict=True, ge=-values.EXACT, le=values.EXACT))
]
Number = Annotated[float | None, _usually(values.number, core_schema.float_schema(strict=True, allow_inf_nan=False))]
Maybe = Annotated[T | None, _usually(_blank_to_none)]
Map = Annotated[dict[str, T], _usually(_blank_to_map)]
Several = Annotated[list[T], _usually(_to_list)]


class Arrived(BaseModel):
    """Base of the tables whose keys are snake_case on the wire; unknown fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ArrivedCamel(BaseModel):
    """Base of the tables whose keys are camelCase on the wire; unknown fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel)


class EnterpriseProject(Arrived):
    """Table 2."""

    id: Text = ""
    name: Text = ""


class ExecutionRecord(Arrived):
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


class ObjectMetadata(ArrivedCamel):
    """Table 5."""

    name: Text = ""
    namespace: Text = ""
    self_link: Text = ""
    uid: Text = ""
    annotations: Map[Any] = Field(default_factory=dict)
    resource_version: Text = ""
    creation_timestamp: Text = ""


class SpecMetadata(ArrivedCamel):
    """Table 7."""

    labels: Map[Any] = Field(default_factory=dict)
    namespace: Text = ""


class ObjectSpec(ArrivedCamel):
    """Table 6."""

    metadata: Maybe[SpecMetadata] = None
    action_name: Text = ""
    timeout_in_minutes: Number = None
    on_failure_strategy: Text = ""
    object_data: Any = None
    location: Text = ""


class ActionStatus(ArrivedCamel):
    """Table 9."""

    phase: Text = ""
    message: Text = ""
    reason: Text = ""
    update_at: Text = ""


class SubActionStatus(ActionStatus):
    """Table 10."""

    create_at: Text = ""
    sub_action_name: Text = ""


class ExecutionStatus(ArrivedCamel):
    """Table 8."""

    action_name: Text = ""
    progress: Number = None
    object_status: Maybe[ActionStatus] = None
    sub_object_statuses: Map[Maybe[SubActionStatus]] = Field(default_factory=dict)
    element_statuses: Any = None


class ExecutionObject(ArrivedCamel):
    """Table 4, the Kubernetes-style object."""

    kind: Text = ""
    api_version: Text = ""
    metadata: Maybe[ObjectMetadata] = None
    spec: Maybe[ObjectSpec] = None
    status: Maybe[ExecutionStatus] = None


class NodeStatus(Arrived):
    """Table 12, one step."""

    name: Text = ""
    status: Text = ""
    sub_job_num: Whole = None
    finished_sub_job_num: Whole = None
    sub_job_status: Any = None
    time_duration: Number = None
    resources: Map[Any] = Field(default_factory=dict)


class StepCounts(Arrived):
    """Table 11."""

    node_number: Whole = None
    finished_node_number: Whole = None
    actual_node_status: Several[NodeStatus] = Field(default_factory=list)


class GetExecutionResponse(Arrived):
    """Table 1."""

    execution: ExecutionRecord
    object: Maybe[ExecutionObject] = None
    status: Maybe[StepCounts] = None
    enterprise_project: Maybe[EnterpriseProject] = None
    metadata: Any = None
    """Of the Cromwell variant, in place of `object`."""

    _fingerprint: Fingerprint | None = PrivateAttr(default=None)

    @classmethod
    def parse(cls, body: bytes, *, asked: str, fingerprint: Fingerprint | None = None) -> GetExecutionResponse:
        """The execution `asked` from the body of an answer, whose `prints` may have been taken already.

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
        response._fingerprint = fingerprint or fingerprint_of(body, asked=guid)  # noqa: SLF001  # our own
        return response

    @property
    def fingerprint(self) -> Fingerprint | None:
        """By which one knows whether another answer brings news; None where it has an unknown shape."""
        return self._fingerprint

    @property
    def is_cromwell(self) -> bool:
        """Whether it has the Cromwell variant's shape."""
        return self.object is None and _blank_to_none(self.metadata) is not None

    def to_execution(self) -> Execution:
        """The noun that the rest of the bot knows. Inputs, outputs, source and picture stay behind."""
        record, counts = self.execution, self.status or StepCounts()
        whole = self.object or ExecutionObject()
        spec, control = whole.spec or ObjectSpec(), whole.status or ExecutionStatus()
        # Under another action, phase and reason speak of that action: a deletion may succeed (reference 3.2).
        is_own = control.action_name.strip().casefold() in {"", "create"}
        outcome = (control.object_status if is_own else None) or ActionStatus()
        guid = record.guid.strip().casefold()
        created = values.first_moment([record.create_at, (whole.metadata or ObjectMetadata()).creation_timestamp])
        created = created or values.moment_of_id(guid)
        updated = values.first_moment([record.update_at, (control.object_status or ActionStatus()).update_at])
        unit = values.duration_unit(
            [record.time_duration, *(node.time_duration for node in counts.actual_node_status)],
            updated - created if created and updated else None,
        )
        project = self.enterprise_project or EnterpriseProject()
        resources, ratio = values.without_ratio(record.resources or _map(record.tae_resources))
        total = counts.node_number if counts.node_number is not None else record.node_number
        return Execution(
            id=guid,
            name=values.cut(record.name),
            workflow_id=values.cut(record.workflow_id),
            workflow_name=values.cut(record.workflow_name) or values.cut(record.wdl_name),
            phase=values.phase(record.status),
            witness=values.phase((control.object_status or ActionStatus()).phase),
            action=values.cut(control.action_name),
            reason=values.english(outcome.reason),
            message=values.english(outcome.message),
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


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _steps(nodes: list[NodeStatus], reports: dict[str, SubActionStatus | None], unit: timedelta) -> tuple[Step, ...]:
    """The steps in GCS's order: from the node list, else from the control object's reports without its helpers."""
    if not nodes:
        # `job-a-init` prepares `job-a` and is no step of the user's (reference, Table 8).
        named = [name for name in reports if not (name.endswith("-init") and name.removesuffix("-init") in reports)]
        nodes = [NodeStatus(name=name) for name in named]
    by_name = [(node.name or f"step-{place}", node) for place, node in enumerate(nodes, start=1)]
    return tuple(_step(name, node, reports.get(name) or _UNREPORTED, unit) for name, node in by_name)


_UNREPORTED = SubActionStatus()


def _step(name: str, node: NodeStatus, report: SubActionStatus, unit: timedelta) -> Step:
    return Step(
        name=values.cut(name, 100),
        phase=values.phase(node.status) or values.phase(report.phase),
        sub_jobs=values.count(node.sub_job_num) or 0,
        sub_jobs_finished=values.count(node.finished_sub_job_num) or 0,
        elapsed=values.span(node.time_duration, unit=unit),
        reason=values.english(report.reason),
        message=values.english(report.message),
        resources=values.scalars(node.resources),
    )


_TABLES: tuple[type[BaseModel], ...] = (
    *(GetExecutionResponse, EnterpriseProject, ExecutionRecord, ExecutionObject, ObjectMetadata, ObjectSpec),
    *(SpecMetadata, ExecutionStatus, ActionStatus, SubActionStatus, StepCounts, NodeStatus),
)
WIRE_NAMES = frozenset(field.alias or name for table in _TABLES for name, field in table.model_fields.items())
"""Every field name that is ours to know; other keys are foreign text."""


_MOST_PROBLEMS = 5000
"""So many are looked through for the first few; pydantic takes its time to list them."""


def _places(error: ValidationError) -> str:
    """Where pydantic stumbled and over what kind of thing: no values, no keys that GCS did not document."""
    if error.error_count() > _MOST_PROBLEMS:
        return "in very many places"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [problem for problem in found if _USUAL not in problem["loc"]]
    return "; ".join(f"{_place(problem['loc'])}: {problem['type']}" for problem in problems[:5])


def _place(loc: tuple[int | str, ...]) -> str:
    parts = [part for part in loc if part != _OTHERWISE]
    return ".".join(str(part) if isinstance(part, int) or part in WIRE_NAMES else "*" for part in parts) or "body"
