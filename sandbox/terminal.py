"""The demo in a terminal: what it says, and how it ends.

Lives here: `run`, from the first line to Ctrl-C, and the report of a bot that has ended. Does not live here: what there
is to see (`sandbox.demo`). Called by `python -m sandbox`.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from collections.abc import Sequence

from sandbox.demo import Demo
from sandbox.process import Bot


async def run(*, port: int, has_bot: bool = True) -> int:
    """Run the demo until Ctrl-C or SIGTERM; returns the exit code."""
    demo = Demo(port=port, has_bot=has_bot)
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    if has_bot:
        say("Starting a simulated GCS, a simulated Slack and the bot: about fifteen seconds.")
    try:
        await demo.start()
    except OSError as error:
        await demo.stop()
        if error.errno != errno.EADDRINUSE:
            raise
        say(f"Port {port} is in use: stop what listens there, or choose another one with --port.")
        return 1
    try:
        await _until(stopped, demo)
    finally:
        await demo.stop()
    return 0


async def _until(stopped: asyncio.Event, demo: Demo) -> None:
    """Keep the demo running until `stopped`. If the bot ends earlier, say so and keep the page up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_play(demo)), group.create_task(watch(demo))]
        await stopped.wait()
        for task in tasks:
            task.cancel()


async def _play(demo: Demo) -> None:
    """Play the executions, and say the address of the page once it shows them, or once the bot has failed."""
    address = f"Open {demo.page.url} · Ctrl-C stops everything"
    if demo.bot is None:
        say(address)
        await demo.begin()
    else:
        is_shown = await _show_unless_it_ends(demo, demo.bot)
        say(address)
        if not is_shown:
            return
    await demo.keep_spare()


async def _show_unless_it_ends(demo: Demo, bot: Bot) -> bool:
    """Whether the page shows the executions; `watch` says why the bot has ended, if it has."""
    showing, ending = asyncio.create_task(_show(demo, bot)), asyncio.create_task(bot.wait())
    try:
        await asyncio.wait((showing, ending), return_when=asyncio.FIRST_COMPLETED)
        return showing.done() and showing.result()
    finally:
        showing.cancel()
        ending.cancel()


async def _show(demo: Demo, bot: Bot) -> bool:
    try:
        await demo.ready()
        await demo.begin()
    except TimeoutError:
        _complain(demo, "The bot is not ready in time. Its last lines:", bot.last)
        return False
    return True


async def watch(demo: Demo) -> None:
    """Say when the bot ends, and why."""
    if demo.bot is None:
        return
    code = await demo.bot.wait()
    _complain(demo, f"The bot has stopped (exit code {code}). Its last lines:", demo.bot.last)


def _complain(demo: Demo, what: str, lines: Sequence[str]) -> None:
    text = "\n".join((what, *lines))
    demo.page.show(alarm=text)
    say(text)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
