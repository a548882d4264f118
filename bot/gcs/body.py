"""The bytes of an answer before a table reads them: stripped of what is never shown, and mended if they are not JSON.

Lives here: `slim`, `whole`, `listed` and `mend`; bytes in, bytes out. Inputs, outputs, pictures and workflow sources
can be megabytes, so they are skipped as text and never become objects; steps beyond `MOST_STEPS` are only counted. Does
not live here: which fields are read (`bot.gcs.tables`, the caller), the limit of a body (`bot.gcs.http`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from bot.domain.execution import MOST_STEPS

T = TypeVar("T")

MAX_REPORTS = 2 * MOST_STEPS
"""At most this many of the control object's reports are read: one for each step, and one for its helper."""

LEFT_OUT = "#left_out"
"""Key under which `slim` says how many steps or reports it left out; no field of GCS has that name."""

PARTIAL = "#partial"
"""Key that says whether an answer was read from a list; no field of GCS has that name either."""

SLIM_ABOVE_BYTES = 16 * 1024
"""Up to this many bytes, reading what is never shown costs less than leaving it out."""

Frame = Mapping[str, "Frame | None"]
"""The fields to read, each with the frame of the object that it holds; None: read the whole value."""

_fields, _entries = msgspec.json.Decoder(dict[str, Raw]), msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.Encoder().encode


def whole(body: bytes) -> bytes:
    """`body` unchanged, once it has proved to be a JSON object.

    Raises:
        msgspec.MsgspecError, RecursionError, ValueError: as from `slim`.
    """
    _fields.decode(body)
    return body


def slim(body: bytes, frame: Frame) -> bytes:
    """`body` with the fields of `frame` only, and with no more steps than are read.

    Raises:
        msgspec.MsgspecError, RecursionError, ValueError: `body` is not a JSON object.
    """
    return _encode(_kept(Raw(body), frame))


def _kept(raw: Raw, frame: Frame) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, text in _fields.decode(raw).items():
        if name not in frame:
            continue
        inner, most = frame[name], _MOST.get(name)
        is_object = bytes(memoryview(text)[:1]) == b"{"
        if most is not None:
            kept[name], left_out = _first(text, most)
            if left_out:
                kept[LEFT_OUT] = left_out
        else:
            kept[name] = _kept(text, inner) if inner is not None and is_object else text
    return kept


_MOST = {"actual_node_status": MOST_STEPS, "subObjectStatuses": MAX_REPORTS}
"""Fields whose entries are limited."""


def _first(raw: Raw, most: int) -> tuple[object, int]:
    """The first entries of a list or an object, and how many more there are; any other value unchanged.

    An entry that seems to have failed comes before others that are not among the first: its failure is news.
    """
    start = bytes(memoryview(raw)[:1])
    if start == b"[":
        entries = _entries.decode(raw)
        return [entries[place] for place in _chosen(entries, most)], max(0, len(entries) - most)
    if start == b"{":
        fields = list(_fields.decode(raw).items())
        chosen = _chosen([entry for _, entry in fields], most)
        return dict(fields[place] for place in chosen), max(0, len(fields) - most)
    return raw, 0


def _chosen(entries: Sequence[Raw], most: int) -> Iterable[int]:
    """The places of the entries to keep, in order."""
    if len(entries) <= most:
        return range(len(entries))
    failed = {place for place in range(most, len(entries)) if _FAILED.search(entries[place])}
    failed |= {place for place in range(most) if failed and _FAILED.search(entries[place])}
    others = (place for place in range(len(entries)) if place not in failed)
    return sorted(islice(chain(sorted(failed), others), most))


_FAILED = re.compile(rb'"(?:failed|error)"', re.IGNORECASE)


class Listed(NamedTuple):
    """A page of a list."""

    items: list[Raw]
    """Each as its text."""
    total: Any
    """What it says about how many there are on all pages; None if nothing."""


def listed(body: bytes) -> Listed:
    """The page of a list in `body`; without executions GCS may leave them out, or write null.

    Raises:
        msgspec.MsgspecError, RecursionError, ValueError: `body` is not a list.
    """
    page = decoded(_page, body)
    if page.executions is UNSET and page.total_num is UNSET:
        raise ValueError("neither executions nor their number")
    total = None if page.total_num is UNSET else page.total_num
    return Listed([] if page.executions is UNSET else page.executions or [], total)


def mend(body: bytes) -> bytes:
    """`body` as JSON if it is almost that: without half characters, control characters, a BOM and numbers like NaN.

    Half a character becomes U+FFFD: in UTF-8, as an escaped surrogate, or as an escape that was cut. A backslash that
    escapes nothing stands for itself, and UTF-16 and UTF-32 become UTF-8. What is not JSON for other reasons stays so.
    """
    text = body.decode(json.detect_encoding(body), "replace").strip(_AROUND)
    return _TOKEN.sub(_mended, text).encode()


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """`body` as `decoder` reads it, mended only if it is not JSON, since mending costs more than reading.

    Raises:
        msgspec.MsgspecError: it is unreadable even when mended, or has another shape.
        ValueError: it is text in no known encoding.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):  # perhaps half a character
        return decoder.decode(mend(body))


class _Page(msgspec.Struct):
    executions: list[Raw] | UnsetType | None = UNSET
    total_num: Any = UNSET


_page = msgspec.json.Decoder(_Page)
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b', re.DOTALL)
_HEX = "[0-9a-fA-F]"
_FLAW = re.compile(
    rf"\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}"  # a whole pair of surrogates, which stays
    rf"|(\\u(?:[dD][89a-fA-F]{_HEX}{{2}}|{_HEX}{{0,3}}(?!{_HEX})))"  # half a character
    r'|\\["\\/bfnrtu]'  # any other escape, which stays
    r"|(\\)"  # a backslash that escapes nothing
    r"|([\x00-\x1f])"
)
_AROUND = "\ufeff\0 \t\r\n"
"""What may surround JSON: blanks, byte order marks, and the end of a C string."""


def _mended(token: re.Match[str]) -> str:
    text = token[0]
    return _FLAW.sub(_without_flaw, text) if text.startswith('"') else "null"


def _without_flaw(found: re.Match[str]) -> str:
    half, backslash, control = found.groups()
    return "\\ufffd" if half else "\\\\" if backslash else " " if control else found[0]
