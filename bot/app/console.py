"""What every command of the command line does first and last: the settings, the event loop, exit codes.

Lives here: `load_settings`, `in_loop`. Does not live here: the commands (`bot.app.cli`, `bot.app.store_commands`).
Called by both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import typer

from bot.errors import SettingsInvalid
from bot.settings import Settings

Result = TypeVar("Result")

EXIT_FAILED = 1
EXIT_SETTINGS = 2


def load_settings() -> Settings:
    """The settings; or exit with code 2 after listing what is wrong with them."""
    try:
        return Settings.load()
    except SettingsInvalid as error:
        raise refused(error) from None


def refused(error: SettingsInvalid) -> typer.Exit:
    """Show the list and return the exit for the caller to raise."""
    with suppress(OSError):  # where nothing can be written, the code alone says it
        typer.echo("The bot cannot use these settings:", err=True)
        for problem in error.problems:
            typer.echo(f"  {problem}", err=True)
    return typer.Exit(EXIT_SETTINGS)


def in_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on uvloop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
