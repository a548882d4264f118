"""Where values come from: the environment, `.env`, and files that hold one secret each.

Lives here: reading and cleaning them, and what is wrong or careless with how they were given. Does not live here: what
a value must look like (`bot.settings.values`), misspelt names in the environment (`bot.settings.advice`). Called by
`fields`. No sentence repeats a value.

Nothing in a value is replaced: `${X}` in a password stays as it is.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from bot.settings import advice

FILE = "_FILE"
"""Ends the name of a variable that names a file with the secret in it."""

_MOST_BYTES = 64 * 1024
"""At most this many bytes such a file may have; no secret is that long."""

_UNUSABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, invisible ones, halves of characters and line ends."""

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*|[a-z_][a-z0-9_]*")
"""What the name of a setting looks like."""

_OPEN_TO_OTHERS = stat.S_IRWXO | stat.S_IWGRP


@dataclass(slots=True)
class Given:
    """What was given, and what there is to say about it."""

    values: dict[str, str] = field(default_factory=dict)
    """The bot's own name of a setting → its value, cleaned."""
    wrong: set[str] = field(default_factory=set)
    """Own names of settings with a problem: further problems with them do not matter."""
    problems: list[str] = field(default_factory=list)
    is_whole: bool = True
    """Whether `.env` was read, so that what is missing is not in it."""
    warnings: list[str] = field(default_factory=list)


def read(environment: Mapping[str, str], env_file: Path, known: Mapping[str, str], secrets: Collection[str]) -> Given:
    """Everything that is given under a name in `known`; the environment wins over `env_file`.

    `known` maps each name that is read to the bot's own name for it. Those of `secrets` may be given as files.
    """
    given = Given()
    files = {f"{name}{FILE}": name for name in secrets}
    names = {**known, **files}
    in_file, in_environment = _dotenv(env_file, names, given), _in_capitals(environment)
    misspelt = advice.near_misses({name for name, text in (in_file | in_environment).items() if _is_ours(text)}, names)
    given.problems += [*misspelt.values(), *advice.unknown_in_file(in_file.keys() - names.keys() - misspelt.keys())]
    texts = {**in_file, **{name: text for name, text in in_environment.items() if text.strip()}}
    for name in sorted(texts.keys() & known.keys(), key=lambda name: known[name] == name):  # the own name wins
        if text := texts[name].strip():
            given.values[known[name]] = _checked(name, text, known[name], given)
    for name, secret in files.items():
        if path := texts.get(name, "").strip():
            _take_file(name, Path(path), secret, given)
    return given


def _is_ours(text: str) -> bool:
    """Whether `text` may be meant for the bot. Kubernetes sets `<SERVICE>_PORT=tcp://…` for each of its services."""
    return not text.startswith(("tcp://", "udp://", "sctp://"))


def _in_capitals(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with its names in capitals; one that is spelt so wins over its twin."""
    lower_first = sorted(environment.items(), key=lambda item: item[0].isupper())
    given = {name.upper(): value for name, value in lower_first}
    # A service of Kubernetes that is called `health` sets our HEALTH_PORT to its own address.
    return {name: value for name, value in given.items() if not name.endswith("_PORT") or _is_ours(value)}


def _dotenv(path: Path, known: Mapping[str, str], given: Given) -> dict[str, str]:
    """Names and values of `path`, if there is such a file."""
    try:
        if not path.exists() and not path.is_symlink():  # a link that leads nowhere is not what was meant
            return {}
        _must_be_file(path)
        bindings = _bindings(path)
        is_open = _is_open(path)
    except (OSError, UnicodeError) as error:
        given.problems.append(f"{path} cannot be read: {_reason(error)}")
        given.is_whole = False
        return {}
    values: dict[str, str] = {}
    for each in bindings:
        name, text = (each.key or "").upper(), each.value
        is_name = name in known or _NAME.fullmatch(each.key or "") or advice.near_misses({name}, known)
        if each.error or (name and (text is None or not is_name)):  # it may be a part of a secret
            blank = each.original.string[: -len(each.original.string.lstrip())]
            line = each.original.line + len(blank.splitlines())
            given.problems.append(f"{path} cannot be read at line {line}: write NAME=value, all in one line")
        elif text and (values.get(name) or text) != text:
            given.problems.append(f"{name} is in {path} twice, with different values: remove one of them")
        elif text:
            values[name] = text
        elif name:
            values.setdefault(name, "")
    if is_open:
        given.warnings.append(f"{path} is open to other users of this machine: run chmod 600 {path}")
    return values


def _bindings(path: Path) -> list[Binding]:
    """What the lines of `path` say."""
    with path.open(encoding="utf-8-sig") as stream:
        bindings = [*parse_stream(stream)]
    if any("\0" in (each.key or "") for each in bindings):  # UTF-16 without its mark
        raise UnicodeError
    return bindings


def _take_file(name: str, path: Path, secret: str, given: Given) -> None:
    """Read the file that `name` names as the value of `secret`."""
    if secret in given.values:
        given.problems.append(f"{secret} and {name} are both set: keep one of them")
        return
    given.wrong.add(secret)
    if _flaw(str(path), secret):
        given.problems.append(f"{name} is wrong: {_flaw(str(path), secret)}")
        return
    try:
        _must_be_file(path)
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            given.problems.append(f"{name} is wrong: the file is larger than {_MOST_BYTES // 1024} KiB")
            return
        text = content.decode().strip()
        is_careless = _is_open(path) and path.stat().st_uid == os.geteuid()  # others' files are for others to close
    except (OSError, UnicodeError) as error:
        given.problems.append(f"{name} is wrong: the file cannot be read ({_reason(error)})")
        return
    if not text:
        given.problems.append(f"{name} is wrong: the file is empty")
        return
    given.wrong.remove(secret)
    given.values[secret] = _checked(name, text, secret, given, is_quoted_on_purpose=True)
    if is_careless:
        given.warnings.append(f"the file of {name} is open to other users of this machine: run chmod 600 on it")


def _checked(name: str, text: str, setting: str, given: Given, *, is_quoted_on_purpose: bool = False) -> str:
    """`text` unchanged; a problem with it is noted."""
    if problem := _flaw(text, setting, is_quoted_on_purpose=is_quoted_on_purpose):
        given.problems.append(f"{name} is wrong: {problem}")
        given.wrong.add(setting)
    return text


def _flaw(text: str, setting: str, *, is_quoted_on_purpose: bool = False) -> str:
    """What shows that `text` was copied together with something that is not part of it; empty if nothing does."""
    if any(unicodedata.category(character) in _UNUSABLE for character in text):
        return "it contains a line break or an invisible character; remove it"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and not is_quoted_on_purpose:
        return "it is in quotation marks, which count as part of it; remove them"
    if text.startswith(f"{setting}="):
        return "it begins with its own name; give only what follows the equals sign"
    return ""


def _must_be_file(path: Path) -> None:
    """Refuse all but files: Docker makes a directory where the file to mount is missing, and a pipe may never end."""
    kind = path.stat().st_mode
    if not stat.S_ISREG(kind):
        raise IsADirectoryError(errno.EISDIR, "it is a directory" if stat.S_ISDIR(kind) else "it is not a regular file")


def _is_open(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & _OPEN_TO_OTHERS)


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "it is not text in UTF-8: save it as UTF-8"
    return error.strerror or type(error).__name__
