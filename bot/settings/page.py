"""`docs/settings.md`, generated from the settings themselves.

Lives here: the layout of the page. Does not live here: its texts, which are docstrings of `bot.settings.fields`. Called
by `python -m bot.settings` and by the test that keeps the page up to date.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from pydantic.fields import FieldInfo

from bot.settings.fields import EXPERT, SECRETS, Settings, names_of

_HEAD = """\
# Settings

Set these in the environment, or in a file `.env` in the directory where the bot is started. The environment wins, and
an empty variable counts as not set. White space around a value is dropped; nothing in it is replaced, so `${X}` in a
password stays as it is. When it starts, the bot reports everything that is wrong at once, including names in `.env`
that are not settings, and names in the environment that look misspelt; `execution-bot check` then tries the settings.
This page is generated: `python -m bot.settings > docs/settings.md`.

Always required: `SLACK_BOT_TOKEN`; one of `SLACK_APP_TOKEN` and `SLACK_SIGNING_SECRET`; and either `GCS_AK` with
`GCS_SK`, or `GCS_USERNAME` with `GCS_PASSWORD` and `GCS_DOMAIN` (if both are given, the keys win).

Each secret may be in a file instead: with `_FILE` behind its name, a variable names the file, as Docker's and
Kubernetes' secrets need it (`GCS_SK_FILE=/run/secrets/gcs_sk`). The rows below say which settings are secrets.

## Common settings

"""

_EXPERTS = """
## Settings for experts

The defaults fit almost everywhere. Change one only if you know why.

"""


def reference() -> str:
    """The whole page."""
    fields = Settings.model_fields.items()
    common = [_row(name, field) for name, field in fields if EXPERT not in field.metadata]
    expert = [_row(name, field) for name, field in fields if EXPERT in field.metadata]
    return f"{_HEAD}{_table(common)}{_EXPERTS}{_table(expert)}"


def _table(rows: Iterable[str]) -> str:
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    own, *others = names_of(name, field)
    also = f" Also read from `{'`, `'.join(others)}`." if others else ""
    meaning = " ".join((field.description or "").split())
    also += f" Secret; `{own}_FILE` may name a file with it." if own in SECRETS else ""
    return f"| `{own}` | {_default(field)} | {meaning}{also} |"


def _default(field: FieldInfo) -> str:
    """A field's default, as one would type it."""
    if field.is_required():
        return "**required**"
    if field.default in {None, "", frozenset()} or field.default_factory:
        return ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, timedelta):
        return f"`{field.default.total_seconds():g}`"
    return f"`{field.default}`"
