"""What people are owed besides the executions that they follow by hand: by rules, and while they want quiet.

Lives here: `implied`, `unasked`, `may_follow` and `is_held`. Pure. Does not live here: whether that is what they
read (`verdict`, which calls it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter

from tests.chaos.evidence import Promise, Quiet, Record, RulePromise, Truth

EARLY = 0.1
"""By how many seconds the two servers' notes of one moment may differ."""

FOUND = 90.0
"""How long a new execution may be unknown: the bot looks once a minute, unless it is killed meanwhile."""

_LOUDEST = ("failures", "final", "milestones", "steps")


def implied(record: Record) -> Iterator[Promise]:
    """What rules promise of each execution that began while they were in force, and what has ended with them."""
    asked = _asked(record)
    latest_first = sorted(record.promises, key=attrgetter("promised_at"), reverse=True)
    by_hand = {(promise.execution_id, promise.subscriber): promise.promised_at for promise in latest_first}
    for subscriber, rules in _by_subscriber(record).items():
        for execution_id, truth in record.truths.items():
            matching = [rule for rule in rules if rule.matches(truth) and rule.promised_at is not None]
            living = [rule for rule in matching if rule.end_asked_at is None]
            owed = [rule for rule in living if truth.began > (rule.promised_at or 0)]
            ended = [rule.ended_at for rule in matching if rule.ended_at is not None]
            if not owed and (living or not ended or (execution_id, subscriber) in asked):
                continue
            if _is_left_to_hand(truth, by_hand.get((execution_id, subscriber))):
                continue
            yield Promise(
                execution_id=execution_id,
                subscriber=subscriber,
                level=max((rule.level for rule in owed or matching), key=_LOUDEST.index),
                promised_at=_since(truth, by_hand.get((execution_id, subscriber), truth.began)),
                left_at=None if owed else max(ended),
                found_by=truth.began + FOUND,
                is_by_rule=True,
            )


def _is_left_to_hand(truth: Truth, by_hand: float | None) -> bool:
    """Whether it ended while somebody followed it by hand, and no rule had to know it yet.

    Then no rule follows it, and it is reported at the level that they chose, which is a promise of its own.
    """
    ends = (moment.at for moment in truth.moments if moment.is_outcome)
    return by_hand is not None and by_hand < next(ends, by_hand) <= truth.began + FOUND


def _since(truth: Truth, by_hand: float) -> float:
    """From when on rules promise somebody what happens to an execution: from its beginning.

    If they followed it by hand before a rule had to know it, and it had ended by then, its card shows that.
    """
    has_ended = any(moment.is_outcome and moment.at <= by_hand for moment in truth.moments)
    return by_hand if has_ended and by_hand <= truth.began + FOUND else truth.began


def unasked(record: Record) -> Iterator[str]:
    """What is reported though nobody follows it: it ran before the rule was made, or began after the rule's end."""
    rules = _by_subscriber(record)
    reported = {(said.execution_id, said.subscriber) for said in record.said}
    for execution_id, subscriber in sorted(reported - _asked(record)):
        truth = record.truths[execution_id]
        if not any(may_follow(rule, truth) for rule in rules[subscriber]):
            yield f"{truth.name} for {subscriber}"


def is_held(quiet: Quiet, truth: Truth, index: int, at: float, delivered: Sequence[tuple[int, float]]) -> bool:
    """Whether a message at `at` that reports the moment `index` breaks a promise of quiet.

    `delivered` are moments reported before it, each with its time. What had ended shortly before somebody muted it
    until it ends is no longer muted once that is reported. With a failure comes what waited when it was reported.
    """
    moments, until = truth.moments, quiet.until
    last = delivered[-1][0] if delivered else -1
    if until is None:
        reported = (at for n, at in delivered if moments[n].is_outcome)
        ends = [*(moment.at for moment in moments if moment.is_outcome), *reported]
        until = min((end for end in ends if end > quiet.since), default=moments[-1].at)
    if moments[index].at <= quiet.since + EARLY or at >= until - EARLY:
        return False
    if quiet.is_for_everything:
        return True
    failed = (at for n, at in delivered if _has_failed(truth, n))
    is_beside_failure = any(moments[index].at <= at for at in failed)
    is_failure = any(_has_failed(truth, n) and moments[n].at <= at for n in range(last + 1, len(moments)))
    return not (is_beside_failure or is_failure)


def _has_failed(truth: Truth, n: int) -> bool:
    before, moment = truth.moments[n - 1] if n else None, truth.moments[n]
    return moment.phase == "Failed" or (moment.failed or 0) > ((before.failed or 0) if before else 0)


def may_follow(rule: RulePromise, truth: Truth) -> bool:
    """Whether an execution may be followed for a rule that somebody has asked for."""
    has_ended = rule.ended_at is not None and truth.began > rule.ended_at
    return rule.matches(truth) and truth.began >= rule.asked_at - EARLY and not has_ended


def _asked(record: Record) -> set[tuple[str, str]]:
    return record.asked | {(promise.execution_id, promise.subscriber) for promise in record.promises}


def _by_subscriber(record: Record) -> defaultdict[str, Sequence[RulePromise]]:
    found = defaultdict[str, list[RulePromise]](list)
    for rule in record.rules:
        found[rule.subscriber].append(rule)
    return found  # type: ignore[return-value]
