"""Promises of `docs/messages.md`: everything that the bot says is on it, as it is said today."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from difflib import unified_diff
from types import CodeType, FrameType

import pytest

import bot.blocks
import bot.errors
from bot.blocks import buttons
from bot.blocks.language import Language
from bot.errors import BotError
from sandbox.page.emoji import NAMES, VARIATION
from sandbox.slack import blockkit
from tests.messages import errors, heights, page
from tests.messages.catalogue import CATALOGUE, everything
from tests.messages.example import Goal, Place, Said, Surface

VALUES = {"bot.blocks.text", "bot.blocks.language"}
"""Modules that clean, format and translate, whatever is said."""
PLACES: dict[Place, blockkit.Surface] = {
    Place.CHANNEL: "message",
    Place.PRIVATE: "message",
    Place.MODAL: "modal",
    Place.HOME: "home",
}
STALE = "Run `make messages`, or `python -m tests.messages`, with a Chromium; then look at what changed on the page."
MOST_BYTES = 9_000
"""Of one message. Home and modals are fetched, not sent to everyone."""


FOREIGN = (
    "Nightly panel, lane",
    "execute Action: create failed: container",
    "was killed, exit code",
    "steps failed",
    "plugin panicked: index out of range",
    "with length",
    "execute Action: create failed: the reference genome does not match the index",
    "Created job",
)
"""What GCS and people say in the examples, in whatever language that is."""
ENGLISH = re.compile(r"[A-Za-z']{2,}(?:[,:;.]? [A-Za-z']{2,})+")
NO_WORDS = re.compile(r"`[^`]*`|<[^>]*>|[\w-]*-[\w-]+")
"""Code, what Slack fills in, and names."""


def texts(node: object) -> Iterator[str]:
    """Every text object of blocks."""
    if isinstance(node, list | tuple):
        for each in node:
            yield from texts(each)
    elif isinstance(node, dict):
        yield from ([node["text"]] if isinstance(node.get("text"), str) else [])
        yield from texts([value for value in node.values() if not isinstance(value, str)])


def english_in(text: str) -> list[str]:
    """Two English words and more in a row, but those that are not the bot's."""
    found = ENGLISH.findall(NO_WORDS.sub(" ", text))
    return [words for words in found if not any(words in foreign for foreign in FOREIGN)]


def everyone() -> list[Said]:
    """Each example in each language."""
    return [one for _, _, spoken in everything() for one in spoken]


def renderers() -> dict[str, CodeType]:
    """Every function of `bot.blocks` that has a part in what is read: not those for values and for what comes in."""
    found = {}
    for info in pkgutil.iter_modules(bot.blocks.__path__, "bot.blocks."):
        for name, value in vars(importlib.import_module(info.name)).items():
            is_own = inspect.isfunction(value) and value.__module__ == info.name
            if is_own and info.name not in VALUES and not name.startswith("parse_"):
                found[f"{info.name}.{name}"] = inspect.unwrap(value).__code__
    return found


def called(work: Callable[[], object]) -> set[CodeType]:
    """The functions that ran during `work`."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        seen.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return seen


def test_the_page_is_up_to_date() -> None:
    """A message that changes is seen on the page."""
    written, now = page.FILE.read_text(encoding="utf-8"), page.page(heights.read())
    differing = list(unified_diff(written.splitlines(), now.splitlines(), n=0, lineterm=""))
    assert not differing, "\n".join([STALE, *differing[:30]])


def test_chinese_messages_have_no_english_left() -> None:
    """Each example in Chinese is Chinese as a whole, but for names, code and what GCS says."""
    left = {
        f"{example.name}: {words}"
        for _, example, spoken in everything()
        for one in spoken
        if one.language is Language.CHINESE
        for text in (one.text, one.title, *one.buttons, *texts(one.blocks))
        for words in english_in(text)
    }
    assert left == set()


def test_english_in_chinese_is_found() -> None:
    """The test above can fail."""
    assert english_in("关于 wgs-1：stopped following `x` here now") == ["stopped following", "here now"]


def test_plain_text_has_dates_in_words() -> None:
    """Notifications and screen readers fill in no tokens, so these are text there."""
    assert [one.text for one in everyone() if "<!date" in one.text] == []
    assert any("<!date" in text for one in everyone() for text in texts(one.blocks))


def test_the_sandbox_draws_every_emoji() -> None:
    """Otherwise it is an empty box on a machine without a colour emoji font."""
    written = "".join(text for one in everyone() for text in texts(one.blocks))
    assert {sign.rstrip(VARIATION) for sign in re.findall("[\U0001f000-\U0001ffff]|.\ufe0f", written)} <= NAMES.keys()


def test_every_height_was_measured() -> None:
    """A message that changes is measured again, and what nobody says is forgotten."""
    assert len(heights.read().keys() ^ {one.digest for one in everyone()}) == 0, STALE


def test_every_renderer_has_an_example() -> None:
    """What no example calls, nobody can review: a new sentence needs an example in `tests/messages`."""
    seen = called(lambda: page.page({}))
    assert sorted(name for name, code in renderers().items() if code not in seen) == []
    assert len(renderers()) > 100


def test_every_button_has_an_example() -> None:
    """By its action id, or by that of a choice in a menu."""
    shown = json.dumps([one.blocks for one in everyone()])
    actions = [value for name, value in vars(buttons).items() if name.isupper() and not name.startswith("_")]
    assert [action for action in actions if f'"{action}"' not in shown and f'"{action}:' not in shown] == []


def test_every_error_is_on_the_page() -> None:
    """Also one without a sentence of its own; problems of an input and operators' errors have other places."""
    listed = {row.code for row in errors.errors()}
    classes = [kind for kind in vars(bot.errors).values() if isinstance(kind, type) and issubclass(kind, BotError)]
    expected = {kind.__name__ for kind in classes if not issubclass(kind, errors.WITHOUT_SENTENCE)}
    assert expected - listed == set()


def test_every_example_has_its_own_name() -> None:
    """Links lead to one place."""
    anchors = [page.anchor(surface, example) for surface in CATALOGUE for example in surface.examples]
    assert len(set(anchors)) == len(anchors)


@pytest.mark.parametrize("surface", CATALOGUE, ids=lambda surface: surface.title)
def test_slack_takes_every_example(surface: Surface) -> None:
    """The blocks keep Slack's rules, and a message has at most 9 kB."""
    for example, spoken in ((example, spoken) for found, example, spoken in everything() if found is surface):
        for one in spoken:
            assert blockkit.problems(list(one.blocks), PLACES[surface.place]) == [], example.name
            assert PLACES[surface.place] != "message" or one.size <= MOST_BYTES, example.name


def test_held_goals_are_kept() -> None:
    """As measured; `tests/browser/test_heights.py` measures again."""
    known = heights.read()
    held: list[tuple[Goal, str, heights.Height]] = [
        (example.goal, example.name, known[one.digest])
        for _, example, spoken in everything()
        for one in spoken
        if example.goal is not None and example.goal.is_held and one.digest in known
    ]
    assert [(name, height) for goal, name, height in held if heights.exceeds(height, goal)] == []
    assert held
