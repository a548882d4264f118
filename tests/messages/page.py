"""`docs/messages.md`: every example side by side in all languages, with its size and height.

Lives here: the layout of the page. Does not live here: what is shown (`tests.messages.catalogue`). Called by
`make messages` and by the test that keeps the page up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bot.blocks.language import speaking
from tests.messages import errors, visible
from tests.messages.catalogue import CATALOGUE, everything
from tests.messages.example import LANGUAGES, Example, Goal, Said, Surface, said
from tests.messages.heights import Height, exceeds
from tests.messages.world import NOW

FILE = Path(__file__).resolve().parents[2] / "docs" / "messages.md"

_HEAD = """\
# Messages

Everything that the bot says, in every language, rendered from examples with fixed values. This page is generated: add
or change an example in `tests/messages`, then run `make messages`, which also measures how high each message is in the
page of the simulated Slack, on a screen 1280 and on one 390 pixels wide. Size and both heights stand above each
message; heights include the author's line.

*Text* is the top-level text, which notifications and screen readers have. *Shown* is what people see: **bold** as in
Slack, small print small, buttons in [brackets], what a menu offers after ⋯. Times are those of a reader in UTC who
looks at {now}; Slack writes them in the reader's language. Sizes are those of blocks and
text as JSON. *The same* stands where a language says what English says.

"""
_ASKING = "Buttons that ask first"
_MOST_LINES = 40
"""A longer message is cut on the page."""
_TABLES = (
    ("Errors", "In a reply, on the Home tab or in a modal, by the class of the error.", errors.errors),
    ("Problems of an input", "What was typed or pressed cannot be used, by the code of the problem.", errors.problems),
    ("Why something cannot be delivered", "A clause in a message to the owner, by Slack's code.", errors.undeliverable),
)


def page(heights: Mapping[str, Height]) -> str:
    """The whole page."""
    sections = [_surface(surface, heights) for surface in CATALOGUE]
    tables = [_table(title, about, make()) for title, about, make in _TABLES]
    head = _HEAD.format(now=NOW.strftime("%H:%M on %B %d, %Y"))
    return "\n".join([head + _contents(), _goals(heights), *sections, _questions(), *tables])


def anchor(surface: Surface, example: Example) -> str:
    """Where an example is on the page."""
    return slug(f"{surface.title} {example.name}")


def slug(words: str) -> str:
    """`words` as a part of an address."""
    return re.sub(r"\W+", "-", words.casefold()).strip("-")


def _contents() -> str:
    rows = [f"- [{each.title}](#{slug(each.title)}): {len(each.examples)}" for each in CATALOGUE]
    rows += [f"- [{title}](#{slug(title)})" for title in (_ASKING, *(title for title, _, _ in _TABLES))]
    return "\n".join(rows) + "\n"


def _goals(heights: Mapping[str, Height]) -> str:
    rows = []
    for goal, everyone in _by_goal().items():
        known = [heights[one.digest] for one in everyone if one.digest in heights]
        above = sum(exceeds(height, goal) for height in known)
        highest = f"{max(one.wide for one in known)} / {max(one.narrow for one in known)}" if known else "?"
        held = "a test holds it" if goal.is_held else f"{above} of {len(everyone)} above it"
        rows.append(f"| {goal.name} | {goal.wide} / {goal.narrow} | {highest} | {held} |")
    head = ["## Goals for heights", "", "| class | at most | highest | |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _by_goal() -> dict[Goal, list[Said]]:
    found: dict[Goal, list[Said]] = {}
    for _, example, spoken in everything():
        if example.goal is not None:
            found.setdefault(example.goal, []).extend(spoken)
    return found


def _surface(surface: Surface, heights: Mapping[str, Height]) -> str:
    links = " ·\n".join(f"[{each.name}](#{anchor(surface, each)})" for each in surface.examples)
    head = f"## {surface.title}\n\n{surface.about}\n\n{links}\n"
    return "\n".join([head, *(_example(surface, each, heights) for each in surface.examples)])


def _example(surface: Surface, example: Example, heights: Mapping[str, Height]) -> str:
    spoken = said(example, surface.place)
    head = f'### <a id="{anchor(surface, example)}"></a>{example.name}\n\n{example.when}\n'
    rows = [
        _row("", [_measures(one, heights.get(one.digest), example.goal) for one in spoken]),
        _row("title", [_escaped(one.title) for one in spoken]),
        _row("text", [_text(one) for one in spoken]),
        _row("shown", [_shown(one) for one in spoken]),
    ]
    return "\n".join([head, "<table>", *filter(None, rows), "</table>\n"])


def _row(name: str, cells: Sequence[str]) -> str:
    if not any(cells):
        return ""
    return "\n".join([f"<tr><th>{name}</th>", *(f"<td>\n{cell}\n</td>" for cell in _once(cells)), "</tr>"])


def _once(cells: Sequence[str]) -> list[str]:
    """The cells of all languages, without those that repeat English."""
    return [cells[0], *("<i>the same</i>" if cell == cells[0] else cell for cell in cells[1:])]


def _measures(one: Said, height: Height | None, goal: Goal | None) -> str:
    if height is None:
        return f"<b>{LANGUAGES[one.language]}</b> · {one.size:,} bytes · not measured"
    known = f"<b>{LANGUAGES[one.language]}</b> · {one.size:,} bytes · {height.wide} / {height.narrow} px"
    if goal is None:
        return known
    return f"{known}, {'above' if exceeds(height, goal) else 'within'} {goal.wide} / {goal.narrow}"


def _text(one: Said) -> str:
    with speaking(one.language):
        return visible.text(one.text)


def _shown(one: Said) -> str:
    with speaking(one.language):
        lines = [line or "&nbsp;" for line in visible.lines(one.blocks)]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES - 5 :] = [f"<i>and {len(lines) - _MOST_LINES + 5} more lines</i>"]
    return "<br>\n".join(lines)


def _questions() -> str:
    """What buttons ask before they are pressed, once each."""
    asked = {question: None for _, _, spoken in everything() for question in _asked(spoken)}
    rows = [_cells([" / ".join(labels), *_once(questions)]) for labels, questions in asked]
    languages = LANGUAGES.values()
    head = [f"## {_ASKING}", "", _cells(["button", *languages]), _cells(["---"] * (len(languages) + 1))]
    return "\n".join([*head, *rows]) + "\n"


def _asked(spoken: Sequence[Said]) -> Iterable[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Labels and questions of each button, in all languages."""
    for pairs in zip(*(visible.questions(one.blocks) for one in spoken), strict=True):
        labels, questions = zip(*pairs, strict=True)
        yield labels, questions


def _table(title: str, about: str, rows: Sequence[errors.Sentence]) -> str:
    languages = LANGUAGES.values()
    head = [f"## {title}", "", about, "", _cells(["code", *languages]), _cells(["---"] * (len(languages) + 1))]
    return (
        "\n".join([*head, *(_cells([row.code, *_once(list(_sentences(row)))]) for row in errors.grouped(rows))]) + "\n"
    )


def _sentences(row: errors.Sentence) -> Iterable[str]:
    for language in LANGUAGES:
        with speaking(language):
            shown = row.say()
        yield _escaped(shown).replace("|", "&#124;") if "`" not in shown else shown.replace("|", "\\|")


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
