"""The list of every step, in pages, as a modal.

Lives here: `steps_modal`, and what it carries. Does not live here: the few steps that a message names
(`bot.blocks.steps`). Called by `handlers`.
"""

from __future__ import annotations

from bot.blocks import buttons, facts, steps, text, words
from bot.blocks.language import N_, _
from bot.blocks.message import Block, actions, context, section, view
from bot.blocks.modals import ID_LIMIT, metadata
from bot.domain.execution import Value
from bot.domain.snapshot import Snapshot

CALLBACK_ID = "steps"
PAGE_STEPS = 30
"""At most this many steps on one page."""
_STEPS_IN_SECTION = 5
_REASON_LIMIT = 120
TITLE = N_("Steps")


class StepsPage(Value, frozen=True):
    """What the modal carries for its buttons."""

    execution_id: str
    page: int


def steps_modal(snapshot: Snapshot | None, *, page: int = 0, execution_id: str) -> Block:
    """One page of all steps: failed first, then running, waiting, finished. `page` is moved into the existing ones."""
    if snapshot is None:
        return _modal(execution_id, 0, [section(_("I have not seen this execution yet. Try again in a minute."))])
    groups = steps.by_priority(snapshot.execution.steps)
    ordered = [*groups.failed, *groups.running, *groups.waiting, *groups.finished]
    last_page = max(0, (len(ordered) - 1) // PAGE_STEPS)
    page = max(0, min(page, last_page))
    shown = ordered[page * PAGE_STEPS : (page + 1) * PAGE_STEPS]
    at_rest = snapshot.execution.is_terminal or snapshot.is_vanished
    lines = [steps.step_line(step, at_rest=at_rest, reason_limit=_REASON_LIMIT) for step in shown]
    blocks = [
        _head(snapshot),
        *(section(*lines[i : i + _STEPS_IN_SECTION]) for i in range(0, len(lines), _STEPS_IN_SECTION)),
        context(_place(page, len(shown), len(ordered)), steps.more_steps(snapshot)),
        facts.as_of(snapshot),
        actions(_row(page, last_page)),
    ]
    return _modal(execution_id, page, blocks)


def _modal(execution_id: str, page: int, blocks: list[Block | None]) -> Block:
    carried = metadata(StepsPage(execution_id[:ID_LIMIT], page))
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID, private_metadata=carried)


def _head(snapshot: Snapshot) -> Block | None:
    execution = snapshot.execution
    label = f"{words.snapshot_icon(snapshot)} {words.snapshot_word(snapshot)}"
    facts_known = [label, words.progress(execution), words.time_words(snapshot)]
    return section(f"*{words.unstarred(words.name(execution))}*", " · ".join(fact for fact in facts_known if fact))


def _place(page: int, shown: int, total: int) -> str:
    if not total:
        return _("GeneContainer Service has not listed any steps yet.")
    first = page * PAGE_STEPS + 1
    shape = _("Steps {first} to {last} of {total}")
    return shape.format(first=text.number(first), last=text.number(first + shown - 1), total=text.number(total))


def _row(page: int, last_page: int) -> list[Block]:
    row = [buttons.refresh_page(page)]
    if page < last_page:
        row.insert(0, buttons.next_page(page))
    if page > 0:
        row.insert(0, buttons.previous_page(page))
    return row
