"""Whether the bot is healthy, for those who run it: `/livez`, `/readyz`, `/metrics`.

Lives here: the paths, and how probes become an answer. Does not live here: the server (`bot.http_server`), what each
probe checks (they are handed in), the metrics themselves (`bot.metrics`). Called by `bot.app.service`.

`/livez` fails only when a restart may help: a worker's loop has ended, or our own store is gone for good. `/readyz`
fails while something outside is wrong (store, Slack, GCS, the clock); a restart would not fix that. Strangers may read
it, so it has words only; addresses, paths and ids are in the log.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from bot.errors import BotError
from bot.http_server import HTTPServer

Probe = Callable[[], Awaitable[str | None]]
"""Checks one component: None when nothing is wrong, else what is, in words. A `BotError` that it raises counts, too."""

_PRIVATE = re.compile(
    r"\w+://\S+"  # addresses
    r"|(?<!\w)/[\w.-]+(?:/[\w.-]+)+"  # paths
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\[[0-9a-fA-F:]+\](?::\d+)?"  # IP addresses
    r"|\b[\w-]+(?:\.[\w-]+)*:\d{2,5}\b"  # hosts with a port
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b"  # ids
    r"|\bA(?=[A-Z]*\d)[A-Z0-9]{8,}\b"  # Slack's ids of apps; those of workspaces say whose a store is
)
"""A safety net under the rule that probes return words only."""

PROBE_SECONDS = 2.0
"""How long a probe may take before it counts as failed; kubelet's own limit is mostly higher."""

_STOP_SECONDS = 1.0
"""How long `stop` waits for requests that are being answered."""

log = structlog.get_logger()


def _nothing() -> Collection[str]:
    """No worker has ended; nothing is to be noted."""
    return ()


class Finding(NamedTuple):
    """What is wrong with a component."""

    words: str
    """For everybody."""
    detail: str
    """For the log."""


class Health:
    """The health server: `start` it once, `stop` it once."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        ended: Callable[[], Collection[str]] = _nothing,
        notes: Callable[[], Collection[str]] = _nothing,
    ) -> None:
        """`probes` by component; `ended` names the parts of the bot that no longer run.

        `notes` is what those who run the bot should know although it is ready.
        """
        self._probes, self._ended, self._notes = probes, ended, notes
        self._unready: set[str] = set()
        """Components that were not ready when somebody last asked."""
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
        for name, finding in zip(self._probes, found, strict=True):
            self._log_change(name, finding)
        return {name: finding and finding.words for name, finding in zip(self._probes, found, strict=True)}

    def _log_change(self, name: str, finding: Finding | None) -> None:
        if finding and name not in self._unready:
            log.error("health.not_ready", component=name, detail=finding.detail)
            self._unready.add(name)
        elif not finding and name in self._unready:
            log.info("health.ready_again", component=name)
            self._unready.remove(name)

    async def _livez(self, _request: web.Request) -> web.Response:
        ended = sorted(self._ended())
        return web.json_response({"ok": not ended, "ended": ended}, status=503 if ended else 200)

    async def _readyz(self, _request: web.Request) -> web.Response:
        report = await self.report()
        is_ok = not any(report.values())
        components = {name: {"ok": not wrong, "detail": wrong or ""} for name, wrong in report.items()}
        notes = {"notes": [public(note) for note in self._notes()]} if self._notes() else {}
        return web.json_response({"ok": is_ok, "components": components, **notes}, status=200 if is_ok else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        try:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        except Exception:  # noqa: BLE001  # the library fails at versions that are none; anybody may send one
            encode, content_type = choose_encoder("")
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})


async def _ask(name: str, probe: Probe) -> Finding | None:
    """The probe's answer. A probe that raises counts as an answer, and must not affect the others."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            wrong = await probe()
    except TimeoutError:
        wrong = f"no answer within {PROBE_SECONDS:g} s"
    except BotError as error:
        return Finding(public(error.words), str(error) or type(error).__name__)
    except Exception as error:  # noqa: BLE001  # the text of a foreign error may hold an address with a password
        log.warning("health.probe_failed", component=name, error=type(error).__name__)
        wrong = type(error).__name__
    return Finding(public(wrong), wrong) if wrong else None


def public(text: str) -> str:
    """`text` without what looks like an address, a path or an id."""
    return _PRIVATE.sub("…", text)
