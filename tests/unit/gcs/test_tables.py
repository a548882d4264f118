"""An answer of GCS becomes an `Execution`, or is refused as a whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bot.domain.execution import MOST_STEPS, Execution, Step
from bot.errors import GCSMalformed
from bot.gcs.body import MAX_REPORTS, SLIM_ABOVE_BYTES
from bot.gcs.fingerprint import fingerprint_of
from bot.gcs.tables import WIRE_NAMES, GetExecutionResponse

from .conftest import FAILED_ID, ID, answered, body_of, changed, seen

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


def test_running() -> None:
    """The worked running execution arrives with everything that may be shown."""
    assert seen("running") == Execution(
        id=ID,
        name="gcs-exec-3-08-20-144951",
        workflow_id="bbf1ffb1-7af4-7f15-70fd-c31cc4d711fc",
        workflow_name="deepvariant",
        phase="Running",
        witness="Running",
        action="create",
        steps_total=3,
        steps_finished=1,
        steps=(
            Step(
                name="job-a",
                phase="Succeeded",
                sub_jobs=4,
                sub_jobs_finished=4,
                elapsed=timedelta(seconds=258),
                reason="SuccessfulFinish",
                resources={"cpu": 16, "memory": 128},
            ),
            Step(name="job-b", phase="Running", sub_jobs=2, elapsed=timedelta(seconds=158)),
        ),
        created_at=datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC),
        updated_at=datetime(2018, 8, 20, 6, 48, 41, tzinfo=UTC),
        elapsed=timedelta(seconds=421),
        timeout=timedelta(days=1),
        target="cce",
        cluster="gcs-env-demo",
        namespace="default",
        project_id="c51567523b744d098a8a81ede51894ac",
        enterprise_project="dts",
        priority=0,
        labels={"batch": "panel-7"},
    )


def test_succeeded() -> None:
    """A finished execution has its resources, and separately the time ratio."""
    execution = seen("succeeded")
    assert (execution.phase, execution.reason) == ("Succeeded", "SuccessfulFinish")
    assert (execution.resources, execution.time_ratio) == ({"cpu": 3.1, "memory": 24.8}, 92)
    assert (execution.steps_finished, execution.steps) == (3, ())


def test_failed() -> None:
    """A failed one, with its steps as a map, has the reason in English."""
    execution = seen("failed", FAILED_ID)
    assert (execution.phase, execution.witness, execution.reason) == ("Failed", "Failed", "ExecutionTimeout")
    assert execution.message == "Element(job-b) execute Action: create failed: timeout"
    assert [(step.name, step.phase) for step in execution.steps] == [("job-a", "Succeeded"), ("job-b", "Running")]


def test_pending() -> None:
    """An execution of which little is known yet has unknowns, and is no error."""
    execution = seen("pending")
    assert (execution.phase, execution.witness, execution.action) == ("Pending", "", "")
    assert (execution.steps_total, execution.steps, execution.elapsed) == (None, (), timedelta(0))


def test_leaves_out_private_fields() -> None:
    """Inputs, outputs, source and picture do not reach the domain."""
    record = {"inputs_json": "private", "outputs_json": "private", "image": "private", "domain_id": "private"}
    execution = changed(execution=record, object={"spec": {"objectData": "private", "location": "private"}})
    assert b"private" not in msgspec.json.encode(execution)


@pytest.mark.parametrize(
    "wire", [None, "", [], {}, {"node_number": "", "finished_node_number": None, "actual_node_status": ""}]
)
def test_missing_counts_are_unknown(wire: Any) -> None:
    """Counts that are missing in any of Java's ways are unknown, not zero."""
    execution = changed(status=wire, object=wire if wire != {} else None)
    assert (execution.steps_total, execution.steps_finished, execution.steps) == (None, None, ())


def test_digits_in_strings() -> None:
    """Numbers that come as text are numbers."""
    counts = {"node_number": "5", "finished_node_number": "2"}
    execution = changed(execution={"time_duration": "60", "priority": "7"}, status=counts)
    assert (execution.steps_total, execution.steps_finished) == (5, 2)
    assert (execution.elapsed, execution.priority) == (timedelta(seconds=60), 7)


