"""Promises of the client about the quota: every call is taken from it, and none is sent without."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import GCSThrottled, GCSUnavailable
from bot.gcs.client import GCSClient
from bot.gcs.errors import QuotaSpent
from bot.gcs.http import HTTPClient
from tests.unit.gcs.conftest import ID, Scripted, body_of

NONE_LEFT = timedelta(minutes=1)


class Quota:
    """A quota of `calls`; records who took one, and what GCS said."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.asked: list[bool] = []
        self.refusals: list[timedelta] = []

    async def take(self, *, is_person: bool) -> timedelta:
        """One of the calls, while there are any."""
        self.asked.append(is_person)
        self.calls -= 1
        return timedelta() if self.calls >= 0 else NONE_LEFT

    async def refused(self, retry_after: timedelta) -> None:
        """GCS found the quota used up."""
        self.refusals.append(retry_after)


def limited(http: HTTPClient, scripted: Scripted, quota: Quota) -> GCSClient:
    """A client that spends from `quota`."""
    return GCSClient(http, endpoint=scripted.url, auth=None, take=quota.take, on_throttled=quota.refused)


async def test_repeats_are_calls_too(http: HTTPClient, scripted: Scripted) -> None:
    """Each attempt is taken out of the quota, not each request."""
    quota = Quota(10)
    scripted.says(503).says(503).says(200, body_of("running"))
    await limited(http, scripted, quota).get_execution(ID)
    assert len(quota.asked) == len(scripted.requests) == 3


async def test_sends_nothing_without_quota(http: HTTPClient, scripted: Scripted) -> None:
    """A call that GCS would refuse is not sent; the caller learns how long to wait."""
    scripted.says(200, body_of("running"))
    with pytest.raises(QuotaSpent) as refusal:
        await limited(http, scripted, Quota(0)).get_execution(ID, within=timedelta(seconds=5))
    assert (refusal.value.retry_after, scripted.requests) == (NONE_LEFT, [])


async def test_failure_stands_without_quota_for_a_repeat(http: HTTPClient, scripted: Scripted) -> None:
    """GCS's failure is raised, not ours: a call that was never sent would be repeated each second."""
    scripted.says(503)
    with pytest.raises(GCSUnavailable):
        await limited(http, scripted, Quota(1)).get_execution(ID, within=timedelta(seconds=5))
    assert len(scripted.requests) == 1


async def test_distinguishes_people_from_polls(http: HTTPClient, scripted: Scripted) -> None:
    """The quota learns whether a person waits."""
    quota = Quota(10)
    scripted.says(200, body_of("running"))
    client = limited(http, scripted, quota)
    await client.get_execution(ID, is_person=True)
    await client.get_execution(ID)
    assert quota.asked == [True, False]


async def test_passes_on_a_throttle(http: HTTPClient, scripted: Scripted) -> None:
    """A throttle by GCS concerns everything that calls."""
    quota = Quota(10)
    scripted.says(429, Retry_After="120")
    with pytest.raises(GCSThrottled):
        await limited(http, scripted, quota).get_execution(ID, within=timedelta(seconds=5))
    assert quota.refusals == [timedelta(seconds=120)]
