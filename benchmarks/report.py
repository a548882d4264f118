"""docs/performance.md, from results.json: `python -m benchmarks.report > docs/performance.md`.

Lives here: the table and the page. Does not live here: what was measured (each row says it). A test holds the page to
the figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

HARDWARE = 3
"""How many entries of the machine are no library: processor, cores, system."""

Results = dict[str, Any]


def page(results: Results) -> str:
    """The whole page: a table on one screen, then each row's details."""
    hardware = list(results["machine"].items())
    versions = ", ".join(f"{name} {value}" for name, value in hardware[HARDWARE:])
    cpu, cores, system = (value for _, value in hardware[:HARDWARE])
    return "\n".join(
        [
            _HEAD,
            table(results),
            f"\nMeasured on {results['at']}: {cpu}, {cores} cores, {system};\n{versions}.\n",
            "## Details\n",
            *(part for number, row in enumerate(results["rows"], start=1) for part in _section(number, row)),
        ]
    )


_HEAD = """# Performance

`make bench` measures all of this and writes this page; `make bench ARGS=polling` runs one group and writes nothing.
[Decision 40](decisions/0040-targets-missed.md) says why some targets are missed.
"""


def table(results: Results) -> str:
    """The rows as a Markdown table."""
    head = ["| # | row | target | measured | met |", "|---|---|---|---|---|"]
    body = [
        f"| {number} | {row['name']} | {row['target']} | **{_value(row)}** | {_word(row)} |"
        for number, row in enumerate(results["rows"], start=1)
    ]
    return "\n".join([*head, *body])


def listed(figures: Mapping[str, float]) -> str:
    """Figures in one line."""
    return " · ".join(f"{what}: {_number(value)}" for what, value in figures.items())


def _section(number: int, row: dict[str, Any]) -> list[str]:
    parts = [f"**{number}. {row['name']}.** {row['measures']}"]
    if row["rounds"]:
        parts.append(f"Rounds: {', '.join(map(_number, row['rounds']))}.")
    if row["figures"]:
        parts.append(listed(row["figures"]))
    return ["\n".join(parts) + "\n"]


def _value(row: dict[str, Any]) -> str:
    return f"{_number(row['value'])} {row['unit']}"


def _word(row: dict[str, Any]) -> str:
    return "yes" if row["is_met"] else "**no**"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # three digits


if __name__ == "__main__":
    print(page(json.loads(RESULTS.read_text(encoding="utf-8"))), end="")
