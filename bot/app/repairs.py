"""What operators repair in the store: `execution-bot dead-letters`, `execution-bot release` and `execution-bot forget`.

Lives here: these sub-commands, and what they print. Does not live here: settings and the loop (`bot.app.cli`, which
adds them to the command line), what they do (`bot.store.outbox.dead_letters`, `bot.store.brake`, `bot.store.people`).
The bot may run meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # `--version` and wrong settings need none of it
    from bot.store import Store
    from bot.store.outbox import DeadLetter
    from bot.store.people import Forgotten

Work = Callable[["Store"], Awaitable[Any]]

OnStore = Callable[[Work], Any]
"""Does some `Work` with the store that the settings name; exits with a sentence if that cannot be reached."""

ALL = "all"

EXIT_FAILED = 1

_USER_ID = re.compile(r"[UW][A-Z0-9]+")

_Which = Annotated[str, typer.Argument(metavar="LANE|all", help="The lane of a dead letter as listed, or all.")]
_Written = Annotated[Path, typer.Argument(help="The file to write, a letter in each line.", dir_okay=False)]
_Read = Annotated[
    Path, typer.Argument(help="A file with a letter in each line.", exists=True, dir_okay=False, readable=True)
]


def add_to(app: typer.Typer, on_store: OnStore) -> None:
    """Add the sub-commands."""
    app.add_typer(_dead_letters(on_store), name="dead-letters")

    @app.command()
    def release(
        which: Annotated[
            str | None, typer.Argument(help="Only this reason, such as gcs:not_found; by default all.")
        ] = None,
    ) -> None:
        """Allow the endings that the brake has stopped, because they are right; /readyz says which they are."""
        if which is not None:
            _must_say_something(which, "a reason that /readyz shows")
        released, others = on_store(lambda store: _released(store, which))
        for owner, reason, waited in released:
            typer.echo(f"{reason} of {owner}: {waited} may end now.")
        if not released and others:
            typer.echo(f"Nothing is stopped for that reason; what is stopped: {', '.join(others)}.", err=True)
            raise typer.Exit(EXIT_FAILED)
        if not released:
            typer.echo("Nothing is stopped.")

    @app.command()
    def forget(user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="Of Slack: U… or W….")]) -> None:
        """Delete what the store keeps about a person, as `/execution forget-me` does; the log keeps its lines."""
        if not _USER_ID.fullmatch(user_id):
            typer.echo(
                "That is not a user id of Slack: it begins with U or W, and has capital letters and digits.", err=True
            )
            raise typer.Exit(EXIT_FAILED)
        done = on_store(lambda store: _forgotten(store, user_id))
        typer.echo(
            f"subscriptions: {done.subscriptions}\nsubscriptions of channels without an owner now: {done.owned}\n"
            f"dead letters: {done.letters}\nrecords of channels: {done.channels}"
        )


def _dead_letters(on_store: OnStore) -> typer.Typer:
    letters = typer.Typer()

    @letters.callback(invoke_without_command=True)
    def listed(
        context: typer.Context,
        resurrect: Annotated[
            str | None, typer.Option(metavar="LANE|all", help="Restore the subscription, and deliver what was not.")
        ] = None,
    ) -> None:
        """List what could not be delivered, and why; on the embedded store only while the bot runs."""
        if context.invoked_subcommand is not None:
            _must_be_left_out(resurrect)
            return
        if resurrect is not None:
            _must_say_something(resurrect, "a lane that `dead-letters` lists, or all")
            _say_each("resurrected", on_store(lambda store: _resurrected(store, resurrect)), resurrect)
            return
        found = on_store(lambda store: store.outbox.dead_letters())
        for letter in found:
            when = f"{letter.given_up_at:%Y-%m-%d %H:%M:%S}"
            typer.echo(f"{when} {letter.lane} of {letter.owner}: {letter.reason}; {undelivered(letter)}")
        if not found:
            typer.echo("There are none.")

    @letters.command()
    def export(file: _Written) -> None:
        """Write all dead letters to a file, which only you can read; they hold ids and error texts."""
        rows = [row for row, _ in on_store(lambda store: store.outbox.letters.rows())]
        _write(file, rows)
        typer.echo(f"{len(rows)} written.", err=True)  # FILE may be standard output

    @letters.command("import")
    def import_(file: _Read) -> None:
        """Keep the dead letters of a file in this store; those that are there already are not doubled."""
        rows = file.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        added, unreadable = on_store(lambda store: _added(store, [row for row in rows if row]))
        typer.echo(f"{added} added.")
        if unreadable:
            typer.echo(f"{unreadable} lines are not letters.", err=True)
            raise typer.Exit(EXIT_FAILED)

    @letters.command()
    def purge(which: _Which) -> None:
        """Delete dead letters for good."""
        _say_each("deleted", on_store(lambda store: _purged(store, which)), which)

    return letters


def _write(file: Path, rows: list[str]) -> None:
    """Write a row to each line, or exit with a sentence."""
    try:
        file.touch(mode=0o600)
        if file.is_file():  # no device
            file.chmod(0o600)  # it may have been there, open to others
        file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        typer.echo(f"{file} cannot be written ({error.strerror}).", err=True)
        raise typer.Exit(EXIT_FAILED) from None


def undelivered(letter: DeadLetter) -> str:
    """What a dead letter did not deliver."""
    if not letter.last:
        return "only its card was to be shown"
    last = letter.last_change
    if last is None:
        return f"{letter.undelivered} changes undelivered"
    more = f", and {letter.undelivered - 1} before it" if letter.undelivered > 1 else ""
    return f"undelivered: {last.kind} {last.phase or last.why or ''}".rstrip() + more


def _must_be_left_out(resurrect: str | None) -> None:
    """Exit if the option is given together with a sub-command, which would go first and may delete the letters."""
    if resurrect is not None:
        typer.echo("--resurrect and a sub-command do not go together: run one after the other.", err=True)
        raise typer.Exit(EXIT_FAILED)


def _must_say_something(given: str, wanted: str) -> None:
    """Exit if `given` is empty, as a variable of a script that is not set would be: it does not mean all."""
    if not given.strip():
        typer.echo(f"The argument is empty: give {wanted}.", err=True)
        raise typer.Exit(EXIT_FAILED)


def _say_each(done: str, letters: list[tuple[str, bool]], which: str) -> None:
    for lane, is_done in letters:
        typer.echo(f"{lane}: {done if is_done else 'left as it is: followed again, being polled, or too old'}")
    if not letters and which != ALL:
        typer.echo("No dead letter has this lane; `execution-bot dead-letters` lists them.", err=True)
        raise typer.Exit(EXIT_FAILED)
    if not letters:
        typer.echo("There is none.")


async def _chosen(store: Store, which: str) -> list[tuple[str, DeadLetter]]:
    """The dead letters that `which` names, the oldest first, since they are delivered in this order."""
    letters = await store.outbox.letters.rows()
    return [(row, letter) for row, letter in reversed(letters) if which in {ALL, letter.lane}]


async def _resurrected(store: Store, which: str) -> list[tuple[str, bool]]:
    chosen = await _chosen(store, which)
    return [(letter.lane, await store.outbox.letters.resurrect(row)) for row, letter in chosen]


async def _purged(store: Store, which: str) -> list[tuple[str, bool]]:
    return [(letter.lane, await store.outbox.letters.delete(row)) for row, letter in await _chosen(store, which)]


async def _added(store: Store, rows: list[str]) -> tuple[int, int]:
    """How many letters were added, and how many rows are not letters."""
    added = [await store.outbox.letters.add(row) for row in rows]
    return added.count(True), added.count(None)


async def _forgotten(store: Store, user_id: str) -> Forgotten:
    from bot.store.people import Forgotten  # noqa: PLC0415  # as above

    owner = await store.ownership.read()
    return await store.people.forget(user_id, owner=owner) if owner else Forgotten()


async def _released(store: Store, which: str | None) -> tuple[list[tuple[str, str, int]], list[str]]:
    """Owner, reason and number of what may end now; and the reasons for which something stays stopped."""
    released, others = [], []
    for owner in await store.brake.owners():
        for braked in await store.brake.state(owner):
            if which in {None, braked.reason}:
                released.append((owner, braked.reason, len(await store.brake.release(owner, braked.reason))))
            else:
                others.append(braked.reason)
    return released, sorted({*others})
