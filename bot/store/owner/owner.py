"""The owner record: which workspace and which GCS account a store belongs to, and the schema of its rows.

Lives here: `Owner`, what may differ between the record and a bot, and `Ownership`, which writes the record at the first
start and compares it at each later one. Does not live here: how a bot learns who it is, and how often it compares
(`bot.app.ownership`), which rows a claim leaves alone (the scripts `claim.lua`), how rows are brought to another schema
(`bot.store.migrations`). Called by `bot.app`; the siblings ask `Ownership` for the owner before each claim and each
write for people.

Rows of one schema are read by the version before and by the version after it (docs/decisions/0021). So copies of two
neighbouring versions work on one store, in an upgrade and in a rollback.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import asdict, replace

from bot.domain.execution import Value
from bot.errors import StoreNotOurs, StoreUnavailable
from bot.store.engine.connection import Connection
from bot.store.keys import PARTITIONS

SCHEMA = 1
"""The schema of the rows that this version writes. It grows by one when a row changes (docs/decisions/0021)."""

_FIRST_SCHEMA = 1
"""The schema of all rows in a store whose record does not say which are older than others."""

Differences = Mapping[str, tuple[str, str]]
"""Field → its value in the record, and the bot's own."""


class Owner(Value, frozen=True):
    """Whom a store belongs to."""

    account: str
    """What stands for the GCS account in keys; given when the record was written first, and kept from then on."""
    team: str
    """The Slack workspace."""
    endpoint: str
    """Address of GCS."""
    project: str = ""
    """Project id of GCS; empty while neither the settings nor GCS have named it."""
    enterprise: str = ""
    """The organisation of the workspace; empty outside Enterprise Grid."""
    bot_user: str = ""
    """The user that the Slack app has in the workspace; empty where an earlier version wrote the record."""
    schema: int = SCHEMA
    """The newest schema of a row that may be in the store."""
    migrated: tuple[int, ...] = ()
    """The schema that all rows of a partition have at least, by partition; empty while all may be of the first one."""

    @property
    def oldest(self) -> int:
        """The oldest schema of a row that may be in the store."""
        return min(self.migrated, default=_FIRST_SCHEMA)

    def migrated_to(self, number: int) -> int:
        """The schema that all rows of partition `number` have at least."""
        return self.migrated[number] if self.migrated else _FIRST_SCHEMA

    @property
    def scope(self) -> str:
        """How its execution keys and lanes begin."""
        return f"{self.account}/{self.team}/"


def differences(record: Owner, ours: Owner) -> Differences:
    """What keeps a bot from working on a store; empty when it may.

    A workspace may join an organisation, and project and app may be named later. Rows may be one version away.
    """
    found = {
        name: (getattr(record, name), getattr(ours, name))
        for name in ("team", "bot_user", "endpoint", "project")
        if getattr(record, name) != getattr(ours, name)
    }
    for name in ("bot_user", "project"):
        if not getattr(record, name) or not getattr(ours, name):
            found.pop(name, None)
    if "team" in found:  # whose users are others anyway
        found.pop("bot_user", None)
    if abs(record.schema - ours.schema) > 1:
        found["schema"] = (str(record.schema), str(ours.schema))
    elif record.oldest < ours.schema - 1:
        found["oldest"] = (str(record.oldest), str(ours.schema))
    return found


def merged(record: Owner, ours: Owner) -> Owner:
    """The record with what a bot knows that may work on the store, and with the rows that it will write."""
    return replace(
        record,
        enterprise=ours.enterprise or record.enterprise,
        project=record.project or ours.project,
        bot_user=record.bot_user or ours.bot_user,
        schema=max(record.schema, ours.schema),
        migrated=tuple(min(schema, ours.schema) for schema in record.migrated),
    )


def _first_record(ours: Owner) -> Owner:
    """The record of a store without rows."""
    return replace(ours, migrated=(ours.schema,) * PARTITIONS)


