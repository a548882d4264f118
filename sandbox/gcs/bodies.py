"""Frames as GCS writes them (reference section 2, tables 1 to 12).

Lives here: `whole` (get one execution) and `item` (one of a list). Pure: time is an argument. Does not live here: which
frame is shown (`stage`), how it is sent (`server`). Values that the reference does not document are invented in its
style: labels, resources, addresses, the shapes inside `sub_job_status` and `resources`.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.story import Frame, Life, Step

Body = dict[str, Any]

PROJECT_IDS = {"dts": "ccc130bb-fa32-4af9-9370-7458470169cf"}
"""Ids of enterprise projects, by their names; those of others follow from their names."""
API_VERSION = "gene.kubedag/v1alpha1"

_CROMWELL = {
    "Pending": "Submitted",
    "Cancelling": "Aborting",
    "ForceCancelling": "Aborting",
    "Cancelled": "Aborted",
    "Retrying": "Running",
}
"""The variant's words for phases that it spells differently (reference 5.7)."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One execution at one moment: everything that a body is made of."""

    id: str
    name: str
    project_id: str
    domain_id: str
    workflow_id: str
    life: Life
    frame: Frame
    begin: datetime
    elapsed: float
    """Story seconds since the life began."""

    @property
    def seconds(self) -> float:
        """Seconds to show; they stop while the execution is at rest."""
        return self.frame.at if self.frame.is_at_rest else self.elapsed

    @property
    def phase(self) -> str:
        """`objectStatus.phase`."""
        return self.frame.status if self.frame.phase is None else self.frame.phase

    def date(self, seconds: float) -> str:
        """`seconds` of the life as GCS writes a time."""
        return date(self.begin, seconds)

    def word(self, phase: str) -> str:
        """`phase` in the dialect of the life."""
        dialect = self.life.dialect
        phase = _CROMWELL.get(phase, phase) if dialect.cromwell else phase
        return phase.upper() if dialect.upper_case else phase


