"""Promises of the Lua scripts to their readers: arguments, clock and keys are where one looks for them."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

from bot.store import keys

FOLDER = Path(str(resources.files("bot.store")))
SCRIPTS = {str(file.relative_to(FOLDER)): file.read_text() for file in sorted(FOLDER.rglob("*.lua"))}
RUN = [name for name in SCRIPTS if not name.endswith("prelude.lua")]


def code(name: str) -> str:
    """A script without its comments."""
    return re.sub(r"\s*--[^\n]*", "", SCRIPTS[name]).lstrip()


def test_a_script_names_its_arguments_first() -> None:
    """Only what is repeated for each item of a tail is read later."""
    assert len(RUN) > 60
    for name in RUN:
        first = re.split(r"\n(?=\S)", code(name))[0]
        assert "ARGV" not in code(name) or re.match(r"local [\w, ]+=\s", first), name
        assert "ARGV[1]" not in code(name), name
        assert "unpack(ARGV" in first or "ARGV" not in code(name), name


def test_a_script_says_what_it_returns() -> None:
    """And which keys it takes; in comments before its code."""
    for name in RUN:
        head = SCRIPTS[name].split("\nlocal ")[0]
        assert "\n-- KEYS: " in head, name
        assert "\n-- Returns " in head or SCRIPTS[name].rstrip().endswith("return 1"), name


FUNCTIONS = {name for file in SCRIPTS.keys() - RUN for name in re.findall(r"(?m)^local function (\w+)", SCRIPTS[file])}
"""Those of the preludes."""


def test_no_argument_hides_a_function() -> None:
    """It would be called in its place, after what was written before."""
    for name in RUN:
        arguments = re.match(r"local ([\w, ]+)=", code(name).replace("\n", " "))
        assert not FUNCTIONS & set(re.findall(r"\w+", arguments[1] if arguments else "")), name


def test_scripts_are_read_alike_everywhere() -> None:
    """Whatever the machine's language: in some, comments cannot be read."""
    strict = ("-X", "warn_default_encoding", "-W", "error::EncodingWarning")
    read = "from bot.store.engine.scripts import script; script('engine/give_back')"
    subprocess.run([sys.executable, *strict, "-c", read], check=True, cwd=Path(__file__).parents[3])  # noqa: S603  # ours


def test_one_prelude_reads_the_clock() -> None:
    """Milliseconds and microseconds come from one function."""
    assert [name for name in SCRIPTS if "'TIME'" in SCRIPTS[name]] == ["engine/prelude.lua"]


def test_only_preludes_take_rows_of_partitions_apart() -> None:
    """A row that is read in two places is changed in one of them."""
    apart = [name for name in RUN if re.search(r"\|.*\^|\^.*\|", code(name))]
    assert apart == ["gcs_quota/take.lua"]


def test_every_key_is_in_the_table() -> None:
    """A reader finds each key, and why it is there, in one place."""
    named = {key for text in SCRIPTS.values() for key in re.findall(r"(?:prefix|KEYS\[1\]) \.\. '([\w:]+?):?'", text)}
    of_quota = {key for text in SCRIPTS.values() for key in re.findall(r"window \.\. ':(\w+)", text)}
    table = str(keys.__doc__)
    assert {"due", "claims", "outbox", "pause", "next"} <= named
    assert [key for key in named if f"}}:{key}" not in table] == []
    assert [key for key in of_quota if f"{{quota:<user>}}:{key}" not in table] == []
