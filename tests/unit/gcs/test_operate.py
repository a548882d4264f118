"""Cancel and retry on the wire: sent once, signed, and never repeated when the answer is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from bot.domain.acting import Action
from bot.errors import (
    ExecutionNotFound,
    GCSActionForbidden,
    GCSActionRefused,
    GCSBadCredentials,
    GCSError,
    GCSMalformed,
    GCSThrottled,
    GCSTooLate,
    GCSUnavailable,
    InvalidInput,
)
from bot.gcs.auth import IAMUser, SignatureAuth, TokenAuth
from bot.gcs.client import GCSClient
from bot.gcs.errors import QuotaSpent, may_have_acted
from bot.gcs.http import HTTPClient
from sandbox import story
from sandbox.gcs import GCS, Fault
from sandbox.gcs.answers import WRONG_STATE
from sandbox.gcs.faults import Kind

from .conftest import ID, Scripted

TAKEN = f'{{"id": "{ID}"}}'
SHORTLY = timedelta(seconds=0.3)


@pytest.fixture
async def gcs() -> AsyncIterator[GCS]:
    """A running simulated GCS."""
    async with GCS() as running:
        yield running


def signature(gcs: GCS) -> httpx.Auth:
    """The sandbox's keys."""
    return SignatureAuth(gcs.access_key, SecretStr(gcs.secret_key), project_id=gcs.project_id)


def token(gcs: GCS, http: HTTPClient) -> httpx.Auth:
    """The sandbox's user."""
    user = gcs.user
    return TokenAuth(
        http, gcs.url, IAMUser(user.username, SecretStr(user.password), user.domain, project_id=user.project_id)
    )


def actions(gcs: GCS) -> list[int]:
    """The statuses of all actions that arrived; 0 for a lost answer."""
    return [call.status for call in gcs.calls if call.method == "PUT"]


@pytest.mark.parametrize("kind", ["signature", "token"])
async def test_both_credentials_are_taken(gcs: GCS, http: HTTPClient, kind: str) -> None:
    """The signature covers the body."""
    auth = signature(gcs) if kind == "signature" else token(gcs, http)
    client = GCSClient(http, endpoint=gcs.url, auth=auth)
    execution_id = gcs.play(story.happy(2), by_hand=True)
    await client.operate(execution_id, Action.CANCEL)
    assert gcs.frame(execution_id).status == "Cancelling"
    gcs.step(execution_id, to="cancelled")
    await client.operate(execution_id, Action.RETRY)
    assert gcs.frame(execution_id).status == "Retrying"
    assert actions(gcs) == [200, 200]


async def test_says_nothing_but_the_action(client: GCSClient, scripted: Scripted) -> None:
    """One PUT of the execution's path; GCS's own defaults stand for the rest."""
    scripted.says(200, TAKEN)
    await client.operate(f" {ID.upper()} ", Action.RETRY)
    (sent,) = scripted.requests
    assert (sent.method, sent.raw_path) == ("PUT", f"/v1/executions/{ID}")
    assert json.loads(scripted.bodies[0]) == {"action": "retry"}


async def test_a_dead_token_is_renewed_once(gcs: GCS, http: HTTPClient) -> None:
    """GCS has not read a call whose token it refuses: the same call comes with a new one."""
    client = GCSClient(http, endpoint=gcs.url, auth=token(gcs, http))
    execution_id = gcs.play(story.happy(2), by_hand=True)
    await client.get_execution(execution_id)
    gcs.revoke_tokens()
    await client.operate(execution_id, Action.CANCEL)
    assert actions(gcs) == [401, 200]
    assert gcs.frame(execution_id).status == "Cancelling"


@pytest.mark.parametrize("kind", ["reset", "truncated", "timeout", "slow"])
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_lost_answer_repeats_nothing(gcs: GCS, http: HTTPClient, kind: Kind, is_done: bool) -> None:
    """Not even on a kept connection, where HTTP clients like to repeat a PUT by themselves."""
    client = GCSClient(http, endpoint=gcs.url, auth=signature(gcs))
    execution_id = gcs.play(story.happy(2), by_hand=True)
    await client.get_execution(execution_id)  # the connection is open
    gcs.faults.add(Fault(kind=kind, service="actions", is_done=is_done, delay=30))
    with pytest.raises(GCSUnavailable) as raised:
        await client.operate(execution_id, Action.CANCEL, within=SHORTLY)
    assert len(actions(gcs)) == 1
    assert may_have_acted(raised.value)
    assert isinstance(raised.value, GCSTooLate) is (kind in {"timeout", "slow"})


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_a_broken_service_repeats_nothing(client: GCSClient, scripted: Scripted, status: int) -> None:
    """Though a question would be sent four times."""
    scripted.says(status, "bad gateway")
    with pytest.raises(GCSUnavailable) as raised:
        await client.operate(ID, Action.CANCEL)
    assert len(scripted.requests) == 1
    assert may_have_acted(raised.value)


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"id": "other"}', '{"id": null}', '{"id": 1}'])
async def test_an_odd_word_is_no_answer(client: GCSClient, scripted: Scripted, body: str) -> None:
    """What does not name the execution may come from anybody."""
    scripted.says(200, body)
    with pytest.raises(GCSMalformed) as raised:
        await client.operate(ID, Action.CANCEL)
    assert may_have_acted(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"error_code": "GCS.4000003", "error_msg": "no"}', GCSActionRefused),
        (409, "", GCSActionRefused),
        (401, "", GCSBadCredentials),
        (403, '{"error_code": "APIGW.0302", "error_msg": "no"}', GCSActionForbidden),
        (404, '{"error_code": "GCS.4040001", "error_msg": "no"}', ExecutionNotFound),
        (429, "", GCSThrottled),
    ],
)
async def test_a_refusal_is_certain(
    client: GCSClient, scripted: Scripted, status: int, body: str, kind: type[GCSError]
) -> None:
    """Then GCS has done nothing."""
    scripted.says(status, body)
    with pytest.raises(kind) as raised:
        await client.operate(ID, Action.CANCEL)
    assert len(scripted.requests) == 1
    assert not may_have_acted(raised.value)
    if isinstance(raised.value, GCSActionRefused):
        assert raised.value.code == ("GCS.4000003" if body else "409")


async def test_the_wrong_state_is_refused(gcs: GCS, http: HTTPClient) -> None:
    """With GCS's own code."""
    client = GCSClient(http, endpoint=gcs.url, auth=signature(gcs))
    with pytest.raises(GCSActionRefused) as raised:
        await client.operate(gcs.play(story.pending()), Action.RETRY)
    assert raised.value.code == WRONG_STATE


async def test_without_quota_nothing_is_sent(http: HTTPClient, scripted: Scripted) -> None:
    """A call by a person counts as one of theirs."""
    asked: list[bool] = []

    async def take(*, is_person: bool) -> timedelta:
        asked.append(is_person)
        return timedelta(seconds=9)

    client = GCSClient(http, endpoint=scripted.url, auth=None, take=take)
    with pytest.raises(QuotaSpent) as raised:
        await client.operate(ID, Action.CANCEL)
    assert (asked, scripted.requests) == ([True], [])
    assert not may_have_acted(raised.value)


async def test_no_id_changes_the_path(client: GCSClient, scripted: Scripted) -> None:
    """As with questions."""
    with pytest.raises(InvalidInput):
        await client.operate(f"../{ID}", Action.CANCEL)
    assert scripted.requests == []
