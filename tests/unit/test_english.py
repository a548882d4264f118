"""Code and documents are in plain present-day English, in the words of the glossary."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PHRASES = re.compile(
    r"whoever|\banew\b|[«»]|\bso long (?:as|after|until|a)\b|\bwhat came of\b|\bsuch as may\b", re.IGNORECASE
)
"""What nobody says today, and foreign quotation marks."""

PRIVATE = (
    "boarding",
    "burial",
    "bury",
    "crew",
    "doubts",
    "fare",
    "funnel",
    "glance",
    "glimpse",
    "not_yet",
    "urgency",
)
"""Names that the glossary has replaced."""

QUOTED = {
    "handlers/typed.py": "people paste ids in such quotes",
    "tests/unit/handlers/test_parsing.py": "people paste ids in such quotes",
    "tests/unit/test_english.py": "names what it forbids",
    "CHANGELOG.md": "lists the metrics of before",
}
"""Files that must quote what they do not say, and why."""


def tracked() -> list[str]:
    """Code and documents of the repository, apart from those in `QUOTED`."""
    command = ("git", "ls-files", "*.py", "*.lua", "*.md")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  # fixed words
    return sorted(set(listed.stdout.split()) - QUOTED.keys())


def found(pattern: re.Pattern[str], files: list[str]) -> list[str]:
    """`file:line: text` for each line that matches."""
    return [
        f"{file}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate((ROOT / file).read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def identifiers(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of `words` as a whole name, or as a part of one: `not_yet`, `NotYet`, `_not_yet_sent`."""
    spelled = [*words, *(word.title().replace("_", "") for word in words)]
    return re.compile(rf"(?<![a-z])(?:{'|'.join(spelled)})(?![a-z])")


def test_no_outdated_phrases() -> None:
    """Every line is understood at the first reading."""
    assert found(PHRASES, tracked()) == []


def test_no_private_names() -> None:
    """Code uses the words of the glossary."""
    assert found(identifiers(PRIVATE), [file for file in tracked() if not file.endswith(".md")]) == []


def test_the_patterns_find_what_they_forbid() -> None:
    """The test above can fail."""
    assert PHRASES.search("so long as somebody waits")
    assert PHRASES.search("Whoever asks")
    assert all(identifiers(PRIVATE).search(name) for name in ("class NotYet", "_crew_size", "def bury(", "CrewDone"))
    assert not identifiers(PRIVATE).search("welfare")
