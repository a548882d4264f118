"""A small disk of its own for a test, which can be filled and freed as a real one.

Lives here: `Disk` and `small_disk`. Does not live here: what is kept on it (the tests). Called by the tests of the
embedded store and by `tests.chaos`. It is a file system in memory, so that its end is the kernel's ENOSPC; mounting it
takes root, or a `sudo` that asks for no password.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

import pytest

CHUNK = 4096
"""How many bytes a file of a full disk may still grow by, at most: what was left of its last page."""


class Disk:
    """A file system of a few MiB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no space; what exists stays readable."""
        with self._filler.open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * CHUNK)
            except OSError as error:
                if error.errno != ENOSPC:
                    raise

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, *, mib: int) -> Iterator[Disk]:
    """A disk of that size at `folder`, which is removed with all that is on it."""
    folder.mkdir(parents=True)
    options = f"size={mib}m,mode=0700,uid={os.getuid()},gid={os.getgid()}"
    if not _as_root("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)):
        if os.environ.get("REQUIRE_REDIS") == "1":
            pytest.fail("no file system can be mounted here, and REQUIRE_REDIS=1 says that nothing may be left out")
        pytest.skip("no file system can be mounted here: that takes root or sudo")
    try:
        yield Disk(folder)
    finally:
        _as_root("umount", "--lazy", str(folder))


def _as_root(*command: str) -> bool:
    """Whether the command succeeded."""
    prefix = [] if os.getuid() == 0 else ["sudo", "-n"]
    try:
        done = subprocess.run([*prefix, *command], capture_output=True, check=False)  # noqa: S603  # our own words
    except OSError:  # there is no such command
        return False
    return done.returncode == 0
