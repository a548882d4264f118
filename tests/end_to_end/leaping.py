"""Time that leaps over idle moments: an hour of the bot in half a minute.

Lives here: `leaped`, which runs a scene in a process in which time leaps and returns its result, and that process. Does
not live here: the scenes (`outages`). Called by `outage_evidence`.

libfaketime makes every clock of that process read a variable of its environment, and every clock of its store a file,
which both say how far they are ahead of the machine's clock; to read a file takes ten times as long. While work is in
progress, time passes as usual, so nothing times out sooner. When only waiting is left, the event loop leaps to the next
moment that something waits for. The sandbox must run in the same process, since its work counts too; so does that of
threads, such as one that reads a long list.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import selectors
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple

import pytest

from bot.store.engine.process import engine_binary
from tests.chaos.replicas import faketime_library
from tests.end_to_end.bot_process import REPOSITORY
from tests.servers import served

AHEAD, AHEAD_FILE = "FAKETIME", "FAKETIME_TIMESTAMP_FILE"
"""What libfaketime reads; the variable must be there from the start."""

LOG = "log"
"""What the file is called in which the process logs."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def leaped(scene: str, folder: Path, *, within: float) -> Any:
    """What `module:coroutine` returns, called with the store's URL and `folder`; `within` is in real seconds."""
    library = faketime_library() or pytest.skip("libfaketime is not installed: an hour would take an hour")
    ahead, result = folder / "ahead", folder / "result"
    ahead.write_text("+0\n")
    clock = {"LD_PRELOAD": library, "FAKETIME_NO_CACHE": "1", "FAKETIME_DISABLE_SHM": "1"}
    engine = contextmanager(served)(engine_binary(), folder, {**clock, AHEAD_FILE: str(ahead)})
    with engine as url, (folder / LOG).open("wb") as log:
        ended = subprocess.run(  # noqa: S603  # this interpreter, on ourselves
            [sys.executable, "-m", "tests.end_to_end.leaping", scene, url, str(folder), str(ahead)],
            cwd=REPOSITORY,
            env={**os.environ, **clock, AHEAD: "+0"},
            stderr=log,
            timeout=within,
            check=False,
        )
    assert ended.returncode == 0, (folder / LOG).read_text()[-2000:]
    return pickle.loads(result.read_bytes())  # noqa: S301  # by ourselves


class Leaping(selectors.DefaultSelector):
    """Waits only for work in progress."""

    def __init__(self, store: socket.socket, ahead: Path) -> None:
        """`store` is a connection to the only other process that works for this one, whose clocks read `ahead`."""
        super().__init__()
        self._store = store
        self._ahead, self._file = 0.0, os.open(ahead, os.O_WRONLY)
        self.now = monotonic()
        """When something was last found ready."""
        self.threads = 0
        """How many threads are at work for the loop; each wakes it when it is done."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; if nothing is, time has leapt by `timeout`."""
        ready = super().select(0)
        if not ready and (timeout is None or self.threads):
            ready = super().select(timeout)
        elif not ready and timeout:
            self._let_store_answer()
            ready = super().select(0)
            if not ready:
                self._leap(timeout)
        self.now = monotonic()
        return ready

    def _leap(self, seconds: float) -> None:
        self._ahead += max(0.0, seconds)
        os.environ[AHEAD] = f"+{self._ahead:.6f}"
        os.pwrite(self._file, f"{os.environ[AHEAD]}\n".encode(), 0)

    def _let_store_answer(self) -> None:
        """Return once the store has answered all earlier requests, which it handles in order."""
        for _ in range(2):  # the first answer may leave together with others, and before them
            self._store.sendall(b"PING\r\n")
            self._store.recv(64)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time leaps."""

    def __init__(self, selector: Leaping) -> None:
        super().__init__(selector)
        self._leaping = selector

    def time(self) -> float:
        """By the clock that leaps."""
        return self._leaping.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As usual; until the thread is done, no time is leapt over, in which its caller would give up."""
        work = super().run_in_executor(executor, func, *args)
        self._leaping.threads += 1
        work.add_done_callback(self._thread_done)
        return work

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self._leaping.threads -= 1


def main(scene: str, url: str, folder: Path, ahead: Path) -> None:
    """The process in which time leaps."""
    module, _, name = scene.partition(":")
    play = getattr(import_module(module), name)
    with socket.socket(socket.AF_UNIX) as store:
        store.connect(url.removeprefix("unix://"))
        with asyncio.Runner(loop_factory=lambda: Loop(Leaping(store, ahead))) as runner:
            seen = runner.run(play(url, folder))
    (folder / "result").write_bytes(pickle.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(Path, sys.argv[3:]))
