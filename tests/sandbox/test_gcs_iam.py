"""IAM issues tokens for a password, and GCS accepts them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.gcs import GCS, Fault
from tests.sandbox.gcs_caller import Reply, send


class Wall:
    """Wall time that a test moves."""

    def __init__(self) -> None:
        self.date = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        """As `datetime.now`."""
        return self.date


@pytest.fixture
def wall() -> Wall:
    """The wall time of the simulated GCS."""
    return Wall()


@pytest.fixture
async def gcs(wall: Wall) -> AsyncIterator[GCS]:
    """A running simulated GCS."""
    async with GCS(now=wall, username="bot", password="pass-word", domain="lab") as running:
        yield running


def login(scope: Any = None, **user: Any) -> dict[str, Any]:
    """The body of a token request."""
    person = {"name": "bot", "password": "pass-word", "domain": {"name": "lab"}, **user}
    identity = {"methods": ["password"], "password": {"user": person}}
    return {"auth": {"identity": identity, "scope": scope or {"project": {"name": "cn-north-4"}}}}


async def fetch(gcs: GCS, body: Any, path: str = "/v3/auth/tokens?nocatalog=true") -> Reply:
    """IAM's answer."""
    headers = {"Content-Type": "application/json;charset=utf8"}
    return await send(gcs, path, headers, method="POST", body=json.dumps(body).encode())


async def use(gcs: GCS, token: str) -> Reply:
    """GCS's answer to a call with `token`."""
    return await send(gcs, "/v1/executions", {"X-Auth-Token": token})


async def test_token(gcs: GCS) -> None:
    """201, the token in the header, its expiry in the body; GCS accepts it."""
    reply = await fetch(gcs, login())
    assert reply.status == 201
    assert reply.json["token"]["expires_at"] == "2024-01-03T03:04:05.000000Z"
    assert (await use(gcs, reply.headers["X-Subject-Token"])).status == 200
    assert (gcs.tokens_fetched, gcs.calls[-1].user) == (1, "bot")


async def test_project_by_id(gcs: GCS) -> None:
    """The scope may name the project by its id."""
    assert (await fetch(gcs, login({"project": {"id": gcs.project_id}}))).status == 201


async def test_catalog_can_be_left_out(gcs: GCS) -> None:
    """The catalogue is included unless declined."""
    replies = [await fetch(gcs, login(), path) for path in ("/v3/auth/tokens", "/v3/auth/tokens?nocatalog=true")]
    assert ["catalog" in reply.json["token"] for reply in replies] == [True, False]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (login(password="wrong"), 401),
        (login(name="other"), 401),
        (login(domain={"name": "other"}), 401),
        (login({"project": {"name": "cn-east-2"}}), 401),
        (login({"domain": {"name": "lab"}}), 400),
        ({"auth": {}}, 400),
        ([], 400),
    ],
)
async def test_refused(gcs: GCS, body: Any, status: int) -> None:
    """Wrong user, password, account or project are refused in IAM's form; so is a request without project scope."""
    reply = await fetch(gcs, body)
    assert (reply.status, reply.json["error"]["code"], gcs.tokens_fetched) == (status, status, 0)
    assert "X-Subject-Token" not in reply.headers


async def test_token_expires(gcs: GCS, wall: Wall) -> None:
    """After 24 hours GCS demands a new token."""
    token = (await fetch(gcs, login())).headers["X-Subject-Token"]
    wall.date += timedelta(hours=24)
    reply = await use(gcs, token)
    assert reply.error == (401, "APIGW.0307")
    assert "The token must be updated" in reply.json["error_msg"]


async def test_tokens_can_be_revoked(gcs: GCS) -> None:
    """A token can be revoked; a later one is valid."""
    old = (await fetch(gcs, login())).headers["X-Subject-Token"]
    gcs.revoke_tokens()
    new = (await fetch(gcs, login())).headers["X-Subject-Token"]
    assert [(await use(gcs, token)).status for token in (old, new)] == [401, 200]


async def test_new_token_keeps_the_old_one_valid(gcs: GCS) -> None:
    """Several processes may fetch tokens for one user."""
    tokens = [(await fetch(gcs, login())).headers["X-Subject-Token"] for _ in range(2)]
    assert [(await use(gcs, token)).status for token in tokens] == [200, 200]


async def test_faults_of_iam(gcs: GCS) -> None:
    """IAM can fail alone, in its own form, while GCS works."""
    token = (await fetch(gcs, login())).headers["X-Subject-Token"]
    gcs.faults.add(Fault(kind="status", service="iam", status=503))
    reply = await fetch(gcs, login())
    assert (reply.status, reply.json["error"]["code"]) == (503, 503)
    assert (await use(gcs, token)).status == 200
