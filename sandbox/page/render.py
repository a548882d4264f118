"""Block Kit as HTML.

Lives here: one pure function per block, and `blocks` for a list of them. Does not live here: text formats
(`mrkdwn`), interactive elements (`elements`), the page around a message (`screen`). An unknown block is named, never
silently dropped and never fatal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.page import elements
from sandbox.page.markup import Html, join, tag, text
from sandbox.page.mrkdwn import Viewer, markdown, plain
from sandbox.page.own import own
from sandbox.page.richtext import rich_text
from sandbox.page.words import picture, words

Block = Mapping[str, Any]

TASK_WORDS = {"pending": "waiting", "in_progress": "running", "complete": "done", "error": "failed"}


def blocks(items: Sequence[Block], viewer: Viewer) -> Html:
    """All blocks of a message, a modal or a Home, in order."""
    return join(*(block(item, viewer, index) for index, item in enumerate(items)))


def block(item: Block, viewer: Viewer, index: int = 0) -> Html:
    """One block."""
    kind = str(item.get("type", ""))
    draw = DRAW.get(kind)
    block_id = str(item.get("block_id") or f"block-{index}")
    body = (
        draw(item, viewer)
        if draw
        else tag("p", own("A block that this page cannot show: {kind}", kind=kind), class_="unknown")
    )
    return tag("div", body, class_=f"block block-{kind}", data_block_id=block_id, data_key=block_id)


def _section(item: Block, viewer: Viewer) -> Html:
    body = item.get("text")
    main = tag("div", words(body, viewer), class_="text") if body else None
    fields = item.get("fields") or []
    grid = tag("div", *(tag("div", words(one, viewer), class_="field") for one in fields), class_="fields")
    accessory = item.get("accessory")
    aside = tag("div", elements.element(accessory, viewer), class_="accessory") if accessory else None
    return join(tag("div", main, grid if fields else None, class_="section-text"), aside)


def _context(item: Block, viewer: Viewer) -> Html:
    return join(
        *(
            picture(one, "context-image")
            if one.get("type") == "image"
            else tag("span", words(one, viewer), class_="context-text")
            for one in item.get("elements", [])
        )
    )


def _header(item: Block, _viewer: Viewer) -> Html:
    return tag("h3", plain(str(item.get("text", {}).get("text", ""))))


def _actions(item: Block, viewer: Viewer) -> Html:
    return join(*(elements.element(one, viewer) for one in item.get("elements", [])))


def _divider(_item: Block, _viewer: Viewer) -> Html:
    return tag("hr")


def _image(item: Block, _viewer: Viewer) -> Html:
    title = item.get("title") or {}
    caption = tag("figcaption", plain(str(title["text"]))) if title.get("text") else None
    return tag("figure", caption, picture(item, "image"))


def _markdown(item: Block, _viewer: Viewer) -> Html:
    return tag("div", markdown(str(item.get("text", ""))), class_="markdown")


def _rich_text(item: Block, viewer: Viewer) -> Html:
    return rich_text(item, viewer)


def _plan(item: Block, viewer: Viewer) -> Html:
    """Folded, as Slack draws it."""
    tasks = item.get("tasks") or []
    summary = tag(
        "summary",
        _task_icon(_roll_up(tasks)),
        tag("span", plain(_title(item) or own("Plan")), class_="plan-title"),
        tag("span", class_="chevron", aria_hidden="true"),
    )
    steps = tag("ol", *(_task(task, viewer) for task in tasks), class_="tasks")
    return tag("details", summary, steps, class_="plan", data_keep="plan")


def _roll_up(tasks: Sequence[Block]) -> str:
    statuses = {str(task.get("status", "pending")) for task in tasks}
    if "error" in statuses:
        return "error"
    if not statuses - {"complete"}:
        return "complete" if statuses else "pending"
    return "pending" if statuses == {"pending"} else "in_progress"


def _task(task: Block, viewer: Viewer) -> Html:
    status = str(task.get("status", "pending"))
    parts = [tag("div", rich_text(task[part], viewer), class_=f"task-{part}") for part in _parts(task)]
    sources = [elements.source(one) for one in task.get("sources") or []]
    return tag(
        "li",
        _task_icon(status),
        tag(
            "div",
            tag("div", plain(_title(task)), class_="task-title"),
            *parts,
            tag("div", *sources, class_="task-sources") if sources else None,
            class_="task-body",
        ),
        class_=f"task task-{status}",
        data_key=str(task.get("task_id", "")),
    )


def _parts(task: Block) -> list[str]:
    return [part for part in ("details", "output") if isinstance(task.get(part), Mapping)]


def _task_icon(status: str) -> Html:
    word = TASK_WORDS.get(status, status)
    use = tag("use", href=f"/static/icons.svg#task-{status if status in TASK_WORDS else 'pending'}")
    return tag("svg", use, class_=f"task-icon icon-{status}", role="img", aria_label=word, viewBox="0 0 20 20")


def _title(item: Block) -> str:
    title = item.get("title", "")
    return str(title.get("text", "")) if isinstance(title, Mapping) else str(title)


def _task_card(item: Block, viewer: Viewer) -> Html:
    return tag("ol", _task(item, viewer), class_="tasks tasks-single")


def _table(item: Block, viewer: Viewer) -> Html:
    settings: list[Any] = list(item.get("column_settings") or [])
    rows = item.get("rows") or []
    head, body = rows[:1], rows[1:]
    return tag(
        "div",
        tag(
            "table",
            tag("thead", *(_row(row, settings, "th", viewer) for row in head)),
            tag("tbody", *(_row(row, settings, "td", viewer) for row in body)),
        ),
        class_="table",
        tabindex="0",
        role="region",
        aria_label=own("Table"),
    )


def _row(row: Sequence[Block], settings: Sequence[Any], cell_tag: str, viewer: Viewer) -> Html:
    aligned = [
        str((settings[index] or {}).get("align", "left")) if index < len(settings) else "left"
        for index in range(len(row))
    ]
    return tag(
        "tr",
        *(tag(cell_tag, _cell(cell, viewer), class_=f"align-{how}") for cell, how in zip(row, aligned, strict=True)),
    )


def _cell(cell: Block, viewer: Viewer) -> Html:
    return rich_text(cell, viewer) if cell.get("type") == "rich_text" else text(cell.get("text", ""))


def _input(item: Block, viewer: Viewer) -> Html:
    return elements.input_block(item, viewer)


def _alert(item: Block, viewer: Viewer) -> Html:
    return tag(
        "div", words(item.get("text", {}), viewer), class_=f"alert alert-{item.get('level', 'default')}", role="note"
    )


DRAW: dict[str, Callable[[Block, Viewer], Html]] = {
    "section": _section,
    "context": _context,
    "header": _header,
    "actions": _actions,
    "context_actions": _actions,
    "divider": _divider,
    "image": _image,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "plan": _plan,
    "task_card": _task_card,
    "table": _table,
    "input": _input,
    "alert": _alert,
}
