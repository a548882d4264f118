"""Whether the store is this bot's: before workers start, and every 10 s while they run.

Lives here: `OwnerCheck`, and the sentence for an operator whose bot is refused. Does not live here: the record and what
may differ (`bot.store.owner`), what the settings say (`bot.app.gcs_account`). Called by `bot.app.workspace`,
`bot.app.checks` and the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from msgspec.structs import replace

from bot.app.gcs_account import this_owner
from bot.errors import GCSError, StoreNotOurs, StoreUnavailable
from bot.gcs.client import GCSClient
from bot.gcs.listed_ids import ListedId
from bot.settings import Settings
from bot.slack.client import Identity
from bot.store.owner import Owner, Ownership

log = structlog.get_logger()

CHECK_SECONDS = 10.0
"""How often the record is compared while the bot runs: somebody may restore another database under it. A deletion is
believed 20 s after the first 404, and a store that is another bot's must have been noticed by then."""

STORE_SECONDS = 5.0
"""How long the store may take to answer, with all its retries."""

STORE_AWAY_SECONDS = 1.0
"""How long until the next attempt when the store did not answer."""

_EMPTIED = (
    "the store was emptied, or an empty one took its place: what was followed is not in it any more; restore a backup, "
    "or run `execution-bot store import` with what `store export` has written"
)

_NAMES = {
    "team": "Slack workspace {}",
    "bot_user": "the Slack app whose bot user is {}",
    "endpoint": "GCS at {}",
    "project": "GCS project {}",
    "account": "GCS account {}",
    "schema": "rows of schema {}",
    "oldest": "rows of schema {}",
    "record": "an {} owner record",
}


class OwnerCheck:
    """Compares the store's owner with this bot."""

    def __init__(self, settings: Settings, ownership: Ownership, gcs: GCSClient) -> None:
        self._settings, self._ownership, self._gcs = settings, ownership, gcs
        self._project_id = settings.gcs_project_id or ""
        """The project, as far as known: the one that the settings name, or that GCS has shown last."""
        self._is_certain = bool(settings.gcs_project_id)
        """Whether the settings name it, or GCS has shown it twice. The record keeps it forever, so one answer is not
        enough."""
        self._has_passed = False

    async def run(self, identity: Identity, stop: asyncio.Event, *, passed: Callable[[], None]) -> None:
        """Compare until `stop` is set, and call `passed` once the store has turned out to be ours.

        Raises:
            StoreNotOurs: it is another bot's, and was so from the beginning.
        """
        while not stop.is_set():
            if await self.run_once(identity):
                passed()
                break
            await _wait(stop, STORE_AWAY_SECONDS)
        while not stop.is_set():
            await _wait(stop, CHECK_SECONDS)
            with suppress(StoreNotOurs):  # the former one may come back
                await self.run_once(identity)

    async def run_once(self, identity: Identity) -> bool:
        """Compare once; True if the store answered and is ours. Workers claim only while it is.

        Raises:
            StoreNotOurs: it is another bot's.
        """
        before = self._ownership.refusal
        try:
            ours = await self.ours(identity)
            async with asyncio.timeout(STORE_SECONDS):
                owner = await self._ownership.take(ours, is_project_certain=self._is_certain)
        except TimeoutError:
            log.warning("owner.store_away", error=f"no answer within {STORE_SECONDS:g} s")
            return False
        except StoreNotOurs as refusal:
            if before is None:
                log.error("owner.is_another", error=str(refusal))  # noqa: TRY400  # the error says it all
            raise
        except StoreUnavailable as error:
            log.warning("owner.store_away", error=str(error))
            return False
        if self._ownership.was_emptied:
            log.error("owner.store_emptied", detail=_EMPTIED)
        if before is not None or not self._has_passed:
            log.info("owner.is_ours", owner=described(owner))
        self._has_passed = True
        return True

    async def ours(self, identity: Identity) -> Owner:
        """Who this bot is, as far as known; without a project while neither the settings nor GCS name one."""
        if not self._is_certain:
            with suppress(GCSError):
                self._note_project(await self._gcs.list_ids(limit=1))
        return this_owner(self._settings, identity, self._project_id, is_certain=self._is_certain)

    async def certain(self, identity: Identity) -> Owner:
        """Who this bot is, for a new owner record: without a project unless GCS has shown it twice."""
        await self.ours(identity)
        ours = await self.ours(identity)
        return ours if self._is_certain else replace(ours, project="")

    def _note_project(self, listed: Sequence[ListedId]) -> None:
        """Note which project the first listed execution belongs to, if there is one."""
        found = next((item.project_id for item in listed), "")
        if not found:
            return
        self._is_certain = found == self._project_id
        if self._project_id and not self._is_certain:
            log.warning("owner.project_differs", before=self._project_id, now=found)
        self._project_id = found


def refusal_text(refusal: StoreNotOurs) -> str:
    """Whose store it is and what to do, in one sentence for an operator."""
    theirs = ", ".join(_NAMES[name].format(value) for name, (value, _) in refusal.differences.items())
    own = ", ".join(_NAMES[name].format(value) for name, (_, value) in refusal.differences.items() if value)
    if refusal.differences.keys() & {"schema", "oldest", "record"}:
        known, remedy = own or "no such thing", "run the version that wrote it"
        if "oldest" in refusal.differences:
            remedy = (
                "run the version before this one until `execution-bot store show` says that all rows are of its schema"
            )
        return (
            f"The store holds {theirs}, and this version knows {known}: {remedy}, or set another STORE_PREFIX or "
            "REDIS_URL."
        )
    return (
        f"The store belongs to the bot of {theirs}, and this is the bot of {own}: correct the settings, or set another "
        "STORE_PREFIX, or take the store over with `execution-bot store adopt`."
    )


def described(owner: Owner) -> str:
    """An owner in words."""
    organisation = f" of organisation {owner.enterprise}" if owner.enterprise else ""
    project = f"project {owner.project}" if owner.project else "a project that nobody has named yet"
    return f"Slack workspace {owner.team}{organisation}, GCS at {owner.endpoint}, {project}, schema {owner.schema}"


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait for `seconds`, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
