"""One request and its answer, on a connection of aiohttp's pool and below its session.

Lives here: taking a connection, writing, waiting for the answer, and which connections may be used again. Does not live
here: what is asked, and what an answer or its failure means (`bot.gcs.http`, `bot.slack.client`, which call this).

The session makes a request and an answer of its own for each exchange, which cost more than the wire, and repeats
what it holds to be harmless. What is used here (pool, writer, parser) is less public than the session is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from multidict import CIMultiDict

FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What an exchange raises that came to nothing."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way:
    """How requests get to one server."""

    pool: aiohttp.BaseConnector
    request: aiohttp.ClientRequest
    """Never sent: the pool knows its connections by it."""
    patience: aiohttp.ClientTimeout
    """For a connection; who waits for an answer limits the whole."""
    limits: Mapping[str, bool | int] = field(default_factory=dict)
    """Of aiohttp's parser, by its own names."""

    async def exchange(
        self,
        line: str,
        headers: CIMultiDict[str],
        body: bytes,
        read: Callable[[RawResponseMessage, aiohttp.StreamReader], Awaitable[T]],
    ) -> T:
        """What `read` makes of the answer to a request, of which all goes out as it is; `line` is method and target.

        Raises:
            FAILURES: no answer, or only a part of one.
        """
        connection = await self._connected()
        try:
            protocol = connection.protocol
            if protocol is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True, **self.limits)  # type: ignore[arg-type]  # by their names
            writer = StreamWriter(protocol, asyncio.get_running_loop())
            await writer.write_headers(f"{line} HTTP/1.1", headers)
            await writer.write_eof(body)
            head, content = await protocol.read()
            while head.code // 100 == 1 and head.code != HTTPStatus.SWITCHING_PROTOCOLS:  # the answer is yet to come
                head, content = await protocol.read()
            answer = await read(head, content)
            connection.release()
            return answer
        finally:
            connection.close()  # where it is not released: a late answer must not be taken for the next one

    async def _connected(self) -> Connection:
        try:
            return await self.pool.connect(self.request, [], self.patience)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from None
