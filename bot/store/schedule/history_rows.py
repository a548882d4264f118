"""How the history of a workflow is written in the store: small, since it is kept for half a year.

Lives here: durations as codes of two characters, ends as JSON, and what a hash of them says. Does not live here:
reading and writing (`history`, `ended.lua`). Called by `history` and `bot.store.transfer`.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from math import exp, log

import msgspec

from bot.domain.estimate import time_taken
from bot.domain.execution import Execution
from bot.domain.past import End, Past
from bot.domain.snapshot import Snapshot

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-"
_BASE = len(ALPHABET)
_PLACES = {character: place for place, character in enumerate(ALPHABET)}

_PER_E = 160
"""How many codes there are for a factor of e: neighbours differ by 0.6 %, and 64² codes reach beyond a century."""

_NAME, _REASON = 80, 120
"""At most how many characters of a name and of a reason are kept."""

_LONGEST_ROW = 10 * 4 * (2 * _NAME + _REASON)
"""More characters than the longest value has, which is that of 10 ends."""

_end = msgspec.json.Decoder(End, strict=False).decode


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store holds of a workflow."""

    runs: tuple[float, ...] = ()
    """Seconds that runs took, the newest last."""
    waits: tuple[float, ...] = ()
    """Seconds that they waited before they began."""
    steps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The same by step."""
    past: Past = Past()  # noqa: RUF009  # a tuple of nothing


def code_of(seconds: float) -> str:
    """Two characters for a duration; less than a second counts as one."""
    number = min(round(log(max(seconds, 1.0)) * _PER_E), _BASE * _BASE - 1)
    return ALPHABET[number // _BASE] + ALPHABET[number % _BASE]


def seconds_of(codes: str) -> tuple[float, ...]:
    """The durations that codes stand for; without those that stand for none."""
    pairs = [codes[begin : begin + 2] for begin in range(0, len(codes) - 1, 2)]
    return tuple(
        exp((_PLACES[pair[0]] * _BASE + _PLACES[pair[1]]) / _PER_E) for pair in pairs if _PLACES.keys() >= set(pair)
    )


def mark_of(seen: Execution) -> str:
    """8 characters for one end of an execution: it, how it ended, and when by GCS's clock."""
    text = f"{seen.id} {seen.phase} {seen.updated_at or seen.elapsed}"
    return b32encode(sha256(text.encode()).digest())[:8].decode()


def end_of(snapshot: Snapshot) -> End:
    """How the run in a snapshot ended."""
    seen = snapshot.execution
    step = next(iter(seen.failed_steps), None)
    return End(
        id=seen.id,
        phase=seen.phase[:_NAME],
        at=snapshot.seen_at,
        name=seen.name[:_NAME],
        step=step.name[:_NAME] if step else "",
        reason=((step.reason if step else "") or seen.reason)[:_REASON],
        elapsed=time_taken(snapshot),
        is_retried=snapshot.is_interrupted,
    )


def end_row(end: End) -> str:
    """JSON, which has no line feed, and begins with the id: `ended.lua` looks for both."""
    return msgspec.json.encode(end).decode()


def is_history(rows: Mapping[str, str]) -> bool:
    """Whether all fields of a hash are those of a history, none longer than this version writes them."""
    return (
        bool(rows)
        and all(name in {"run", "wait", "ends", "good", "marks"} or name.startswith("step:") for name in rows)
        and max(map(len, rows.values())) <= _LONGEST_ROW
    )


def kept_of(rows: Mapping[str, str]) -> Kept:
    """What the fields of a hash say; what cannot be read is left out, and learnt again."""
    steps = {name.removeprefix("step:"): seconds_of(row) for name, row in rows.items() if name.startswith("step:")}
    ends = [end for line in rows.get("ends", "").split("\n") if (end := _readable(line)) is not None]
    return Kept(
        seconds_of(rows.get("run", "")),
        seconds_of(rows.get("wait", "")),
        steps,
        Past(tuple(ends), _readable(rows.get("good", ""))),
    )


def _readable(row: str) -> End | None:
    with suppress(msgspec.MsgspecError, ValueError):
        return _end(row)
    return None
