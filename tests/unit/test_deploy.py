"""The examples of `deploy` and the profiles of compose.yaml: they parse, and nginx lets Slack's requests through only.

The tests of nginx are skipped where it is not installed; with `REQUIRE_NGINX=1` (CI sets it) that is a failure.
"""

from __future__ import annotations

import asyncio
import configparser
import io
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import yaml
from aiohttp import web

from bot.app.console import EXIT_SETTINGS
from bot.app.service import STOP_WITHIN
from bot.settings.fields import NAMES, SECRETS
from bot.slack.inbound import PATH
from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
INGRESS = list(yaml.safe_load_all((ROOT / "deploy" / "ingress.yaml").read_text(encoding="utf-8")))
DEPLOYMENT = list(yaml.safe_load_all((ROOT / "deploy" / "deployment.yaml").read_text(encoding="utf-8")))
PATIENCE = 20.0

MAIN = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/example.conf;
}}
"""


def nginx() -> str:
    """The path of nginx; without it the test is skipped, or fails where it must be there."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None and os.environ.get("REQUIRE_NGINX") == "1":
        pytest.fail("nginx is not installed, and REQUIRE_NGINX=1 says that it must be")
    return binary or pytest.skip("nginx is not installed")


@dataclass
class Proxy:
    """nginx with the example, and what reached the bot behind it."""

    url: str
    port: int
    session: aiohttp.ClientSession
    arrived: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path and body."""

    async def status(self, method: str, path: str, body: bytes = b"") -> int:
        """Status of the response to a request."""
        async with self.session.request(method, f"{self.url}{path}", data=io.BytesIO(body)) as response:
            return response.status


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    """The example as it is, apart from addresses and files."""
    binary, authority = nginx(), trustme.CA()
    certificate = authority.issue_cert("bot.example.com", "localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "bot.key"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "bot.crt"))
    trusts = ssl.create_default_context()
    authority.configure_trust(trusts)
    (port,) = free_ports(1)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusts)) as session,
        bot_behind(found := Proxy(f"https://localhost:{port}", port, session)) as behind,
    ):
        replaced = {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/nginx/tls": str(tmp_path),
            "127.0.0.1:3000": f"127.0.0.1:{behind}",
        }
        example = EXAMPLE
        for old, new in replaced.items():
            assert old in example
            example = example.replace(old, new)
        write(tmp_path, example)
        await checked(binary, tmp_path)
        async with running(binary, tmp_path, port):
            yield found


def write(folder: Path, example: str) -> None:
    """The example, and a main file that includes it."""
    (folder / "example.conf").write_text(example, encoding="utf-8")
    (folder / "main.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")


@asynccontextmanager
async def bot_behind(proxy: Proxy) -> AsyncIterator[int]:
    """In the place of the bot: takes everything; its port."""

    async def take(request: web.Request) -> web.Response:
        proxy.arrived.append((request.method, request.path, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def checked(binary: str, folder: Path) -> None:
    """`nginx -t` finds nothing."""
    tested = await asyncio.create_subprocess_exec(
        binary, "-t", "-q", "-p", str(folder), "-c", str(folder / "main.conf"), stderr=asyncio.subprocess.PIPE
    )
    _, printed = await tested.communicate()
    assert (tested.returncode, printed) == (0, b"")


@asynccontextmanager
async def running(binary: str, folder: Path, port: int) -> AsyncIterator[None]:
    """The server, as one process that this test ends."""
    options = ("-g", "daemon off; master_process off;")
    server = await asyncio.create_subprocess_exec(
        binary, "-p", str(folder), "-c", str(folder / "main.conf"), *options, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while not await listens(port):  # noqa: ASYNC110  # another process's doing
                await asyncio.sleep(0.05)
        yield
    finally:
        server.terminate()
        await server.wait()


async def listens(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_nginx_passes_slacks_requests_only(proxy: Proxy) -> None:
    """One path, one method, and bodies of Slack's size, byte by byte; nothing else reaches the bot."""
    body = b"payload=%7B%22a%22%3A1%7D&x=\xc3\xa9" + b"y" * 100_000
    assert await proxy.status("POST", PATH, body) == 200
    refused = [
        await proxy.status("GET", PATH),
        await proxy.status("PUT", PATH, b"x"),
        await proxy.status("POST", "/metrics", b"x"),
        await proxy.status("POST", f"{PATH}/x", b"x"),
        await proxy.status("POST", PATH, b"x" * 1_000_000 + b"y" * 100_000),
    ]
    assert refused == [403, 403, 404, 404, 413]
    assert proxy.arrived == [("POST", PATH, body)]


