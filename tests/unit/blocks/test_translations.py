"""The catalog of translations is complete, and says in Chinese what the code says in English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from bot.blocks.language import Language
from tests.texts import CHINESE, FOLDERS, MARKERS, ROOT, extracted, forms

LETTER = "[\u4e00-\u9fff]"
HALF_WIDTH = re.compile(rf"{LETTER}[,;:!?()]|[,;:!?()]{LETTER}|{LETTER}\.(?![\w/])")
"""Punctuation of English beside a Chinese character."""
SPACED = re.compile(r"[\u3001\u3002\u4e00-\u9fff\uff00-\uffef] +[\u3001\u3002\u4e00-\u9fff\uff00-\uffef]")
"""A space that no Chinese text has: between two of its characters."""


def catalog() -> Catalog:
    """The catalog as it is in the repository, with what it has that no code uses."""
    with CHINESE.open("rb") as file:
        return read_po(file, locale=Language.CHINESE)


def entries() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each text, in its forms, with its translations."""
    for message in catalog():
        if message.id:
            yield forms(message.id), forms(message.string)


def names(text: str) -> set[str]:
    """What `format` puts into a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def code_spans(text: str) -> list[str]:
    """What a text shows as code."""
    return sorted(re.findall(r"`[^`]*`", text))


def marked() -> Iterator[tuple[str, ast.expr]]:
    """Where the code marks a text, with what it marks."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
                if isinstance(node, ast.Call) and name in MARKERS:
                    for argument in node.args[: len(MARKERS[name] or "1")]:
                        yield f"{file.relative_to(ROOT)}:{node.lineno}", argument


def test_every_text_is_in_the_catalog() -> None:
    """`make texts` adds what is missing and drops what no code uses; translate what it adds."""
    known = {message.id for message in catalog()}
    used = {message.id for message in extracted()}
    assert sorted(map(str, used - known)) == []
    assert sorted(map(str, known - used)) == []
    assert not catalog().obsolete


def test_the_extraction_misses_no_text() -> None:
    """Babel does not look into f-strings."""
    known = {form for message in extracted() if message.id for form in forms(message.id)}
    written = {place: text.value for place, text in marked() if isinstance(text, ast.Constant)}
    assert {place: text for place, text in written.items() if text not in known} == {}


def test_every_text_is_translated() -> None:
    """No translation is empty or a guess."""
    assert [text for text, translations in entries() if not all(translations)] == []
    assert [message.id for message in catalog() if message.id and message.fuzzy] == []


def test_translations_put_in_the_same_values() -> None:
    """A missing name loses a fact, a foreign one breaks the message."""
    wrong = [text for text, chinese in entries() for each in chinese if names(each) != set.union(*map(names, text))]
    assert wrong == []


def test_translations_show_the_same_code() -> None:
    """Commands and ids are the same in both languages."""
    wrong = [text for text, chinese in entries() for each in chinese if code_spans(each) != code_spans(text[-1])]
    assert wrong == []


def test_chinese_has_full_width_punctuation() -> None:
    """As in Slack's and GCS's own pages."""
    assert [each for _, chinese in entries() for each in chinese if HALF_WIDTH.search(each)] == []


def test_chinese_has_no_spaces_within() -> None:
    """Only beside what is not Chinese: numbers, names, commands."""
    unmarked = [each.replace("* ", "") for _, chinese in entries() for each in chinese]
    assert [each for each in unmarked if SPACED.search(each)] == []


def test_marked_texts_are_never_put_together() -> None:
    """An f-string or a sum of texts is never found in the catalog."""
    assert [place for place, text in marked() if isinstance(text, (ast.JoinedStr, ast.BinOp))] == []


@pytest.mark.parametrize("text", ["执行中, 3", "失败:", "(原因", "已停止."])
def test_half_width_punctuation_is_found(text: str) -> None:
    """The test above can fail."""
    assert HALF_WIDTH.search(text)


def test_a_broken_translation_is_found() -> None:
    """What the tests above compare differs where a translation is wrong."""
    good, bad = Message("{done} of `x`"), Message("{doen} of `y`")
    assert names(str(good.id)) != names(str(bad.id))
    assert code_spans(str(good.id)) != code_spans(str(bad.id))
