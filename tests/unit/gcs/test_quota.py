"""Promises of the client about the quota: every call is asked for, none goes out without leave."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import GCSThrottled, GCSUnavailable
from bot.gcs.client import GCSClient, QuotaSpent
from bot.gcs.http import Credentials, HTTPClient
from tests.unit.gcs.conftest import ID, Scripted, body_of

NONE_LEFT = timedelta(minutes=1)


class Quota:
    """A quota with so many calls in it; notes who asked, and what GCS said."""

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
    return GCSClient(http, endpoint=scripted.url, auth=Credentials(), take=quota.take, refused=quota.refused)


async def test_repeats_are_calls_too(http: HTTPClient, scripted: Scripted) -> None:
    """Each attempt is taken out of the quota, not each question."""
    quota = Quota(10)
    scripted.says(503).says(503).says(200, body_of("running"))
    await limited(http, scripted, quota).get_execution(ID)
    assert len(quota.asked) == len(scripted.requests) == 3


async def test_without_leave_nothing_goes_out(http: HTTPClient, scripted: Scripted) -> None:
    """A call that GCS would refuse is not made; whoever asked learns how long to wait."""
    scripted.says(200, body_of("running"))
    with pytest.raises(QuotaSpent) as refusal:
        await limited(http, scripted, Quota(0)).get_execution(ID, within=timedelta(seconds=5))
    assert (refusal.value.retry_after, scripted.requests) == (NONE_LEFT, [])


async def test_a_failure_stands_where_no_call_is_left_for_its_repeat(http: HTTPClient, scripted: Scripted) -> None:
    """GCS is away, and so is our quota: taken for a call that was held back, it would be asked again each second."""
    scripted.says(503)
    with pytest.raises(GCSUnavailable):
        await limited(http, scripted, Quota(1)).get_execution(ID, within=timedelta(seconds=5))
    assert len(scripted.requests) == 1


async def test_people_are_said_to_be_people(http: HTTPClient, scripted: Scripted) -> None:
    """The quota is told who waits."""
    quota = Quota(10)
    scripted.says(200, body_of("running"))
    client = limited(http, scripted, quota)
    await client.get_execution(ID, is_person=True)
    await client.get_execution(ID)
    assert quota.asked == [True, False]


async def test_a_refusal_of_gcs_is_passed_on(http: HTTPClient, scripted: Scripted) -> None:
    """What GCS says of the quota concerns everybody who calls."""
    quota = Quota(10)
    scripted.says(429, Retry_After="120")
    with pytest.raises(GCSThrottled):
        await limited(http, scripted, quota).get_execution(ID, within=timedelta(seconds=5))
    assert quota.refusals == [timedelta(seconds=120)]
