"""Whether the bot is healthy, for those who run it: `/livez`, `/readyz`, `/metrics`.

Lives here: the paths, and how probes become an answer. Does not live here: the server (`bot.http_server`), what each
probe checks (they are handed in), the metrics themselves (`bot.metrics`). Called by `bot.app.service`.

`/livez` fails only when a restart may help: a worker's loop has ended, or our own store is gone for good. `/readyz`
fails while something outside is wrong (store, Slack, GCS); a restart would not fix that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from bot.errors import BotError
from bot.http_server import HTTPServer

Probe = Callable[[], Awaitable[str | None]]
"""Checks one component: None when nothing is wrong, else what is, in words."""

PROBE_SECONDS = 2.0
"""How long a probe may take before it counts as failed; kubelet's own limit is mostly higher."""

_STOP_SECONDS = 1.0
"""How long `stop` waits for requests that are being answered."""

log = structlog.get_logger()


def _nothing() -> Collection[str]:
    """No worker has ended."""
    return ()


class Health:
    """The health server: `start` it once, `stop` it once."""

    def __init__(self, probes: Mapping[str, Probe], *, ended: Callable[[], Collection[str]] = _nothing) -> None:
        """`probes` by component; `ended` names the parts of the bot that no longer run."""
        self._probes = probes
        self._ended = ended
        routes = [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        self._server = HTTPServer(routes, stop_seconds=_STOP_SECONDS)

    async def start(self, port: int, host: str = "127.0.0.1") -> int:
        """Serve until `stop`. Returns the port; with 0 the system chooses it."""
        served = await self._server.start(host, port)
        log.info("health.started", host=host, port=served)
        return served

    async def stop(self) -> None:
        """Close the server; has no effect when it was never started."""
        await self._server.stop()

    async def report(self) -> dict[str, str | None]:
        """What is wrong with each component, None where nothing is. All are checked at the same time."""
        found = await asyncio.gather(*(_ask(name, probe) for name, probe in self._probes.items()))
        return dict(zip(self._probes, found, strict=True))

    async def _livez(self, _request: web.Request) -> web.Response:
        ended = sorted(self._ended())
        return web.json_response({"ok": not ended, "ended": ended}, status=503 if ended else 200)

    async def _readyz(self, _request: web.Request) -> web.Response:
        report = await self.report()
        is_ok = not any(report.values())
        components = {name: {"ok": not wrong, "detail": wrong or ""} for name, wrong in report.items()}
        return web.json_response({"ok": is_ok, "components": components}, status=200 if is_ok else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})


async def _ask(name: str, probe: Probe) -> str | None:
    """The probe's answer. A probe that raises counts as an answer, and must not affect the others."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await probe()
    except TimeoutError:
        return f"no answer within {PROBE_SECONDS:g} s"
    except BotError as error:
        return str(error) or type(error).__name__
    except Exception as error:  # noqa: BLE001  # the text of a foreign error may hold an address with a password
        log.warning("health.probe_failed", component=name, error=type(error).__name__)
        return type(error).__name__
