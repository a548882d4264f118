"""The way to servers outside: which proxy, if any, and which certificates are trusted.

Lives here: `Network`, and which hosts `NO_PROXY` means. Does not live here: reading the settings (`bot.settings`), the
connections (`bot.gcs.transport`, `bot.slack`, and `bot.store`, whose client takes the bundle as an option of its
address). Built by `bot.settings`; every client for Slack, GCS and IAM gets one. No client reads proxies or bundles from
the environment.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from pydantic import SecretStr

_TLS_PORT = 443
_PROXIED = frozenset({"https", "wss"})
"""Plain http is allowed on this machine only, where a proxy has nothing to do."""


@dataclass(frozen=True, slots=True)
class Network:
    """How connections over TLS leave. Without values: directly, trusting the public authorities."""

    proxy: SecretStr | None = None
    """`http://[user:password@]host:port`, or https."""
    no_proxy: str = ""
    """Hosts that are reached directly, separated by commas, as curl reads `NO_PROXY`."""
    ca_bundle: Path | None = None
    """A file of further certificate authorities (PEM)."""

    def proxy_for(self, url: str) -> str | None:
        """The proxy for a request to `url`, with its password; None for a direct connection."""
        if self.proxy is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in _PROXIED or not parts.hostname:
            return None
        if bypasses(self.no_proxy, parts.hostname, parts.port or _TLS_PORT):
            return None
        return self.proxy.get_secret_value()

    def way_to(self, url: str) -> str:
        """The way to `url` in words, without user and password of the proxy."""
        proxy = self.proxy_for(url)
        return f"through the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}" if proxy else "directly"

    def tls(self) -> ssl.SSLContext:
        """A context that trusts the public authorities, those of this machine, and those of `ca_bundle`."""
        return _tls(self.ca_bundle)


@lru_cache(maxsize=1)
def _tls(ca_bundle: Path | None) -> ssl.SSLContext:
    """One context for all clients of the process, since reading the authorities takes a while."""
    context = ssl.create_default_context(cafile=certifi.where())  # a bare machine has no authorities of its own
    context.load_default_certs()
    if ca_bundle is not None:
        context.load_verify_locations(ca_bundle)
        # Python 3.13 wants fields that many companies' authorities lack; chain, dates and name are still checked.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    return context


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether `no_proxy` names the server.

    As curl has it: names match themselves and everything below them, with or without a dot in front; `*` matches all;
    `*.` in front of a name, which other tools read, counts as a dot; addresses may have a mask
    (`10.0.0.0/8`); a port limits an entry to that port.
    """
    host = host.lower().rstrip(".")
    return any(_matches(name, host) for name, only in _entries(no_proxy) if only in {None, port})


def _entries(no_proxy: str) -> Iterable[tuple[str, int | None]]:
    """Name or address of each entry, and its port."""
    for entry in re.split(r"[,\s]+", no_proxy.lower()):
        found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(\d+))?", entry)  # no match: an IPv6 address as it is
        name, port = found.groups() if found else (entry, None)
        yield name.removeprefix("*.").strip("[].") or entry, int(port) if port else None


def _matches(name: str, host: str) -> bool:
    if name == "*":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return bool(name) and f".{host}".endswith(f".{name}")
    try:
        return address in ip_network(name, strict=False)
    except ValueError:
        return False
