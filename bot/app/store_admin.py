"""What operators do with a store: see whose it is and how much it holds, take it over, move what it holds.

Lives here: the work, and the lines that are printed. Does not live here: parsing and exit codes
(`bot.app.store_commands`, which calls this module), the record (`bot.store.owner`).
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import BinaryIO

from bot.app.gcs_account import gcs_client
from bot.app.ownership import OwnerCheck, described
from bot.app.service import embedded_store, opened_store, store_beside
from bot.errors import StoreUnavailable
from bot.gcs.http import HTTPClient
from bot.settings import Settings
from bot.slack.client import SlackClient, slack_session
from bot.store import PARTITIONS, Store
from bot.store.owner import Owner, differences


async def show(settings: Settings) -> list[str]:
    """Whose store it is, and how much it holds, a line each."""
    async with _opened(settings) as store:
        owner = await store.ownership.read()
        lines = [f"owner: {described(owner) if owner else 'nobody; the first bot that starts takes the store'}"]
        lines += [_rows_of(owner)] if owner else []
        counts = await store.contents.subscriptions_by_scope()
        own = counts.get(owner.scope, 0) if owner else 0
        lines += [f"subscriptions: {own}", f"subscriptions of other owners: {sum(counts.values()) - own}"]
        workflows = await store.contents.workflows(owner.account, owner.team) if owner else []
        lines += [f"workflows with a history: {len(workflows)}"]
        lines += [f"executions that are polled: {await store.schedule.size()}"]
        lines += [f"subscriptions with something to deliver: {(await store.outbox.ready()).size}"]
        return [*lines, f"dead letters: {len(await store.outbox.dead_letters())}"]


def _rows_of(owner: Owner) -> str:
    """How far the rows are on the way to the newest schema."""
    done = sum(owner.migrated_to(number) >= owner.schema for number in range(PARTITIONS))
    if done == PARTITIONS:
        return f"rows: all of schema {owner.schema}"
    return (
        f"rows: {done} of {PARTITIONS} partitions are brought from schema {owner.oldest} to {owner.schema}; the rest "
        f"follows while a bot of schema {owner.schema} runs and none of schema {owner.oldest}"
    )


async def adopt(settings: Settings, *, is_confirmed: bool) -> tuple[list[str], bool]:
    """What is printed, and whether the store is this bot's now."""
    async with _opened(settings) as store, _this_bot(settings, store) as ours:
        record = await store.ownership.read()
        if record is None:
            return ["Nobody owns the store: the bot takes it when it starts."], True
        found = differences(record, ours)
        if not found:
            return [f"The store belongs to this bot already: {described(record)}"], True
        lines = [f"owner now: {described(record)}", f"owner then: {described(ours)}"]
        count = (await store.contents.subscriptions_by_scope()).get(record.scope, 0)
        if "team" in found:
            lines.append(f"{count} subscriptions of workspace {record.team} stay in the store, and nobody serves them.")
        else:
            lines.append(
                f"{count} subscriptions stay. Their executions are looked up at the new GCS account; one that is not "
                "there ends as deleted."
            )
        if not is_confirmed:
            return [*lines, "Nothing has changed. Stop the former owner's bots, and repeat with --yes."], False
        await store.ownership.adopt(ours)
        return [*lines, "The store is taken over. A bot of the former owner stops working within ten seconds."], True


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    """The store, whether a bot runs on it or not; an embedded one that does not run is started for the command."""
    embedded = embedded_store(settings)
    is_stopped = embedded is not None and not embedded.is_running
    async with opened_store(settings, embedded) if is_stopped else store_beside(settings) as store:
        yield store


@asynccontextmanager
async def _this_bot(settings: Settings, store: Store) -> AsyncIterator[Owner]:
    """Who this bot is; Slack must answer for that."""
    async with HTTPClient(settings.network) as http, slack_session(settings.network) as session:
        slack = SlackClient(
            settings.slack_bot_token.get_secret_value(),
            base_url=settings.slack_api_url,
            session=session,
            network=settings.network,
        )
        yield await OwnerCheck(settings, store.ownership, gcs_client(settings, http)).certain(await slack.identity())


async def export(settings: Settings, into: BinaryIO) -> int:
    """Write a line for each subscription, dead letter and workflow with a history; returns how many could not be read.

    Raises:
        StoreUnavailable: the store does not answer, or nobody owns it.
    """
    unreadable = 0
    async with _opened(settings) as store:
        owner = await store.ownership.read()
        if owner is None:
            raise StoreUnavailable("nobody owns the store, so it holds nothing")
        async for line in store.transfer.lines(owner):
            if line is None:
                unreadable += 1
            else:
                into.write(line + b"\n")
    into.flush()  # what cannot be written must not count as exported
    return unreadable


async def read_lines(settings: Settings, lines: Iterable[bytes]) -> Counter[str]:
    """Bring exported lines into the store; returns how many were added, known, foreign and unreadable.

    Raises:
        StoreNotOurs: the store belongs to another bot.
    """
    counts: Counter[str] = Counter()
    async with _opened(settings) as store, _this_bot(settings, store) as ours:
        owner = await store.ownership.take(ours)
        for line in lines:
            if text := line.removeprefix(BOM_UTF8).strip():  # an editor may have added the first, or an empty line
                counts[await store.transfer.read(text, owner)] += 1
    return counts