@pytest.mark.parametrize("value", ["soon", -1, 1e300, "1e999", True, 10**25])
def test_absurd_durations_are_unknown(value: Any) -> None:
    """An impossible duration is left out, and the rest is read."""
    assert changed(execution={"time_duration": value}).elapsed is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-08-20T06:41:40Z", datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)),
        ("2018-08-20t06:41:40z", datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)),
        ("2018-08-20T06:41:40.123456789Z", datetime(2018, 8, 20, 6, 41, 40, 123456, tzinfo=UTC)),
        ("2018-08-20T14:41:40.5+08:00", datetime(2018, 8, 20, 6, 41, 40, 500000, tzinfo=UTC)),
        ("2018-08-20T14:41:40+0800", datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)),
        ("1534747300", datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)),
        (1534747300, datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)),
        (1534747300500, datetime(2018, 8, 20, 6, 41, 40, 500000, tzinfo=UTC)),
        (1534747300500.0, datetime(2018, 8, 20, 6, 41, 40, 500000, tzinfo=UTC)),
        *((15347473, None), (20180820064140, None), (-1534747300, None)),
        *(("2018-08-20 06:41:40", None), ("2018-08-20", None), ("0001-01-01T00:00:00Z", None)),
        *(("9999-12-31T23:59:59-23:59", None), ("soon", None), ("", None)),
    ],
)
def test_times(text: object, moment: datetime | None) -> None:
    """Every documented form is read, and seconds since 1970; a time without a zone is unknown, never guessed."""
    assert changed(execution={"create_at": text, "update_at": text}).updated_at == moment


def test_creation_time_from_the_object() -> None:
    """Where the record has no usable creation time, the object's is taken."""
    wire = {"metadata": {"creationTimestamp": "2018-08-20T06:41:40Z"}}
    execution = changed(execution={"create_at": "2018-08-20 14:41:40"}, object=wire)
    assert execution.created_at == datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)


def test_a_creation_that_is_to_come() -> None:
    """Such a date is wrong: the next best one is taken, or none."""
    wire = {"create_at": "2999-01-01T00:00:00Z"}
    now = datetime(2018, 8, 20, 6, 41, 40, tzinfo=UTC)
    assert answered(execution=wire, object={}).to_execution(now=now).created_at is None
    metadata = {"metadata": {"creationTimestamp": "2018-08-20T16:41:40Z"}}
    created = answered(execution=wire, object=metadata).to_execution(now=now).created_at
    assert created == now + timedelta(hours=10)


def test_creation_time_from_the_id() -> None:
    """Without any other creation time, that of a time-based id is taken."""
    body = json.dumps({"execution": {"guid": FAILED_ID.upper()}}).encode()
    created = GetExecutionResponse.parse(body, requested_id=FAILED_ID).to_execution().created_at
    assert created == datetime(2018, 12, 7, 7, 42, 12, tzinfo=UTC)


def test_milliseconds_are_noticed() -> None:
    """Durations ten times longer than the execution's life are milliseconds, the steps' with them."""
    times = {"create_at": "2018-08-20T06:41:40Z", "update_at": "2018-08-20T06:48:41Z", "time_duration": 421_000}
    steps = {"actual_node_status": [{"name": "a", "time_duration": 2_000}]}
    execution = changed(execution=times, status=steps)
    assert (execution.elapsed, execution.steps[0].elapsed) == (timedelta(seconds=421), timedelta(seconds=2))


def test_a_rarely_updated_run_has_seconds() -> None:
    """Until it has ended, its life ends now, not with its last update."""
    times = {"create_at": "2018-08-20T06:00:00Z", "update_at": "2018-08-20T06:00:05Z", "time_duration": 7_200}
    response = answered(execution={"status": "Running"} | times)
    now = datetime(2018, 8, 20, 8, 0, tzinfo=UTC)
    assert response.to_execution(now=now).elapsed == timedelta(hours=2)
    late = answered(execution={"status": "Running"} | times | {"time_duration": 7_200_000})
    assert late.to_execution(now=now).elapsed == timedelta(hours=2)


