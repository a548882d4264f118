"""Doubles of what listeners use of the store: they keep everything in memory.

Lives here: channels, languages, limits and requests. Does not live here: what people ask for (`doubles`). Called by
`conftest` and the tests of this folder.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from bot.domain.access import ChannelRecord
from bot.store.slack_limits import Admission
from tests.unit.handlers.doubles import NOW


class FakeChannels:
    """In the place of `Channels`: the records, in memory."""

    def __init__(self) -> None:
        self.records: dict[str, ChannelRecord] = {}
        self.is_replicated = True

    async def find(self, team_id: str, channel_id: str) -> ChannelRecord | None:
        """Someone asks what is known."""
        return self.records.get(f"{team_id}/{channel_id}")

    async def note(
        self,
        team_id: str,
        channel_id: str,
        *,
        is_shared: bool,
        organisations: Collection[str] = (),
        has_joined: bool = False,
    ) -> None:
        """Slack has described a channel."""
        known = self.records.get(f"{team_id}/{channel_id}") if is_shared else None
        known = known or ChannelRecord(is_shared, NOW)
        all_of_them = frozenset(organisations) | (known.organisations if has_joined else frozenset())
        self.records[f"{team_id}/{channel_id}"] = replace(known, is_shared=is_shared, organisations=all_of_them)

    async def approve(
        self, team_id: str, channel_id: str, approver: str, *, organisations: Collection[str] = ()
    ) -> bool:
        """Somebody approves, or withdraws that."""
        known = self.records.get(f"{team_id}/{channel_id}") or ChannelRecord(True, NOW)
        self.records[f"{team_id}/{channel_id}"] = replace(
            known, is_shared=True, approver=approver, approved=frozenset(organisations)
        )
        return self.is_replicated

    async def note_notified(self, team_id: str, channel_id: str, owner: str) -> None:
        """Somebody knows that the channel waits."""
        known = self.records[f"{team_id}/{channel_id}"]
        self.records[f"{team_id}/{channel_id}"] = replace(known, notified=known.notified | {owner})


class FakeChoices:
    """In the place of the store's `Languages`: the choices, in memory."""

    def __init__(self) -> None:
        self.chosen: dict[str, str] = {}
        self.error: Exception | None = None

    async def find(self, team_id: str, reader_id: str) -> str:
        """Someone is about to be written to."""
        if self.error is not None:
            raise self.error
        return self.chosen.get(f"{team_id}/{reader_id}", "")

    async def choose(self, team_id: str, reader_id: str, language: str) -> None:
        """Someone chooses."""
        if self.error is not None:
            raise self.error
        self.chosen[f"{team_id}/{reader_id}"] = language


class FakePauses:
    """In the place of `SlackLimits`: remembers which methods are to be left alone, and until when."""

    def __init__(self, team_id: str) -> None:
        self.team_id = team_id
        self.admitted: list[str] = []
        self.is_away = False
        self.until: dict[str, float] = {}
        self.error: Exception | None = None

    async def paused(self, team_id: str, method: str) -> timedelta:
        """A listener is about to call."""
        assert team_id == self.team_id
        if self.error is not None:
            raise self.error
        return timedelta(seconds=max(0.0, self.until.get(method, 0.0) - time.monotonic()))

    async def admit_answer(self, team_id: str, person_id: str, name: str) -> Admission:
        """A listener is about to post an answer."""
        self.admitted.append(f"{person_id} {name}")
        return Admission(await self.paused(team_id, "chat.postMessage"), is_away=self.is_away)

    async def back(self, team_id: str) -> None:
        """Slack took the answer."""
        assert team_id == self.team_id
        self.is_away = False

    async def pause(self, team_id: str, method: str, span: timedelta) -> None:
        """A listener got a 429."""
        assert team_id == self.team_id
        if self.error is not None:
            raise self.error
        self.until[method] = time.monotonic() + span.total_seconds()


class FakeRequests:
    """In the place of `Requests`: remembers what it was asked, and raises the error that a test sets."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.spans: set[timedelta] = set()
        """For how long it was to remember."""
        self.error: Exception | None = None

    async def is_first(self, team_id: str, identity: str, *, within: timedelta) -> bool:
        """A request arrived, or a reply is due."""
        if self.error is not None:
            raise self.error
        self.spans.add(within)
        is_first = (team_id, identity) not in self.seen
        self.seen.add((team_id, identity))
        return is_first
