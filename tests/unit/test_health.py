"""Promises of `bot.app.health`, called over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.app import health as module
from bot.app.health import Health, Probe
from bot.app.service import _ended
from bot.app.workspace import WorkspaceRuntime
from bot.errors import StoreUnavailable
from bot.metrics import HANDLERS_REQUESTS

Ask = Callable[..., Awaitable[tuple[int, Any]]]


async def well() -> None:
    """A component with nothing wrong."""


async def broken() -> None:
    """A component whose driver raises something with a password in it."""
    raise RuntimeError("redis://:hunter2@db")


async def away() -> None:
    """A component that fails in a way we know."""
    raise StoreUnavailable("connection refused")


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Start a health server with some probes, GET a path from it: status and JSON (or text)."""
    async with aiohttp.ClientSession() as session:

        async def get(
            path: str, probes: Mapping[str, Probe] | None = None, ended: tuple[str, ...] = (), **headers: str
        ) -> tuple[int, Any]:
            health = Health(probes or {}, ended=lambda: ended)
            port = await health.start(0)
            async with session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response:
                is_json = response.content_type == "application/json"
                answer = response.status, (await response.json() if is_json else await response.text())
            await health.stop()
            return answer

        yield get


async def test_ready_when_no_component_has_a_problem(ask: Ask) -> None:
    """Every component is named, and the whole is ready when each is."""
    status, body = await ask("/readyz", {"store": well, "slack": well})
    assert status == 200
    assert body == {
        "ok": True,
        "components": {"store": {"ok": True, "detail": ""}, "slack": {"ok": True, "detail": ""}},
    }


async def test_one_broken_component_is_enough(ask: Ask) -> None:
    """A known failure is reported in its words, and the rest is still checked."""
    status, body = await ask("/readyz", {"store": away, "slack": well})
    assert status == 503
    assert body["components"]["store"] == {"ok": False, "detail": "connection refused"}
    assert body["components"]["slack"]["ok"]


async def test_foreign_errors_show_their_kind_only(ask: Ask) -> None:
    """The text of a foreign error stays inside: it may hold a password."""
    _, body = await ask("/readyz", {"store": broken})
    assert body["components"]["store"]["detail"] == "RuntimeError"


ADDRESSES = [
    "Error 111 connecting to 10.1.2.3:6379. Connection refused.",
    "cannot connect to db.example.com:6379",
    "see /var/lib/execution-bot/valkey.log",
    "https://gcs.cn-north-4.myhuaweicloud.com/v1/executions refused",
    "request 5a4db0c5a4db0c5a4db0c5a4db0c5a4d failed",
    "[::1]:6379 is away",
    "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd is unknown",
    "the token is of app A0BCDEFGHIJ",
]


@pytest.mark.parametrize("text", ADDRESSES)
async def test_strangers_read_no_addresses(ask: Ask, text: str) -> None:
    """Neither from an error, whose words are ours, nor from a probe that says too much."""

    async def talks() -> str:
        return text

    async def fails() -> None:
        raise StoreUnavailable("the store does not answer", text)

    _, body = await ask("/readyz", {"store": fails, "gcs": talks})
    assert body["components"]["store"]["detail"] == "the store does not answer"
    secret = max(text.split(), key=len).rstrip(".")
    assert secret not in str(body)
    assert "…" in body["components"]["gcs"]["detail"]


async def test_the_log_has_the_detail_once() -> None:
    """When a component fails, and when it is ready again; however often somebody asks meanwhile."""
    is_away = True

    async def store() -> None:
        if is_away:
            raise StoreUnavailable("the store does not answer", ADDRESSES[0])

    health = Health({"store": store})
    with capture_logs() as logs:
        await health.report()
        await health.report()
        is_away = False
        await health.report()
    assert [line["event"] for line in logs] == ["health.not_ready", "health.ready_again"]
    assert "10.1.2.3:6379" in logs[0]["detail"]


async def test_notes_leave_the_bot_ready() -> None:
    """What its operators should know, without addresses either."""
    health = Health({"store": well}, notes=lambda: ("a note about 10.1.2.3:6379",))
    port = await health.start(0)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
        assert (response.status, (await response.json())["notes"]) == (200, ["a note about …"])
        assert response.headers["Server"] == "execution-bot"
    await health.stop()


async def test_a_probe_that_hangs_is_reported(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness answers in time, saying which component did not."""

    async def hangs() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    status, body = await ask("/readyz", {"gcs": hangs})
    assert status == 503
    assert body["components"]["gcs"]["detail"] == "no answer within 0.01 s"


async def test_alive_while_other_services_fail(ask: Ask) -> None:
    """A store that is down is no reason for a restart."""
    assert await ask("/livez", {"store": away}) == (200, {"ok": True, "ended": []})


async def test_a_worker_that_ended_needs_a_restart(ask: Ask) -> None:
    """When a loop is gone, liveness fails and says which."""
    assert await ask("/livez", ended=("watcher",)) == (503, {"ok": False, "ended": ["watcher"]})


async def test_metrics_are_served(ask: Ask) -> None:
    """Prometheus finds the bot's metrics under their names."""
    status, text = await ask("/metrics")
    assert status == 200
    assert f"{HANDLERS_REQUESTS._name}_total" in text


@pytest.mark.parametrize("version", ["abc", '"1.0.0"', "1.x"])
async def test_any_form_may_be_asked_for(ask: Ask, version: str) -> None:
    """A form that is none is the usual one, and no error."""
    status, text = await ask("/metrics", Accept=f"application/openmetrics-text; version={version}")
    assert (status, f"{HANDLERS_REQUESTS._name}_total" in text) == (200, True)


async def test_stop_without_start_is_harmless() -> None:
    """A service whose start failed half-way can stop what it never started."""
    await Health({}).stop()


@pytest.mark.parametrize(("is_gone", "named"), [(False, ["watcher"]), (True, ["watcher", "store"])])
def test_a_store_of_ours_needs_a_restart(is_gone: bool, named: list[str]) -> None:
    """Once it is gone for good, liveness fails beside the workers; a store of others is no reason."""
    workspace: Any = SimpleNamespace(ended_workers=lambda: ["watcher"])
    engine: Any = SimpleNamespace(is_gone=is_gone)
    assert _ended(workspace, engine) == named
    assert _ended(workspace, None) == ["watcher"]


async def test_the_log_says_why_a_worker_ended() -> None:
    """Liveness only names it."""
    workspace: Any = SimpleNamespace(_tasks=[])
    with capture_logs() as logs:
        WorkspaceRuntime._start(workspace, "watcher", broken())
        await asyncio.wait(workspace._tasks)
    assert [(line["event"], line["worker"]) for line in logs] == [("service.worker_failed", "watcher")]
