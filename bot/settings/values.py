"""How values are written: addresses, durations, tokens; a check never repeats the value that it refuses.

Lives here: the types of fields that need more than a bound, each with the sentence for a wrong value. Does not live
here: the fields (`bot.settings.fields`). Called by `fields`.
"""

from __future__ import annotations

import re
import socket
import ssl
import stat
from collections.abc import Set as AbstractSet
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

HIGHEST_PORT = 65535
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_USER = r"([^\s/?#\[\]]*@)?"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:,\[\]]+)(:[0-9]+)?"
_SERVER = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]*[1-9][0-9]*)?"
_HOSTS = rf"{_USER}{_HOST}(,{_HOST})*"
_STORES = {
    r"rediss?": rf"{_USER}({_HOST})?(/[0-9]*)?",
    r"unix": r"(/[^\s?#]+|[^\s?#]+@/[^\s?#]+)",
    r"rediss?\+sentinel": rf"{_HOSTS}/[^\s/?#@]+(/[0-9]*)?",
    r"rediss?\+cluster": rf"{_HOSTS}/?",
}
"""Scheme of a store's address → what follows `://`; options may follow behind a `?`."""


def matching(pattern: str, advice: str) -> AfterValidator:
    """A check that the whole text matches `pattern`; `advice` says what to give instead."""

    def check(value: SecretStr | str | None) -> SecretStr | str | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(advice)
        return value

    return AfterValidator(check)


def _url(text: str) -> str:
    """`text` without its last slash; https, or http on this machine only, since keys are sent to it."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # parsed only now
    except ValueError:  # its text would repeat the value
        raise ValueError("give an https:// address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    is_plain = re.fullmatch(_SERVER, parts.netloc) and not re.search("[^!-~]", parts.path)
    if not is_safe or not is_plain or parts.query or parts.fragment:
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
    """The words of a text, separated by commas or spaces.

    Separators alone are not an empty list: that would allow everybody, and something was meant to be in it.
    """
    if not isinstance(value, str):
        return value
    found = frozenset(re.split(r"[,\s]+", value)) - {""}
    if value and not found:
        raise ValueError("it has separators only; give at least one id, or leave it out")
    return found


def all_matching(pattern: str, advice: str) -> AfterValidator:
    """A check that each of several texts matches `pattern` as a whole; `advice` says what to give instead."""

    def check(values: AbstractSet[str]) -> AbstractSet[str]:
        if not all(re.fullmatch(pattern, value, re.ASCII) for value in values):
            raise ValueError(advice)
        return values

    return AfterValidator(check)


def _own_address(host: str) -> str:
    """`host`, if this machine can listen on it; an IPv6 address may be in brackets, as in a URL."""
    host = host.removeprefix("[").removesuffix("]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.bind(address)
    except (OSError, UnicodeError):
        raise ValueError(
            "this machine has no such address; give 127.0.0.1, 0.0.0.0 for all (:: with IPv6), or one of its own"
        ) from None
    return host


def _proxy(value: SecretStr | None) -> SecretStr | None:
    """A proxy's address with its scheme; it may hold a password."""
    if value is None:
        return None
    text = value.get_secret_value()
    text = text if "://" in text else f"http://{text}"
    found = re.fullmatch(rf"https?://{_USER}{_HOST}/?", text)
    if not found or int((found[3] or ":0")[1:]) > HIGHEST_PORT:
        raise ValueError(
            "give http://[user:password@]host:port, or https:// for a proxy with TLS; nothing else works, and in "
            "a password write / ? # [ ] as %2F %3F %23 %5B %5D"
        )
    return SecretStr(text.rstrip("/"))


def _bundle(path: Path | None) -> Path | None:
    """A file of certificates, which is read now, so that the bot does not start without them."""
    if path is not None:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe may never end
                raise ValueError("it is a directory, or no regular file")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError:
            raise ValueError("the file holds no certificates in PEM format") from None
        except OSError as error:
            raise ValueError(f"the file cannot be read ({error.strerror})") from None
    return path


def _literal(path: Path) -> Path:
    """`path`, unless a shell would have replaced something in it: data would be kept where nobody looks for it."""
    if str(path).startswith("~") or "$" in str(path):
        raise ValueError("nothing in it is replaced; write the whole path instead of ~ or $")
    return path


def with_bundle(address: str, bundle: Path | None) -> str:
    """A store's address that trusts the authorities of `bundle` too, unless it names its own."""
    has_tls = address.startswith("rediss")
    if bundle is None or not has_tls or "ssl_ca_" in address:
        return address
    return f"{address}{'&' if '?' in address else '?'}ssl_ca_certs={quote(str(bundle.resolve()))}"


def skips_names(address: str) -> bool:
    """Whether a store's certificate may be for another name; the values are those that redis-py takes for off."""
    found = parse_qs(urlsplit(address).query).get("ssl_check_hostname", [])
    return any(value.upper() in {"0", "F", "FALSE", "N", "NO"} for value in found)


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
    if any(int(port) > HIGHEST_PORT for port in re.findall(r":([0-9]+)(?=[,/?]|$)", hosts)):
        raise ValueError(f"ports go up to {HIGHEST_PORT}")
    if parse_qs(text.partition("?")[2]).get("ssl_cert_reqs", ["required"]) != ["required"]:
        raise ValueError(
            "ssl_cert_reqs lets anybody between the bot and the store read and change everything; remove it, and name "
            "your certificate authority in CA_BUNDLE"
        )
    return value


CABundle = Annotated[Path | None, AfterValidator(_bundle)]
Words = Annotated[frozenset[str], BeforeValidator(_words)]
Duration = Annotated[timedelta, BeforeValidator(_seconds)]
ListenHost = Annotated[str, AfterValidator(_own_address)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
Port = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]
ProxyAddress = Annotated[SecretStr | None, AfterValidator(_proxy)]
StoreAddress = Annotated[SecretStr | None, AfterValidator(_store_address)]
StateDir = Annotated[Path, AfterValidator(_literal)]
Url = Annotated[str, AfterValidator(_url)]
UrlWithSlash = Annotated[Url, AfterValidator(lambda url: f"{url}/")]
