"""What a reader sees of blocks, as lines of HTML that need no style: headers, paragraphs, small print, [buttons].

Lives here: `lines`, `text`, `questions`; moments are in the language that is spoken, as Slack shows them to its reader.
Does not live here: the page around them (`tests.messages.page`). An unknown block or element is an error, so that none
is left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any

from bot.blocks.language import spoken
from bot.blocks.text import UNBROKEN
from sandbox.page import dates
from sandbox.page.mrkdwn import unescape
from tests.messages.world import CHANNELS, NOW, PEOPLE

Shape = dict[str, Any]

_MARKS = re.compile(
    r"`(?P<code>[^`\n]+)`|<(?P<control>[^<>\n]+)>|(?<![\w*])\*(?P<bold>[^\s*](?:[^\n*]*[^\s*])?)\*(?![\w*])"
)
_SIGNS = {"complete": "✓", "in_progress": "●", "pending": "○", "error": "✗"}


def lines(blocks: Iterable[Shape]) -> list[str]:
    """Each visible line, ready for HTML."""
    return [line for block in blocks for line in _BLOCKS[block["type"]](block)]


def text(wire: str) -> str:
    """A top-level text or a paragraph in Slack's format, on one line per line."""
    return "<br>\n".join(map(_mrkdwn, wire.split("\n")))


def questions(blocks: Iterable[Shape]) -> Iterator[tuple[str, str]]:
    """The label of each button that asks first, and its question with the answers."""
    for block in blocks:
        for element in (*block.get("elements", ()), block.get("accessory", {})):
            if "confirm" in element:
                asked = [element["confirm"][part]["text"] for part in ("title", "text", "confirm", "deny")]
                title, question, yes, no = (escape(each, quote=False) for each in asked)
                yield _element(element), f"<b>{title}</b> {question} [{yes}] [{no}]"


def _words(item: Shape) -> list[str]:
    """A text object."""
    written = item["text"].split("\n")
    return [_mrkdwn(line) if item["type"] == "mrkdwn" else escape(line, quote=False) for line in written]


def _mrkdwn(line: str) -> str:
    drawn: list[str] = []
    end = 0
    for match in _MARKS.finditer(line):
        drawn.extend((_plain(line[end : match.start()]), _mark(match)))
        end = match.end()
    return "".join([*drawn, _plain(line[end:])])


def _plain(wire: str) -> str:
    return escape(unescape(wire).replace(UNBROKEN, " "), quote=False)  # Markdown has no use for it


def _mark(match: re.Match[str]) -> str:
    if match["code"]:
        return f"<code>{_plain(match['code'])}</code>"
    if match["bold"]:
        return f"<b>{_mrkdwn(match['bold'])}</b>"
    return escape(_control(match["control"]), quote=False)


def _control(inside: str) -> str:
    target, _, label = inside.partition("|")
    if target.startswith("!date^"):
        _, moment, template, *_ = target.split("^")
        return dates.render(template, datetime.fromtimestamp(int(moment), UTC), NOW, spoken().replace("_", "-"))
    if target[:1] in {"@", "#"}:
        known = (PEOPLE if target[0] == "@" else CHANNELS)[target[1:]]
        return f"{target[0]}{known}"
    return unescape(label or target)


def _header(block: Shape) -> Iterator[str]:
    yield f"<b>{_words(block['text'])[0]}</b>"


def _section(block: Shape) -> Iterator[str]:
    if "text" in block:
        yield from _words(block["text"])
    for field in block.get("fields", ()):
        yield ": ".join(_words(field))
    if "accessory" in block:
        yield _element(block["accessory"])


def _context(block: Shape) -> Iterator[str]:
    for element in block["elements"]:
        for line in _words(element):
            yield f"<sub>{line}</sub>"


def _actions(block: Shape) -> Iterator[str]:
    yield " ".join(map(_element, block["elements"]))


def _input(block: Shape) -> Iterator[str]:
    yield f"{_words(block['label'])[0]}: {_element(block['element'])}"
    if "hint" in block:
        yield f"<sub>{_words(block['hint'])[0]}</sub>"


def _plan(block: Shape) -> Iterator[str]:
    yield f"▾ {escape(_title(block), quote=False)}"
    for task in block["tasks"]:
        yield from _task(task)


def _task(task: Shape) -> Iterator[str]:
    yield f"&nbsp;{_SIGNS[task['status']]} {escape(_title(task), quote=False)}"
    for part in ("details", "output"):
        if part in task:
            yield f"&nbsp;&nbsp;<sub>{escape(' '.join(_strings(task[part])), quote=False)}</sub>"


def _title(block: Shape) -> str:
    title = block["title"]
    return title if isinstance(title, str) else str(title["text"])


def _rich_text(block: Shape) -> Iterator[str]:
    for element in block["elements"]:
        yield from (escape(line, quote=False) for line in "".join(_strings(element)).split("\n"))


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for entry in node:
            yield from _strings(entry)
    elif isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        yield from _strings(node.get("elements", []))


def _element(element: Shape) -> str:
    kind = element["type"]
    if kind == "button":
        return f"[{escape(element['text']['text'], quote=False)}]"
    options = [option["text"]["text"] for option in _options(element)]
    if kind == "overflow":
        return f"[⋯ {escape(' · '.join(options), quote=False)}]"
    if kind in {"radio_buttons", "checkboxes"}:
        chosen = {option["value"] for option in _chosen(element)}
        marks = ["●" if option["value"] in chosen else "○" for option in _options(element)]
        return escape(" ".join(f"{mark} {word}" for mark, word in zip(marks, options, strict=True)), quote=False)
    shown = [option["text"]["text"] for option in _chosen(element)] or [
        element.get("initial_value") or element.get("placeholder", {}).get("text", "")
    ]
    return f"[{escape(' · '.join(shown), quote=False)} {'▾' if 'select' in kind else '✎'}]"


def _options(element: Shape) -> list[Shape]:
    grouped = [option for group in element.get("option_groups", ()) for option in group["options"]]
    return [*element.get("options", ()), *grouped]


def _chosen(element: Shape) -> list[Shape]:
    return [*element.get("initial_options", ()), *([element["initial_option"]] if "initial_option" in element else ())]


_BLOCKS: dict[str, Callable[[Shape], Iterable[str]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "plan": _plan,
    "task_card": _task,
    "rich_text": _rich_text,
    "divider": lambda _: ["――――"],
}
