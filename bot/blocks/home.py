"""The Home tab: what needs a person, what runs, what their channels follow, their rules, what has ended, settings.

Lives here: `home_tab`, `refusing_home`, and the page that a Home shows (`parse_page`). Does not live here: what it is
drawn from (`bot.domain.home`), lists in replies (`bot.blocks.items`). Called by `handlers`.

Rows of all sections are counted together for the pages: a view takes 100 blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from bot.blocks import buttons, quiet, text, words
from bot.blocks.facts import retry_line
from bot.blocks.failed_steps import Failure, failure_lines
from bot.blocks.items import Item, unreadable_line
from bot.blocks.language import N_, Language, _
from bot.blocks.message import Block, actions, context, header, section
from bot.blocks.modals import metadata, parse_metadata
from bot.blocks.rules import rule_rows
from bot.blocks.trouble import Trouble, is_time_limit, outlook_words, trouble_of
from bot.domain.execution import FAILED_PHASES, Value
from bot.domain.following import Level, Subscription
from bot.domain.home import SHOWN_FOR, Home, InChannels, ended_at
from bot.domain.snapshot import Snapshot

PAGE_ROWS = 15
"""At most this many executions and rules on one page, of two blocks each."""

CHANNELS_NAMED = 3
"""At most this many channels are named that follow one execution."""

AS_OF = "as_of"
"""The block that says when it was drawn."""

_EMPTY = N_(
    "You follow no executions yet.\n"
    "Press the button above. Or type in any conversation: `/execution` with a name or an id shows one, "
    "`/execution subscribe` with a name or an id follows it."
)
_NEEDS, _RUNNING = N_("Needs you ({number})"), N_("Running ({number})")
_CHANNELS, _RULES = N_("In your channels ({number})"), N_("New executions that you follow ({number})")
_ENDED, _TODAY = N_("Ended in the last 24 hours ({number})"), N_("Ended today ({number})")
_WAITING = N_("Waiting for somebody to retry ({number})")


class HomePage(Value, frozen=True):
    """What the tab carries for its buttons."""

    page: int


class _Row(NamedTuple):
    """An execution in its section."""

    title: str
    draw: Callable[[], list[Block | None]]


def home_tab(
    home: Home, *, now: datetime, page: int = 0, language: Language | None = None, is_live: bool = True
) -> Block:
    """One page of a person's Home; `page` is moved into the existing ones. Only block types that the Home tab takes.

    `language` is the one that the person chose; None for that of their Slack. `is_live`: it is kept up to date.
    """
    rows = list(_rows(home, now))
    page = max(0, min(page, (len(rows) - 1) // PAGE_ROWS))
    shown = rows[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
    is_empty = not (rows or home.followed.unreadable)
    blocks = [
        actions([buttons.open_follow(), buttons.open_workflow()]),
        section(unreadable_line(home.followed.unreadable)),
        section(_(_EMPTY)) if is_empty else None,
        *_sections(shown, rows),
        *_pages(page, len(rows)),
        context(*_notes(home)),
        header(_("Settings")),
        section(_("Your default notifications"), accessory=buttons.my_level(home.level or Level.MILESTONES)),
        section(_("Your language"), accessory=buttons.language(language)),
        section(*quiet.hours_lines(home.hours), accessory=buttons.open_hours()),
        context(_("Notifications for yourself come here, under Messages.")),
        _as_of(now, is_live=is_live),
    ]
    kept = [block for block in blocks if block is not None]
    return {"type": "home", "blocks": kept, "private_metadata": metadata(HomePage(page))}


def refusing_home(sentence: str) -> Block:
    """Why a person sees nothing there; `sentence` is escaped here."""
    return {"type": "home", "blocks": [block for block in [section(f"⚠️ {text.prose(sentence)}")] if block is not None]}


def parse_page(private_metadata: str) -> int:
    """The page that a Home shows; the first one where that is not known."""
    try:
        return parse_metadata(private_metadata, HomePage).page
    except ValueError:
        return 0


def _rows(home: Home, now: datetime) -> Iterator[_Row]:
    """What is shown, the most urgent first."""
    needs, running, over = _sorted(home.followed.items, now)
    since, ended = home.since or now - SHOWN_FOR, _TODAY if home.since else _ENDED
    yield from (_Row(_NEEDS, partial(_own, *item, now)) for item in needs)
    yield from (_Row(_RUNNING, partial(_own, *item, now)) for item in running)
    urgent = sorted(home.in_channels, key=lambda one: not _needs_somebody(one.snapshot, now))
    yield from (_Row(_CHANNELS, partial(_channels, one, now)) for one in urgent)
    yield from (_Row(_RULES, partial(rule_rows, rule, now)) for rule in home.rules)
    recent = [item for item in over if item[1] is not None and ended_at(item[1]) > since]
    yield from (_Row(_WAITING, partial(_own, *item, now)) for item in over if item not in recent)
    yield from (_Row(ended, partial(_own, *item, now)) for item in recent)
    known = {subscription.execution_id for subscription, _snapshot in home.followed.items}
    yield from (_Row(ended, partial(_over, one)) for one in home.ended if one.execution.id not in known)


def _sorted(items: Sequence[Item], now: datetime) -> tuple[list[Item], list[Item], list[Item]]:
    """What needs the person, the others that go on, and those that have ended and may be retried."""
    needs: list[Item] = []
    running: list[Item] = []
    over: list[Item] = []
    for item in items:
        snapshot = item[1]
        if snapshot is None:
            running.append(item)
        elif _needs_somebody(snapshot, now):
            needs.append(item)
        else:
            (over if snapshot.execution.is_terminal else running).append(item)
    return needs, running, over


def _sections(shown: Sequence[_Row], rows: Sequence[_Row]) -> Iterator[Block | None]:
    """The rows below the titles of their sections, which count what is on other pages, too."""
    title = ""
    for row in shown:
        if row.title != title:
            title = row.title
            yield header(_(title).format(number=text.number(sum(each.title == title for each in rows))))
        yield from row.draw()


def _pages(page: int, total: int) -> Iterator[Block | None]:
    """What page it is, and the buttons to the others; nothing where there is only one."""
    if total <= PAGE_ROWS:
        return
    first = page * PAGE_ROWS + 1
    shape = _("Executions {first} to {last} of {total}")
    last = min(first + PAGE_ROWS - 1, total)
    yield context(shape.format(first=text.number(first), last=text.number(last), total=text.number(total)))
    yield actions(
        [
            *([buttons.previous_home(page)] if page else []),
            *([buttons.next_home(page)] if last < total else []),
        ]
    )


def _notes(home: Home) -> Iterator[str]:
    if not home.are_channels_known:
        yield _("Slack is not showing me which channels you are in right now, so what they follow is missing here.")
    if home.channels_left_out:
        shape = _("{number} more of your channels follow executions: type {command} there to see them.")
        yield shape.format(number=text.number(home.channels_left_out), command="`/execution list here`")


def _as_of(now: datetime, *, is_live: bool) -> Block:
    shape = (
        _("As of {time}. Kept up to date for ten minutes after you open it.")
        if is_live
        else _("As of {time}. Open this tab again to bring it up to date.")
    )
    return {**(context(shape.format(time=text.date_secs(now))) or {}), "block_id": AS_OF}


def _own(subscription: Subscription, snapshot: Snapshot | None, now: datetime) -> list[Block | None]:
    """What the person follows: what it is, why it needs them, and all that they can do about it."""
    execution_id = subscription.execution_id
    if snapshot is None:
        name = words.unstarred(text.escape(execution_id))
        lines = [f"⏳ *{name}*", _("no data from GCS yet")]
        return [section(*lines), actions([buttons.steps(execution_id), buttons.unsubscribe(subscription)])]
    trouble = trouble_of(snapshot, now=now)
    row = [buttons.why(execution_id)] if _is_failed(snapshot) or snapshot.execution.failed_steps else []
    entries = [
        buttons.details(execution_id),
        buttons.refresh_card(subscription),
        buttons.levels(subscription),
        buttons.stop(subscription),
    ]
    return [
        section(_headline(snapshot, trouble), *_cause(snapshot, trouble), _facts(snapshot, now)),
        actions([*row, buttons.steps(execution_id), buttons.menu(entries)]),
    ]


def _channels(one: InChannels, now: datetime) -> list[Block | None]:
    """What only channels follow. Who is in them may read about it, and follow it in person."""
    named = text.series(text.channel(each) for each in one.channel_ids[:CHANNELS_NAMED])
    if (hidden := len(one.channel_ids) - CHANNELS_NAMED) > 0:
        named = _("{names} and {number} more").format(names=named, number=text.number(hidden))
    execution_id = one.execution_id
    entries = [buttons.show_steps(execution_id), buttons.details(execution_id)]
    if one.snapshot is None:
        lines = [f"⏳ *{words.unstarred(text.escape(execution_id))}* · {named}", _("no data from GCS yet")]
    else:
        trouble = trouble_of(one.snapshot, now=now)
        causes = _cause(one.snapshot, trouble)
        lines = [f"{_headline(one.snapshot, trouble)} · {named}", *causes, _facts(one.snapshot, now)]
        entries += [buttons.show_why(execution_id)] if causes else []
    entries += [buttons.follow(execution_id)]
    return [section(*lines, accessory=buttons.menu(entries))]


def _over(snapshot: Snapshot) -> list[Block | None]:
    """What the person followed until its end."""
    execution_id, is_failed = snapshot.execution.id, _is_failed(snapshot)
    beside = buttons.why(execution_id) if is_failed else buttons.steps(execution_id)
    causes = _cause(snapshot, None, left_out=snapshot.execution.steps_left_out) if is_failed else []
    return [
        section(
            _headline(snapshot, None), *causes, _facts(snapshot), accessory=None if snapshot.is_vanished else beside
        )
    ]


def _headline(snapshot: Snapshot, trouble: Trouble | None) -> str:
    """State and name."""
    word, named = words.snapshot_word(snapshot), words.unstarred(words.name(snapshot.execution))
    state = trouble.shape.format(phase=word) if trouble else word
    headline = _("{state}: {name}").format(state=state, name=named)
    return f"{'⚠️' if trouble else words.snapshot_icon(snapshot)} *{headline}*"


def _cause(snapshot: Snapshot, trouble: Trouble | None, *, left_out: int = 0) -> list[str]:
    """Why it needs somebody, as the message about its end says it; `left_out`: failed steps that are not known."""
    if trouble is not None:
        return [trouble.line]
    execution = snapshot.execution
    if not _is_failed(snapshot):
        return []
    failure, note = Failure.of_execution(execution), ""
    failure = failure._replace(total=failure.total + left_out)
    if is_time_limit(snapshot):
        note = words.time_out_note(execution.timeout)
    return [note] if note and failure.is_unexplained else [*failure_lines(failure, 1), note]


def _facts(snapshot: Snapshot, now: datetime | None = None) -> str:
    """How far it is, and how long still; once it has ended, how long it took, and when that was."""
    execution = snapshot.execution
    if execution.is_terminal or snapshot.is_vanished:
        return " · ".join(
            filter(None, (_taken(snapshot), text.ago(ended_at(snapshot)), retry_line(snapshot.retry_until)))
        )
    outlook = outlook_words(snapshot, now=now) if now else ""
    return " · ".join(filter(None, (words.progress(execution), words.time_words(snapshot), outlook)))


def _taken(snapshot: Snapshot) -> str:
    execution = snapshot.execution
    done, took = words.counts(execution.steps_finished, execution.steps_total), words.time_words(snapshot)
    return _("{steps} in {duration}").format(steps=done, duration=took) if took and execution.is_terminal else done


def _needs_somebody(snapshot: Snapshot | None, now: datetime) -> bool:
    if snapshot is None:
        return False
    return _is_failed(snapshot) or snapshot.is_vanished or trouble_of(snapshot, now=now) is not None


def _is_failed(snapshot: Snapshot) -> bool:
    return snapshot.execution.phase in FAILED_PHASES and not snapshot.is_vanished
