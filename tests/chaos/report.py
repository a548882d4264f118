"""The results of a run, as one table.

Lives here: `table`. Does not live here: the numbers (`arena`, `verdict`). Called by `make chaos` and `test_chaos`.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence

from tests.chaos.arena import Arena
from tests.chaos.evidence import Record
from tests.chaos.replicas import faketime_library
from tests.chaos.verdict import KINDS, Verdict

MOST_SHOWN = 20

_EVENTS = (
    ("sends in doubt that were settled", "notifier.reconciled"),
    ("times the brake went on", '"brake.on"'),
    ("deletions not believed", "watcher.deletion_unbelieved"),
    ("embedded engines started again", "embedded.restarted"),
)
"""What the bots logged."""


def table(arena: Arena, record: Record, verdict: Verdict) -> str:
    """The table, with the violations below it."""
    rows = [*_what_happened(arena), *_what_failed(arena), *_what_people_read(arena, record, verdict)]
    rows += [(kind, str(verdict.counts[kind])) for kind in KINDS]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value:>22}" for name, value in rows]
    shown = verdict.violations[:MOST_SHOWN]
    more = len(verdict.violations) - len(shown)
    return "\n".join([*lines, "", *shown, *([f"… and {more} more"] if more else [])])


def _what_happened(arena: Arena) -> list[tuple[str, str]]:
    scale = arena.plan.scale
    cpu = " ".join(f"{_cpu(who):.0f}" for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return [
        ("seed", str(arena.plan.seed)),
        ("lasted, s", f"{arena.now():.0f}"),
        ("CPU of the sandbox, of bots and store, s", cpu),
        ("clocks of the replicas, s", _clocks(arena)),
        ("executions, and newcomers", f"{scale.executions}, {scale.newcomers}"),
        ("commands typed", str(sum(person.commands for person in arena.people))),
        ("subscriptions promised", str(len(arena.promises))),
        (
            "responses that promised nothing, since copies were missing",
            str(sum(person.unsure for person in arena.people)),
        ),
        ("commands for executions that had ended", str(sum(person.too_late for person in arena.people))),
        ("rules promised, ended", _rules(arena)),
        ("boards", str(sum(len(person.boarded) for person in arena.people))),
        ("mutes and quiet hours promised", str(sum(len(person.quiet) for person in arena.people))),
        ("actions confirmed, called, done; too late", _acts(arena)),
        ("others refused to act", str(sum(operator.refused for operator in arena.operators))),
    ]


def _what_failed(arena: Arena) -> list[tuple[str, str]]:
    rows = [(f"injected: {kind}", str(count)) for kind, count in sorted(arena.struck.items())]
    rows += [(f"GCS fault: {kind}", str(count)) for kind, count in sorted(arena.gcs.faults.applied.items())]
    rows += [(f"Slack fault: {kind}", str(count)) for kind, count in sorted(arena.slack.faults.applied.items())]
    logs = [replica.bot.log for replica in arena.replicas]
    return [
        *rows,
        *((name, str(sum(log.count(event) for log in logs))) for name, event in _EVENTS),
        ("starts that Slack refused", str(sum(replica.refused_starts for replica in arena.replicas))),
    ]


def _what_people_read(arena: Arena, record: Record, verdict: Verdict) -> list[tuple[str, str]]:
    changes = sum(len(truth.moments) - 1 for truth in record.truths.values())
    return [
        ("changes at GCS", str(changes)),
        ("changes of interest to a subscriber", str(verdict.counts["changes for subscribers"])),
        ("messages: cards, lines, edits", " ".join(str(verdict.counts[kind]) for kind in ("cards", "lines", "edits"))),
        ("of the lines, ends that were reported together", str(verdict.counts["caught up"])),
        ("calls of GCS, worst minute", f"{len(arena.gcs.calls)}, {record.gcs_worst_minute} of {record.gcs_quota}"),
        ("calls of Slack", str(len(arena.slack.calls))),
        ("newcomer read of after, p50 p99 max, s", _delays(verdict.found_delays)),
        ("outcome polled after, p50 p99 max, s", _delays(verdict.poll_delays)),
        ("outcome delivered after, p50 p99 max, s", _delays(verdict.outcome_delays)),
        ("change delivered after, p50 p99 max, s", _delays(verdict.change_delays)),
        ("repeated after lost writes", str(verdict.counts["repeated after lost writes"])),
        ("of these, cards that stay as they were", str(verdict.counts["cards left behind"])),
    ]


def _rules(arena: Arena) -> str:
    rules = [rule for person in arena.people for rule in person.ruled.values()]
    promised = sum(rule.promised_at is not None for rule in rules)
    return f"{promised}, {sum(rule.ended_at is not None for rule in rules)}"


def _acts(arena: Arena) -> str:
    record = arena.record()
    late = sum(operator.too_late for operator in arena.operators)
    return f"{len(record.presses)}, {len(record.acted)}, {len(record.operated)}; {late}"


def _clocks(arena: Arena) -> str:
    return " ".join(f"{skew:+d}" for skew in arena.skews) if faketime_library() else "right: no libfaketime"


def _cpu(who: int) -> float:
    """Seconds of CPU, of this process or of those that have ended."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _delays(delays: Sequence[float]) -> str:
    if not delays:
        return "-"
    ordered = sorted(delays)
    return " ".join(f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.1f}" for share in (0.5, 0.99, 1))
