"""The sentence that says which other organisations read a channel.

Lives here: `readers_line`. Does not live here: how they are found out (`bot.slack.channels`), what is decided about
them (`bot.domain.access`). Called by `buttons` and `replies`.
"""

from __future__ import annotations

from bot.blocks import text
from bot.blocks.language import _, ngettext
from bot.domain.access import Readers

NAME_LIMIT = 30
"""At most this many characters of a name: five of them fit into a confirmation."""


def readers_line(readers: Readers) -> str:
    """Who else reads a channel: a sentence of plain text, not yet escaped. Names are foreign text."""
    names = [text.plain(name, NAME_LIMIT) for name in readers.names]
    unnamed, named = len(readers.organisations) - len(names), ", ".join(names)
    if named and unnamed > 0:
        more = ngettext(
            "People from {named} and {count} more organisation can read it.",
            "People from {named} and {count} more organisations can read it.",
            unnamed,
        )
        return more.format(named=named, count=unnamed)
    if named:
        return _("People from {named} can read it.").format(named=named)
    if unnamed > 1:
        return _("People from {count} other organisations can read it.").format(count=unnamed)
    return _("People from another organisation can read it.")
