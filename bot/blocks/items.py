"""One line about an execution that is followed, for lists of them.

Lives here: `item_line`, `unreadable_line`. Does not live here: the lists (`bot.blocks.replies`, `bot.blocks.matches`),
the Home tab (`bot.blocks.home`). Called by those.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.blocks import text, words
from bot.blocks.language import _
from bot.blocks.levels import subscription_words
from bot.blocks.trouble import outlook_words
from bot.domain.following import Subscription
from bot.domain.snapshot import Snapshot

_FRESH = timedelta(minutes=2)
"""What was seen within this time is as of now, which need not be said."""

UNREADABLE_NAMED = 10
"""At most this many of those that cannot be read are named."""

Item = tuple[Subscription, Snapshot | None]


def item_line(subscription: Subscription, snapshot: Snapshot | None, now: datetime) -> str:
    """Name, phase and progress of a followed execution, and when it was last seen if that is long ago, on two lines."""
    level = subscription_words(subscription.level, announces_success=subscription.announces_success)
    if snapshot is None:
        name, state = words.unstarred(text.escape(subscription.execution_id)), _("no data from GCS yet")
        return f"⏳ *{name}*\n{state} · {level}"
    execution = snapshot.execution
    label = _("{icon} *{name}* ({workflow})").format(
        icon=words.snapshot_icon(snapshot),
        name=words.unstarred(words.name(execution)),
        workflow=words.workflow(execution),
    )
    known = [
        words.snapshot_word(snapshot),
        words.progress(execution),
        words.time_words(snapshot),
        outlook_words(snapshot, now=now),
        level,
        _("as of {time}").format(time=text.date(snapshot.seen_at)) if now - snapshot.seen_at > _FRESH else "",
    ]
    return f"{label}\n{' · '.join(filter(None, known))}"


def unreadable_line(execution_ids: Sequence[str]) -> str:
    """Executions about which the store holds something that cannot be read; empty for none."""
    if not execution_ids:
        return ""
    named = text.series(text.code(each) for each in execution_ids[:UNREADABLE_NAMED])
    hidden = len(execution_ids) - UNREADABLE_NAMED
    if hidden > 0:
        named = _("{names} and {number} more").format(names=named, number=text.number(hidden))
    shape = _(
        "⚠️ I cannot read what I have stored about {names}: another version of me may have written it. "
        "{command} and the id still shows it."
    )
    return shape.format(names=named, command="`/execution`")
