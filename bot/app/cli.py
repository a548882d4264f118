"""The command line: `execution-bot run`, `check`, `dead-letters`, `forget`, `release`, `store`, `--version`.

Lives here: parsing, the exit code. Does not live here: the service (`bot.app.service`), what is checked
(`bot.app.checks`), logging (`bot.app.logs`). Called by the console script and by `python -m bot`.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import structlog
import typer

from bot import __version__
from bot.app import repairs, store_commands
from bot.app.console import EXIT_FAILED, in_loop, load_settings, refused
from bot.app.logs import set_up_logging
from bot.errors import BotError, SettingsInvalid, SlackBadCredentials, StoreNotOurs

log = structlog.get_logger()

app = typer.Typer(
    help="Follow long-running workflow executions of GeneContainer Service from Slack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, including secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(store_commands.commands, name="store")


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
    settings = load_settings()
    set_up_logging(settings)
    for sentence in settings.warnings:
        log.warning("settings.careless", what=sentence)
    from bot.app import service  # noqa: PLC0415  # `--version` and wrong settings need none of it

    try:
        in_loop(service.run(settings))
    except SettingsInvalid as error:
        raise refused(error) from None
    except StoreNotOurs as error:
        raise store_commands.not_ours(error) from None
    except SlackBadCredentials as error:
        typer.echo(
            f"The bot stopped: Slack refuses SLACK_BOT_TOKEN ({error}): copy it from api.slack.com/apps.", err=True
        )
        raise typer.Exit(EXIT_FAILED) from None
    except BotError as error:
        typer.echo(f"The bot stopped: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


@app.command()
def check() -> None:
    """Try every credential and connection that the bot needs, and say how to fix what fails."""
    settings = load_settings()
    set_up_logging(settings.model_copy(update={"log_level": "error"}))
    from bot.app import checks  # noqa: PLC0415  # as above

    results = in_loop(checks.check(settings))
    for result in results:
        typer.echo(f"{'✓' if result.is_ok else '✗'} {result.name}: {result.detail}")
        if not result.is_ok:
            typer.echo(f"  → {result.remedy}")
        for note in result.notes:
            typer.echo(f"  ! {note}")
    if not all(result.is_ok for result in results):
        raise typer.Exit(EXIT_FAILED)


def _on_store(work: repairs.Work) -> Any:
    """Do `work` with the store of a running bot."""
    settings = load_settings()
    set_up_logging(settings.model_copy(update={"log_level": "error"}))
    from bot.app import service  # noqa: PLC0415  # as above

    async def done() -> Any:
        async with service.store_beside(settings) as store:
            return await work(store)

    try:
        return in_loop(done())
    except SettingsInvalid as error:
        raise refused(error) from None
    except StoreNotOurs as error:
        raise store_commands.not_ours(error) from None
    except BotError as error:
        typer.echo(f"The store cannot be read: {error}", err=True)
        if settings.redis_url is None:
            typer.echo("  → The embedded store runs while the bot does: start the bot, then repeat this.", err=True)
        raise typer.Exit(EXIT_FAILED) from None


repairs.add_to(app, _on_store)


def main() -> None:
    """The console script."""
    _leave_no_core()
    _open_standard_streams()
    try:
        app()
    except OSError as error:
        if error.errno not in _NO_OUTPUT or error.filename is not None:
            raise
        with suppress(OSError):
            typer.echo(f"What this command prints cannot be written ({error.strerror}).", err=True)
        _turn_to_nothing(1)
        raise SystemExit(EXIT_FAILED) from None
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _turn_to_nothing(2)


def _turn_to_nothing(number: int) -> None:
    """Drop what a standard stream still holds, or Python tries to write it again and ends with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


_NO_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.EBADF}
"""Why a file or a pipe takes no more."""


def _open_standard_streams() -> None:
    """Open those that are closed on nothing: a connection in their place would end the process when it is closed.

    Nothing can be written to that standard output, or it would seem to be written.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # for good
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # for good


def _leave_no_core() -> None:
    """A crash must not write this process's memory into a file: it holds every secret."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
