"""The events of an execution as GCS writes them (reference 5.2): a bare array with bilingual texts.

Lives here: `events`. Pure: time is an argument. Does not live here: the bodies of executions (`bodies`). Called by
`stage`. Which events GCS writes beyond the documented one, and how it words a failure, is invented in its style.
"""

from __future__ import annotations

from zlib import crc32

from sandbox.gcs.bodies import Body, Scene
from sandbox.story import Step


def events(scene: Scene) -> list[Body]:
    """The answer to list-events (reference 5.2), the newest first, since no order is documented."""
    found = [event for step in scene.frame.steps if step.began is not None for event in _step_events(scene, step)]
    return sorted(found, key=lambda event: str(event["lastTimestamp"]), reverse=True)


def _step_events(scene: Scene, step: Step) -> list[Body]:
    helper, began = f"{step.name}-init", step.began or 0
    done = f"元素({helper})执行 create 成功 ## Element({helper}) execute Action: create successfully"
    found = [_event(scene, helper, began, "执行成功##SuccessfulFinish", done)]
    if step.status == "Succeeded" and step.ended is not None:
        found.append(
            _event(scene, step.name, step.ended, "执行成功##SuccessfulFinish", done.replace(helper, step.name))
        )
    elif step.reason and step.status != "Succeeded":
        failed = (
            f"元素({step.name})执行 create 失败 ## Element({step.name}) execute Action: create failed: {step.message}"
        )
        said = step.message if "##" in step.message or "Element(" in step.message else failed
        ended = scene.seconds if step.ended is None else step.ended
        found.append(_event(scene, step.name, ended, f"执行失败##{step.reason}", said, kind="Warning"))
    return found


def _event(scene: Scene, element: str, at: float, reason: str, message: str, *, kind: str = "Normal") -> Body:
    unique = f"{scene.name}.{crc32(f'{element} {reason} {at}'.encode()):016x}"
    about = {"name": scene.name, "namespace": scene.project_id}
    return {
        "metadata": {"name": unique, "namespace": scene.project_id},
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "firstTimestamp": scene.date(at),
        "lastTimestamp": scene.date(at),
        "count": 1,
        "type": kind,
        "elemType": "KubeDAG.init" if element.endswith("-init") else "KubeDAG.job",
        "elemId": element,
        "actionName": "create",
    }
