"""Which hosts go past the proxy, and that its password is nowhere to be read."""

from __future__ import annotations

import ast
import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from bot.network import Network, bypasses

ROOT = Path(__file__).resolve().parents[2]

ALLOWED = [
    "bot/app/checks.py: aiohttp.ClientSession",  # to the bot on this machine
    "bot/slack/client.py: AsyncWebClient",  # its session has the context
]
"""Where a client is built without being handed the network by that name."""


@pytest.mark.parametrize(
    ("no_proxy", "host", "port"),
    [
        ("*", "gcs.example.com", 443),
        ("example.com", "example.com", 443),
        ("example.com", "GCS.Example.com.", 443),
        (".example.com", "gcs.example.com", 443),
        (".example.com", "example.com", 443),
        ("*.example.com", "gcs.example.com", 443),
        ("*.example.com:8443", "gcs.example.com", 8443),
        ("localhost, example.com", "example.com", 443),
        ("localhost example.com", "example.com", 8443),
        ("example.com:8443", "example.com", 8443),
        ("10.1.2.3", "10.1.2.3", 443),
        ("10.0.0.0/8", "10.1.2.3", 443),
        ("10.1.2.3:8443", "10.1.2.3", 8443),
        ("::1", "::1", 443),
        ("[::1]:443", "::1", 443),
        ("fd00::/8", "fd00::7", 443),
    ],
)
def test_hosts_of_no_proxy_are_direct(no_proxy: str, host: str, port: int) -> None:
    """Names with what is below them, with or without a dot, addresses, networks, ports, and `*`."""
    assert bypasses(no_proxy, host, port)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port"),
    [
        ("", "example.com", 443),
        (",", "example.com", 443),
        ("ample.com", "example.com", 443),
        ("gcs.example.com", "example.com", 443),
        ("example.com:8443", "example.com", 443),
        ("0.1", "10.0.0.1", 443),
        ("10.0.0.0/8", "11.1.2.3", 443),
        ("10.0.0.0/8", "10.example.com", 443),
        ("[", "example.com", 443),
        (".", "example.com", 443),
        ("*.example.com", "example.org", 443),
    ],
)
def test_other_hosts_use_the_proxy(no_proxy: str, host: str, port: int) -> None:
    """A part of a name is another name, and so is a part of an address."""
    assert not bypasses(no_proxy, host, port)


def test_an_own_authority_may_be_old(tmp_path: Path) -> None:
    """Companies' authorities lack fields that Python 3.13 wants by default; the certificate is still required."""
    bundle = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    context = Network(ca_bundle=bundle).tls()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_plain_http_uses_no_proxy() -> None:
    """It is allowed on this machine only."""
    network = Network(SecretStr("http://bot:hunter2@proxy:3128"))
    assert network.proxy_for("http://127.0.0.1:9000") is None
    assert network.proxy_for("wss://wss-primary.slack.com/link") == "http://bot:hunter2@proxy:3128"


def test_the_password_is_not_shown() -> None:
    """Neither in words nor in `repr`."""
    network = Network(SecretStr("http://bot:hunter2@proxy:3128"), "example.com")
    assert network.way_to("https://slack.com") == "through the proxy proxy:3128"
    assert network.way_to("https://example.com") == "directly"
    assert "hunter2" not in repr(network)


def test_every_client_is_given_the_network() -> None:
    """The app builds no client that would go past proxy and bundle; only `check` calls the bot on its own machine."""
    past: list[str] = []
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name, given = ast.unparse(node.func), {keyword.arg for keyword in node.keywords}
            is_bare = (
                (name == "HTTPClient" and not node.args)
                or (name in {"SlackClient", "AsyncWebClient"} and not {"network", "ssl"} & given)
                or (name == "aiohttp.ClientSession" and "connector" not in given)
            )
            if is_bare:
                past.append(f"{path.relative_to(ROOT)}: {name}")
    assert sorted(past) == ALLOWED