@pytest.mark.parametrize(
    ("seconds", "duration", "elapsed"),
    [(5, 7_190, 7_190), (5, 5_000, 5), (5, 4_000, 4), (5, 7_190_000, 7_190), (600, 599_000, 599)],
)
def test_an_end_that_was_not_updated(seconds: int, duration: int, elapsed: int) -> None:
    """If GCS's last update is older than the end, the time since the beginning shows the unit."""
    begin = datetime(2018, 8, 20, 6, 0, tzinfo=UTC)
    times = {"create_at": begin.isoformat(), "update_at": (begin + timedelta(seconds=seconds)).isoformat()}
    ended = answered(execution={"status": "Succeeded", "time_duration": duration} | times)
    assert ended.to_execution(now=begin + timedelta(hours=2)).elapsed == timedelta(seconds=elapsed)


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "\u202e \ufeff", "\n\t", None])
def test_a_name_of_which_nothing_is_seen(name: str | None) -> None:
    """Such a step is called by its place, or a message would speak of the whole execution; a run by its id."""
    nodes = [{"name": "job-a"}, {"name": name, "status": "Failed"}]
    execution = changed(execution={"name": name}, status={"actual_node_status": nodes})
    assert [step.name for step in execution.steps] == ["job-a", "step-2"]
    assert (execution.name, execution.title) == ("", ID)


HEADER = 'Could not parse the header line: "##contig=<ID=c1,length=9>"'


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ("执行成功##SuccessfulFinish", "SuccessfulFinish", "执行成功"),
        ("失败. ## It failed. ", "It failed.", "失败."),
        ("It failed. ## 失败.", "It failed.", "失败."),
        (f'无法解析: "##contig" ## {HEADER}', HEADER, '无法解析: "##contig"'),
        (f'{HEADER} ## 无法解析: "##contig"', HEADER, '无法解析: "##contig"'),
        (f"无法解析##{HEADER}", HEADER, "无法解析"),
        (HEADER, HEADER, ""),
        ("## Results ## none", "## Results ## none", ""),
        ("样本##1 failed 样本", "样本##1 failed 样本", ""),
        ("只有中文", "只有中文", ""),
        *(("plain", "plain", ""), ("只有中文##", "只有中文", ""), ("##", "", ""), (None, "", "")),
    ],
)
def test_both_halves_of_bilingual_texts(text: str | None, english: str, chinese: str) -> None:
    """Halves are distinguished by script, wherever they stand; a text without two scripts is whole, `##` included."""
    outcome = {"reason": text, "message": text}
    control = {"actionName": "create", "objectStatus": outcome, "subObjectStatuses": {"a": outcome}}
    execution = changed(object={"status": control})
    (step,) = execution.steps
    assert (execution.reason, execution.message) == (step.reason, step.message) == (english, english)
    assert (execution.reason_zh, execution.message_zh) == (step.reason_zh, step.message_zh) == (chinese, chinese)


@pytest.mark.parametrize(("action", "is_own"), [("create", True), ("", True), ("retry", True), ("Delete", False)])
def test_witness(action: str, is_own: bool) -> None:
    """The control object's phase goes with its action; reason and message describe the run unless it is deleted."""
    control = {"actionName": action, "objectStatus": {"phase": "SUCCEEDED", "reason": "x", "message": "y"}}
    execution = changed(object={"status": control})
    assert (execution.action, execution.witness) == (action, "Succeeded")
    assert (execution.reason, execution.message) == (("x", "y") if is_own else ("", ""))


@pytest.mark.parametrize(
    ("wire", "phase"),
    [("RUNNING", "Running"), ("Napping", "Napping"), (None, ""), ("Failed\u200b", "Failed"), ("\u200b", "")],
)
def test_phases(wire: str | None, phase: str) -> None:
    """Known phases get their documented spelling, unknown ones stay unchanged."""
    assert changed(execution={"status": wire}).phase == phase


REPORTS = {
    "job-a-init": {"phase": "Succeeded"},
    "job-a": {"phase": "Failed", "reason": "失败##OutOfMemory", "message": "内存 ## no memory"},
    "only-init": {"phase": "Running"},
    "job-c": None,
}


def test_steps_of_both_lists() -> None:
    """The node list has the steps and their phases; the reports add reasons, and fill blanks."""
    nodes = [{"name": "job-b", "status": "Running"}, {"name": "job-a", "status": ""}]
    execution = changed(status={"actual_node_status": nodes}, object={"status": {"subObjectStatuses": REPORTS}})
    assert execution.steps == (
        Step(name="job-b", phase="Running"),
        Step(
            name="job-a",
            phase="Failed",
            reason="OutOfMemory",
            message="no memory",
            reason_zh="失败",
            message_zh="内存",
        ),
    )