def date(begin: datetime, seconds: float) -> str:
    """`seconds` after `begin` as GCS writes a time."""
    return (begin + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(scene: Scene) -> Body:
    """The answer to get-execution."""
    body = item(scene)
    del body["status"]
    if scene.frame.has_counts:
        body["status"] = _counts(scene)
    return body


def item(scene: Scene) -> Body:
    """One item of the answer to list-executions; `status` is always null there."""
    dialect = scene.life.dialect
    body: Body = {"execution": _record(scene)}
    body |= {"metadata": _cromwell_metadata(scene)} if dialect.cromwell else {"object": _object(scene)}
    body["status"] = None
    if not dialect.from_file:
        body["enterprise_project"] = _project(scene.life.project)
    return body


def _project(name: str) -> Body:
    """An enterprise project."""
    return {"id": PROJECT_IDS.get(name) or str(uuid5(NAMESPACE_URL, name)), "name": name}


def _record(scene: Scene) -> Body:
    """Table 3."""
    life, frame = scene.life, scene.frame
    record: Body = {
        "guid": scene.id,
        "name": scene.name,
        "namespace": "default",
        "cluster_name": "gcs-env-sandbox",
        "cluster_id": "d9d8912d-a6cb-11e8-bc20-0255ac105709",
        "project_id": scene.project_id,
        "domain_id": scene.domain_id,
        "description": "",
        "status": scene.word(frame.status),
        "workflow_id": "" if life.dialect.from_file else scene.workflow_id,
        "workflow_name": "" if life.dialect.from_file else life.workflow,
        "workflow_scope": "",
        "inputs_json": json.dumps({"sample": f"/sfs/samples/{scene.name}", "cpu": "4c", "memory": "32G"}),
        "outputs_json": "",
        "image": "",
        "time_duration": int(scene.seconds),
        "sfs_volume_name": "gene-sfs-1111",
        "target": "cce",
        "create_at": scene.date(0),
        "update_at": scene.date(scene.seconds),
        "label": dict([life.label]),
        "priority": 0,
    }
    if life.dialect.jobs_type:
        record["jobs_type"] = {step.name: "CCE.Job" for step in frame.steps}
    else:
        record["job_type"] = "CCE.Job"
    if frame.status == "Succeeded" and frame.steps:
        record["outputs_json"] = json.dumps({frame.steps[-1].name: {"paths": [f"{scene.name}/result.vcf.gz"]}})
        record["resources"] = {"cpu": 3.1, "memory": 24.8, "ratio": 92}
    if life.dialect.cromwell:
        record |= {
            "wdl_name": f"{life.workflow}.wdl",
            "task_status": {step.name: scene.word(step.status) for step in frame.steps},
            "engine_deployment": "cromwell-sandbox",
            "env_guid": "d9d8912d-a6cb-11e8-bc20-0255ac105709",
            "node_number": len(frame.steps),
            "metadata_json": "",
            "tae_resources": {},
        }
    return record


def _object(scene: Scene) -> Body:
    """Tables 4 to 7."""
    namespace = scene.project_id
    source = json.dumps({"version": "genecontainer_0_1", "workflow": [step.name for step in scene.frame.steps]})
    return {
        "kind": "execution",
        "apiVersion": API_VERSION,
        "metadata": {
            "name": scene.name,
            "namespace": namespace,
            "selfLink": f"/apis/{API_VERSION}/namespaces/{namespace}/executions/{scene.name}",
            "uid": scene.id,
            "resourceVersion": resource_version(scene.seconds),
            "creationTimestamp": scene.date(0),
            "annotations": {},
        },
        "spec": {
            "metadata": {"labels": dict([scene.life.label]), "namespace": "default"},
            "actionName": scene.frame.action,
            "timeoutInMinutes": scene.life.timeout_minutes,
            "onFailureStrategy": "",
            "objectData": base64.b64encode(source.encode()).decode(),
            "location": "172.16.0.10",
        },
        "status": _object_status(scene) if scene.phase else None,
    }


def resource_version(seconds: float) -> str:
    """A version that moves with each second."""
    return str(29574440 + int(seconds))


def _object_status(scene: Scene) -> Body:
    """Tables 8 and 9."""
    frame = scene.frame
    begun = [step for step in frame.steps if step.began is not None]
    elements = {f"{begun[0].name}-init": _init(scene, begun[0])} if begun else {}
    return {
        "actionName": frame.action,
        "progress": 100 * frame.finished // len(frame.steps) if frame.steps else 0,
        "objectStatus": {
            "phase": scene.word(scene.phase),
            "message": frame.message,
            "reason": frame.reason,
            "updateAt": scene.date(scene.seconds),
        },
        "subObjectStatuses": elements | {step.name: _sub_object(scene, step) for step in begun},
        "elementStatuses": {},
    }


def _sub_object(scene: Scene, step: Step) -> Body:
    """Table 10."""
    return {
        "phase": scene.word(step.status),
        "message": step.message,
        "reason": step.reason,
        "subActionName": "create",
        "createAt": scene.date(step.began or 0),
        "updateAt": scene.date(scene.seconds if step.ended is None else step.ended),
    }


def _init(scene: Scene, step: Step) -> Body:
    """The helper element that GCS runs before a step; people do not know it as a step."""
    began = step.began or 0
    ended = Step(name=step.name, status="Succeeded", began=began, ended=began, reason="SuccessfulFinish")
    return _sub_object(scene, ended)


def _counts(scene: Scene) -> Body:
    """Table 11."""
    frame = scene.frame
    entries = [_node(scene, step) for step in frame.steps]
    return {
        "node_number": len(frame.steps),
        "finished_node_number": frame.finished,
        "actual_node_status": {entry["name"]: entry for entry in entries}
        if scene.life.dialect.steps_as_map
        else entries,
    }


def _node(scene: Scene, step: Step) -> Body:
    """Table 12."""
    has_begun = step.began is not None
    ended = scene.seconds if step.ended is None else step.ended
    return {
        "name": step.name,
        "status": scene.word(step.status),
        "sub_job_num": step.sub_jobs,
        "finished_sub_job_num": step.sub_jobs_finished,
        "sub_job_status": {str(n): scene.word(_sub_job(step, n)) for n in range(step.sub_jobs)} if has_begun else {},
        "time_duration": int(ended) - int(step.began or 0) if has_begun else 0,
        "resources": {"cpu": 4 * step.sub_jobs, "memory": 32 * step.sub_jobs} if step.ended is not None else {},
    }


def _sub_job(step: Step, number: int) -> str:
    if number < step.sub_jobs_finished:
        return "Succeeded"
    return "Failed" if number < step.sub_jobs_finished + step.sub_jobs_failed else "Running"


def _cromwell_metadata(scene: Scene) -> Body:
    """What the Cromwell variant has instead of `object`; only its name is documented."""
    return {
        "id": scene.id,
        "workflowName": scene.life.workflow,
        "status": scene.word(scene.frame.status),
        "submission": scene.date(0),
    }
