"""httpx's requests over aiohttp's connection pool (docs/decisions/0015-httpx-over-aiohttp.md says why).

Lives here: one `httpx.AsyncBaseTransport` on one `aiohttp.ClientSession`, both used by their public API. A request
leaves byte for byte as httpx holds it, so what was signed is what is sent. Does not live here: size limits and our
errors (`bot.gcs.http`, the only caller).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NoReturn

import aiohttp
import httpx
import yarl

from bot.network import Network

MAX_HEADER = 64 * 1024
"""At most this many bytes of one header line are read: IAM's tokens are longer than aiohttp's usual 8 KiB."""

KEEP_ALIVE_SECONDS = 75.0
"""How long an idle connection stays open: longer than the usual pause between polls, to save TLS handshakes."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends each request once, over at most `connections` connections; neither follows redirects nor keeps cookies."""

    def __init__(self, connections: int, network: Network) -> None:
        self._connections = connections
        self._network = network
        self._context = network.tls()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and return its response with the body still to be read.

        Raises:
            httpx.UnsupportedProtocol: the URL is not an http(s) address.
            httpx.TransportError: no response.
        """
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise httpx.UnsupportedProtocol("not an http(s) address")
        if self._session is None:  # a session belongs to the event loop that opens it
            self._session = self._opened()
        timeout, url = request.extensions["timeout"], str(request.url)
        try:
            response = await self._session.request(
                request.method,
                yarl.URL(url, encoded=True),
                headers=[(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw],
                data=await request.aread() or None,
                proxy=self._network.proxy_for(url),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=timeout["pool"], sock_connect=timeout["connect"]),
            )
        except _FAILURES as error:
            _raise_httpx(error)
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        # It adds headers of its own only where a request has none: `bot.gcs.http.HEADERS` has them all.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=self._context
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            middlewares=(_send_once,),
        )


class _Body(httpx.AsyncByteStream):
    """The body as it arrives, still compressed."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._chunks = aiter(response.content.iter_chunks())  # `iter_any` would join what waits, which copies it

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece, _ = await anext(self._chunks)
        except _FAILURES as error:
            _raise_httpx(error)
        # aiohttp gives all responses that have no body (204, 304) one shared stream, which ends once a process only:
        # from the second of them on it would yield nothing for ever, without a pause in which anything else could run.
        if not piece and self._response.content.at_eof():
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Close the connection unless the body was read to its end: a late answer must not become the next one."""
        self._response.close()


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET whose kept connection broke: every call is counted against the quota."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:  # never repeated
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(f"{type(error).__name__}: {error}") from error


_FAILURES = (aiohttp.ClientError, OSError)
"""What aiohttp raises when there is no response, or only a part of one."""


def _raise_httpx(error: Exception) -> NoReturn:
    """Raise httpx's error for a failure of aiohttp."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        raise httpx.ConnectTimeout("no connection in time") from None
    if isinstance(error, aiohttp.ClientHttpProxyError):  # its text shows the proxy's password
        raise httpx.ProxyError(f"the proxy answers {error.status}") from None
    raise httpx.NetworkError(f"{type(error).__name__}: {error}") from error
