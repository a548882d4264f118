"""Checks on JSON values, from which the rules of Block Kit are built.

A check takes a value and its path, and yields one line for each problem. Does not live here: what Slack allows
(`elements`, `blockkit`). Called by those two only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

Check = Callable[[Any, str], Iterator[str]]


def string(most: int, *, least: int = 1) -> Check:
    """A string of `least` to `most` characters."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path}: must be a string"
        elif len(value) > most:
            yield f"{path}: must be no more than {most} characters, has {len(value)}"
        elif len(value) < least:
            yield f"{path}: must be no less than {least} characters"

    return check


def address(value: Any, path: str) -> Iterator[str]:
    """An absolute web address of at most 3,000 characters."""
    yield from string(3000)(value, path)
    if isinstance(value, str) and not _is_web_address(value):
        yield f"{path}: must be a URL"


def _is_web_address(value: str) -> bool:
    try:
        parsed = urlsplit(value)
    except ValueError:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.hostname) and not re.search(r"\s", value)


def word(*allowed: str) -> Check:
    """One of the allowed strings."""

    def check(value: Any, path: str) -> Iterator[str]:
        if value not in allowed:
            yield f"{path}: must be one of {', '.join(allowed)}"

    return check


def flag(value: Any, path: str) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield f"{path}: must be true or false"


def number(value: Any, path: str) -> Iterator[str]:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        yield f"{path}: must be a whole number"


def listed(item: Check, most: int, *, least: int = 1) -> Check:
    """A list of `least` to `most` items, each of which passes `item`."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: must be a list"
            return
        if len(value) > most:
            yield f"{path}: no more than {most} items allowed, has {len(value)}"
        if len(value) < least:
            yield f"{path}: no fewer than {least} items allowed"
        for index, entry in enumerate(value):
            yield from item(entry, f"{path}/{index}")

    return check


def shape(must: Mapping[str, Check], may: Mapping[str, Check] | None = None) -> Check:
    """An object with all keys of `must`, optionally those of `may`, and no others (`kinds` checks `type`)."""
    known = {**must, **(may or {})}

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be an object"
            return
        for key in must:
            if key not in value:
                yield f"{path}: missing required field: {key}"
        for key, entry in value.items():
            if key in known:
                yield from known[key](entry, f"{path}/{key}")
            elif key != "type":
                yield f"{path}: unknown field: {key}"

    return check


def kinds(table: Mapping[str, Check]) -> Check:
    """An object whose `type` chooses the check."""

    def check(value: Any, path: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in table:
            yield f"{path}: unsupported type: {kind}"
        else:
            yield from table[kind](value, path)

    return check


def both(*checks: Check) -> Check:
    """All of the checks."""

    def check(value: Any, path: str) -> Iterator[str]:
        for each in checks:
            yield from each(value, path)

    return check


def exactly_one(*keys: str) -> Check:
    """An object that has exactly one of `keys`."""

    def check(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict) and sum(key in value for key in keys) != 1:
            yield f"{path}: exactly one of {', '.join(keys)} must be there"

    return check


def unique(key: str) -> Check:
    """A list of objects in which no two have the same `key`."""

    def check(value: Any, path: str) -> Iterator[str]:
        seen: set[str] = set()
        for entry in value if isinstance(value, list) else []:
            name = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(name, str):
                if name in seen:
                    yield f"{path}: {key} `{name}` is there twice"
                seen.add(name)

    return check
