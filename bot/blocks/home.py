"""The Home tab: what one person follows, with buttons.

Lives here: `home_tab`, and `item_line`, which the reply to `/execution list` uses too. Does not live here: that reply
(`bot.blocks.replies`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import buttons, text, words
from bot.blocks.language import N_, _
from bot.blocks.levels import level_words
from bot.blocks.message import Block, actions, context, header, section
from bot.blocks.trouble import outlook_words
from bot.domain.model import Snapshot, Subscription

ITEMS_SHOWN = 25
"""At most this many subscriptions: a view takes 100 blocks."""
_EMPTY = N_(
    "You follow no executions yet.\nType `/execution` and an id in any conversation to look at one, "
    "or `/execution subscribe` and the id to follow it."
)

UNREADABLE_NAMED = 10
"""At most this many of those that cannot be read are named."""

Item = tuple[Subscription, Snapshot | None]


def home_tab(items: Sequence[Item], *, now: datetime, unreadable: Sequence[str] = ()) -> Block:
    """A person's subscriptions in the given order. Only block types that the Home tab takes."""
    blocks = [header(_("Executions you follow")), *(_intro(items) if items or not unreadable else [])]
    blocks.append(section(unreadable_line(unreadable)))
    for subscription, snapshot in items[:ITEMS_SHOWN]:
        blocks += [section(item_line(subscription, snapshot, now)), actions(_row(subscription))]
    return {"type": "home", "blocks": [block for block in blocks if block is not None]}


def refusing_home(sentence: str) -> Block:
    """Why a person sees nothing there; `sentence` is escaped here."""
    return {"type": "home", "blocks": [block for block in [section(f"⚠️ {text.prose(sentence)}")] if block is not None]}


def item_line(subscription: Subscription, snapshot: Snapshot | None, now: datetime) -> str:
    """Name, phase, progress and time of the last poll of a followed execution, on two lines."""
    level = level_words(subscription.level)
    if snapshot is None:
        name, state = words.unstarred(text.escape(subscription.execution_id)), _("GCS was not asked about it yet")
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
        _("as of {time}").format(time=text.date_secs(snapshot.seen_at)),
    ]
    return f"{label}\n{' · '.join(filter(None, known))}"


def unreadable_line(execution_ids: Sequence[str], command: str = "/execution") -> str:
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
    return shape.format(names=named, command=f"`{command}`")


def _intro(items: Sequence[Item]) -> list[Block | None]:
    if not items:
        return [section(_(_EMPTY))]
    total = text.plural("{number} execution", "{number} executions", len(items))
    if len(items) > ITEMS_SHOWN:
        total = _("{executions}, the first {number} shown").format(executions=total, number=ITEMS_SHOWN)
    return [context(total)]


def _row(subscription: Subscription) -> list[Block]:
    row = [buttons.steps(subscription.execution_id)]
    return row if subscription.is_ending else [*row, buttons.unsubscribe(subscription)]
