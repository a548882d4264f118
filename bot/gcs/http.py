"""One bounded exchange over HTTP: the shared client, and how a question becomes an answer.

Lives here: transport, time limits, the size limit, and transport failures as our errors. Does not live here: what is
asked (`client`, `auth`), who asks (`auth`), what a status means (`failures`). Called by those, and by the service for
the client.

There are two ways to the same connections, which are aiohttp's: httpx's for what is asked now and then, and a short
one for looks, of which there are many: a question in plain text, without httpx's requests and answers in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Mapping
from typing import Any

import aiohttp
import httpx
import msgspec
import yarl
from aiohttp.http import RawResponseMessage
from multidict import CIMultiDict

from bot import __version__
from bot.errors import GCSMalformed, GCSMisdirected, GCSUnavailable
from bot.exchange import FAILURES, Way
from bot.gcs import values

MAX_BODY = 32 * 1024 * 1024
"""Largest body that is read, before and after unpacking: a source or a picture fits, a flood does not."""

MAX_HEADER = 64 * 1024
"""Largest header that is read: IAM hands out tokens of well over aiohttp's usual 8 KiB."""

KEEP_ALIVE_SECONDS = 75.0
"""Longer than the usual pause between two looks, so that a quiet bot does not pay for TLS each time."""

TIMEOUT = aiohttp.ClientTimeout(sock_connect=5, connect=10)
"""For a connection, and for a place in the pool; whoever asks limits the whole."""

_LIMITS = {"auto_decompress": False, "max_line_size": MAX_HEADER, "max_field_size": MAX_HEADER}

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # the only packing that `_unpacked` takes
    "User-Agent": f"execution-bot/{__version__}",
}


class Question(msgspec.Struct, frozen=True):
    """What is to go out, exactly as it goes out."""

    method: str
    origin: yarl.URL
    """Scheme, host and port."""
    target: str
    """Path and query."""
    headers: CIMultiDict[str]
    """All of them, `Host` too. Not to be changed: who signs many questions knows them again."""
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True):
    """What came back, whole and unpacked."""

    status: int
    headers: Mapping[str, str]
    """By names in any case."""
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether it is the answer that was wanted."""
        return self.status // 100 == 2  # noqa: PLR2004  # as everywhere in HTTP


class Credentials:
    """Show GCS who asks. These show nothing; see `bot.gcs.auth`."""

    async def on(self, question: Question) -> Question:
        """`question` with them on it."""
        return question

    def renewed(self, refused: Question) -> bool:  # noqa: ARG002  # for those that can be
        """Whether GCS may accept the next ones, although it did not know who asked the `refused` question."""
        return False


class HTTPClient(httpx.AsyncClient):
    """The one HTTP client of the process, for GCS and IAM; the caller closes it.

    The environment is not read (`trust_env`): a `.netrc` would put its own `Authorization` in place of ours, and only
    the settings module may read the environment. Redirects are not followed: they would carry signed headers to
    another host. Cookies are not kept: the calls need none, and a header that comes and goes has no place under a
    signature.
    """

    def __init__(self, *, connections: int = 100) -> None:
        self._wire = Wire(connections)
        super().__init__(transport=self._wire, timeout=None, trust_env=False, headers=HEADERS)

    def exchange(self, question: Question, credentials: Credentials) -> Awaitable[Answer]:
        """The answer to `question`, put once more with other credentials where these are stale.

        Raises:
            GCSUnavailable: no answer, or only a part of one.
            GCSMalformed: the body is too large or packed in a way we did not ask for.
            GCSMisdirected: the address is no HTTP address.
        """
        return self._wire.exchange(question, credentials)

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,  # noqa: ARG002  # httpx's signature
        auth: Any = None,  # noqa: ARG002
        follow_redirects: Any = False,  # noqa: ARG002
    ) -> httpx.Response:
        """Send `request` as it is: httpx's own way would keep cookies, and takes longer than the rest of a request."""
        return await self._wire.handle_async_request(request)


class Wire(httpx.AsyncBaseTransport):
    """Questions over aiohttp's connections, exactly as they are written: what was signed is what is sent.

    None is repeated here: that is another call, and is paid for (`client`).
    """

    def __init__(self, connections: int) -> None:
        self._connections, self._context = connections, httpx.create_ssl_context(trust_env=False)
        self._pool: aiohttp.TCPConnector | None = None
        self._ways: dict[yarl.URL, Way] = {}
        """By origin."""

    async def exchange(self, question: Question, credentials: Credentials) -> Answer:
        """See `HTTPClient.exchange`."""
        try:
            try:
                return await self._answer(await credentials.on(question), credentials)
            except _Stale:
                return await self._answer(await credentials.on(question), Credentials())
        except FAILURES as error:
            raise GCSUnavailable(f"no answer: {type(error).__name__}: {values.safe(str(error), 200)}") from error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The same in httpx's language."""
        url = request.url
        headers = CIMultiDict((name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw)
        origin = yarl.URL(f"{url.scheme}://{url.netloc.decode('ascii')}", encoded=True)
        question = Question(request.method, origin, url.raw_path.decode("ascii"), headers, await request.aread())
        answer = await self.exchange(question, Credentials())
        unpacked = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OF_THE_PACKING]
        return httpx.Response(answer.status, headers=unpacked, content=answer.body, request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()

    async def _answer(self, question: Question, credentials: Credentials) -> Answer:
        """Send `question`, and read all of the answer, unless it says that the credentials on it are stale."""
        way = self._ways.get(question.origin) or self._way_to(question.origin)

        async def read(head: RawResponseMessage, content: aiohttp.StreamReader) -> Answer:
            if head.code == httpx.codes.UNAUTHORIZED and credentials.renewed(question):
                raise _Stale
            return Answer(head.code, head.headers, await _whole(head.headers, content))

        return await way.exchange(f"{question.method} {question.target}", question.headers, question.body, read)

    def _way_to(self, origin: yarl.URL) -> Way:
        if origin.scheme not in {"http", "https"} or not origin.raw_host:
            raise GCSMisdirected("the endpoint is no http(s) address")
        if self._pool is None:  # it belongs to the loop that first sends something
            self._pool = aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=self._context
            )
        self._ways[origin] = way = Way(self._pool, aiohttp.ClientRequest("GET", origin), TIMEOUT, _LIMITS)
        return way


class _Stale(Exception):
    """GCS did not know who asked, and other credentials are to be had."""


_OF_THE_PACKING = frozenset(("content-encoding", "content-length", "transfer-encoding"))
"""Headers that do not speak of an unpacked body."""


async def _whole(headers: Mapping[str, str], content: aiohttp.StreamReader) -> bytes:
    """The body of an answer, unpacked; mostly it comes in one piece.

    Raises:
        GCSMalformed: it is too large, or packed in a way that was not asked for.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().casefold()
    if encoding not in _PACKINGS:
        raise GCSMalformed("an answer packed in a way that was not asked for")
    announced = headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY:
        raise _too_large()
    pieces, size = [], 0
    while not content.at_eof():
        pieces.append(await content.readany())
        size += len(pieces[-1])
        if size > MAX_BODY:
            raise _too_large()
    received = b"".join(pieces)
    return _unpacked(received) if encoding.endswith("gzip") and received else received


_PACKINGS = frozenset(("identity", "", "gzip", "x-gzip"))


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
