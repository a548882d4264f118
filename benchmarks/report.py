"""docs/performance.md, from results.json: `python -m benchmarks.report > docs/performance.md`.

Lives here: the table and the page. Does not live here: what was measured and how (the rows say it themselves). A test
holds the page to the figures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

Results = dict[str, Any]


def page(results: Results) -> str:
    """The whole page."""
    hardware = results["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in list(hardware.items())[3:])
    return "\n".join(
        [
            _HEAD,
            table(results),
            f"\nMeasured on {results['at']}: {hardware['cpu']}, {hardware['cores']} cores, {hardware['system']};",
            f"{versions}.\n",
            "## How each row is measured\n",
            *(part for number, row in enumerate(results["rows"], start=1) for part in _section(number, row)),
        ]
    )


_HEAD = """# Performance

Generated from `benchmarks/results.json` by `python -m benchmarks.report`; `make bench` measures anew and writes both.

A row of speed is a ratio that was measured in one run: both sides by turns, a second each, the ratio taken round by
round, the median of the rounds; time is CPU time of the measuring process, where the row says nothing else. The rows of
delay are on virtual time, with both schedules in one run.

These ratios are of a quiet machine. Where neighbours have everything take three times as long, and single rounds differ
by half, the rows closest to their bars fall below them: in six calls the poll cycle beside the bare client loop came to
0.69 to 0.86 (median 0.76), in five the notifier to 0.68 to 0.80 (median 0.745). The bot's code and data are larger than
those of the bare loops, and pay more for caches that others empty.
"""


def table(results: Results) -> str:
    """The rows as a Markdown table."""
    head = ["| # | row | against | target | measured | met |", "|---|---|---|---|---|---|"]
    body = [
        f"| {number} | {row['name']} | {row['against']} | {row['target']} | **{_value(row)}** | {_word(row)} |"
        for number, row in enumerate(results["rows"], start=1)
    ]
    return "\n".join([*head, *body])


def _section(number: int, row: dict[str, Any]) -> list[str]:
    parts = [f"### {number}. {row['name']}\n", f"Against {row['against']}.\n", f"{row['method']}\n"]
    if row["rounds"]:
        parts.append(f"Rounds: {', '.join(_number(value) for value in row['rounds'])}.\n")
    if row["figures"]:
        parts += [f"- {what}: {_number(value)}" for what, value in row["figures"].items()]
        parts.append("")
    return parts


def _value(row: dict[str, Any]) -> str:
    return f"{_number(row['value'])} {row['unit']}"


def _word(row: dict[str, Any]) -> str:
    return "yes" if row["is_met"] else "**no**"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    print(page(json.loads(RESULTS.read_text(encoding="utf-8"))), end="")
