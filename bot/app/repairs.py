"""What operators repair in the store: `execution-bot release`.

Lives here: these sub-commands, and what they print. Does not live here: settings and the loop (`bot.app.cli`, which
adds them to the command line), what they do (`bot.store.brake`). They work beside the bot that runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # `--version` and wrong settings need none of it
    from bot.store import Store

Work = Callable[["Store"], Awaitable[Any]]

OnStore = Callable[[Work], Any]
"""Does something with the store of the settings, and exits with a sentence where that cannot be reached."""


def add_to(app: typer.Typer, on_store: OnStore) -> None:
    """Add the sub-commands."""

    @app.command()
    def release(
        which: Annotated[str, typer.Argument(help="Only this reason, as it is listed; by default all of them.")] = "",
    ) -> None:
        """Let everything end that the brake has stopped, because it is right: /readyz says what that is."""
        released = on_store(lambda store: _released(store, which))
        for owner, reason, waited in released:
            typer.echo(f"{reason} of {owner}: {waited} may end now.")
        if not released:
            typer.echo("Nothing is stopped.")


async def _released(store: Store, which: str) -> list[tuple[str, str, int]]:
    return [
        (owner, braked.reason, len(await store.brake.release(owner, braked.reason)))
        for owner in await store.brake.owners()
        for braked in await store.brake.state(owner)
        if which in {"", braked.reason}
    ]
