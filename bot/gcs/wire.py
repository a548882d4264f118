"""One bounded exchange over HTTP: the shared client, and how a question becomes a status and a body.

Lives here: transport, time limits, the size limit, and transport failures as our errors. Does not live here: what is
asked (`client`, `auth`), what a status means (`failures`). Called by those two, and by the service for the client.
"""

from __future__ import annotations

import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bot import __version__
from bot.errors import GCSMalformed, GCSMisdirected, GCSUnavailable
from bot.gcs import reading

MAX_BODY = 32 * 1024 * 1024
"""Largest body that is read, before and after unpacking: a source or a picture fits, a flood does not."""

MAX_HEADER = 64 * 1024
"""Largest header that is read: IAM hands out tokens of well over aiohttp's usual 8 KiB."""

KEEP_ALIVE_SECONDS = 75.0
"""Longer than the usual pause between two looks, so that a quiet bot does not pay for TLS each time."""


def new_http_client(*, connections: int = 100) -> httpx.AsyncClient:
    """The one HTTP client of the process, for GCS and IAM; the caller closes it.

    It runs over aiohttp, since httpx's own pool scans all its connections on every release. The environment is not
    read (`trust_env`): a `.netrc` would put its own `Authorization` in place of ours, and only the settings module
    may read the environment. Redirects are not followed: they would carry signed headers to another host. Cookies
    are not kept: the calls need none, and a header that comes and goes has no place under a signature.
    """
    context = httpx.create_ssl_context(trust_env=False)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=context)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=MAX_HEADER,
            max_line_size=MAX_HEADER,
        )

    return httpx.AsyncClient(
        transport=AiohttpTransport(verify=context, trust_env=False, client=session),
        timeout=httpx.Timeout(connect=5, read=15, write=15, pool=10),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",  # the only packing that `_unpacked` takes
            "User-Agent": f"execution-bot/{__version__}",
        },
    )


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
        try:
            return response, await _body(response)
        finally:
            await response.aclose()
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise GCSMisdirected("the endpoint is no http(s) address") from error
    # The adapter does not map every aiohttp error (a broken status line, for one).
    except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
        raise GCSUnavailable(f"no answer: {type(error).__name__}: {reading.safe(str(error), 200)}") from error


async def _body(response: httpx.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().casefold()
    if encoding not in {"identity", "", "gzip", "x-gzip"}:
        raise GCSMalformed("an answer packed in a way that was not asked for")
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY:
        raise _too_large()
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > MAX_BODY:
            raise _too_large()
    return _unpacked(bytes(received)) if encoding.endswith("gzip") and received else bytes(received)


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
