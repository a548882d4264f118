"""Code and documents are in plain present-day English, in the words of the glossary."""

from __future__ import annotations

import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.texts import extracted, forms

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

TOLD = re.compile(
    r"(?<![A-Za-z])(?:told|TOLD|tell|TELL|tells|TELLS|telling)(?![A-Za-z])|(?:Told|Tell|Tells|Telling)(?![a-z])"
)
"""The word that stood for notified, delivered, reported, sent, included, said and distinguished: each has its own."""

UNSAID = re.compile(r"\b(?:told|tells?|telling|watched|looked at)\b", re.IGNORECASE)
"""What people never read: they get notifications about what they follow."""

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


def prose(file: str) -> Iterator[tuple[int, str]]:
    """Line and text of what the file says to engineers: of Python names, comments and docstrings, not other strings."""
    if not file.endswith(".py"):
        yield from enumerate((ROOT / file).read_text(encoding="utf-8").splitlines(), start=1)
        return
    with tokenize.open(ROOT / file) as lines:
        for token in tokenize.generate_tokens(lines.readline):
            is_docstring = token.string.startswith('"""') and not token.line[: token.start[1]].strip()
            if is_docstring or token.type in {tokenize.NAME, tokenize.COMMENT}:
                yield token.start[0], token.string


def shown_texts() -> list[str]:
    """Every text that people read, in English, in each of its forms."""
    return [form for text in extracted() if text.id for form in forms(text.id)]


def test_no_outdated_phrases() -> None:
    """Every line is understood at the first reading."""
    assert found(PHRASES, tracked()) == []


def test_no_private_names() -> None:
    """Code uses the words of the glossary."""
    assert found(identifiers(PRIVATE), [file for file in tracked() if not file.endswith(".md")]) == []


def test_nothing_is_told() -> None:
    """Neither code nor documents say it; strings may quote what GCS says."""
    suspects = [file for file in tracked() if TOLD.search((ROOT / file).read_text(encoding="utf-8"))]
    assert [f"{file}:{line}: {text}" for file in suspects for line, text in prose(file) if TOLD.search(text)] == []


def test_the_patterns_find_what_they_forbid() -> None:
    """The test above can fail."""
    assert PHRASES.search("so long as somebody waits")
    assert PHRASES.search("Whoever asks")
    assert all(identifiers(PRIVATE).search(name) for name in ("class NotYet", "_crew_size", "def bury(", "CrewDone"))
    assert not identifiers(PRIVATE).search("welfare")
    assert all(TOLD.search(name) for name in ("told_from", "is_told", "TELL_EVERY", "NotTold", "It tells", "Tell them"))
    assert not any(TOLD.search(name) for name in ("untold", "teller", "TOLDO", "satellite", "stella"))


def test_people_never_read_told() -> None:
    """They get notifications; executions are followed, not watched."""
    assert [text for text in shown_texts() if UNSAID.search(text)] == []


def test_what_people_never_read_is_found() -> None:
    """The test above can fail."""
    assert shown_texts()
    assert all(UNSAID.search(text) for text in ("told: {level}", "{told} {time}", "I tell you", "Watched for a retry"))
    assert not UNSAID.search("notify: {level}")
