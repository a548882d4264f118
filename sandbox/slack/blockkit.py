"""Block Kit validation as strict as Slack's: which block may be on which surface, and every documented limit.

The SDK checks some of this for its own objects and nothing for plain dicts; this module checks everything. Does not
live here: what happens to a refused payload (the Web API methods). Called by those methods and by tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from sandbox.slack.elements import ACCESSORY, ACTIONS, CONTEXT, ID, INPUT, RICH_TEXT, URL, plain, text
from sandbox.slack.shapes import Check, both, exactly_one, flag, kinds, listed, shape, string, unique, word

Surface = Literal["message", "modal", "home"]

MESSAGE_TEXT: Final = 12_000
"""At most this many characters in all blocks of a message; above it Slack answers msg_blocks_too_long."""
_MARKDOWN: Final = 12_000
_MOST_BLOCKS: Final = {"message": 50, "modal": 100, "home": 100}
_EVERYWHERE = {"actions", "context", "divider", "header", "image", "input", "rich_text", "section"}
_ALLOWED: Final[dict[str, set[str]]] = {
    "message": _EVERYWHERE | {"markdown", "plan", "task_card", "table"},
    "modal": _EVERYWHERE,
    "home": _EVERYWHERE,
}
_SHOWN_KEYS: Final = {"text", "title", "alt_text", "fallback"}
_BLOCK = {"block_id": ID}
_RICH = kinds({"rich_text": RICH_TEXT})
_TASK = {
    "details": _RICH,
    "output": _RICH,
    "sources": listed(kinds({"url": shape({"url": URL, "text": string(3000)})}), 100),
    **_BLOCK,
}


def _task(*words: str) -> Check:
    return shape({"task_id": ID, "title": string(3000), "status": word(*words)}, _TASK)


_CELL = kinds({"raw_text": shape({"text": string(3000)}), "rich_text": RICH_TEXT})
_COLUMN = shape({}, {"align": word("left", "center", "right"), "is_wrapped": flag})
_BLOCKS: Final[dict[str, Check]] = {
    "section": shape(
        {}, {"text": text(3000), "fields": listed(text(2000), 10), "accessory": ACCESSORY, "expand": flag, **_BLOCK}
    ),
    "header": shape({"text": plain(150)}, _BLOCK),
    "divider": shape({}, _BLOCK),
    "image": both(
        shape(
            {"alt_text": string(2000)},
            {"image_url": URL, "slack_file": shape({}, {"id": ID, "url": URL}), "title": plain(2000), **_BLOCK},
        ),
        exactly_one("image_url", "slack_file"),
    ),
    "context": shape({"elements": CONTEXT}, _BLOCK),
    "actions": shape({"elements": ACTIONS}, _BLOCK),
    "input": shape(
        {"label": plain(2000), "element": INPUT},
        {"hint": plain(2000), "optional": flag, "dispatch_action": flag, **_BLOCK},
    ),
    "rich_text": RICH_TEXT,
    "markdown": shape({"text": string(_MARKDOWN)}, _BLOCK),
    "task_card": _task("in_progress", "complete", "error"),
    "plan": shape(
        {"title": string(3000)},
        {
            "tasks": both(
                listed(kinds({"task_card": _task("pending", "in_progress", "complete", "error")}), 50),
                unique("task_id"),
            ),
            **_BLOCK,
        },
    ),
    "table": shape(
        {"rows": listed(listed(_CELL, 20), 100)},
        {"column_settings": listed(_COLUMN, 20), **_BLOCK},
    ),
}


def problems(blocks: Any, surface: Surface) -> list[str]:
    """Every reason why Slack would refuse `blocks` on that surface; empty if it would accept them."""
    if not isinstance(blocks, list):
        return ["/blocks: must be a list"]
    found = list(listed(kinds(_BLOCKS), _MOST_BLOCKS[surface], least=0)(blocks, "/blocks"))
    found += unique("block_id")(blocks, "/blocks")
    known = [block for block in blocks if isinstance(block, dict)]
    found += _misplaced(known, surface)
    found += _incomplete(blocks)
    if surface == "message":
        found += _message_rules(known)
    return found


def view_problems(view: Any) -> list[str]:
    """Every reason why Slack would refuse a modal or a Home view."""
    kind = view.get("type") if isinstance(view, dict) else None
    if kind not in _VIEWS:
        return [f"/view: unsupported type: {kind}"]
    found = list(_VIEWS[kind](view, "/view"))
    if "blocks" in view:
        found += problems(view["blocks"], "modal" if kind == "modal" else "home")
        is_input = any(isinstance(block, dict) and block.get("type") == "input" for block in view["blocks"] or [])
        if kind == "modal" and is_input and "submit" not in view:
            found.append("/view: missing required field: submit, since there is an input block")
        if view["blocks"] == []:
            found.append("/view/blocks: no fewer than 1 items allowed")
    return found


def text_size(blocks: Any) -> int:
    """Total number of characters that the blocks show."""
    if isinstance(blocks, list):
        return sum(map(text_size, blocks))
    if not isinstance(blocks, dict):
        return 0
    size = 0
    for key, value in blocks.items():
        size += (len(value) if key in _SHOWN_KEYS else 0) if isinstance(value, str) else text_size(value)
    return size


def _anything(_value: Any, _path: str) -> Iterator[str]:
    yield from ()


_VIEW: Final[dict[str, Check]] = {
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
    "external_id": string(255, least=0),
}
_VIEWS: Final[dict[str, Check]] = {
    "modal": shape(
        {"title": plain(24), "blocks": _anything},
        {
            "submit": plain(24),
            "close": plain(24),
            "clear_on_close": flag,
            "notify_on_close": flag,
            "submit_disabled": flag,
            **_VIEW,
        },
    ),
    "home": shape({"blocks": _anything}, _VIEW),
}


def _misplaced(blocks: list[dict[str, Any]], surface: Surface) -> Iterator[str]:
    for index, block in enumerate(blocks):
        kind = block.get("type")
        if isinstance(kind, str) and kind in _BLOCKS and kind not in _ALLOWED[surface]:
            yield f"/blocks/{index}: {kind} is not allowed in a {surface}"


def _incomplete(blocks: list[Any]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        if isinstance(block, dict) and block.get("type") == "section" and not ({"text", "fields"} & block.keys()):
            yield f"/blocks/{index}: a section needs text or fields"


def _message_rules(blocks: list[dict[str, Any]]) -> Iterator[str]:
    types = [block.get("type") for block in blocks]
    for kind in ("plan", "table"):
        if types.count(kind) > 1:
            yield f"/blocks: only one {kind} block is allowed in a message"
    if "plan" in types and "task_card" in types:
        yield "/blocks: plan and task_card do not go together"
    markdown = sum(text_size(block) for block in blocks if block.get("type") == "markdown")
    if markdown > _MARKDOWN:
        yield f"/blocks: all markdown together must be no more than {_MARKDOWN} characters"
    size = text_size(blocks)
    if size > MESSAGE_TEXT:
        yield f"/blocks: all text together must be no more than {MESSAGE_TEXT} characters, has {size}"
