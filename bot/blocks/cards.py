"""One execution as a whole: the summary for one person, the summary for a channel, and the card.

Lives here: `execution_summary`, `shared_summary`, `execution_card`. Does not live here: messages about single changes
(`bot.blocks.thread`, `bot.blocks.outcome`). Called by `handlers` (summaries) and the notifier (card).
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bot.blocks import buttons, facts, steps, text, words
from bot.blocks.levels import level_words
from bot.blocks.message import Block, Message, Style, actions, context, header, message, section
from bot.domain.model import Execution, Phase, Snapshot, Subscription


def execution_summary(snapshot: Snapshot, *, now: datetime, subscription: Subscription | None) -> Message:
    """The summary that one person asked for; `subscription` is that person's own, if there is one."""
    execution = snapshot.execution
    following = f"You follow it: {level_words(subscription.level)}" if subscription else ""
    row = [buttons.steps(execution.id), buttons.refresh_summary(execution.id), buttons.share(execution.id)]
    if subscription is not None:
        row.insert(0, buttons.unsubscribe(subscription))
    elif not _is_over(snapshot):
        row.insert(0, buttons.subscribe(execution.id))
    blocks = [*_body(snapshot, now, Style.CLASSIC), facts.as_of(snapshot, now, following), actions(row)]
    return message(blocks, *_plain_lines(snapshot, now), following and f"{following}.")


def shared_summary(snapshot: Snapshot, *, now: datetime, shared_by: str) -> Message:
    """The summary that one person shares with a channel; its button subscribes the person who presses it."""
    execution = snapshot.execution
    row = [buttons.steps(execution.id)]
    if not _is_over(snapshot):
        row.insert(0, buttons.subscribe(execution.id, "Subscribe me"))
    sharer = f"Shared by <@{text.identifier(shared_by)}>"
    blocks = [*_body(snapshot, now, Style.CLASSIC), facts.as_of(snapshot, now, sharer), actions(row)]
    return message(blocks, *_plain_lines(snapshot, now), f"{sharer}.")


def execution_card(snapshot: Snapshot, subscription: Subscription, *, now: datetime, style: Style) -> Message:
    """The first message of the thread, edited with every change; once the subscription ends it offers a new one."""
    if subscription.is_ending:
        # Other subscriptions may still wait for a retry; this one does not.
        snapshot = replace(snapshot, retry_until=None)
    body = _body(snapshot, now, style)
    if subscription.is_ending:
        ending = _ending_line(snapshot, subscription)
        row = [] if snapshot.is_vanished else [buttons.steps(snapshot.execution.id)]
        if not _is_over(snapshot):
            row.append(buttons.follow_again(subscription))
        blocks = [*body, context(ending), facts.as_of(snapshot, now), actions(row)]
        return message(blocks, *_plain_lines(snapshot, now), ending)
    row = [
        buttons.steps(snapshot.execution.id),
        buttons.refresh_card(subscription),
        buttons.unsubscribe(subscription),
    ]
    level = f"Told in the thread: {level_words(subscription.level)}"
    return message([*body, facts.as_of(snapshot, now, level), actions(row)], *_plain_lines(snapshot, now), f"{level}.")


def _is_over(snapshot: Snapshot) -> bool:
    """Whether no change can follow; failed and cancelled executions may be retried."""
    return snapshot.is_vanished or snapshot.execution.phase == Phase.SUCCEEDED


def _ending_line(snapshot: Snapshot, subscription: Subscription) -> str:
    if subscription.ended_by:
        return f"No longer followed: stopped by <@{text.identifier(subscription.ended_by)}>; this card stays as it is."
    if snapshot.is_vanished:
        return "No longer followed: GeneContainer Service does not know this execution any more."
    if snapshot.execution.is_terminal:
        return f"No longer followed: the execution is {words.phase_word(snapshot.execution.phase)}."
    return "No longer followed: this card stays as it is."


def _body(snapshot: Snapshot, now: datetime, style: Style) -> list[Block | None]:
    snapshot = _without_echo(snapshot)
    execution = snapshot.execution
    drawn = steps.plan(snapshot) if style is Style.RICH else steps.steps_section(snapshot)
    return [
        header(f"{words.snapshot_icon(snapshot)} {words.plain_name(execution)}"),
        section(
            _status_line(snapshot, now), facts.failure_line(execution), facts.retry_line(snapshot.retry_until, now)
        ),
        context(text.escape(execution.description, 255)),
        facts.fact_fields(execution, now),
        drawn,
    ]


def _without_echo(snapshot: Snapshot) -> Snapshot:
    execution = snapshot.execution
    if execution.phase not in {Phase.FAILED, Phase.ERROR}:
        return snapshot
    shown = steps.without_echo(execution.steps, execution.reason, execution.message)
    return replace(snapshot, execution=replace(execution, steps=shown))


def _status_line(snapshot: Snapshot, now: datetime) -> str:
    label = f"{words.snapshot_icon(snapshot)} *{words.unstarred(words.snapshot_word(snapshot))}*"
    elapsed = words.elapsed_words(snapshot.execution, now)
    return " · ".join(filter(None, (label, words.progress(snapshot.execution), elapsed)))


def _plain_lines(snapshot: Snapshot, now: datetime) -> list[str]:
    execution = snapshot.execution
    elapsed = words.elapsed_words(execution, now)
    duration = f", {'after' if execution.is_terminal else 'for'} {elapsed}" if elapsed else ""
    steps_done = words.counts(execution.steps_finished, execution.steps_total)
    head = f"{words.subject_words(execution)}: {words.snapshot_word(snapshot)}{duration}; {steps_done}."
    retry = f"Watching for a retry until {text.utc(snapshot.retry_until)}." if snapshot.retry_until else ""
    reason = _why_words(execution)
    return [head, reason, *steps.step_words(_without_echo(snapshot)), retry, facts.as_of_words(snapshot)]


def _why_words(execution: Execution) -> str:
    if execution.phase not in {Phase.FAILED, Phase.ERROR}:
        return ""
    return words.why_words(execution.reason, execution.message)
