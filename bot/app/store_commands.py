"""The command line's `execution-bot store`: `show`, `adopt`, `export` and `import`.

Lives here: parsing, exit codes. Does not live here: the work (`bot.app.store_admin`). Called by `bot.app.cli`.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from bot.app.console import EXIT_FAILED, EXIT_SETTINGS, in_loop, load_settings, refused
from bot.app.logs import set_up_logging
from bot.errors import BotError, SettingsInvalid, StoreNotOurs
from bot.settings import Settings

Answer = TypeVar("Answer")

commands = typer.Typer(no_args_is_help=True, help="Show whose store it is, take it over, and move what it holds.")


@commands.command()
def show() -> None:
    """Show the owner record, and how much the store holds."""
    from bot.app import store_admin  # noqa: PLC0415  # `--version` needs none of it

    for line in _done(store_admin.show(_settings())):
        typer.echo(line)


@commands.command()
def adopt(
    *, yes: Annotated[bool, typer.Option("--yes", help="Take it over; without this, only say what changes.")] = False
) -> None:
    """Make this bot's workspace and GCS account the owner of the store."""
    from bot.app import store_admin  # noqa: PLC0415  # as above

    lines, is_done = _done(store_admin.adopt(_settings(), is_confirmed=yes))
    for line in lines:
        typer.echo(line)
    if not is_done:
        raise typer.Exit(EXIT_FAILED)


@commands.command()
def export() -> None:
    """Print what people follow and have chosen, dead letters and histories as JSON lines, to `import` elsewhere."""
    from bot.app import store_admin  # noqa: PLC0415  # as above

    unreadable = _done(store_admin.export(_settings(), sys.stdout.buffer))
    if unreadable:
        typer.echo(f"{unreadable} subscriptions cannot be read and were left out.", err=True)
        raise typer.Exit(EXIT_FAILED)


@commands.command("import")
def import_(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `export` printed.")]) -> None:
    """Bring what `export` printed into this store; what it has already stays as it is."""
    from bot.app import store_admin  # noqa: PLC0415  # as above

    with file.open("rb") as lines:
        counts = _done(store_admin.read_lines(_settings(), lines))
    typer.echo(f"added: {counts['added']}\nthere already: {counts['known']}")
    for kind, why in (("foreign", "belong to another workspace"), ("unreadable", "cannot be read")):
        if counts[kind]:
            typer.echo(f"{counts[kind]} lines {why} and were left out.", err=True)
    if counts["foreign"] or counts["unreadable"]:
        raise typer.Exit(EXIT_FAILED)


def _settings() -> Settings:
    settings = load_settings()
    set_up_logging(settings.model_copy(update={"log_level": "error"}))
    return settings


def _done(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of `work`; or exit after a sentence."""
    try:
        return in_loop(work)
    except SettingsInvalid as error:
        raise refused(error) from None
    except StoreNotOurs as error:
        raise not_ours(error) from None
    except BotError as error:
        typer.echo(f"That did not work: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


def not_ours(error: StoreNotOurs) -> typer.Exit:
    """Say whose store it is and what to do, and return the exit for the caller to raise."""
    from bot.app.ownership import refusal_text  # noqa: PLC0415  # as above

    typer.echo(refusal_text(error), err=True)
    return typer.Exit(EXIT_SETTINGS)