@pytest.mark.parametrize(("finished", "known"), [(4, 4), (0, 0), (7, 0), (-1, 0), ("many", 0)])
def test_sub_jobs_that_cannot_be(finished: object, known: int) -> None:
    """More of them than there are, or fewer than none, are not shown."""
    node = {"name": "job-a", "sub_job_num": 4, "finished_sub_job_num": finished}
    (step,) = changed(status={"actual_node_status": [node]}).steps
    assert (step.sub_jobs, step.sub_jobs_finished) == (4, known)


def test_steps_of_the_reports_alone() -> None:
    """Without a node list the reports are the steps, except for the helpers of steps."""
    execution = changed(object={"status": {"subObjectStatuses": REPORTS}})
    assert [(step.name, step.phase) for step in execution.steps] == [
        ("job-a", "Failed"),
        ("only-init", "Running"),
        ("job-c", ""),
    ]


@pytest.mark.parametrize(
    "nodes",
    [
        [{"name": "a", "status": "Running"}],
        {"a": {"status": "Running"}},
        {"a": {"name": "", "status": "Running"}},
        {"a": "running"},
    ],
)
def test_shapes_of_the_node_list(nodes: Any) -> None:
    """A list, a map, a map whose key is the only name, and a map of phases give the same steps."""
    assert changed(status={"actual_node_status": nodes}).steps == (Step(name="a", phase="Running"),)


@pytest.mark.parametrize("key", ["ratio", "time_ratio", "timeRatio", "RATIO"])
def test_time_ratio(key: str) -> None:
    """The ratio is found under its likely names, and is no resource."""
    execution = changed(execution={"resources": {key: "92%", "gpu": 1, "deep": {"x": 1}, "note": "t4"}})
    assert (execution.time_ratio, execution.resources) == (92, {"gpu": 1, "note": "t4"})


def test_labels_are_text() -> None:
    """Labels are text whatever they were; without any, those of the object are taken."""
    assert changed(execution={"label": {"a": 1, "b": None, "c": True, "d": [1]}}).labels == {
        "a": "1",
        "b": "",
        "c": "true",
    }
    assert changed(object={"spec": {"metadata": {"labels": {"x": "y"}}}}).labels == {"x": "y"}


def test_cromwell() -> None:
    """The Cromwell variant is recognised by its shape, and has its own phases, counts and names."""
    record = {"status": "aborted", "wdl_name": "germline", "node_number": 4, "tae_resources": {"cpu": 2}}
    execution = changed(execution=record, metadata={"workflowName": "germline"})
    assert execution.is_cromwell
    assert (execution.phase, execution.steps_total) == ("Aborted", 4)
    assert (execution.workflow_name, execution.resources) == ("germline", {"cpu": 2})


def test_long_texts_are_cut() -> None:
    """A flood of text does not reach the domain."""
    wire = {"status": {"objectStatus": {"message": "x" * 100_000}}}
    assert len(msgspec.json.encode(changed(execution={"name": "n" * 100_000}, object=wire))) < 5_000


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not an execution: no JSON"),
        (b"<html>secret</html>", "not an execution: no JSON"),
        (b'{"execution": {"guid": "sec', "not an execution: no JSON"),
        (b"[" * 100_000, "not an execution: no object"),
        (b"[1, 2]", "not an execution: no object"),
        (b"null", "not an execution: no object"),
        (b'{"executions": []}', "not an execution: execution: missing"),
        (b'{"execution": "secret"}', "not an execution: execution: model_type"),
        (b'{"execution": {"name": "secret"}}', "execution.guid: missing"),
        (b'{"execution": {"guid": ""}}', "execution.guid: missing"),
        (
            b'{"execution": {"guid": "9bf97d60-f9f3-11e8-bcb5-0255ac10a106"}}',
            "execution.guid: another execution than requested",
        ),
        (b'{"execution": {"guid": ["secret"]}}', "execution.guid: missing"),
    ],
)
def test_refuses_what_is_no_execution(body: bytes, text: str) -> None:
    """What is no execution is refused with the place and kind of the fault, without its content."""
    with pytest.raises(GCSMalformed) as found:
        GetExecutionResponse.parse(body, requested_id=ID)
    assert str(found.value) == text


@pytest.mark.parametrize("as_map", [True, False])
def test_steps_beyond_the_limit_are_counted(as_map: bool) -> None:
    """The first ones are kept in their order, whichever way they come."""
    names = [f"job-{number}" for number in range(MOST_STEPS + 5)]
    nodes = dict.fromkeys(names, "Running") if as_map else [{"name": name, "status": "Running"} for name in names]
    execution = changed(status={"actual_node_status": nodes})
    assert (len(execution.steps), execution.steps_left_out) == (MOST_STEPS, 5)
    assert execution.steps[-1] == Step(name=names[MOST_STEPS - 1], phase="Running")


