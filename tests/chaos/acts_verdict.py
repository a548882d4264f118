"""Whether what operators did was done once, and reported once; and whether the end of a rule was.

Lives here: `judge_acts`, `judge_goodbyes`. Pure. Does not live here: what is reported about executions (`verdict`,
which calls them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.chaos.evidence import Record

DONE = ("cancelled it from Slack", "retried it from Slack")


def judge_acts(record: Record, find: Callable[..., None]) -> None:
    """At most one call of GCS for each press, by nobody else, and one line for everybody who follows it."""
    for execution_id in sorted({each for each, _ in record.acted}):
        presses = sorted(press.at for press in record.presses if press.execution_id == execution_id)
        calls = sorted(at for each, at in record.acted if each == execution_id)
        for number, at in enumerate(calls):
            if sum(press <= at for press in presses) <= number:
                find("action doubled", f"{execution_id}: {len(calls)} calls of GCS for {len(presses)} presses")
                break
    _judge_notices(record, find)


def _judge_notices(record: Record, find: Callable[..., None]) -> None:
    operators = {press.by for press in record.presses}
    sent = Counter((notice.about, notice.subscriber) for notice in record.acts)
    for notice in record.acts:
        if not any(f"<@{operator}>" in notice.text for operator in operators):
            find("action by others", notice.text)
        if notice.about not in record.operated:
            find("never was", notice.text)
    for (execution_id, subscriber), count in sent.items():
        if count > 1 and not record.lossy:
            find("notice doubled", f"{execution_id} for {subscriber}: {count} times")
    for execution_id in sorted(record.operated):
        since = min((press.at for press in record.presses if press.execution_id == execution_id), default=0.0)
        for promise in record.promises:
            is_there = promise.promised_at < since and promise.left_at is None
            if promise.execution_id == execution_id and is_there and not sent[execution_id, promise.subscriber]:
                find("notice lost", f"{execution_id} for {promise.subscriber}", is_waiting=True)


def judge_goodbyes(record: Record, find: Callable[..., None]) -> None:
    """A channel reads once that somebody has ended its rule; people know what they did."""
    sent = Counter((notice.subscriber, notice.about) for notice in record.goodbyes)
    for (subscriber, about), count in sent.items():
        if (count > 1 and not record.lossy) or subscriber.startswith("U"):
            find("notice doubled", f"end of {about} for {subscriber}: {count} times")
    for rule in record.rules:
        if rule.ended_at is None or rule.promised_at is None or rule.subscriber.startswith("U"):
            continue
        texts = [notice.text for notice in record.goodbyes if notice.subscriber == rule.subscriber]
        if not any(f"`{rule.value}`" in text and rule.ended_by in text for text in texts):
            find("notice lost", f"end of {rule.kind} {rule.value} for {rule.subscriber}", is_waiting=True)
