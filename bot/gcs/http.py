"""One bounded HTTP exchange: httpx's public API with a size limit, for GCS and IAM.

Lives here: the shared client, time limits for connecting, the size limit before and after decompression, and transport
failures as our errors. Does not live here: what is requested (`client`, `auth`), how bytes travel (`transport`), what a
status means (`errors`). Called by `client` and `auth`; the service opens the client.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, NamedTuple, Self, cast

import httpx

from bot import __version__
from bot.clock import ClockSkew
from bot.errors import GCSMalformed, GCSMisdirected, GCSTooLarge, GCSUnavailable
from bot.gcs import values
from bot.gcs.transport import AiohttpTransport
from bot.network import Network

MAX_BODY = 32 * 1024 * 1024
"""At most this many bytes of a body are read, before and after decompression: enough for a source file or a picture."""

MAX_PIECE = 256 * 1024
"""At most this many bytes are decompressed at once."""

TIMEOUT = httpx.Timeout(None, connect=5, pool=10)
"""How many seconds connecting may take, and waiting for a free connection. The caller limits the whole exchange."""

HEADERS = httpx.Headers(
    {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",  # all that `_Unpacker` reads
        "Content-Type": "application/json",  # GCS wants it on every request
        "User-Agent": f"execution-bot/{__version__}",
    }
)


Sink = Callable[[bytes], object]
"""Receives the pieces of a body as they arrive."""


class Response(NamedTuple):
    """A response with its whole body, decompressed."""

    status_code: int
    headers: httpx.Headers
    """As received, so that some describe the compressed body."""
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status_code)


class HTTPClient:
    """The one HTTP client of the process, for GCS and IAM; use it as an async context manager.

    It uses httpx's requests, responses and `Auth`, but not its `AsyncClient`, which costs CPU for what must not happen
    here: redirects would carry signed headers to another host, a cookie is a header that comes and goes and must not be
    signed, a `.netrc` would replace our `Authorization`, and only the settings module may read the environment.
    """

    def __init__(
        self, network: Network | None = None, *, connections: int = 100, clock: ClockSkew | None = None
    ) -> None:
        """`network`: proxy and certificates, by default no proxy. `connections`: at most this many are open at once.

        `clock` learns from the `Date` of each response.
        """
        self._clock = clock or ClockSkew()
        self._transport = AiohttpTransport(connections, network or Network())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def send(
        self,
        method: str,
        url: str,
        *,
        auth: httpx.Auth | None = None,
        json: Any = None,
        sink: Sink | None = None,
        limit: int | None = None,
    ) -> Response:
        """Send one request and return the response, whatever its status.

        The body of a successful response goes into `sink`, if there is one, and is not kept: lists have megabytes, and
        allocating memory for a whole one costs more than reading it.

        Raises:
            GCSUnavailable: no response, or only a part of one.
            GCSTooLarge: the body has more than `limit` bytes, or than `MAX_BODY`.
            GCSMalformed: the body is compressed in a way that was not requested.
            GCSMisdirected: `url` is not an HTTP address.
            GCSError: what `auth` and `sink` raise.
        """
        try:
            request = httpx.Request(method, url, headers=HEADERS, json=json, extensions={"timeout": TIMEOUT.as_dict()})
            response = await self._exchange(request, auth or httpx.Auth())
            self._clock.heard("GCS", response.headers.get("date"))
            pieces: list[bytes] = []
            take = sink if sink is not None and response.is_success else pieces.append
            try:
                await _receive(response, min(limit or MAX_BODY, MAX_BODY), take)
            finally:
                await response.aclose()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise GCSMisdirected("the endpoint is no http(s) address") from None
        except httpx.RequestError as error:
            raise GCSUnavailable(f"no answer: {values.safe(str(error), 200)}") from error
        return Response(response.status_code, response.headers, b"".join(pieces))

    async def _exchange(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        """Send `request` as `auth` prepares it, once more if `auth` wants that; returns the last response, unread."""
        async with aclosing(auth.async_auth_flow(request)) as flow:
            request = await anext(flow)
            while True:
                response = await self._transport.handle_async_request(request)
                is_last = False
                try:
                    request = await flow.asend(response)
                except StopAsyncIteration:
                    is_last = True
                    return response
                finally:
                    if not is_last:
                        await response.aclose()


_NOT_READ = frozenset(("br", "compress", "deflate", "x-compress", "zstd"))
"""Encodings that nothing here unpacks."""

_GZIP = b"\x1f\x8b"
"""How gzip begins."""


async def _receive(response: httpx.Response, limit: int, take: Sink) -> None:
    """Hand the body of `response` to `take` as it arrives, decompressed.

    Raises:
        GCSTooLarge: it has more than `limit` bytes.
        GCSMalformed: it is compressed in a way that was not requested.
        GCSUnavailable: it is cut off.
    """
    encodings = response.headers.get("content-encoding", "").casefold().replace(",", " ").split()
    if not _NOT_READ.isdisjoint(encodings):
        raise GCSMalformed("an answer compressed in a way that was not requested")
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise GCSTooLarge(limit)
    unpacker = _Unpacker(_limited(take, limit))
    received = _limited(unpacker.feed, limit)
    stream = cast("httpx.AsyncByteStream", response.stream)  # read directly: httpx would cut it into pieces once more
    async for piece in stream:
        received(piece)
    unpacker.close()


def _limited(take: Sink, limit: int) -> Sink:
    """`take`, as long as all pieces together have at most `limit` bytes."""
    left = limit

    def limited(piece: bytes) -> None:
        nonlocal left
        left -= len(piece)
        if left < 0:
            raise GCSTooLarge(limit)
        take(piece)

    return limited


class _Unpacker:
    """Decompresses a gzip body as it arrives, in pieces of at most `MAX_PIECE`, so that a gzip bomb does no harm.

    Whether it is gzip is seen by its beginning: proxies forget the header, or leave it in place after unpacking.
    """

    def __init__(self, take: Sink) -> None:
        """`take` gets the content."""
        self._take = take
        self._decoder: Any = None
        """Of the member that arrives: a gzip body has one or more."""
        self._begun = b""
        """The first byte of a body or a member, while only that has arrived."""
        self._is_plain = self._is_over = False

    def feed(self, piece: bytes) -> None:
        """Take one more piece of the body."""
        if self._is_plain:
            self._take(piece)
            return
        piece, self._begun = self._begun + piece, b""
        while piece and not self._is_over:
            if self._decoder is None or self._decoder.eof:
                if len(piece) < len(_GZIP) and _GZIP.startswith(piece):
                    self._begun = piece
                    return
                if not piece.startswith(_GZIP):
                    self._without_gzip(piece)
                    return
                self._decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            piece = self._unpacked(piece)

    def close(self) -> None:
        """The body has ended.

        Raises:
            GCSUnavailable: it is cut off.
        """
        if self._decoder is None:
            self._take(self._begun)
        elif not self._decoder.eof:
            raise GCSUnavailable("no answer: cut off in the middle")

    def _unpacked(self, piece: bytes) -> bytes:
        """Unpack what belongs to the member; returns the rest."""
        try:
            while content := self._decoder.decompress(piece, MAX_PIECE):
                piece = self._decoder.unconsumed_tail
                self._take(content)
        except zlib.error:
            raise GCSMalformed("an answer whose gzip is broken") from None
        return bytes(self._decoder.unused_data)

    def _without_gzip(self, piece: bytes) -> None:
        """The body is no gzip, or has something else behind its last member, such as zeros, which means nothing."""
        self._is_plain, self._is_over = self._decoder is None, self._decoder is not None
        if self._is_plain:
            self._take(piece)
