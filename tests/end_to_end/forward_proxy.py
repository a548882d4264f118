"""A forward proxy with a password (proxy.py), and certificates of an authority of our own.

Called by the tests of the network.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.end_to_end.bot_process import REPOSITORY

PASSWORD = "p%40ss%2Fword"
"""As it is written in an address; the proxy knows it as `p@ss/word`."""

START_SECONDS = 60


@dataclass(frozen=True)
class ForwardProxy:
    """A running proxy."""

    port: int
    log: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its address, with user and password."""
        return f"{self.scheme}://bot:{PASSWORD}@127.0.0.1:{self.port}"

    def tunnels_to(self, host: str) -> int:
        """How many tunnels to `host` have ended."""
        return self.log.read_text().count(f"CONNECT {host}:")


@asynccontextmanager
async def forward_proxy(folder: Path, tls: tuple[Path, Path] | None = None) -> AsyncIterator[ForwardProxy]:
    """A proxy that knows names under `.test`; with the files of a certificate and its key it has TLS itself."""
    files = ("--cert-file", str(tls[0]), "--key-file", str(tls[1])) if tls else ()
    port, log = folder / "proxy.port", folder / "proxy.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--port-file", str(port)),
            *("--num-workers", "1", "--num-acceptors", "1", "--basic-auth", "bot:p@ss/word"),
            *("--plugins", "tests.end_to_end.to_loopback.ToLoopback"),
            *files,
            cwd=folder,
            env={"PYTHONPATH": str(REPOSITORY), "HOME": str(folder)},
            stdout=output,
            stderr=output,
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (port.exists() and port.read_text().strip()):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield ForwardProxy(int(port.read_text()), log, "https" if tls else "http")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


class Authority:
    """A certificate authority that nobody trusts yet."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.bundle))

    def files(self, folder: Path, *names: str) -> tuple[Path, Path]:
        """Files with a certificate for `names`, and with its key."""
        issued = self._authority.issue_cert(*names)
        certificate, key = folder / "server.pem", folder / "server.key"
        for blob in issued.cert_chain_pems:
            blob.write_to_path(str(certificate), append=True)
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def tls(self, *names: str) -> ssl.SSLContext:
        """What a server for `names` needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context
