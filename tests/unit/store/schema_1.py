"""The rows of schema 1 as they were written, and how a bot of that schema reads and writes rows. Nothing calls the bot.

Called by the tests that hold neighbouring versions together. When a row changes, `SCHEMA` grows, and a file for the new
schema is added beside this one; this one stays as it is until that version is no longer a neighbour.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS: dict[str, Any] = json.loads(Path(__file__).with_name("rows_1.json").read_text())
DICTIONARY = base64.b64decode(ROWS["dictionary"])

_SUBSCRIPTION = re.compile(r"[a-z]+\|[^|]*\|\d+(\|.*)?")  # a level that it does not know includes everything
_RECEIPT = re.compile(r"[^|]*\|[^|]*\|\d+\|\d+(\|.*)?")
_CLAIM = re.compile(r".+?\|\d+\|\d+\|\d\|\d+(\|.*)?")
_HEADER = re.compile(r"\d{8}.{8}.{8}.{8}\d{13}\d{10}[QqC.]", re.DOTALL)


def stored(text: str) -> str:
    """A snapshot of the fixture, as the client returns it."""
    return base64.b64decode(text).decode(errors="surrogateescape")


def reads_text(kind: str, row: str) -> bool:
    """Whether a bot of schema 1 reads a row of `subscriptions`, `receipts` or `claims`."""
    return bool({"subscriptions": _SUBSCRIPTION, "receipts": _RECEIPT, "claims": _CLAIM}[kind].fullmatch(row))


def snapshot(text: str) -> dict[str, Any]:
    """What a bot of schema 1 reads of a stored snapshot.

    Raises:
        ValueError: it cannot.
    """
    if not _HEADER.fullmatch(text[:56]):
        raise ValueError("header")
    inflate = zlib.decompressobj(wbits=-15, zdict=DICTIONARY)
    found = json.loads(inflate.decompress(text[56:].encode(errors="surrogateescape")))
    missing = {"execution", "revision", "seen_at"} - found.keys() | {"id"} - found["execution"].keys()
    if missing:
        raise ValueError(f"missing: {missing}")
    return dict(found)


def change(entry: str) -> dict[str, Any]:
    """What a bot of schema 1 reads of an entry of a lane.

    Raises:
        ValueError: it cannot.
    """
    revision, _, text = entry.partition("|")
    found = json.loads(text)
    if not text.startswith('{"kind":"') or found["revision"] != int(revision):
        raise ValueError("entry")
    return dict(found)


def types(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each field, as a path, and the type of its value in JSON; numbers are of one type."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from types(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from types(item, f"{path}[]")
    elif value is not None:
        yield path, "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def rewritten(kind: str, row: str) -> str:
    """A row of `subscriptions`, `receipts`, `snapshots` or `owners` as schema 1 wrote it: without newer fields."""
    if kind in {"subscriptions", "receipts"}:
        return "|".join(row.split("|")[:4]).rstrip("|")
    if kind == "owners":
        known = json.loads(ROWS["owners"][0])
        return json.dumps({name: value for name, value in json.loads(row).items() if name in known})
    paths = {path for text in ROWS["snapshots"] for path, _ in types(snapshot(stored(text)))}
    deflate = zlib.compressobj(wbits=-15, zdict=DICTIONARY)
    text = json.dumps(_without_newer(snapshot(row), "", paths), separators=(",", ":"), ensure_ascii=False)
    return row[:56] + (deflate.compress(text.encode()) + deflate.flush()).decode(errors="surrogateescape")


def _without_newer(value: Any, path: str, known: set[str]) -> Any:
    if isinstance(value, list):
        return [_without_newer(item, f"{path}[]", known) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_newer(item, f"{path}.{name}", known)
        for name, item in value.items()
        if any(f"{each}.[".startswith((f"{path}.{name}.", f"{path}.{name}[")) for each in known)
    }