async def test_half_a_request_does_not_reach_the_bot(proxy: Proxy) -> None:
    """It waits at nginx for the rest, which a whole one passes meanwhile."""
    trusts = ssl.create_default_context()
    trusts.check_hostname, trusts.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port, ssl=trusts)
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: bot.example.com\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    assert await proxy.status("POST", PATH, b"whole") == 200
    assert [body for _, _, body in proxy.arrived] == [b"whole"]
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def test_the_ingress_buffers_and_limits() -> None:
    """One exact path over TLS, with the limits of the nginx example; the health port is not in it."""
    service, ingress = INGRESS
    annotations = ingress["metadata"]["annotations"]
    named = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in annotations.items()}
    assert all(isinstance(value, str) for value in named.values())
    assert (named["proxy-request-buffering"], named["proxy-body-size"], named["proxy-read-timeout"]) == (
        "on",
        "1m",
        "3",
    )
    assert named["proxy-next-upstream"] == "off"
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == (PATH, "Exact")
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    (port,) = service["spec"]["ports"]
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}
    assert port["targetPort"] == 3000


def test_compose_has_a_profile_for_http() -> None:
    """The same bot with one more port, for this machine only; nobody starts it by chance."""
    services: dict[str, dict[str, Any]] = COMPOSE["services"]
    bot, over_http = services["bot"], services["bot-http"]
    assert over_http["profiles"] == ["http"]
    assert set(over_http["ports"]) - set(bot["ports"]) == {"127.0.0.1:3000:3000"}
    assert all(port.startswith("127.0.0.1:") for each in (bot, over_http) for port in each["ports"])
    different = {key for key in over_http if over_http[key] != bot.get(key)}
    assert different == {"profiles", "ports"}


def test_the_image_opens_its_health_port() -> None:
    """A container has no other way in, and only what is published can be reached."""
    assert "HEALTH_HOST=0.0.0.0" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_deployment_gives_known_settings() -> None:
    """Each secret is a file that the volume brings, for a user that may not write anywhere else."""
    secret, deployment = DEPLOYMENT
    pod = deployment["spec"]["template"]["spec"]
    (bot,) = pod["containers"]
    given = {each["name"]: each["value"] for each in bot["env"]}
    files = {name: Path(value) for name, value in given.items() if name.endswith("_FILE")}
    assert {name.removesuffix("_FILE") for name in given} <= {*NAMES}
    assert {name.removesuffix("_FILE") for name in files} <= SECRETS
    assert {path.name for path in files.values()} == set(secret["stringData"])
    assert {str(path.parent) for path in files.values()} == {each["mountPath"] for each in bot["volumeMounts"]}
    assert [each["secret"]["secretName"] for each in pod["volumes"]] == [secret["metadata"]["name"]]
    assert pod["securityContext"]["fsGroup"] == 10001  # or the user could not read files of mode 0440
    assert "10001:10001" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert bot["livenessProbe"]["httpGet"] == bot["readinessProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    assert INGRESS[0]["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_the_unit_stops_the_bot_alone() -> None:
    """The embedded store ends last, and wrong settings are no reason to start again."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    unit.read(ROOT / "deploy" / "execution-bot.service")
    service = unit["Service"]
    assert (service["KillMode"], service["RestartPreventExitStatus"]) == ("mixed", str(EXIT_SETTINGS))
    assert int(service["TimeoutStopSec"]) > STOP_WITHIN.total_seconds() + 5
    assert service["ExecStart"].endswith("python -m bot run")