@pytest.mark.parametrize("as_map", [False, True])
def test_failed_steps_beyond_the_limit_are_read(as_map: bool) -> None:
    """They take the places of others, and stay in GCS's order; of too many, the first ones are read."""
    names = [f"job-{number}" for number in range(MOST_STEPS + 5)]
    phases = ["Failed" if number in {3, MOST_STEPS + 1, MOST_STEPS + 4} else "Running" for number in range(len(names))]
    pairs = list(zip(names, phases, strict=True))
    nodes = dict(pairs) if as_map else [{"name": name, "status": phase} for name, phase in pairs]
    execution = changed(status={"actual_node_status": nodes})
    assert [step.name for step in execution.failed_steps] == [names[3], names[MOST_STEPS + 1], names[MOST_STEPS + 4]]
    assert (len(execution.steps), execution.steps_left_out) == (MOST_STEPS, 5)
    failed = changed(status={"actual_node_status": dict.fromkeys(names, "Failed")})
    assert [step.name for step in failed.steps] == names[:MOST_STEPS]


def test_reports_beyond_the_limit_are_counted() -> None:
    """The same where the control object's reports are all there is."""
    reports = {f"job-{number}": {"phase": "Running"} for number in range(MAX_REPORTS + 5)}
    execution = changed(object={"status": {"subObjectStatuses": reports}})
    assert (len(execution.steps), execution.steps_left_out) == (MOST_STEPS, MAX_REPORTS - MOST_STEPS + 5)


@pytest.mark.parametrize(
    "field",
    [
        b'"inputs": {"a": 1}',
        b'"inputs": ' + b"[" * 400 + b"]" * 400,
        b'"inputs": "\\ud800"',
        b'"time_duration": NaN',
        b'"name": "a\nb\xff\\ud800"',
        b'"name": "a", "name": "b"',
    ],
    ids=["plain", "deep", "half", "NaN", "broken", "twice"],
)
def test_small_answers_are_read_like_large_ones(field: bytes) -> None:
    """Whether or not what is never shown is left out first, the same is read, however odd it is."""
    record = b'{"guid": "%s", "status": "Running", %s}' % (ID.encode(), field)
    small = b'{"execution": %s, "status": {"total_node_number": 3}}' % record
    one, other = (
        GetExecutionResponse.parse(body, requested_id=ID) for body in (small, small + b" " * SLIM_ABOVE_BYTES)
    )
    assert one.to_execution() == other.to_execution()
    assert fingerprint_of(one) == fingerprint_of(other)


def test_nothing_that_is_not_shown_is_read() -> None:
    """However large inputs, outputs, pictures and sources are, the parsed answer does not hold them."""
    private = "private" * 100_000
    body = json.loads(body_of("complete"))
    body["execution"] |= dict.fromkeys(("inputs_json", "outputs_json", "image", "metadata_json"), private)
    body["object"]["spec"] |= {"objectData": private, "location": {"deep": [private]}}
    body["object"]["status"]["elementStatuses"] = {"a": private}
    body |= {"undocumented": private, "metadata": {"a": private}}
    wire = json.dumps(body).encode()
    assert "private" not in GetExecutionResponse.parse(wire, requested_id=ID).model_dump_json()
    assert len(GetExecutionResponse.parse(wire, requested_id=ID).model_dump_json()) < 5_000


DOCUMENTED = """
execution object status enterprise_project metadata id name
guid name namespace cluster_name cluster_id project_id domain_id description status workflow_id workflow_name
workflow_scope inputs_json outputs_json image time_duration sfs_volume_name job_type jobs_type target create_at
update_at label resources priority kind apiVersion metadata spec status selfLink uid annotations resourceVersion
creationTimestamp actionName timeoutInMinutes onFailureStrategy objectData location labels progress objectStatus
subObjectStatuses elementStatuses phase message reason updateAt createAt subActionName node_number
finished_node_number actual_node_status sub_job_num finished_sub_job_num sub_job_status
wdl_name task_status engine_deployment env_guid metadata_json tae_resources
""".split()


def test_every_documented_field_is_modelled() -> None:
    """The tables have every field of Tables 1 to 12 and of the Cromwell page, and no others."""
    assert set(DOCUMENTED) == WIRE_NAMES
