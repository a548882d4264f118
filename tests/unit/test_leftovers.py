"""A killed worker of pytest leaves nothing that runs; one that ends in good order kills nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

from tests.end_to_end.bot_process import REPOSITORY
from tests.leftovers import working_in

WORKER = """
import subprocess, sys
from pathlib import Path
from tests.leftovers import ended_with_us

folder = Path(sys.argv[1])
with ended_with_us(folder):
    (folder / "engine").mkdir()
    subprocess.Popen(["sleep", "600"], cwd=folder / "engine", stdout=subprocess.DEVNULL, start_new_session=True)
    subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", str(folder / "conf")],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    print("started", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="there is no /proc")


def worker(folder: Path) -> subprocess.Popen[bytes]:
    """A process that has started two others, one in `folder`, and one that has its path in an argument."""
    # Its own command line must not have the folder's path with a slash at its end, nor may it run in there.
    command = [sys.executable, "-c", WORKER, str(folder)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # ourselves
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    return process


def left(folder: Path, number: int) -> list[int]:
    """What works there, once it is so many."""
    for _ in range(6000):
        found = list(working_in(str(folder)))
        if len(found) == number:
            break
        sleep(0.01)
    return found


def test_a_killed_worker_leaves_nothing(tmp_path: Path) -> None:
    """Neither what runs in its folder nor what has its path in an argument, in whichever session."""
    with worker(tmp_path) as process:
        assert len(left(tmp_path, 2)) == 2
        process.send_signal(signal.SIGKILL)
    assert left(tmp_path, 0) == []


def test_a_worker_that_ends_kills_nothing(tmp_path: Path) -> None:
    """Its tests end what they started; somebody may be reading a log there."""
    with worker(tmp_path) as process:
        process.communicate()
    found = left(tmp_path, 2)
    assert len(found) == 2
    for each in found:
        subprocess.run(["kill", "-9", str(each)], check=True)  # noqa: S603, S607  # our own
