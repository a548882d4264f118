"""`make texts`: brings the catalog of translations up to date with the texts in the code.

Lives here: `extracted`, what the code marks (`MARKERS`); `updated`, the catalog with all of it; and
how the file is written. Does not live here: the translations (`bot/locale/`), and what must hold for them
(`tests/unit/blocks/test_translations.py`).

A new text has an empty translation, which somebody fills in; one that no code has any more is dropped. Texts stand in
the order of the code, one line each, without line numbers and dates, so that a change shows what it changes.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from bot.blocks.language import LOCALE_FOLDER, Language

ROOT = Path(__file__).resolve().parents[1]
CHINESE = LOCALE_FOLDER / f"{Language.CHINESE}.po"
FOLDERS = ("bot", "handlers")
COMMENT = "Translators:"
MARKERS = {"_": None, "N_": None, "ngettext": (1, 2), "plural": (1, 2)}
"""The functions that mark a text, and which of their arguments are its forms."""
HEADER = """\
# Simplified Chinese. Kept complete by `make texts`; words and punctuation as in GeneContainer Service and Slack.
msgid ""
msgstr ""
"Language: zh_CN\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def extracted() -> Catalog:
    """Every marked text, in the order of the code."""
    catalog = Catalog(locale=Language.CHINESE)
    for folder in FOLDERS:
        found = extract_from_dir(ROOT / folder, keywords=MARKERS, comment_tags=(COMMENT,), strip_comment_tags=True)
        for file, line, text, comments, context in sorted(found, key=lambda one: one[:2]):
            catalog.add(text, None, [(f"{folder}/{file}", line)], auto_comments=comments, context=context)
    return catalog


def updated(texts: Catalog) -> Catalog:
    """The catalog of today with exactly `texts`; what is new has no translation yet."""
    with CHINESE.open("rb") as file:
        catalog = read_po(file, locale=Language.CHINESE)
    # Similar texts are no translations of each other.
    catalog.update(texts, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def written(catalog: Catalog) -> str:
    """The catalog as the file has it."""
    file = BytesIO()
    write_po(file, catalog, width=0, omit_header=True, sort_by_file=True, include_lineno=False)
    return HEADER + file.getvalue().decode().strip() + "\n"


def forms(text: Any) -> tuple[str, ...]:
    """One text, or several forms of it, as Babel has them."""
    return (text,) if isinstance(text, str) else tuple(text)


def main() -> None:
    """Write the catalog and say what is missing."""
    catalog = updated(extracted())
    CHINESE.write_text(written(catalog), "utf-8")
    missing = sum(not all(forms(text.string or "")) for text in catalog if text.id)
    sys.stdout.write(f"{CHINESE.relative_to(ROOT)} has {len(catalog)} texts, {missing} of them not translated yet.\n")


if __name__ == "__main__":
    main()
