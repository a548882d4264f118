"""What a person's Home tab is drawn from.

Lives here: `Home`, `InChannels`, and what is kept of an execution that has ended (`kept_of`). Does not live here: how
it looks (`bot.blocks.home`), where it comes from (`bot.store.homes`). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from bot.domain.execution import Execution
from bot.domain.following import Level, Rule
from bot.domain.quiet import QuietHours
from bot.domain.snapshot import Followed, Snapshot

SHOWN_FOR = timedelta(hours=24)
"""How long the end of an execution is shown."""

ENDS_KEPT = 20
"""At most how many ends are kept for one person."""

CHANNEL_ENDS_KEPT = 300
"""At most how many ends are kept for a channel, whose board shows them."""

STEPS_KEPT = 3
"""At most how many failed steps are kept of each."""

TEXT_KEPT = 300
"""How much of GCS's texts is kept, in characters."""


class InChannels(NamedTuple):
    """An execution that some of the person's channels follow."""

    execution_id: str
    snapshot: Snapshot | None
    channel_ids: tuple[str, ...]


class Home(NamedTuple):
    """All of it."""

    followed: Followed = Followed()
    in_channels: tuple[InChannels, ...] = ()
    """What only channels follow, and not the person."""
    are_channels_known: bool = True
    """Whether Slack says in which channels the person is."""
    channels_left_out: int = 0
    """How many more channels of theirs follow something."""
    ended: tuple[Snapshot, ...] = ()
    """What the person followed until its end, the last end first."""
    since: datetime | None = None
    """When the person's day began, since which ends are shown; None for `SHOWN_FOR`, where it is not known."""
    rules: tuple[Rule, ...] = ()
    """Their own, and those that they made for their channels."""
    hours: QuietHours | None = None
    """When they want quiet."""
    level: Level | None = None
    """The level that the person has chosen for where they name none; None if they have chosen none."""


def ended_at(snapshot: Snapshot) -> datetime:
    """When an execution ended, as far as that is known."""
    return snapshot.execution.updated_at or snapshot.seen_at


def ends_of(followed: Followed, ended: Sequence[Snapshot]) -> list[Snapshot]:
    """What has ended and is not followed again, each once, the last end first, and no more of it than is kept."""
    known = {subscription.execution_id for subscription, _ in followed.items}
    ends = {
        each.execution.id: each for each in (*map(kept_of, followed.ending), *ended) if each.execution.id not in known
    }
    return sorted(ends.values(), key=ended_at, reverse=True)


def kept_of(snapshot: Snapshot) -> Snapshot:
    """As much of an execution that has ended as its line on the Home tab needs, so that many can be kept.

    `steps` are some of those that failed; `steps_left_out` counts the others.
    """
    execution = snapshot.execution
    failed = execution.failed_steps
    steps = tuple(
        replace(step, message=step.message[:TEXT_KEPT], message_zh=step.message_zh[:TEXT_KEPT], resources={})
        for step in failed[:STEPS_KEPT]
    )
    brief = Execution(
        id=execution.id,
        name=execution.name,
        workflow_id=execution.workflow_id,
        workflow_name=execution.workflow_name,
        phase=execution.phase,
        reason=execution.reason,
        message=execution.message[:TEXT_KEPT],
        reason_zh=execution.reason_zh,
        message_zh=execution.message_zh[:TEXT_KEPT],
        steps_total=execution.steps_total,
        steps_finished=execution.steps_finished,
        steps=steps,
        steps_left_out=len(failed) - len(steps),
        created_at=execution.created_at,
        updated_at=execution.updated_at,
        elapsed=execution.elapsed,
        timeout=execution.timeout,
    )
    return Snapshot(
        execution=brief,
        revision=snapshot.revision,
        seen_at=snapshot.seen_at,
        is_vanished=snapshot.is_vanished,
        card=snapshot.card,
    )
