"""Nothing outlives a worker of pytest that was killed: neither bots nor engines that it started.

Lives here: `ended_with_us`, and the process behind it. Does not live here: how a test ends what it started. Called by
`conftest`.

An engine outlives its bot on purpose, in a session of its own, so no signal reaches all of them. What they have in
common is the worker's folder: they run in it, or have a path in it among their arguments. So a process waits for the
worker's word that all is ended; when the worker ends without it, that process kills whatever has to do with the folder.
Where there is no /proc, it finds nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def ended_with_us(folder: Path) -> Iterator[None]:
    """If this process is killed inside the context, so is everything that works in `folder`."""
    with subprocess.Popen(  # noqa: S603  # this interpreter, on ourselves
        [sys.executable, "-E", __file__, str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,  # what kills this process may kill its whole group
    ) as waiting:
        try:
            yield
        finally:
            waiting.communicate(b"all is ended")


def working_in(folder: str) -> Iterator[int]:
    """The processes that run in `folder` or have a path in it among their arguments."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            if f"{folder}/" in f"{words} {(process / 'cwd').readlink()}/":
                yield int(process.name)


def main(folder: str) -> None:
    """Wait for the worker's last word, or its end."""
    if sys.stdin.buffer.read():
        return
    while left := list(working_in(folder)):
        for process_id in left:
            with suppress(OSError):
                os.kill(process_id, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
