"""The two languages: which one is being written, and the translation of each text into it.

Lives here: `Language`, `speaking`, the functions that mark and translate a text (`_`, `ngettext`, `N_`), and the choice
between the halves of GCS's own texts. English texts are the keys; their translations are in `bot/locale/`, which
`make texts` keeps complete.
Does not live here: numbers and durations (`bot.blocks.text`). Called by the other modules of `bot.blocks`;
`speaking` by the notifier and by `handlers`.

A text is a whole sentence or line, never a fragment, since Chinese has another order of words. What varies in it has a
name: `_("{done} of {total} steps").format(done=3, total=5)`, never an f-string.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE_FOLDER = Path(__file__).resolve().parents[1] / "locale"


class Language(StrEnum):
    """A language that the bot writes; the value is Babel's name of the locale."""

    ENGLISH = "en"
    CHINESE = "zh_CN"

    @classmethod
    def of_locale(cls, locale: str) -> Language | None:
        """The language for Slack's `locale`, such as `zh-CN` or `en-US`; None for one that the bot does not write.

        Readers of traditional characters get the simplified ones, which are closer to them than English.
        """
        return _BY_TAG.get(locale.replace("_", "-").partition("-")[0].casefold())


_BY_TAG = {"en": Language.ENGLISH, "zh": Language.CHINESE}
"""By the first part of a locale. Babel's `negotiate_locale` compares whole names: it finds nothing for `zh-CN`."""

_spoken: ContextVar[Language] = ContextVar("language", default=Language.ENGLISH)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Everything that is rendered inside is in `language`."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> Language:
    """The language that is being written."""
    return _spoken.get()


def own_half(english: str, chinese: str) -> str:
    """A text of GCS in the language that is being written; the other one where it has only that."""
    return (chinese or english) if spoken() is Language.CHINESE else (english or chinese)


def _(text: str) -> str:
    """`text` in the language that is being written."""
    return catalog(_spoken.get()).gettext(text) if text else ""


def ngettext(one: str, many: str, number: int) -> str:
    """`one` or `many`, in the form that `number` takes in the language that is being written."""
    return catalog(_spoken.get()).ngettext(one, many, number)


def N_(text: str) -> str:  # noqa: N802  # gettext's name for it
    """`text` as it is: marks a constant for the catalog, which `_` translates where it is shown."""
    return text


@cache
def catalog(language: Language) -> NullTranslations:
    """The translations into `language`, read once; English needs none."""
    if language is Language.ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    with (LOCALE_FOLDER / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)
