"""The page's own words are complete in Chinese, and follow the language of who reads."""

from __future__ import annotations

import ast
from contextvars import copy_context
from pathlib import Path

from sandbox import demo, page, programme
from sandbox.page import own
from sandbox.page.screen import PRETENCE

FOLDER = Path(page.__file__).parent


def asked_for() -> set[str]:
    """The words that modules of the page ask for, as constants."""
    calls = (node for file in FOLDER.glob("*.py") for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    first = (call.args[0] for call in calls if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "own")
    found = (node for argument in first for node in ast.walk(argument))
    return {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def proposed() -> set[str]:
    """The words of what the demo proposes."""
    hints = demo.Demo(port=0, has_bot=False).hints()
    words = {word for hint in hints for word in (hint.note, *(label for label, _ in (*hint.commands, *hint.stages)))}
    pieces = (
        *(programme.running(), programme.slow(), programme.failed(), programme.stumbling()),
        *(programme.wide(), programme.chinese(), programme.spare()),
    )
    return words | {hint.title for hint in hints} | {piece.note for piece in pieces}


def test_every_word_has_a_translation() -> None:
    """And the table has none that nobody asks for."""
    shortcuts = {shortcut.name for shortcut in demo.SHORTCUTS}
    verbs = {"status", "subscribe", "unsubscribe", "Home", "Messages"}
    used = asked_for() | proposed() | shortcuts | verbs | {PRETENCE, *own.OF_SCRIPT}
    names = {"#partners", "#sequencing", "English", "中文"}
    assert used - names == own.CHINESE.keys()


def test_words_follow_the_reader() -> None:
    """Of each request by itself."""
    own.reading("en-US")
    other = copy_context()
    other.run(own.reading, "zh-CN")
    assert (other.run(own.own, "Channels"), other.run(own.language)) == ("频道", "zh-CN")
    assert (own.own("Channels"), own.own("Message {place}", place="#lab")) == ("Channels", "Message #lab")
