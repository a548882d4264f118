"""What people ask for when they want quiet: an execution muted for a while, and quiet hours every day.

Lives here: `QuietTimes`, and the worker that prepares everybody's next quiet hours. Does not live here: what a quiet
time holds back (`bot/store/outbox/prelude.lua`), words for it (`bot.blocks.quiet`). Called by the handlers, through
`bot.subscriptions`; the worker is started by `bot.app.workspace`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from bot.audit import audit
from bot.domain.change import Change, ChangeKind
from bot.domain.following import Quiet, Subscriber, Subscription
from bot.domain.quiet import MuteFor, QuietHours
from bot.domain.snapshot import Snapshot
from bot.errors import InputProblem, InvalidInput, StoreUnavailable
from bot.store.patience import in_time
from bot.store.quiet_hours import HoursKept
from bot.store.rows import quiet_field
from bot.store.subscriptions import Subscribers

HOURS_WITHIN = timedelta(seconds=30)
"""At most how long it takes to write a person's quiet hours into everything that they follow."""

CHECK_SECONDS = 60.0
"""How often the bot checks whose quiet hours come next."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Muted:
    """The result of muting an execution, or of ending that."""

    subscription: Subscription
    snapshot: Snapshot | None
    now: datetime
    """The store's time."""
    is_changed: bool = True
    """False if there was no mute to end."""
    is_safe: bool = True
    """False if fewer replicas of the store hold it than configured, so that losing one server could lose it."""


class HoursWorker:
    """Writes everybody's next quiet hours into what they follow, in time before these begin.

    So nobody has to ask, when something happens, whether a person wants quiet. A bot that was away when they began
    finds them in the subscriptions. It costs one read a minute while nothing changes.
    """

    def __init__(
        self, subscribers: Subscribers, hours: HoursKept, *, team_id: str, now: Callable[[], datetime]
    ) -> None:
        self._subscribers, self._hours, self._team_id, self._now = subscribers, hours, team_id, now
        self._written: dict[str, Quiet | None] = {}
        """User id → what was written by this process."""

    async def run_once(self) -> float:
        """Check once; returns after how many seconds to check again."""
        try:
            chosen = await self._hours.all(self._team_id)
            for user_id, hours in chosen.items():
                quiet = hours.at(self._now())
                if user_id not in self._written or self._written[user_id] != quiet:
                    await self._write(user_id)
            for user_id in self._written.keys() - chosen.keys():  # withdrawn, perhaps while another copy wrote them
                await self._write(user_id)
                del self._written[user_id]
        except StoreUnavailable as error:
            log.warning("quiet_hours.store_away", error=str(error))
        return CHECK_SECONDS

    async def _write(self, user_id: str) -> None:
        person = Subscriber(team_id=self._team_id, id=user_id)
        self._written[user_id] = await _write_chosen(self._subscribers, self._hours, person, self._now)


async def _write_chosen(
    subscribers: Subscribers, kept: HoursKept, person: Subscriber, now: Callable[[], datetime]
) -> Quiet | None:
    """Write the present quiet hours of a person, or the next ones, into what they follow; returns what was written.

    Read again afterwards: had they been withdrawn meanwhile, nobody would take back what was written after that.
    """
    hours = await kept.find(person.team_id, person.id)
    while True:
        quiet = hours.at(now()) if hours else None
        await subscribers.keep_hours(person, quiet)
        before, hours = hours, await kept.find(person.team_id, person.id)
        if hours == before:
            return quiet


class QuietTimes:
    """Serves people who want quiet."""

    def __init__(self, subscribers: Subscribers, hours: HoursKept, *, now: Callable[[], datetime]) -> None:
        self._subscribers, self._hours, self._now = subscribers, hours, now

    async def hours(self, person: Subscriber) -> QuietHours | None:
        """The quiet hours of a person; None if they chose none."""
        return await in_time(self._hours.find(person.team_id, person.id))

    async def choose_hours(self, person: Subscriber, hours: QuietHours | None) -> None:
        """Have a person read nothing at these hours, every day, from now on; None ends that at once."""
        await in_time(self._hours.choose(person.team_id, person.id, hours))
        await in_time(_write_chosen(self._subscribers, self._hours, person, self._now), within=HOURS_WITHIN)
        audit("quiet_hours.chosen", team=person.team_id, subscriber=person.id, is_on="yes" if hours else "no")

    async def present(self, subscriber: Subscriber) -> Quiet | None:
        """The present quiet hours of a person, or the next ones; None for a channel."""
        hours = await self.hours(subscriber) if subscriber.is_person else None
        return hours.at(self._now()) if hours else None

    async def mute(
        self,
        subscriber: Subscriber,
        execution_id: str,
        span: MuteFor,
        holds_failures: bool = False,
        *,
        by: str,
        zone: str = "",
    ) -> Muted:
        """Post nothing about an execution to a subscriber for a while; `by` is who asks, and lives in `zone`.

        Raises:
            InvalidInput: it is not followed.
        """
        _, now = await in_time(self._subscribers.last(subscriber.team_id, execution_id))
        if not zone and span is MuteFor.TOMORROW and (hours := await self.hours(Subscriber(subscriber.team_id, by))):
            zone = hours.zone
        quiet = span.from_now(now, zone, holds_failures=holds_failures)
        return await self._write(subscriber, execution_id, quiet, by=by)

    async def unmute(self, subscriber: Subscriber, execution_id: str, *, by: str) -> Muted:
        """End that at once.

        Raises:
            InvalidInput: it is not followed.
        """
        return await self._write(subscriber, execution_id, None, by=by)

    async def _write(self, subscriber: Subscriber, execution_id: str, quiet: Quiet | None, *, by: str) -> Muted:
        snapshot, now = await in_time(self._subscribers.last(subscriber.team_id, execution_id))
        found = await in_time(self._subscribers.find(subscriber, execution_id))
        done, is_safe = await in_time(
            self._subscribers.mute(subscriber, execution_id, quiet, notice=_notice(subscriber, quiet, by, now))
        )
        if done is None:
            raise InvalidInput(InputProblem.NOT_FOLLOWED, line=f"/execution subscribe {execution_id}")
        if done:
            audit(
                "subscription.muted" if quiet else "subscription.unmuted",
                team=subscriber.team_id,
                subscriber=subscriber.id,
                execution=execution_id,
                until=quiet_field(quiet),
            )
        # One that waits to be forgotten is not found, and may be unmuted all the same.
        known = found or Subscription(execution_id=execution_id, subscriber=subscriber, owner="", created_at=now)
        return Muted(replace(known, muted=quiet), snapshot, now, is_changed=done, is_safe=is_safe)


def _notice(subscriber: Subscriber, quiet: Quiet | None, by: str, now: datetime) -> Change | None:
    """What a channel reads when somebody mutes what it follows. People know what they did themselves."""
    if subscriber.is_person:
        return None
    kind = ChangeKind.MUTED if quiet else ChangeKind.UNMUTED
    return Change(kind=kind, revision=0, at=now, by=by, until=quiet.until if quiet else None)
