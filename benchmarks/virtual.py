"""Time that passes only while everybody waits: hours of the bot's work in minutes.

Lives here: `run_virtual`, which runs a coroutine in a process of its own on a virtual clock, and that clock. Does not
live here: what happens in that process (`simulation`, `finding`). Called by `delays` and `rules`.

In that process `time.monotonic` and the event loop read a clock that stands still while anything works, and moves to
the next timer when everything waits. The engine's clock follows: the process imports a copy of `bot` in which the
scripts' prelude reads TIME, and the ends of keys, from the virtual clock. Nothing else in the copy differs.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.servers import REPOSITORY

BEGAN = 1_772_323_200
"""When virtual time begins, in seconds since 1970 as the store counts them."""

CLOCK = "bench:clock"
"""The key with the virtual time in microseconds."""

ENDS = "bench:ends"
"""The key with what would expire, and when; for the virtual clock only."""

PATIENCE_SECONDS = 0.2
"""How long the kernel may take to move bytes between two sockets of this process, also on a busy machine: were it too
short, time would move on during a call, and delays would be longer."""

STEP_SECONDS = 1e-6
"""How long one step of the event loop takes, or a pause too short for a float would never end."""

SHIM = """
local server = redis
local function virtual_now() return tonumber(server.call('GET', 'bench:clock')) end
local redis = setmetatable({call = function(command, key, ...)
  local now = virtual_now()
  if command == 'TIME' then return {math.floor(now / 1000000), now % 1000000} end
  local ends = server.call('HGET', 'bench:ends', key)
  if ends and tonumber(ends) <= now then
    server.call('DEL', key)
    server.call('HDEL', 'bench:ends', key)
  end
  local given = {...}
  if command == 'PEXPIRE' then
    server.call('HSET', 'bench:ends', key, string.format('%.0f', now + given[1] * 1000))
    return 1
  end
  if command == 'PTTL' then return ends and math.ceil((tonumber(ends) - now) / 1000) or -2 end
  if command == 'SET' then
    for place, word in ipairs(given) do
      if word == 'PX' then
        server.call('HSET', 'bench:ends', key, string.format('%.0f', now + given[place + 1] * 1000))
        table.remove(given, place)
        table.remove(given, place)
        break
      end
    end
  end
  return server.call(command, key, unpack(given))
end}, {__index = server})
"""
"""Lua in front of the prelude: `TIME` and the ends of keys by the virtual clock."""


async def run_virtual(scene: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What `module:coroutine` of this package returns, called with `arguments`; both are JSON.

    Raises:
        RuntimeError: it failed; with the end of its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        _copy_bot(Path(folder))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.virtual", scene, json.dumps(arguments)),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        raise RuntimeError(f"{scene} failed: {errors.decode(errors='replace')[-2000:]}")
    found: dict[str, Any] = json.loads(output)
    return found


def _copy_bot(folder: Path) -> None:
    """A copy of the bot whose scripts read the virtual clock."""
    shutil.copytree(REPOSITORY / "bot", folder / "bot")
    prelude = folder / "bot/store/engine/prelude.lua"  # in front of every script
    prelude.write_text(SHIM + prelude.read_text(encoding="utf-8"), encoding="utf-8")


class VirtualSelector(selectors.DefaultSelector):
    """Waits for the kernel and the engine; when both have nothing left, time moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.in_transit = 0
        """Calls to a server in this process that it has not begun to wait for."""
        self._engine: socket.socket | None = None

    @contextmanager
    def leading(self, url: str) -> Iterator[None]:
        """Have the engine at `url` follow this clock; before and after, the clock keeps real time."""
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(url.removeprefix("unix://"))
            self._engine = engine
            self._ask(b"CONFIG SET appendonly no\r\n")  # or each step of the clock would wait for the disk
            self._set_engine()
            try:
                yield
            finally:
                self._engine = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; if that is nothing, `timeout` is over by now."""
        self.now += STEP_SECONDS
        ready = super().select(0 if self._engine else timeout)
        if ready or timeout is None or timeout <= 0:
            return ready or ([] if timeout is not None else super().select())
        ready = self._answered()
        if not ready:
            self.now += timeout
            self._set_engine()
        return ready

    def _set_engine(self) -> None:
        self._ask(f"SET {CLOCK} {int((BEGAN + self.now) * 1e6)}\r\n".encode())

    def _answered(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready once the engine has answered all that it was asked: it does one thing after the other."""
        for _ in range(2):  # its first answer may leave in one go with others, and before them
            self._ask(b"PING\r\n")
            if ready := super().select(0):
                return ready
        return super().select(PATIENCE_SECONDS) if self.in_transit else []

    def _ask(self, command: bytes) -> None:
        if self._engine is not None:
            self._engine.sendall(command)
            self._engine.recv(64)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on the virtual clock."""

    def __init__(self, selector: VirtualSelector) -> None:
        super().__init__(selector)
        self.clock = selector

    def time(self) -> float:
        """By the virtual clock."""
        return self.clock.now


def main(scene: str, arguments: str) -> None:
    """The process on virtual time."""
    selector = VirtualSelector()
    time.monotonic = lambda: selector.now  # before any of the bot's modules takes it
    module, _, name = scene.partition(":")
    play = getattr(import_module(f"benchmarks.{module}"), name)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(selector)) as runner:
        print(json.dumps(runner.run(play(selector, **json.loads(arguments)))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
