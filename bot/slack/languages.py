"""Which language a person or channel reads: their own choice, else that of their Slack, else the default.

Lives here: `Languages`, which knows time zones and guests, too, since Slack says all of it at once. Does not live
here: the texts (`bot.blocks.language`), where choices are kept (`bot.store.languages`). Called by the middleware and
the listeners, through `bot.slack.workspace`, and by the notifier.

Nothing here waits for long and nothing fails: if a language is not known in time, the default is used, and the next
message has the right one. Slack says which language somebody uses only with the optional scope `users:read`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple, Protocol, Self

import structlog

from bot.blocks.language import Language
from bot.errors import SlackError, StoreUnavailable
from bot.slack.lookups import Lookups

WITHIN_SECONDS = 1.0
"""How long a message waits at most for the language of its reader; a trigger lives for three seconds."""

CHOICE_SECONDS, LOCALE_SECONDS = 60.0, 6 * 3_600.0
"""How long a choice is used before the store is read again, and Slack's answer before Slack is called again."""

QUIET_SECONDS = 300.0
"""How long Slack is not called about anybody after a call has failed."""

MOST = 10_000
"""At most this many choices and locales are kept."""

log = structlog.get_logger()


class Choices(Protocol):
    """Where all copies of the bot remember which languages were chosen."""

    async def find(self, team_id: str, reader_id: str) -> str:
        """The language that a person chose, or that was chosen for a channel; empty for none."""

    async def choose(self, team_id: str, reader_id: str, language: str) -> None:
        """Remember a choice; an empty `language` forgets it."""


class People(Protocol):
    """The part of `SlackClient` that is used here."""

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """What Slack says about a person."""


class _Profile(NamedTuple):
    """What Slack says about a person."""

    locale: str
    zone: str
    is_guest: bool

    @classmethod
    def of(cls, user: Mapping[str, Any]) -> Self:
        """What an answer of `users.info` says; empty where it says nothing."""
        is_guest = bool(user.get("is_restricted") or user.get("is_ultra_restricted"))
        return cls(str(user.get("locale") or ""), str(user.get("tz") or ""), is_guest)


class Languages:
    """The languages of the people and channels of one workspace."""

    def __init__(self, slack: People, choices: Choices, *, default: Language = Language.ENGLISH) -> None:
        self._slack, self._choices, self._default = slack, choices, default
        self._chosen: Lookups[str] = Lookups(CHOICE_SECONDS, most=MOST)
        self._profiles: Lookups[_Profile] = Lookups(LOCALE_SECONDS, most=MOST)
        self._quiet_until = 0.0

    async def of(self, team_id: str, reader_id: str, *, asks_slack: bool = True) -> Language:
        """The language that a person or channel reads; never raises, and takes at most `WITHIN_SECONDS`."""
        if not reader_id:
            return self._default
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                chosen = await self._choice(team_id, reader_id)
                if chosen is not None:
                    return chosen
                is_person = reader_id.startswith(("U", "W"))
                if is_person and asks_slack:
                    profile = await self._profiles.get(reader_id, self._profile_of(reader_id))
                    return Language.of_locale(profile.locale) or self._default
        except (SlackError, TimeoutError) as error:
            log.debug("slack.language_unknown", kind=type(error).__name__)
        return self._default

    async def zone(self, user_id: str) -> str:
        """The time zone of a person's Slack, such as `Asia/Shanghai`; empty if Slack does not say it in time."""
        profile = await self._profile(user_id)
        return profile.zone if profile else ""

    async def is_guest(self, user_id: str) -> bool:
        """Whether a person is a guest; False if Slack does not say it in time."""
        profile = await self._profile(user_id)
        return profile is not None and profile.is_guest

    def note(self, user_id: str, user: Mapping[str, Any]) -> None:
        """Slack has described a person for another reason, so it need not be called again."""
        self._profiles.note(user_id, _Profile.of(user))

    def note_silence(self) -> None:
        """Slack says nothing about people at present, so it is not called for a while."""
        self._quiet_until = monotonic() + QUIET_SECONDS

    async def choose(self, team_id: str, reader_id: str, language: Language | None) -> Language:
        """Write to a person or channel in `language` from now on; None for that of their Slack, or the default.

        Returns what they read now.

        Raises:
            StoreUnavailable: the choice is not kept.
        """
        await self._choices.choose(team_id, reader_id, language or "")
        self.forget(team_id, reader_id)
        return await self.of(team_id, reader_id)

    async def chosen(self, team_id: str, reader_id: str) -> Language | None:
        """What a person has chosen, or was chosen for a channel; None for nothing, or where that is not known."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await self._choice(team_id, reader_id)
        except TimeoutError:
            return None

    def forget(self, team_id: str, reader_id: str) -> None:
        """Forget a choice that was deleted or changed."""
        self._chosen.forget(f"{team_id}/{reader_id}")

    async def _choice(self, team_id: str, reader_id: str) -> Language | None:
        try:
            found = await self._chosen.get(f"{team_id}/{reader_id}", lambda: self._choices.find(team_id, reader_id))
        except StoreUnavailable:
            return None
        return Language(found) if found in set(Language) else None

    async def _profile(self, user_id: str) -> _Profile | None:
        """What Slack says about a person; None if it does not in time."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await self._profiles.get(user_id, self._profile_of(user_id))
        except (SlackError, TimeoutError) as error:
            log.debug("slack.profile_unknown", kind=type(error).__name__)
            return None

    def _profile_of(self, user_id: str) -> Callable[[], Awaitable[_Profile]]:
        async def profile() -> _Profile:
            if monotonic() < self._quiet_until:
                raise SlackError("not_asked")
            try:
                return _Profile.of(await self._slack.user(user_id))
            except SlackError as error:
                self.note_silence()
                log.info("slack.language_unknown", code=error.code)
                raise

        return profile
