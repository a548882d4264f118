"""How the domain's nouns are written in the store: small, since there are many.

Lives here: subscriptions and receipts as short texts, so that their hashes stay small; snapshots as deflated JSON. Does
not live here: the same rows in Lua (`subscriptions/prelude.lua`). Called by the sibling modules.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta

import msgspec

from bot.domain.change import Change
from bot.domain.following import Level, Quiet, Subscriber, Subscription
from bot.domain.snapshot import Receipt, Snapshot
from bot.store.keys import Lane
from bot.store.unreadable import reading

_MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RAW_DEFLATE = -15
"""`wbits` of deflate without header and checksum: the store keeps what it is given."""

DICTIONARY = (
    b'"retry_until":"2026-,"unreachable_since":"2026-,"misses":1,"missing":1,"contradicted":true,"is_vanished":true'
    b',"time_ratio":,"is_cromwell":true,"description":","phase":"SuspendedDeletingRetryingCancellingCancelledSubmitted'
    b'AbortedErrorFailed","reason":"SubJobFailed","message":"job exited with code {"execution":{"id":"-","name":"'
    b'","workflow_id":"","workflow_name":"","phase":"Running","witness":"Running","action":"create","steps_total":'
    b',"steps_finished":,"steps":[],"created_at":"2026-T:Z","updated_at":"2026-T:Z","elapsed":.0,"timeout":86400.0'
    b',"target":"cce","cluster":"","namespace":"default","project_id":"","enterprise_project":"","priority":0'
    b',"labels":{"":""},"resources":{}},"revision":,"seen_at":"2026-'
    b'[{"name":"","phase":"Pending","sub_jobs":1,"elapsed":0.0},{"name":"","phase":"Running","sub_jobs":1,"elapsed":1'
    b'.0},{"name":"","phase":"Succeeded","sub_jobs":1,"sub_jobs_finished":1,"elapsed":.0,"reason":"SuccessfulFinish"'
    b',"resources":{"cpu":4,"memory":32}},{"name":"'
)
"""What snapshots have in common: names of our fields, GCS's own words; the most frequent at the end, where deflate
spends least. Must never change for a schema version."""

UNTIL_THE_END = "end"
"""How long a subscription is muted whose execution has to end first."""

_QUIET = re.compile(r"(?:(\d{1,14})-)?(\d{1,14}|end)(!?)", re.ASCII)

BYTES = "surrogateescape"
"""Error handler with which any bytes pass as UTF-8 text, to the store and back (see `bot.store.engine.topology`)."""


NOT_CHOSEN = "-"
"""In the row of a subscription that a rule has made: nobody has chosen a level for it."""

_snapshot = msgspec.json.Decoder(Snapshot, strict=False).decode  # a duration was a number once
_change = msgspec.json.Decoder(Change, strict=False).decode


def packed(snapshot: Snapshot) -> str:
    """Deflated JSON: a sixth of its size."""
    deflate = zlib.compressobj(wbits=-13, memLevel=5, zdict=DICTIONARY)  # a small window: less to be cleared for each
    row = deflate.compress(msgspec.json.encode(snapshot)) + deflate.flush()
    return row.decode(errors=BYTES)


def unpacked(row: str) -> Snapshot:
    """The snapshot that was packed into `row`.

    Raises:
        Unreadable: it stands for none: another version wrote it.
    """
    with reading("snapshot"):
        return _snapshot(zlib.decompressobj(wbits=RAW_DEFLATE, zdict=DICTIONARY).decompress(row.encode(errors=BYTES)))


def change_entry(change: Change) -> str:
    """`revision|JSON`."""
    return f"{change.revision}|{msgspec.json.encode(change).decode()}"


def change_of(text: str) -> Change:
    """The change that was written as JSON.

    Raises:
        Unreadable: it stands for none.
    """
    with reading("change"):
        return _change(text)


def subscription_row(subscription: Subscription) -> str:
    """`level|owner|created ms|e?|request id?|ended by?|by a rule?|muted?|hours?|a?`; no empty ones at the end.

    `e`: it is ending. `by a rule` is the level that was chosen where a rule has a part in it, or `-` for none. `a`: it
    announces a success.
    """
    created = (subscription.created_at - EPOCH) // timedelta(milliseconds=1)
    ending = "e" if subscription.is_ending else ""
    own = (subscription.own_level or NOT_CHOSEN) if subscription.is_by_rule else ""
    quiet = f"{quiet_field(subscription.muted)}|{quiet_field(subscription.hours)}"
    success = "a" if subscription.announces_success else ""
    last = f"{ending}|{subscription.request_id}|{subscription.ended_by}|{own}|{quiet}|{success}"
    return f"{subscription.level.value}|{subscription.owner}|{created}|{last}".rstrip("|")


def subscription_of(lane: Lane, row: str) -> Subscription:
    """The subscription that `row` stands for; fields behind those that we know are ignored.

    Raises:
        Unreadable: it stands for none.
    """
    with reading("subscription"):
        level, owner, created, *more = row.split("|")
        ending, request_id, ended_by, own, muted, hours, success, *_ = [*more, "", "", "", "", "", "", ""]
        return Subscription(
            execution_id=lane.execution_id,
            subscriber=Subscriber(team_id=lane.team_id, id=lane.subscriber_id),
            level=Level(level),
            owner=owner,
            created_at=at(int(created)),
            is_ending=ending == "e",
            request_id=request_id,
            ended_by=ended_by,
            is_by_rule=own != "",
            own_level=None if own in {"", NOT_CHOSEN} else Level(own),
            muted=_quiet(muted),
            hours=_quiet(hours),
            announces_success=success == "a",
        )


def quiet_field(quiet: Quiet | None) -> str:
    """A quiet time as a field of a subscription: `ms`, `begin ms-end ms` or `end`, and `!` if it holds failures."""
    if quiet is None:
        return ""
    begins = f"{milliseconds(quiet.since - EPOCH)}-" if quiet.since else ""
    ends = str(milliseconds(quiet.until - EPOCH)) if quiet.until else UNTIL_THE_END
    return f"{begins}{ends}{'!' if quiet.holds_failures else ''}"


def _quiet(field: str) -> Quiet | None:
    """The quiet time that a field stands for; None for none, and for one of another version's."""
    form = _QUIET.fullmatch(field)
    if form is None:
        return None
    since, until, mark = form.groups()
    return Quiet(
        since=at(int(since)) if since else None,
        until=None if until == UNTIL_THE_END else at(int(until)),
        holds_failures=bool(mark),
    )


def receipt_row(receipt: Receipt) -> str:
    """`channel|ts|revision|delivered_through`."""
    return f"{receipt.channel}|{receipt.ts}|{receipt.revision}|{receipt.delivered_through}"


def receipt_of(row: str) -> Receipt | None:
    """The receipt that `row` stands for; None for an empty one.

    Raises:
        Unreadable: it stands for none.
    """
    if not row:
        return None
    with reading("receipt"):
        channel, ts, revision, delivered_through, *_ = row.split("|")
        return Receipt(channel=channel, ts=ts, revision=int(revision), delivered_through=int(delivered_through))


def at(milliseconds: int) -> datetime:
    """The moment that the store's clock means; exact to the millisecond."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(span: timedelta) -> int:
    """`span` in whole milliseconds, as the scripts take it."""
    return span // _MILLISECOND
