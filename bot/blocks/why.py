"""The modal about a failure: its cause, GCS's own words, the last events, the command for the logs, earlier runs.

Lives here: `why_modal`, `loading_why`. Does not live here: the words for causes (`bot.blocks.causes`), all steps
(`bot.blocks.step_list`). Called by `handlers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.blocks import buttons, text, words
from bot.blocks.earlier import earlier_lines
from bot.blocks.failed_steps import Failure, failure_lines
from bot.blocks.language import N_, _, own_half
from bot.blocks.message import Block, actions, context, section, view
from bot.blocks.modals import asking, head
from bot.domain.acting import Action
from bot.domain.events import Event, latest
from bot.domain.execution import FAILED_PHASES, Execution, Step
from bot.domain.past import Past
from bot.domain.snapshot import Snapshot

CALLBACK_ID = "why"
_TITLE = N_("Why")
_LINES = 8
"""At most this many lines about failed steps."""
_TEXTS = 3
"""At most so many of GCS's texts are shown in full."""
_TEXT_LIMIT = 2_000
_SMALL_LIMIT = 600
"""How much of a text is shown in the language that the reader has not chosen, in characters."""
_EVENTS = 8
_EVENT_LIMIT = 240
_KUBERNETES = frozenset({"cce", "cci"})
"""Where a run has pods: Cloud Container Engine and Cloud Container Instance."""
_ID = re.compile(r"[0-9a-f-]{36}")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Evidence:
    """What else is known about a failure."""

    events: Sequence[Event] | None = ()
    """None where GCS does not show them."""
    is_refused: bool = False
    """Whether that is because the bot may not read them."""
    past: Past = Past()  # noqa: RUF009  # a tuple of nothing


def why_modal(snapshot: Snapshot, evidence: Evidence, *, offer: Action | None = None) -> Block:
    """All that is known about why an execution, or some of its steps, failed. `offer`: what the reader may do."""
    execution = snapshot.execution
    failure = Failure.of_execution(execution)
    has_failed = bool(failure.steps) or execution.phase in FAILED_PHASES
    earlier = earlier_lines(evidence.past, execution.id)
    blocks = [
        head(snapshot),
        section(*(failure_lines(failure, _LINES) if has_failed else [_("Nothing has failed so far.")])),
        *_texts(failure),
        section(*_sub_jobs(failure.steps)),
        *_events(evidence, failure),
        _logs(execution),
        section(_heading(_("Earlier runs")), *earlier) if earlier else None,
        actions([buttons.ask_action(execution.id, offer)] if offer else []),
        context(text.code(execution.id)),
    ]
    return view(_(_TITLE), blocks, callback_id=CALLBACK_ID)


def loading_why() -> Block:
    """Opens at once, since a trigger expires after three seconds; `why_modal` replaces it."""
    return view(_(_TITLE), [asking()], callback_id=CALLBACK_ID)


def _heading(words_of_it: str) -> str:
    return f"*{words_of_it}*"


def _texts(failure: Failure) -> Iterator[Block | None]:
    """GCS's own words in the reader's language; the other half in small print."""
    shown: dict[tuple[str, str], tuple[str, Step | Failure]] = {}
    for step in failure.steps:
        shown.setdefault((step.message, step.message_zh), (step.name, step))
    shown.setdefault((failure.message, failure.message_zh), ("", failure))
    said = [about for pair, about in shown.items() if any(pair)][:_TEXTS]
    if said:
        yield section(_heading(_("What GCS says")))
    for name, of in said:
        reason, own = own_half(of.reason, of.reason_zh), own_half(of.message, of.message_zh)
        other_reason, other = _other(of.reason, of.reason_zh), _other(of.message, of.message_zh)
        yield section(" · ".join(filter(None, (text.bold(name), text.code(reason)))), text.escape(own, _TEXT_LIMIT))
        yield context(text.code(other_reason), text.escape(other, _SMALL_LIMIT))


def _other(english: str, chinese: str) -> str:
    """The half that the reader has not chosen; empty where there is only one."""
    return (english if own_half(english, chinese) == chinese else chinese) if english and chinese else ""


def _sub_jobs(steps: Iterable[Step]) -> list[str]:
    """How many sub-jobs of the failed steps are done: GCS documents no list of those that failed."""
    several = [(step, words.sub_jobs(step)) for step in steps if step.sub_jobs > 1]
    line = _("{step}: {sub_jobs} done")
    return [line.format(step=text.bold(step.name), sub_jobs=counted) for step, counted in several[:_LINES]]


def _events(evidence: Evidence, failure: Failure) -> Iterator[Block | None]:
    events = latest(evidence.events or (), [step.name for step in failure.steps], _EVENTS)
    if evidence.is_refused:
        yield context(_("⚠️ GCS does not let me read the events of this execution."))
    elif evidence.events is None:
        yield context(_("⚠️ GCS is not showing the events of this execution right now."))
    elif not events:
        yield context(_("GCS has no events for this execution."))
    else:
        yield section(_heading(_("Last events")), *(_event(event) for event in events))


def _event(event: Event) -> str:
    reason, said = own_half(event.reason, event.reason_zh), own_half(event.message, event.message_zh)
    at = text.date(event.at) if event.at else ""
    times = _("{number} times").format(number=text.number(event.times)) if event.times > 1 else ""
    return " · ".join(filter(None, (at, text.escape(reason), text.escape(said, _EVENT_LIMIT), times)))


def _logs(execution: Execution) -> Block | None:
    """The command that shows the logs; none where a run has no pods."""
    if execution.target.casefold() not in _KUBERNETES or not _ID.fullmatch(execution.id):
        return None
    place = f" -n {execution.namespace}" if _NAMESPACE.fullmatch(execution.namespace) else ""
    command = f"kubectl logs{place} -l gcs.execution.id={execution.id} --prefix --tail=100"
    return section(_heading(_("Logs, while the pods exist")), text.code(command, 300))
