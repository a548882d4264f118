"""The Home tab: what one person follows, with buttons.

Lives here: `home_tab`, and `item_line`, which the reply to `/execution list` uses too. Does not live here: that reply
(`bot.blocks.replies`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import buttons, text, words
from bot.blocks.levels import level_words
from bot.blocks.message import Block, actions, context, header, section
from bot.domain.model import Snapshot, Subscription

ITEMS_SHOWN = 25
"""At most this many subscriptions: a view takes 100 blocks."""
_EMPTY = (
    "You follow no executions yet.\nType `/execution` and an id in any conversation to look at one, "
    "or `/execution subscribe` and the id to follow it."
)

UNREADABLE_NAMED = 10
"""At most this many of those that cannot be read are named."""

Item = tuple[Subscription, Snapshot | None]


def home_tab(items: Sequence[Item], *, now: datetime, unreadable: Sequence[str] = ()) -> Block:
    """A person's subscriptions in the given order. Only block types that the Home tab takes."""
    blocks = [header("Executions you follow"), *(_intro(items) if items or not unreadable else [])]
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
        return f"⏳ *{words.unstarred(text.escape(subscription.execution_id))}*\nnot looked at yet · {level}"
    execution = snapshot.execution
    label = f"{words.snapshot_icon(snapshot)} *{words.unstarred(words.name(execution))}* ({words.workflow(execution)})"
    known = [
        words.snapshot_word(snapshot),
        words.progress(execution),
        words.elapsed_words(execution, now),
        level,
        f"as of {text.time_secs(snapshot.seen_at)}",
    ]
    return f"{label}\n{' · '.join(filter(None, known))}"


def unreadable_line(execution_ids: Sequence[str], command: str = "/execution") -> str:
    """Executions about which the store holds something that cannot be read; empty for none."""
    if not execution_ids:
        return ""
    named = ", ".join(text.code(each) for each in execution_ids[:UNREADABLE_NAMED])
    hidden = len(execution_ids) - UNREADABLE_NAMED
    more = f" and {hidden:,} more" if hidden > 0 else ""
    return (
        f"⚠️ I cannot read what I have stored about {named}{more}: another version of me may have written it. "
        f"`{command}` and the id still shows it."
    )


def _intro(items: Sequence[Item]) -> list[Block | None]:
    if not items:
        return [section(_EMPTY)]
    hidden = len(items) - ITEMS_SHOWN
    return [
        context(f"{text.count(len(items), 'subscription')}{f', the first {ITEMS_SHOWN} shown' if hidden > 0 else ''}")
    ]


def _row(subscription: Subscription) -> list[Block]:
    row = [buttons.steps(subscription.execution_id)]
    return row if subscription.is_ending else [*row, buttons.unsubscribe(subscription)]
