"""One bounded HTTP exchange: httpx's public API with a size limit, for GCS and IAM.

Lives here: the shared client, time limits for connecting, the size limit before and after unpacking, and transport
failures as our errors. Does not live here: what is requested (`client`, `auth`), how bytes travel (`transport`), what
a status means (`errors`). Called by `client` and `auth`; the service opens the client.
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
"""At most this many bytes of a body are read, before and after unpacking: enough for a source file or a picture."""

MAX_PIECE = 256 * 1024
"""At most how many bytes of a packed body are unpacked at once."""

TIMEOUT = httpx.Timeout(None, connect=5, pool=10)
"""How many seconds a connection may take, and waiting for a free one. The caller limits the whole exchange."""

HEADERS = httpx.Headers(
    {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",  # the only packing that `_Gzip` reads
        "Content-Type": "application/json",  # GCS wants it on every request
        "User-Agent": f"execution-bot/{__version__}",
    }
)


Sink = Callable[[bytes], object]
"""What takes the pieces of a body as they arrive."""


class Answer(NamedTuple):
    """A response with its whole body, unpacked."""

    status_code: int
    headers: httpx.Headers
    """As received, those of the packed body among them."""
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
        """`network`: the way out, by default a direct one. `connections`: at most so many are open at once.

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
    ) -> Answer:
        """Send one request and return the answer to it; any status is one.

        The body of a successful response goes into `sink`, if there is one, and is not kept: lists have megabytes, and
        new memory for all of one costs more than reading it.

        Raises:
            GCSUnavailable: no response, or only a part of one.
            GCSTooLarge: the body has more than `limit` bytes, or than `MAX_BODY`.
            GCSMalformed: the body is packed in a way we did not ask for.
            GCSMisdirected: `url` is no HTTP address.
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
        return Answer(response.status_code, response.headers, b"".join(pieces))

    async def _exchange(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        """Send what `auth` makes of `request`, and what it sends after a refusal; returns the last response, unread."""
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


_PACKINGS = frozenset(("identity", "", "gzip", "x-gzip"))


async def _receive(response: httpx.Response, limit: int, take: Sink) -> None:
    """Hand the body of `response` to `take` as it arrives, unpacked.

    Raises:
        GCSTooLarge: it has more than `limit` bytes.
        GCSMalformed: it is packed in a way that was not asked for.
        GCSUnavailable: it is cut off.
    """
    packing = response.headers.get("content-encoding", "identity").strip().casefold()
    if packing not in _PACKINGS:
        raise GCSMalformed("an answer packed in a way that was not asked for")
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise GCSTooLarge(limit)
    take = _limited(take, limit)
    gzip = _Gzip(take) if packing.endswith("gzip") else None
    received = _limited(gzip.feed, limit) if gzip else take
    stream = cast("httpx.AsyncByteStream", response.stream)  # read as it is: httpx would cut it into pieces once more
    async for piece in stream:
        received(piece)
    if gzip:
        gzip.close()


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


class _Gzip:
    """Unpacks a gzip body as it arrives, in pieces of at most `MAX_PIECE`, so that a bomb stays small."""

    def __init__(self, take: Sink) -> None:
        """`take` gets the content."""
        self._take = take
        self._decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._is_empty = True

    def feed(self, packed: bytes) -> None:
        """Take one more piece of the body."""
        self._is_empty = False
        try:
            while content := self._decoder.decompress(packed, MAX_PIECE):
                packed = self._decoder.unconsumed_tail
                self._take(content)
        except zlib.error:
            raise GCSMalformed("an answer whose gzip is broken") from None

    def close(self) -> None:
        """Nothing more comes."""
        if not self._is_empty and not self._decoder.eof:
            raise GCSUnavailable("no answer: cut off in the middle")
