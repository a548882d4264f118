"""What is wrong with the settings as a whole, and what to do about it, one sentence each.

Lives here: which settings need each other, names that were probably misspelt, and pydantic's findings as sentences.
Does not live here: checks of single values (`bot.settings.values`, `bot.settings.fields`). Pure; called by `fields` and
`sources`. No sentence repeats a value. `known` maps every variable that is read to the bot's own name for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches

from pydantic_core import ErrorDetails

_OTHER_NAMES = {
    "GCS_ACCESS_KEY": "GCS_AK",
    "GCS_ACCESS_KEY_ID": "GCS_AK",
    "GCS_SECRET_KEY": "GCS_SK",
    "GCS_SECRET_ACCESS_KEY": "GCS_SK",
    "GCS_USER": "GCS_USERNAME",
    "GCS_USER_NAME": "GCS_USERNAME",
    "GCS_DOMAIN_NAME": "GCS_DOMAIN",
    "GCS_PROJECT": "GCS_PROJECT_ID",
    "ALLOWED_EXTERNAL": "ALLOW_EXTERNAL",
    "ALLOWED_GROUP": "ALLOWED_USER_GROUPS",
    "ALLOWED_GROUPS": "ALLOWED_USER_GROUPS",
    "ALLOW_GROUPS": "ALLOWED_USER_GROUPS",
    "ALLOWED_GUESTS": "ALLOW_GUESTS",
    "SLACK_TOKEN": "SLACK_BOT_TOKEN",
    "SLACK_SECRET": "SLACK_SIGNING_SECRET",
    "REDIS_URI": "REDIS_URL",
    "VALKEY_URI": "REDIS_URL",
    "VALKEY_URL": "REDIS_URL",
    "REDIS_ADDR": "REDIS_URL",
    "REDIS_ADDRESS": "REDIS_URL",
}
"""Names that other programs use for the same setting."""

_IF_MISSING = {
    "SLACK_BOT_TOKEN": "install the app in your workspace and copy its Bot User OAuth Token (xoxb-…)",
}
"""What to do about a setting that is always required."""

_PLAINLY = {
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "bool_parsing": "give true or false",
}
"""Pydantic's kind of a finding → what to give, where its own words are about Python."""

_SIMILAR_ENOUGH = 0.87
"""How similar two names must be for one to be taken for a misspelling of the other."""

_LONG_ENOUGH = 6
"""How long a name must be to be taken for a misspelling: among shorter ones, other programs' names look alike."""

_OTHER_PROGRAMS = re.compile(
    r"(HTTP|FTP|ALL|SOCKS|RSYNC|WS|WSS)_PROXY"  # beside HTTPS_PROXY
    r"|.*_SERVICE_(HOST|PORT)(_.*)?|.*_PORT_\d+_(TCP|UDP)(_.*)?"  # Kubernetes says where its services are
    r"|(GCP|[A-Z]?CS(?<!GCS))_(REGION|PROJECT|PROJECT_ID)"  # other clouds and services
    r"|HUAWEICLOUD_SDK_(DOMAIN_ID|PROJECT_NAME)|GO_PROXY|STAGE_DIR|STATS_DIR|SLACK_API_TOKEN"
)
"""Names that resemble settings and belong to other programs."""

_BESIDE_OURS = re.compile(r"COMPOSE_.*|STORE_PASSWORD")
"""Names that Docker Compose reads from the same `.env`; see compose.yaml for the second."""


def bad_combinations(given: set[str]) -> Iterator[str]:
    """What is missing, judging by the names of the settings that are `given`."""
    if not given & {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}:
        yield (
            "SLACK_APP_TOKEN is missing: create an app-level token with connections:write for Socket Mode "
            "(or set SLACK_SIGNING_SECRET for HTTP mode)"
        )
    keys, password = {"GCS_AK", "GCS_SK"}, {"GCS_USERNAME", "GCS_PASSWORD", "GCS_DOMAIN"}
    if given & (keys | {"GCS_SECURITY_TOKEN"}):
        yield from (f"{name} is missing: GCS_AK and GCS_SK belong together" for name in sorted(keys - given))
    elif given & password:
        missing = sorted(password - given)
        yield from (f"{name} is missing: a password login needs {', '.join(sorted(password))}" for name in missing)
    else:
        yield (
            "GCS_AK is missing: set GCS_AK and GCS_SK of an IAM user that may read executions "
            "(or GCS_USERNAME, GCS_PASSWORD and GCS_DOMAIN)"
        )


def near_misses(names: Collection[str], known: Mapping[str, str]) -> dict[str, str]:
    """Those of `names` that look like a misspelt setting which is not set: its default would go unnoticed."""
    given = {known[name] for name in names if name in known}
    meant = {name: _meant(name, known) for name in sorted(set(names) - known.keys())}
    return {
        name: f"{name} is not a setting: did you mean {setting}?"
        for name, setting in meant.items()
        if setting and known[setting] not in given
    }


def unknown_in_file(names: Collection[str]) -> Iterator[str]:
    """`names` in `.env` that are not settings: the bot alone reads the file, so they have no effect."""
    for name in sorted(names):
        if not _BESIDE_OURS.fullmatch(name):
            yield f"{name} in .env is not a setting: remove it (docs/settings.md lists all settings)"


def _meant(name: str, known: Mapping[str, str]) -> str | None:
    """The setting that was probably meant by `name`."""
    if other := _OTHER_NAMES.get(name):
        return other
    stem = name.removesuffix("_FILE")  # only secrets may be files
    if len(stem) >= _LONG_ENOUGH and stem in known:
        return stem
    if len(name) < _LONG_ENOUGH or _OTHER_PROGRAMS.fullmatch(name):
        return None
    return next(iter(get_close_matches(name, known, n=1, cutoff=_SIMILAR_ENOUGH)), None)


def sentence(found: ErrorDetails, known: Mapping[str, str]) -> str:
    """One of pydantic's findings as a sentence."""
    key = str(found["loc"][0]).upper() if found["loc"] else ""
    name = known.get(key, key)
    if found["type"] == "missing":
        return f"{name} is missing: {_IF_MISSING.get(name, 'see docs/settings.md')}"
    if plain := _PLAINLY.get(found["type"]):
        return f"{name} is wrong: {plain}"
    text = re.sub(r"datetime\.timedelta\([^)]*\)", _in_seconds, found["msg"].removeprefix("Value error, "))
    return f"{name} is wrong: {text[:1].lower()}{text[1:]}"


def _in_seconds(shown: re.Match[str]) -> str:
    """A duration in Python's own notation, as pydantic shows it, as people write it."""
    parts = {unit: int(number) for unit, number in re.findall(r"(\w+)=(-?\d+)", shown[0])}
    return f"{timedelta(**parts).total_seconds():g} seconds"