class Ownership:
    """Whose store it is, and whether that is this bot's."""

    def __init__(self, connection: Connection, owner: Owner | None = None) -> None:
        """`owner`: whom the store is known to belong to; None until `take` has found out."""
        self._connection, self._owner = connection, owner
        self._key = connection.keys.owner
        self._refusal: StoreNotOurs | None = None
        self._has_compared = False
        self.was_emptied = False
        """Whether the last comparison found no record, although an earlier one had."""

    @property
    def refusal(self) -> StoreNotOurs | None:
        """Why nothing is claimed; None when the store is ours, or nobody has compared yet."""
        return self._refusal

    @property
    def known(self) -> Owner | None:
        """The owner by the last comparison that succeeded; None before the first one."""
        return self._owner

    @property
    def owner(self) -> Owner:
        """The owner, which is this bot.

        Raises:
            StoreNotOurs: by the last comparison it is another one.
            StoreUnavailable: nobody has compared yet.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._owner is None:
            raise StoreUnavailable("it is not known yet whose it is")
        return self._owner

    async def read(self) -> Owner | None:
        """The record; None when nobody owns the store.

        Raises:
            StoreNotOurs: it cannot be read.
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            text = await redis.get(self._key)
        return _record_of(str(text)) if text else None

    async def take(self, ours: Owner, *, is_project_certain: bool = True) -> Owner:
        """Compare the record with `ours`, write it where there is none, and add what is new; returns it.

        A project that is not certain is compared, and not written.

        Raises:
            StoreNotOurs: the store belongs to another bot. Nothing can be claimed until another comparison succeeds.
            StoreUnavailable: the store does not answer.
        """
        try:
            self.was_emptied = self._has_compared and await self.read() is None
            owner = await self._agree(ours, ours if is_project_certain else replace(ours, project=""))
        except StoreNotOurs as refusal:
            self._refusal = refusal
            raise
        self._owner, self._refusal, self._has_compared = owner, None, True
        return owner

    async def adopt(self, ours: Owner) -> None:
        """Make `ours` the owner in place of any other; the account keeps its place in the keys.

        Raises:
            StoreNotOurs: the rows are of a schema that this version does not know.
            StoreUnavailable: the store does not answer.
        """
        text = ""
        while True:
            record = _record_of(text) if text else _first_record(ours)
            found = differences(record, ours)
            if unknown := {name: found[name] for name in ("schema", "oldest") if name in found}:
                raise StoreNotOurs(unknown)
            rows = merged(record, ours)
            wanted = replace(ours, account=record.account, schema=rows.schema, migrated=rows.migrated)
            if (text := await self._swap(text, wanted)) == "":
                return

    async def note_migrated(self, number: int, schema: int) -> None:
        """All rows of partition `number` have this schema at least, unless an older copy has just written one.

        Raises:
            StoreNotOurs: the record cannot be read.
            StoreUnavailable: the store does not answer.
        """
        async with self._connection.guarded() as redis:
            text = str(await redis.get(self._key) or "")
        while text:  # without a record the next comparison writes one
            record = _record_of(text)
            schemas = list(record.migrated or (_FIRST_SCHEMA,) * PARTITIONS)
            schemas[number] = schema
            text = await self._swap(text, replace(record, migrated=tuple(schemas)))

    async def _agree(self, ours: Owner, certain: Owner) -> Owner:
        """Compare the record with `ours`, and write what of it is `certain`."""
        text, new = "", _first_record(certain)
        if self._owner is not None:  # the workers go on with the account that they know, should the record be gone
            new = replace(new, account=self._owner.account)
        while True:
            record = _record_of(text) if text else new
            found = dict(differences(record, ours))
            if self._owner is not None and record.account != self._owner.account:
                found["account"] = (record.account, self._owner.account)
            if found:
                raise StoreNotOurs(found)
            wanted = merged(record, certain)
            if text and wanted == record:
                return record
            if (text := await self._swap(text, wanted)) == "":
                return wanted

    async def _swap(self, expected: str, wanted: Owner) -> str:
        """Write `wanted` if the record is still `expected`; returns the record if it is not, else an empty text."""
        known = msgspec.json.decode(expected) if expected else {}  # with fields of a newer version, which stay
        text = msgspec.json.encode({**known, **asdict(wanted)}).decode()
        found = str(await self._connection.run("owner/swap", self._key, expected, text))
        return "" if found == text else found


def _record_of(text: str) -> Owner:
    try:
        return msgspec.json.decode(text, type=Owner)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreNotOurs({"record": ("unreadable", "")}) from error
