"""How values are written: addresses, durations, tokens; a check never repeats the value that it refuses.

Lives here: the types of fields that need more than a bound, each with the sentence for a wrong value. Does not live
here: the fields (`bot.settings.fields`). Called by `fields`.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

HIGHEST_PORT = 65535
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_USER = r"([^\s/?#\[\]]*@)?"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:,\[\]]+)(:\d+)?"
_HOSTS = rf"{_USER}{_HOST}(,{_HOST})*"
_STORES = {
    r"rediss?": rf"{_USER}({_HOST})?(/\d*)?",
    r"unix": r"(/[^\s?#]+|[^\s?#]+@/[^\s?#]+)",
    r"rediss?\+sentinel": rf"{_HOSTS}/[^\s/?#@]+(/\d*)?",
    r"rediss?\+cluster": rf"{_HOSTS}/?",
}
"""Scheme of a store's address → what follows `://`; options may follow behind a `?`."""


def matching(pattern: str, advice: str) -> AfterValidator:
    """A check that the whole text matches `pattern`; `advice` says what to give instead."""

    def check(value: SecretStr | str | None) -> SecretStr | str | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not re.fullmatch(pattern, text):
            raise ValueError(advice)
        return value

    return AfterValidator(check)


def _url(text: str) -> str:
    """`text` without its last slash; https, or http on this machine only, since keys are sent to it."""
    try:
        parts = urlsplit(text)
    except ValueError:  # its text would repeat the value
        raise ValueError("give an https:// address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("give an https:// address (http:// is for this machine only) without user, query or fragment")
    return text.rstrip("/")


def _seconds(value: Any) -> Any:
    """A duration from a number of seconds."""
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError("give a number of seconds") from None


def _words(value: Any) -> Any:
    """The words of a text, separated by commas or spaces."""
    return frozenset(re.split(r"[,\s]+", value.strip(", \t\r\n"))) - {""} if isinstance(value, str) else value


def all_matching(pattern: str, advice: str) -> AfterValidator:
    """A check that each of several texts matches `pattern` as a whole; `advice` says what to give instead."""

    def check(values: AbstractSet[str]) -> AbstractSet[str]:
        if not all(re.fullmatch(pattern, value) for value in values):
            raise ValueError(advice)
        return values

    return AfterValidator(check)


def _store_address(value: SecretStr | None) -> SecretStr | None:
    """An address of a store; it may hold a password."""
    if value is None:
        return None
    text = value.get_secret_value()
    rest = next((rest for kind, rest in _STORES.items() if re.match(rf"{kind}://", text)), None)
    if rest is None:
        raise ValueError(
            "give an address that begins with redis://, rediss:// (TLS) or unix://, with redis+sentinel:// or "
            "redis+cluster:// (rediss+… with TLS)"
        )
    if not re.fullmatch(rf"[a-z+]+://{rest}(\?\S*)?", text):
        raise ValueError(
            "give redis://[user:password@]host:port[/db], unix:///path, redis+sentinel://[user:password@]host:port,…"
            "/service[/db] or redis+cluster://[user:password@]host:port,…; "
            "in a password write / ? # [ ] as %2F %3F %23 %5B %5D"
        )
    hosts = text.partition("://")[2].rpartition("@")[2]
    if any(int(port) > HIGHEST_PORT for port in re.findall(r":(\d+)(?=[,/?]|$)", hosts)):
        raise ValueError(f"ports go up to {HIGHEST_PORT}")
    return value


Words = Annotated[frozenset[str], NoDecode, BeforeValidator(_words)]
Duration = Annotated[timedelta, BeforeValidator(_seconds)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
Port = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]
StoreAddress = Annotated[SecretStr | None, AfterValidator(_store_address)]
Url = Annotated[str, AfterValidator(_url)]
UrlWithSlash = Annotated[Url, AfterValidator(lambda url: f"{url}/")]
