"""The store of compose.yaml: it wants its password, keeps what it acknowledges, and nobody outside reaches it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError

from bot.store.engine.process import engine_binary
from tests.ports import free_ports
from tests.servers import wait_for

COMPOSE = yaml.safe_load((Path(__file__).resolve().parents[2] / "compose.yaml").read_text())


def test_the_store_is_closed_to_others() -> None:
    """No published port, no way out, a network of its own with the bot."""
    store: dict[str, Any] = COMPOSE["services"]["store"]
    assert "ports" not in store
    assert store["networks"] == ["store"]
    assert store["user"] == "valkey"
    assert COMPOSE["networks"]["store"] == {"internal": True}


def test_the_stores_command_works(tmp_path: Path) -> None:
    """As it stands in the file, with a Valkey: a password is needed, and every write is on the disk."""
    (port,) = free_ports(1)
    (tmp_path / "valkey-server").symlink_to(engine_binary())
    shell, option, script = COMPOSE["services"]["store"]["command"]
    script = script.replace("$$", "$").replace("requirepass", f"port {port}\\nrequirepass", 1)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "STORE_PASSWORD": "hunter2"}
    with subprocess.Popen([shell, option, script], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as server:  # noqa: S603  # the command of the file
        try:
            with Redis(port=port, password="hunter2") as redis:
                wait_for(redis)
                assert redis.config_get("append*")["appendfsync"] == "always"
                assert redis.config_get("appendonly") == {"appendonly": "yes"}
                assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
                stranger.ping()
        finally:
            with Redis(port=port, password="hunter2") as redis:
                redis.shutdown(nosave=True)
            server.wait(20)
