"""What people read about a followed execution while GCS does not show it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.snapshot import Unseen
from bot.errors import GCSBadCredentials, GCSError, GCSForbidden, GCSThrottled
from bot.gcs.errors import QuotaSpent
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import CADENCE, Rig

NO_SUCH_API = {"error_code": "APIGW.0101", "error_msg": "The API does not exist"}
AWAY = [
    Fault(kind="status", status=503),
    Fault(kind="status", status=404, body=NO_SUCH_API),
    Fault(kind="reset"),
    Fault(kind="malformed"),
    Fault(kind="not_found_page"),
]


@pytest.mark.parametrize("fault", AWAY, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_an_unreachable_gcs_shows_the_last_snapshot(rig: Rig, fault: Fault) -> None:
    """With the time since when GCS has been unreachable."""
    execution = await rig.followed(rig.lab)
    known = await rig.subscriptions.summary(rig.who(rig.lab).team_id, execution, rig.alice)
    rig.gcs.faults.add(fault)
    found = await rig.subscriptions.summary(rig.who(rig.lab).team_id, execution, rig.alice)
    assert found.snapshot.execution == known.snapshot.execution
    assert found.snapshot.unreachable_since is not None
    assert found.snapshot.unseen is (Unseen.UNREADABLE if fault.kind == "malformed" else Unseen.AWAY)


@pytest.mark.parametrize(("status", "kind"), [(401, GCSBadCredentials), (403, GCSForbidden), (429, GCSThrottled)])
async def test_a_refusal_is_not_called_unreachable(rig: Rig, status: int, kind: type[GCSError]) -> None:
    """GCS answers: calling it unreachable would make people wait for what somebody has to fix."""
    execution = await rig.followed(rig.lab)
    rig.gcs.faults.add(Fault(kind="status", status=status, retry_after=60))
    with pytest.raises(kind):
        await rig.subscriptions.summary(rig.who(rig.lab).team_id, execution, rig.alice)


async def test_a_spent_quota_is_no_outage(rig: Rig) -> None:
    """The bot itself defers the call."""

    async def spent(*, is_person: bool) -> timedelta:
        return timedelta(minutes=1)

    execution = await rig.followed(rig.lab)
    rig.client._take = spent
    with pytest.raises(QuotaSpent):
        await rig.subscriptions.summary(rig.who(rig.lab).team_id, execution, rig.alice)


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_wrong_clock_moves_no_deadline(rig: Rig, minutes: int) -> None:
    """What one copy stores about a failed execution holds for all: a retry is awaited for the whole grace."""
    reads = rig.subscriptions._reads
    rig.subscriptions._now = reads._now = reads._shared._now = lambda: datetime.now(UTC) + timedelta(minutes=minutes)
    execution = rig.gcs.play(story.failing(4), by_hand=True)
    rig.gcs.step(execution, to="failed")
    subscriber = rig.who(rig.lab)
    await rig.subscriptions.subscribe(subscriber, execution, level=None, owner=rig.alice)
    snapshot = await rig.store.subscribers.snapshot(subscriber.team_id, execution)
    assert snapshot is not None
    assert snapshot.retry_until is not None
    now = datetime.now(UTC)
    assert abs(snapshot.seen_at - now) < timedelta(minutes=1)
    assert abs(snapshot.retry_until - now - CADENCE.retry_grace) < timedelta(minutes=1)
