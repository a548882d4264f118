"""The documents name what exists: files, folders, and words of the code."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from bot import metrics

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ARCHITECTURE = DOCS / "architecture.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])

_FOLDERS = "bot|handlers|sandbox|tests|benchmarks|docs|deploy"
_PATH = re.compile(rf"(?:{_FOLDERS})(?:/[\w.*-]+)+/?|[\w-]+\.(?:py|lua|md|yaml|toml)")
_QUOTED = re.compile(r"`([^`\n]+)`")


def paths_in(page: Path) -> set[str]:
    """Every file and folder that a page names in backticks, alone or within a command."""
    words = [word for quoted in _QUOTED.findall(page.read_text(encoding="utf-8")) for word in quoted.split()]
    return {word for word in words if _PATH.fullmatch(word)}


def exists(path: str) -> bool:
    """Whether a path from the root exists; a module may be named without `.py`, before or after it became a package."""
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def glossary() -> list[str]:
    """The left column of the glossary."""
    section = ARCHITECTURE.read_text(encoding="utf-8").split("## Glossary", 1)[1]
    return re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)[1:]


def spoken(code: str) -> str:
    """Code as words: `WorkerPool`, `worker_pool` and `worker-pool` are all `worker pool`."""
    return re.sub(r"[_\W]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", code)).casefold()


def test_named_paths_exist() -> None:
    """A file that moves takes the pages that name it along."""
    assert len(PAGES) > 40
    assert sorted((page.name, path) for page in PAGES for path in paths_in(page) if not exists(path)) == []


def test_links_lead_somewhere() -> None:
    """Links within the repository lead to files that exist."""
    for page in PAGES:
        links = re.findall(r"\]\(([^)\s:]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link.partition("#")[0]).exists()] == [], page.name


def test_named_metrics_exist() -> None:
    """Documents name metrics that the bot has; the changelog's left column has those of before."""
    metrics = (ROOT / "bot" / "metrics.py").read_text(encoding="utf-8")
    for page in PAGES:
        text = re.sub(r"^ *\| `\w+` (?=\| `)", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        unknown = [name for name in re.findall(r"execution_bot_\w+", text) if f'"{name}"' not in metrics]
        assert unknown == [], page.name


def test_every_decision_is_listed() -> None:
    """The list of decisions names each of them."""
    decisions = DOCS / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (decisions / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(file.name for file in decisions.glob("0*.md"))


def test_every_package_is_in_the_architecture() -> None:
    """No folder of the bot is missing from the page."""
    packages = {file.parent.relative_to(ROOT).as_posix() for file in (ROOT / "bot").glob("*/**/__init__.py")}
    assert sorted(packages - {path.rstrip("/") for path in paths_in(ARCHITECTURE)}) == []


def test_glossary_words_occur_in_the_code() -> None:
    """A word that no code uses is not a word of this project."""
    files = [
        file for folder in ("bot", "handlers") for kind in ("py", "lua") for file in (ROOT / folder).rglob(f"*.{kind}")
    ]
    words = " ".join(spoken(file.read_text(encoding="utf-8")) for file in files)
    assert [word for word in glossary() if f" {word}" not in words] == []
    assert len(glossary()) > 40


def test_every_metric_is_documented() -> None:
    """The page for those who run the bot has each metric with its labels and its help text, in order."""
    rows = (DOCS / "operations.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if row.startswith("| `execution_bot")] == [row_of(metric) for metric in declared()]


def declared() -> list[MetricWrapperBase]:
    """The bot's metrics."""
    return [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]


def row_of(metric: MetricWrapperBase) -> str:
    """The row of a metric in the page."""
    suffix = "_total" if isinstance(metric, Counter) else ""
    labels = f"{{{','.join(metric._labelnames)}}}" if metric._labelnames else ""
    return f"| `{metric._name}{suffix}{labels}` | {metric._documentation} |"
