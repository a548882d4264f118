"""The command line: `execution-bot run`, `check`, `dead-letters`, `release`, `--version`.

Lives here: parsing, the exit code. Does not live here: the service (`bot.app.service`), what is checked
(`bot.app.checks`), logging (`bot.app.logs`). Called by the console script and by `python -m bot`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import structlog
import typer

from bot import __version__
from bot.app import repairs
from bot.app.logs import set_up_logging
from bot.errors import BotError, SettingsInvalid
from bot.settings import Settings

Result = TypeVar("Result")

log = structlog.get_logger()

EXIT_FAILED = 1
EXIT_SETTINGS = 2

app = typer.Typer(
    help="Follow long-running workflow executions of GeneContainer Service from Slack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, including secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Settings come from the environment or a file `.env`; docs/settings.md lists them."""


@app.command()
def run() -> None:
    """Run the bot until it is stopped (SIGTERM, Ctrl-C)."""
    settings = _settings()
    set_up_logging(settings)
    for sentence in settings.warnings:
        log.warning("settings.careless", what=sentence)
    from bot.app import service  # noqa: PLC0415  # `--version` and wrong settings need none of it

    try:
        _in_loop(service.run(settings))
    except SettingsInvalid as error:
        raise _refused(error) from None
    except (BotError, OSError) as error:  # OSError: a port that is taken
        typer.echo(f"The bot stopped: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


@app.command()
def check() -> None:
    """Try every credential and connection that the bot needs, and say how to fix what fails."""
    settings = _settings()
    set_up_logging(settings.model_copy(update={"log_level": "error"}))
    from bot.app import checks  # noqa: PLC0415  # as above

    results = _in_loop(checks.check(settings))
    for result in results:
        typer.echo(f"{'✓' if result.is_ok else '✗'} {result.name}: {result.detail}")
        if not result.is_ok:
            typer.echo(f"  → {result.remedy}")
        for note in result.notes:
            typer.echo(f"  ! {note}")
    if not all(result.is_ok for result in results):
        raise typer.Exit(EXIT_FAILED)


def _on_store(work: repairs.Work) -> Any:
    """Do something with the store of a bot that runs."""
    settings = _settings()
    set_up_logging(settings.model_copy(update={"log_level": "error"}))
    from bot.app import service  # noqa: PLC0415  # as above

    async def done() -> Any:
        async with service.store_beside(settings) as store:
            return await work(store)

    try:
        return _in_loop(done())
    except BotError as error:
        typer.echo(f"The store cannot be read: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


repairs.add_to(app, _on_store)


def main() -> None:
    """The console script."""
    app()


def _settings() -> Settings:
    """The settings; or exit with code 2 after listing what is wrong with them."""
    try:
        return Settings.load()
    except SettingsInvalid as error:
        raise _refused(error) from None


def _refused(error: SettingsInvalid) -> typer.Exit:
    """Show the list and return the exit for the caller to raise."""
    typer.echo("The settings are not complete:", err=True)
    for problem in error.problems:
        typer.echo(f"  {problem}", err=True)
    return typer.Exit(EXIT_SETTINGS)


def _in_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on uvloop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
