"""What proxy.py of the tests loads: names under `.test` lead to this machine, for clients of the proxy only.

A client that goes past the proxy finds no such name, so a request that arrives has gone through it. Called by proxy.py.
"""

from __future__ import annotations

from proxy.http.proxy import HttpProxyBasePlugin


class ToLoopback(HttpProxyBasePlugin):
    """Resolves names for the proxy."""

    def resolve_dns(self, host: str, _port: int) -> tuple[str | None, tuple[str, int] | None]:
        """The address to connect to; None for the usual resolution."""
        return ("127.0.0.1" if host.endswith(".test") else None), None
