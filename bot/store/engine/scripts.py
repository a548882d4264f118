"""The Lua scripts: read from beside their callers, each with the preludes that it needs in front.

Lives here: which prelude goes where, and a script's digest. Does not live here: running scripts (`connection`). Called
by `connection`.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from importlib import resources
from typing import NamedTuple

_OF_PARTITIONS = ("engine", "log", "schedule", "subscriptions", "outbox", "acts")
"""Concerns whose preludes precede every script on a partition: all of them work on the same records."""

_PRELUDES: dict[str, tuple[str, ...]] = {
    "owner": ("engine",),
    "brake": ("engine", "brake"),
    "catch_ups": (*_OF_PARTITIONS, "catch_ups"),
    "channels": ("engine",),
    "gcs_quota": ("engine",),
    "homes": ("engine",),
    "requests": (),
    "rules": ("engine",),
    "slack_limits": ("engine", "slack_limits"),
}
"""The same for scripts on other keys, and where one more is needed."""


class Script(NamedTuple):
    """A script as the server gets it."""

    text: str
    digest: str
    """SHA-1 of the text, by which a server that knows the script runs it."""

    @classmethod
    def of(cls, text: str) -> Script:
        """The script with this text."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


@cache
def script(name: str) -> Script:
    """The script in `bot/store/<name>.lua`, behind its preludes."""
    folder = resources.files("bot.store")
    preludes = _PRELUDES.get(name.partition("/")[0], _OF_PARTITIONS)
    files = [f"{concern}/prelude.lua" for concern in preludes]
    return Script.of("".join((folder / file).read_text("utf-8") for file in [*files, f"{name}.lua"]))
