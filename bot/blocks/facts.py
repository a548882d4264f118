"""What is known about an execution besides its state and steps: one grey line on a card, the rest in a modal.

Lives here: the grey line, when GCS answered, and the modal `Details`. Does not live here: what is wrong
(`bot.blocks.trouble`), steps (`bot.blocks.groups`). Called by `bot.blocks.cards`, `bot.blocks.outcome` and
`bot.blocks.step_list`.
"""

from __future__ import annotations

from datetime import datetime

from bot.blocks import buttons, text, words
from bot.blocks.groups import MRKDWN
from bot.blocks.language import N_, _
from bot.blocks.message import Block, actions, context, fields, section, view
from bot.blocks.trouble import failure, is_time_limit, trouble_of, unseen_line
from bot.domain import estimate
from bot.domain.acting import Action
from bot.domain.execution import Execution
from bot.domain.following import Subscriber
from bot.domain.snapshot import Snapshot

TITLE = N_("Details")
CALLBACK_ID = "details"
_LABELS_ON_CARD, _LABELS_LIMIT = 2, 32
"""At most so many labels are on a card, and one if two are longer than this."""
_LABELS_IN_MODAL = 20


def grey_line(snapshot: Snapshot, *more: str) -> Block | None:
    """Workflow, labels, time limit, `more`, and when GCS answered."""
    execution = snapshot.execution
    return context(
        words.workflow(execution),
        _labels(execution),
        _limit(snapshot),
        *more,
        as_of_line(snapshot),
    )


def _labels(execution: Execution) -> str:
    labels = words.labels(execution, _LABELS_ON_CARD)
    return labels if len(labels) <= _LABELS_LIMIT else words.labels(execution, 1)


def as_of(snapshot: Snapshot, *more: str) -> Block | None:
    """When GCS answered, and since when it has not."""
    stale = unseen_line(snapshot)
    return context(f"⚠️ {stale}" if stale else "", as_of_line(snapshot), *more)


def as_of_line(snapshot: Snapshot) -> str:
    """When GCS answered, to the second."""
    return _("As of {time}").format(time=text.date_secs(snapshot.seen_at))


def as_of_words(snapshot: Snapshot) -> str:
    """The same in plain text, with the id."""
    shape = _("As of {time}. Id: {id}")
    return shape.format(time=text.utc_seconds(snapshot.seen_at), id=text.escape(snapshot.execution.id))


def retry_line(retry_until: datetime | None) -> str:
    """Until when the bot waits for a retry; empty when it does not."""
    if retry_until is None:
        return ""
    return _("Waiting until {time} for somebody to retry it").format(time=text.date(retry_until))


def details_modal(
    snapshot: Snapshot, *, now: datetime, offer: Action | None = None, channel: Subscriber | None = None
) -> Block:
    """All that is known about an execution; what GCS did not send is left out. `offer`: what the reader may do.

    `channel`: where it was opened; its log is that of the reader and of this channel.
    """
    execution = snapshot.execution
    trouble = trouble_of(snapshot, now=now)
    pairs = _facts(snapshot, now)
    state = f"{words.snapshot_icon(snapshot)} {words.snapshot_word(snapshot)}"
    blocks = [
        section(f"*{words.unstarred(words.name(execution))}*", state, trouble.line if trouble else ""),
        section(text.escape(execution.description, 255)),
        section(failure(execution, MRKDWN), words.time_out_note(execution.timeout) if is_time_limit(snapshot) else ""),
        *(fields(pairs[start : start + _FIELDS]) for start in range(0, len(pairs), _FIELDS)),
        actions(
            [buttons.show_log(execution.id, channel), *([buttons.ask_action(execution.id, offer)] if offer else [])]
        ),
        as_of(snapshot),
    ]
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID)


_FIELDS = 10
"""So many fields fit into a section."""


def _facts(snapshot: Snapshot, now: datetime) -> list[tuple[str, str]]:
    execution = snapshot.execution
    ratio = execution.time_ratio
    pairs = [
        (_("Workflow"), words.workflow(execution)),
        (_("Id"), text.code(execution.id)),
        (_("Created"), text.date(execution.created_at) if execution.created_at else ""),
        (_("Updated"), text.date(execution.updated_at) if execution.updated_at else ""),
        (_("Time"), words.time_words(snapshot)),
        (_("Usual time"), _usual(snapshot, now)),
        (_("Time limit"), _time_limit(execution)),
        (_("Runs on"), text.escape(execution.target).upper()),
        (_("Cluster"), text.escape(execution.cluster)),
        (_("Namespace"), text.escape(execution.namespace)),
        (_("Enterprise project"), text.escape(execution.enterprise_project)),
        (_("Priority"), text.number(execution.priority) if execution.priority else ""),
        (_("Labels"), words.labels(execution, _LABELS_IN_MODAL)),
        (_("Working time"), text.percent(ratio) if ratio is not None else ""),
        (_("Workflow id"), text.code(execution.workflow_id) if execution.workflow_name else ""),
    ]
    return [(name, value) for name, value in pairs if value]


def _usual(snapshot: Snapshot, now: datetime) -> str:
    outlook = estimate.outlook_of(snapshot, now=now)
    if outlook is None:
        return ""
    return _("{low} – {high}").format(low=text.span(outlook.usual_low), high=text.span(outlook.usual_high))


def _limit(snapshot: Snapshot) -> str:
    deadline = snapshot.execution.deadline
    if deadline is None or snapshot.execution.is_terminal or snapshot.is_vanished:
        return ""
    return _("limit {time}").format(time=text.date(deadline))


def _time_limit(execution: Execution) -> str:
    if not execution.timeout:
        return ""
    limit, deadline = text.span(execution.timeout), execution.deadline
    if deadline is None or execution.is_terminal:
        return limit
    return _("{limit}, ends {time}").format(limit=limit, time=text.date(deadline))
