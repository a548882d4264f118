"""How high each example is on a screen, as it was measured: `heights.txt`, one line per message.

Lives here: reading and writing the file. Does not live here: measuring (`tests.messages.browser`). The file is keyed by
what was measured, so a message that changes has no height until it is measured again, and lines of two branches can
simply be put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.messages.example import Goal, Said

FILE = Path(__file__).with_name("heights.txt")
_HEAD = "# digest of a message, its height in pixels at 1280 and at 390; written by `make messages`\n"


class Height(NamedTuple):
    """In pixels, on screens of two widths."""

    wide: int
    narrow: int


def read() -> dict[str, Height]:
    """Digest → height."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {digest: Height(int(wide), int(narrow)) for digest, wide, narrow in rows}


def write(heights: Mapping[str, Height], used: Iterable[Said]) -> None:
    """Keep what is used, in order."""
    kept = sorted({said.digest for said in used} & heights.keys())
    rows = [f"{digest} {heights[digest].wide} {heights[digest].narrow}\n" for digest in kept]
    FILE.write_text(_HEAD + "".join(rows), encoding="utf-8")


def exceeds(height: Height, goal: Goal) -> bool:
    """Whether a message is higher than its class may be."""
    return height.wide > goal.wide or height.narrow > goal.narrow
