"""JSON that was changed at random, as values and as bytes.

Lives here: `mutated` (values, keys and shapes at any level) and `encoded` (the bytes). Does not live here: what is
changed, and what has to hold then (the tests). Called by the tests of this ring.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

EVIL = (
    "",
    " ",
    "null",
    "true",
    "NaN",
    "-1",
    "1e999",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "2018-08-20T06:41:40Z",
    "Running",
    "SUCCEEDED",
    "<!channel> <@U1> <https://evil.example|x>",
    "@here `code` ```fence``` *bold* _it_ ~no~",
    "\u202eabc\u2066\u200b\ufeff",
    "\ud800",
    "\x00\x1b[31m\r\n\u2028",
    "失败##Failed##失败",
    "&amp;&lt;" * 2_000,
    "e\u0301\u0302" * 3_000,
    "x" * 45_000,
    "{}",
    '{"a": [1]}',
    "a|b|c",
    "../../etc",
)
"""Texts that have broken programs, or look like another value."""

_numbers = st.one_of(
    st.integers(-3, 300),
    st.integers(),
    st.sampled_from([2**31, 2**53 + 1, 2**63, 10**40, -(10**25)]),
    st.floats(),
)
texts = st.one_of(st.sampled_from(EVIL), st.text(max_size=40))
"""Any text, and more often one that has broken programs."""

_leaves = st.one_of(st.none(), st.booleans(), _numbers, texts)
values = st.one_of(
    _leaves,
    st.recursive(
        _leaves,
        lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(texts, inside, max_size=3)),
        max_leaves=6,
    ),
)
"""Any value of JSON."""


@st.composite
def mutated(draw: st.DrawFn, body: Any, others: Sequence[Any] = ()) -> Any:
    """`body` after one to six changes; `others` are values that are likely to stand in a wrong place."""
    body = copy.deepcopy(body)
    chosen = st.one_of(values, st.sampled_from(list(others))) if others else values
    for _ in range(draw(st.integers(1, 6))):
        path = draw(st.sampled_from(list(paths(body))))
        body = _changed(draw, body, path, chosen)
    return body


def paths(body: Any, path: Path = ()) -> Iterator[Path]:
    """Where there is something in `body`, itself included."""
    yield path
    entries: Any = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in entries:
        yield from paths(value, (*path, key))


def _changed(draw: st.DrawFn, body: Any, path: Path, chosen: st.SearchStrategy[Any]) -> Any:
    """`body` with one change at `path`."""
    if not path:  # rarely, or nothing would be left of it
        return copy.deepcopy(draw(chosen)) if draw(st.integers(0, 9)) == 0 else body
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    change = draw(st.sampled_from(_CHANGES))
    if change is None:
        del holder[path[-1]]
    elif change is _other:
        holder[path[-1]] = copy.deepcopy(draw(chosen))
    elif change is _moved:
        value = body
        for step in draw(st.sampled_from([each for each in paths(body) if each])):
            value = value[step]
        holder[path[-1]] = copy.deepcopy(value)
    elif change is _renamed:
        _rename(holder, path[-1], draw(texts))
    else:
        holder[path[-1]] = change(holder[path[-1]])
    return body


def _rename(holder: Any, key: str | int, name: str) -> None:
    """Give a value another name, or its list one entry more."""
    if isinstance(holder, dict):
        holder[name] = holder.pop(key)
    else:
        holder.append(copy.deepcopy(holder[int(key)]))


def _other(_value: Any) -> Any:
    """Stands for another value."""


def _moved(_value: Any) -> Any:
    """Stands for a value from elsewhere in the body."""


def _renamed(_value: Any) -> Any:
    """Stands for another name."""


def _as_text(value: Any) -> str:
    return json.dumps(value)


def _in_list(value: Any) -> Any:
    return [value]


def _as_object(value: Any) -> Any:
    return {"0": value}


def _unwrapped(value: Any) -> Any:
    inside = list(value.values()) if isinstance(value, dict) else value
    return inside[0] if isinstance(inside, list) and inside else value


def _other_case(value: Any) -> Any:
    return value.swapcase() if isinstance(value, str) else value


def _longer(value: Any) -> Any:
    if isinstance(value, list) and len(value) < 30:
        return [copy.deepcopy(each) for each in value * 30]
    return value * 300 if isinstance(value, str) and len(value) < 300 else value


_CHANGES: list[Callable[[Any], Any] | None] = [
    *(None, _other, _other, _other, _moved, _renamed),
    *(_as_text, _in_list, _as_object, _unwrapped, _other_case, _longer),
]


@st.composite
def encoded(draw: st.DrawFn, body: Any) -> bytes:
    """The bytes of `body`: mostly as JSON should be, at times cut, in another encoding, or otherwise damaged."""
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    raw = text.encode(draw(st.sampled_from(_CODECS)), "surrogatepass")
    return draw(st.sampled_from(_DAMAGES))(raw, draw(st.integers(0, max(0, len(raw) - 1))), draw(st.binary(max_size=4)))


_CODECS = ["utf-8"] * 12 + ["utf-8-sig", "utf-16", "utf-32"]

_Damage = Callable[[bytes, int, bytes], bytes]
_DAMAGES: list[_Damage] = [
    *([lambda raw, _at, _more: raw] * 10),
    lambda raw, at, _more: raw[:at],
    lambda raw, at, more: raw[:at] + more + raw[at:],
    lambda raw, at, more: raw[:at] + more + raw[at + len(more) :],
    lambda raw, _at, _more: raw + raw,
    lambda raw, _at, _more: b" \n" * 1_000 + raw,
    lambda raw, _at, _more: b"[" * 3_000 + raw + b"]" * 3_000,
]
