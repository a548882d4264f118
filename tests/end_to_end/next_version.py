"""An imagined next version of the bot, made of this one: one schema more, and `verdict` instead of the level `final`.

Called by `test_versions.py`. When a place that is changed here looks different some day, making it fails.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bot.store.owner import SCHEMA
from tests.end_to_end.bot_process import REPOSITORY

MIGRATION = REPOSITORY / "tests" / "store" / "rename_words.lua"

CHANGES = [
    ("bot/store/owner/owner.py", rf"^SCHEMA = {SCHEMA}$", f"SCHEMA = {SCHEMA + 1}"),
    ("bot/store/migrations/migrations.py", r"(^MIGRATIONS.* = \{)", rf'\g<1>{SCHEMA + 1}: "migrations/rename_words", '),
    ("bot/store/migrations/migrations.py", r"^AGAIN_SECONDS = .*$", "AGAIN_SECONDS = 1.0"),
    ("bot/domain/following.py", r'FINAL = "final"$', 'FINAL = "verdict"'),
    ("bot/domain/following.py", r"( +)(level = str.__new__)", r'\1if value == "final":\n\1    return cls.FINAL\n\1\2'),
    ("bot/store/subscriptions/prelude.lua", r"\bfinal = (\d)", r"final = \1, verdict = \1"),
]
"""File, what stands there, and what stands there in the next version."""


def next_version(folder: Path) -> Path:
    """Write the next version into `folder`; returns where its packages are."""
    for package in ("bot", "handlers"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(MIGRATION, folder / "bot" / "store" / "migrations")
    for name, now, then in CHANGES:
        file = folder / name
        text, count = re.subn(now, then, file.read_text(), flags=re.MULTILINE)
        assert count == 1, f"{name} has no single {now}"
        file.write_text(text)
    return folder
