"""Promises of `bot.errors`: classes and values only; the sentences for people are made where they are shown."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from bot.errors import InputProblem, InvalidInput

ROOT = Path(__file__).parents[2]
DATA_ONLY = ["bot/domain", "bot/gcs", "bot/slack", "bot/store", "bot/workers", "handlers"]
"""Where no sentence for people is made. `bot/blocks` makes them; `bot/app` and `bot/settings` address operators."""
MODULES = sorted(
    chain(
        [ROOT / "bot" / f"{name}.py" for name in ("errors", "subscriptions", "search", "reads")],
        *((ROOT / folder).rglob("*.py") for folder in DATA_ONLY),
    )
)


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string literal, docstrings and what is printed at start-up left out."""
    nodes = list(ast.walk(tree))
    ignored = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for call in [*calls(tree, "SettingsInvalid"), *calls(tree, "StateDirInUse")]:
        ignored |= {id(node) for node in ast.walk(call)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and id(node) not in ignored:
            ignored |= {id(part) for part in node.values}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in ignored:
            yield node.lineno, node.value


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Every call of `name`."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in found if isinstance(call.func, ast.Name) and call.func.id == name]


def is_sentence(text: str) -> bool:
    """Whether a literal reads as a sentence to a person: a capital, several words, a full stop."""
    return text[:1].isupper() and text.count(" ") > 2 and text.rstrip().endswith((".", "!", "?"))


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ('NOTE = "Try again in a minute."', True),
        ('raise InvalidInput(f"I do not know {word}.")', True),
        ('give(("Which execution? " f"{line}, with the id."))', True),
        ('"""A docstring is no text for people."""', False),
        ('raise SettingsInvalid(["There is no embedded store here."])', False),
        ('log.warning("handlers.refused", why="no response_url")', False),
    ],
)
def test_sentences_in_code_are_found(source: str, is_found: bool) -> None:
    """The search below finds plain and formatted strings, and leaves out what is not for people in Slack."""
    assert any(is_sentence(text) for _, text in texts(ast.parse(source))) is is_found


def test_no_sentence_is_made_outside_blocks() -> None:
    """Errors and stored data carry codes and values."""
    assert len(MODULES) > 100
    for module in MODULES:
        tree = ast.parse(module.read_text())
        assert [(str(module), line, text) for line, text in texts(tree) if is_sentence(text)] == []


def test_invalid_input_has_a_problem_and_values() -> None:
    """Every place that raises it names an `InputProblem`, and passes no text of several words."""
    for module in MODULES:
        for call in calls(ast.parse(module.read_text()), "InvalidInput"):
            (problem,) = call.args
            literals = [text for keyword in call.keywords for _, text in texts(keyword.value)]
            assert ast.unparse(problem).removeprefix("InputProblem.") in InputProblem.__members__, module
            assert not [(str(module), text) for text in literals if " " in text.strip()]


def test_invalid_input_hides_what_was_typed() -> None:
    """The log shows the problem; what people type may be a name or a key."""
    error = InvalidInput(InputProblem.MISSPELLED_WORD, word="lst", line="list")
    assert (str(error), repr(error)) == ("misspelled_word", "InvalidInput('misspelled_word')")
