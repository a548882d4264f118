"""In a company's network: a proxy with a password, hosts reached without it, an authority of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.gcs import GCS
from sandbox.slack import Slack
from tests.end_to_end.bot_process import BotProcess, ended
from tests.end_to_end.conftest import SCOPES, World, password, plain_settings
from tests.end_to_end.forward_proxy import PASSWORD, Authority, ForwardProxy, forward_proxy
from tests.end_to_end.lives import HAPPY
from tests.end_to_end.test_lives import lived
from tests.ports import free_ports
from tests.store.conftest import redis_server


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[ForwardProxy]:
    """A proxy, the only one that finds `slack.test` and `gcs.test`."""
    async with forward_proxy(tmp_path) as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An own certificate authority."""
    return Authority(tmp_path)


@asynccontextmanager
async def company(authority: Authority, *, slack_host: str, gcs_host: str) -> AsyncIterator[tuple[GCS, Slack]]:
    """Slack, GCS and IAM behind TLS."""
    async with (
        GCS(host=gcs_host, tls=authority.tls(gcs_host)) as gcs,
        Slack(scopes=SCOPES, host=slack_host, tls=authority.tls(slack_host)) as slack,
    ):
        yield gcs, slack


@asynccontextmanager
async def running(folder: Path, gcs: GCS, slack: Slack, **settings: str) -> AsyncIterator[World]:
    """A bot in that network, in Socket Mode and with a password, so that it needs every server."""
    alice, bob = slack.add_user("alice"), slack.add_user("bob")
    lab = slack.add_channel("lab", members=(alice, bob))
    bot = BotProcess({**plain_settings(gcs, slack, folder, "socket"), **password(gcs), **settings}, folder / "bot.log")
    await bot.start()
    try:
        yield World(gcs, slack, bot, alice, bob, lab)
    finally:
        await bot.stop()
    for secret in (PASSWORD, "p@ss/word", "Ym90OnBAc3Mvd29yZA=="):
        assert secret not in bot.log


async def test_all_doors_use_proxy_and_bundle(tmp_path: Path, proxy: ForwardProxy, authority: Authority) -> None:
    """Web API, socket, answers, GCS and IAM: nothing but the proxy finds them, and only our authority vouches."""
    async with company(authority, slack_host="slack.test", gcs_host="gcs.test") as (gcs, slack):
        settings = {"HTTPS_PROXY": proxy.url, "CA_BUNDLE": str(authority.bundle)}
        async with running(tmp_path, gcs, slack, **settings) as world:
            following = await lived(world, HAPPY)
            assert following.transcript(world.lab) == ["card", *HAPPY[1]]
            assert slack.ephemerals(world.alice)  # through a response_url
            assert gcs.tokens_fetched == 1


async def test_a_proxy_may_have_tls(tmp_path: Path, authority: Authority) -> None:
    """TLS to the proxy and, inside it, TLS to the server, each with a certificate of the bundle."""
    files = authority.files(tmp_path, "127.0.0.1")
    async with (
        forward_proxy(tmp_path, files) as proxy,
        company(authority, slack_host="slack.test", gcs_host="gcs.test") as (gcs, slack),
    ):
        settings = {"HTTPS_PROXY": proxy.url, "CA_BUNDLE": str(authority.bundle)}
        async with running(tmp_path, gcs, slack, **settings) as world:
            following = await lived(world, HAPPY)
            assert following.transcript(world.lab) == ["card", *HAPPY[1]]


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "example.com, 127.0.0.0/8", "*"])
async def test_no_proxy_is_obeyed(tmp_path: Path, authority: Authority, no_proxy: str) -> None:
    """Behind a proxy that is dead, the hosts of `NO_PROXY` are reached by every door."""
    async with company(authority, slack_host="127.0.0.1", gcs_host="127.0.0.1") as (gcs, slack):
        settings = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": no_proxy, "CA_BUNDLE": str(authority.bundle)}
        async with running(tmp_path, gcs, slack, **settings) as world:
            following = await lived(world, HAPPY)
            assert following.transcript(world.lab) == ["card", *HAPPY[1]]


async def test_one_port_goes_past_the_proxy(tmp_path: Path, proxy: ForwardProxy, authority: Authority) -> None:
    """`NO_PROXY` names GCS with its port: Slack on the same host still goes through the proxy."""
    async with company(authority, slack_host="127.0.0.1", gcs_host="127.0.0.1") as (gcs, slack):
        settings = plain_settings(gcs, slack, tmp_path, "socket") | {
            "HTTPS_PROXY": proxy.url,
            "NO_PROXY": gcs.url.removeprefix("https://"),
            "CA_BUNDLE": str(authority.bundle),
        }
        code, printed = await ended(tmp_path, "check", settings)
        log = proxy.log.read_text()
    assert code == 0, printed
    assert f"CONNECT 127.0.0.1:{slack.port}" in log
    assert f"CONNECT 127.0.0.1:{gcs.url.rpartition(':')[2]}" not in log


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"HTTPS_PROXY": "http://bot:hunter2@127.0.0.1:{port}"}, "the proxy answers 407"),
        ({"HTTPS_PROXY": "http://bot:hunter2@127.0.0.1:9"}, "no answer"),
        ({"CA_BUNDLE": ""}, "certificate"),
    ],
)
async def test_a_closed_way_is_said_without_secrets(
    tmp_path: Path, proxy: ForwardProxy, authority: Authority, change: dict[str, str], reason: str
) -> None:
    """A wrong password of the proxy, a dead proxy, an unknown authority: named, and nobody reads the password."""
    change = {name: value.format(port=proxy.port) for name, value in change.items()}
    async with company(authority, slack_host="slack.test", gcs_host="gcs.test") as (gcs, slack):
        settings = plain_settings(gcs, slack, tmp_path, "socket") | {
            "HTTPS_PROXY": proxy.url,
            "CA_BUNDLE": str(authority.bundle),
        }
        code, printed = await ended(tmp_path, "check", settings | change | {"LOG_LEVEL": "debug"})
    assert code == 1
    failed = {line.partition(":")[0] for line in printed.splitlines() if line.startswith("✗")}
    assert failed >= {"✗ GeneContainer Service", "✗ Slack token", "✗ Slack scopes", "✗ Slack connection"}, printed
    assert reason in printed
    assert not any(secret in printed for secret in ("hunter2", PASSWORD, "p@ss/word"))


async def test_a_bundle_holds_for_redis(tmp_path: Path, authority: Authority) -> None:
    """A Redis with TLS is trusted with `CA_BUNDLE`, and refused without it."""
    (port,) = free_ports(1)
    certificate, key = authority.files(tmp_path, "127.0.0.1")
    redis = await asyncio.create_subprocess_exec(
        *(redis_server(), "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(authority.bundle)),
        cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with GCS() as gcs, Slack(scopes=SCOPES) as slack:
            settings = plain_settings(gcs, slack, tmp_path, "socket") | {"REDIS_URL": f"rediss://127.0.0.1:{port}"}
            code, printed = await ended(tmp_path, "check", settings | {"CA_BUNDLE": str(authority.bundle)})
            assert (code, "✓ Store" in printed) == (0, True), printed
            code, printed = await ended(tmp_path, "check", settings)
            assert (code, "✗ Store" in printed) == (1, True), printed
    finally:
        redis.terminate()
        await redis.wait()
