"""One bounded exchange over HTTP: the shared client, and how a question becomes a status and a body.

Lives here: transport, time limits, the size limit, and transport failures as our errors. Does not live here: what is
asked (`client`, `auth`), what a status means (`failures`). Called by those two, and by the service for the client.

httpx is the language in which the door speaks of requests, answers and credentials; aiohttp does the work, because
httpx's own pool scans all its connections on every release. What stands between the two is short: it is passed with
every look.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Generator
from typing import Any, cast

import aiohttp
import httpx
import yarl

from bot import __version__
from bot.errors import GCSMalformed, GCSMisdirected, GCSUnavailable
from bot.gcs import reading

MAX_BODY = 32 * 1024 * 1024
"""Largest body that is read, before and after unpacking: a source or a picture fits, a flood does not."""

MAX_HEADER = 64 * 1024
"""Largest header that is read: IAM hands out tokens of well over aiohttp's usual 8 KiB."""

KEEP_ALIVE_SECONDS = 75.0
"""Longer than the usual pause between two looks, so that a quiet bot does not pay for TLS each time."""

TIMEOUT = aiohttp.ClientTimeout(sock_connect=5, sock_read=15, connect=10)
"""For a connection, for the next bytes, and for a place in the pool; whoever asks limits the whole."""

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # the only packing that `_unpacked` takes
    "User-Agent": f"execution-bot/{__version__}",
}


def new_http_client(*, connections: int = 100) -> httpx.AsyncClient:
    """The one HTTP client of the process, for GCS and IAM; the caller closes it.

    The environment is not read (`trust_env`): a `.netrc` would put its own `Authorization` in place of ours, and only
    the settings module may read the environment. Redirects are not followed: they would carry signed headers to
    another host. Cookies are not kept: the calls need none, and a header that comes and goes has no place under a
    signature.
    """
    return Client(
        transport=Transport(connections), timeout=None, follow_redirects=False, trust_env=False, headers=_HEADERS
    )


class Client(httpx.AsyncClient):
    """httpx's client, with a short way to its transport.

    httpx's own way looks after redirects, cookies, hooks and time-outs at each step, which is more work than the rest
    of a request. We have none of them here: the transport keeps the time, and the others are not wanted.
    """

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = None,
        follow_redirects: Any = False,  # noqa: ARG002  # httpx's signature
    ) -> httpx.Response:
        """Send `request` under `auth`, as often as that wants."""
        if isinstance(auth, Signer):
            auth.sign(request)
        if isinstance(auth, httpx.Auth) and not isinstance(auth, Signer):
            response = await self._conversed(request, auth)
        else:
            response = await self._transport.handle_async_request(request)
        if not stream:
            await response.aread()
        return response

    async def _conversed(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        """Send `request` under credentials that look at the answer, and may want it sent again."""
        flow = auth.async_auth_flow(request)
        request = await anext(flow)
        while True:
            response = await self._transport.handle_async_request(request)
            try:
                request = await flow.asend(response)
            except StopAsyncIteration:
                return response
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()


class Signer(httpx.Auth):
    """Credentials that are put on a request whose answer does not matter to them."""

    requires_request_body = True

    @abstractmethod
    def sign(self, request: httpx.Request) -> None:
        """Put them on."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The same for another client than ours."""
        self.sign(request)
        yield request


class Transport(httpx.AsyncBaseTransport):
    """httpx's requests over aiohttp's connections, exactly as they are written: what was signed is what is sent."""

    def __init__(self, connections: int) -> None:
        self._connections, self._context = connections, httpx.create_ssl_context(trust_env=False)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; the answer's body is still to be read."""
        answer = await (self._session or self._open()).request(
            request.method,
            yarl.URL(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}{target(request)}", encoded=True),
            headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw],
            data=request.content or None,
            allow_redirects=False,
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=Arriving(answer), request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """The session, which belongs to the loop that first sends something."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=self._context
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=TIMEOUT,
            auto_decompress=False,
            max_field_size=MAX_HEADER,
            max_line_size=MAX_HEADER,
        )
        self._session._retry_connection = False  # noqa: SLF001  # a repeat is another call, and is paid for (`client`)
        return self._session


class Arriving(httpx.AsyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.content.iter_any():
            yield chunk

    async def whole(self) -> bytes:
        """All of it, unpacked; mostly it comes in one piece.

        Raises:
            GCSMalformed: it is too large, or packed in a way that was not asked for.
        """
        headers = self._answer.headers
        encoding = headers.get("content-encoding", "identity").strip().casefold()
        if encoding not in {"identity", "", "gzip", "x-gzip"}:
            raise GCSMalformed("an answer packed in a way that was not asked for")
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > MAX_BODY:
            raise _too_large()
        received = await self._received()
        return _unpacked(received) if encoding.endswith("gzip") and received else received

    async def _received(self) -> bytes:
        content, pieces, size = self._answer.content, [], 0
        while not content.at_eof():
            pieces.append(await content.readany())
            size += len(pieces[-1])
            if size > MAX_BODY:
                raise _too_large()
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Give the connection back, or close it where something is left to be read."""
        self._answer.release()


def question(endpoint: httpx.URL, target: str, headers: httpx.Headers) -> httpx.Request:
    """A GET of `target` (path and query) at `endpoint`: the address need not be taken apart anew for each."""
    request = httpx.Request("GET", endpoint, headers=headers, extensions={"target": target.encode("ascii")})
    request.headers.encoding = "ascii"  # or httpx looks through all of them for the first that is asked for
    return request


def target(request: httpx.Request) -> str:
    """Path and query of `request`, as they go out."""
    found: bytes = request.extensions.get("target") or request.url.raw_path
    return found.decode("ascii")


def set_query(request: httpx.Request, query: str) -> None:
    """Have `request` go out with this `query`."""
    if "target" in request.extensions:
        request.extensions["target"] = f"{target(request).partition('?')[0]}?{query}".encode("ascii")
    else:
        request.url = request.url.copy_with(query=query.encode("ascii"))


async def exchange(
    http: httpx.AsyncClient, request: httpx.Request, *, auth: httpx.Auth | None = None
) -> tuple[httpx.Response, bytes]:
    """Send `request`; hand back the answer and its whole, unpacked body.

    Raises:
        GCSUnavailable: no answer, or only a part of one.
        GCSMalformed: the body is too large or packed in a way we did not ask for.
        GCSMisdirected: the address is no HTTP address.
    """
    try:
        response = await http.send(request, auth=auth, stream=True)
        arriving = cast("Arriving", response.stream)
        try:
            return response, await arriving.whole()
        finally:
            await arriving.aclose()
    except (httpx.InvalidURL, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise GCSMisdirected("the endpoint is no http(s) address") from error
    except (aiohttp.ClientError, OSError) as error:
        raise GCSUnavailable(f"no answer: {type(error).__name__}: {reading.safe(str(error), 200)}") from error


def _unpacked(packed: bytes) -> bytes:
    """The content of a gzip body; unpacking stops at the limit, so that a small bomb stays small."""
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = decoder.decompress(packed, MAX_BODY + 1)
    except zlib.error:
        raise GCSMalformed("an answer whose gzip is broken") from None
    if len(content) > MAX_BODY:
        raise _too_large()
    if not decoder.eof:
        raise GCSUnavailable("no answer: cut off in the middle")
    return content


def _too_large() -> GCSMalformed:
    return GCSMalformed(f"an answer of more than {MAX_BODY >> 20} MiB")
