"""Bodies have every documented field, in every documented spelling."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from sandbox.gcs import GCS
from sandbox.story import Dialect, Life, failing, happy

TABLES = {
    "": "execution object status enterprise_project",
    "execution": "guid name namespace cluster_name cluster_id project_id domain_id description status workflow_id "
    "workflow_name workflow_scope inputs_json outputs_json image time_duration sfs_volume_name job_type target "
    "create_at update_at label resources priority",
    "enterprise_project": "id name",
    "object": "kind apiVersion metadata spec status",
    "object.metadata": "name namespace selfLink uid annotations resourceVersion creationTimestamp",
    "object.spec": "metadata actionName timeoutInMinutes onFailureStrategy objectData location",
    "object.spec.metadata": "labels namespace",
    "object.status": "actionName progress objectStatus subObjectStatuses elementStatuses",
    "object.status.objectStatus": "phase message reason updateAt",
    "object.status.subObjectStatuses.bwa-mem": "phase message reason updateAt createAt subActionName",
    "status": "node_number finished_node_number actual_node_status",
    "status.actual_node_status.bwa-mem": "name status sub_job_num finished_sub_job_num sub_job_status time_duration "
    "resources",
}


def body_of(life: Life, frame: str | None = None) -> dict[str, Any]:
    """The body of `life` in its frame named `frame`, by default in its first."""
    gcs = GCS()
    guid = gcs.play(life, by_hand=True)
    if frame:
        gcs.step(guid, to=frame)
    body = gcs.body(guid)
    assert body is not None
    return body


@pytest.mark.parametrize("where", TABLES)
def test_tables_are_complete(where: str) -> None:
    """Every field of tables 1 to 12 is present, and no other."""
    found: Any = body_of(happy().spelled(Dialect(steps_as_map=True)), "succeeded")
    for key in where.split(".") if where else []:
        found = found[key]
    assert sorted(found) == sorted(TABLES[where].split())


def test_pending_has_neither_counts_nor_control_status() -> None:
    """`status` is missing while it is empty."""
    body = body_of(happy())
    assert "status" not in body
    assert body["object"]["status"] is None
    assert body["execution"]["time_duration"] == 0


def test_twenty_steps_are_about_eight_kilobytes() -> None:
    """This is the assumed size of the real service's answers."""
    assert 7_000 < len(json.dumps(body_of(happy(20), "running 10/20"))) < 9_000


def test_step_times_fit_together() -> None:
    """A step's duration is the span between its dates."""
    body = body_of(happy(2, seconds=1000), "succeeded")
    nodes = {node["name"]: node["time_duration"] for node in body["status"]["actual_node_status"]}
    dates = body["object"]["status"]["subObjectStatuses"]
    begin, end = (datetime.fromisoformat(dates["bwa-mem"][key]) for key in ("createAt", "updateAt"))
    assert nodes == {"fastq-split": 326, "bwa-mem": (end - begin).total_seconds()}


def test_failure_has_two_reasons() -> None:
    """The control object and the failed step both say why, in two languages."""
    status = body_of(failing(3), "failed")["object"]["status"]
    whole, step = status["objectStatus"], status["subObjectStatuses"]["bwa-mem"]
    assert (whole["phase"], whole["reason"], whole["message"]) == (step["phase"], step["reason"], step["message"])
    assert " ## Element(bwa-mem) execute Action: create failed" in whole["message"]


def test_helper_elements_are_not_steps() -> None:
    """GCS runs elements that are not steps; they are sub-objects but not nodes."""
    body = body_of(happy(), "succeeded")
    assert "fastq-split-init" in body["object"]["status"]["subObjectStatuses"]
    assert "fastq-split-init" not in {node["name"] for node in body["status"]["actual_node_status"]}


def test_upper_case() -> None:
    """Phases can come in capitals everywhere."""
    body = body_of(failing(3).spelled(Dialect(upper_case=True)), "failed")
    assert body["execution"]["status"] == body["object"]["status"]["objectStatus"]["phase"] == "FAILED"
    statuses = [node["status"] for node in body["status"]["actual_node_status"]]
    assert statuses == ["SUCCEEDED", "FAILED", "RUNNING"]


def test_jobs_type() -> None:
    """The REST reference has a map where the SDK reference has a string."""
    execution = body_of(happy(2).spelled(Dialect(jobs_type=True)), "succeeded")["execution"]
    assert execution["jobs_type"] == {"fastq-split": "CCE.Job", "bwa-mem": "CCE.Job"}
    assert "job_type" not in execution


def test_from_file() -> None:
    """An execution submitted from a file has no workflow and no enterprise project."""
    body = body_of(happy().spelled(Dialect(from_file=True)), "succeeded")
    assert (body["execution"]["workflow_id"], body["execution"]["workflow_name"]) == ("", "")
    assert "enterprise_project" not in body


def test_cromwell() -> None:
    """The variant has `metadata` instead of `object`, its own fields and its own words."""
    body = body_of(happy(2).spelled(Dialect(cromwell=True)))
    assert body["execution"]["status"] == "Submitted"
    assert "object" not in body
    extra = "wdl_name task_status engine_deployment env_guid node_number metadata_json tae_resources"
    assert set(extra.split()) <= set(body["execution"])
