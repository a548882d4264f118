"""What a name finds: among what is followed, and in the list of a GCS that filters as documented."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.execution import Phase
from bot.errors import GCSUnavailable
from bot.gcs.errors import QuotaSpent
from sandbox import story
from sandbox.gcs import Fault
from tests.workers.rig import Rig


def lists(rig: Rig) -> int:
    """How many pages of the list GCS was asked for."""
    return sum(call.path == "/v1/executions" for call in rig.gcs.calls)


async def test_several_are_found_newest_first(rig: Rig) -> None:
    """A part of the name that all share, whether they are followed or not."""
    old = await rig.followed(rig.alice)
    new = rig.gcs.play(story.happy(2), by_hand=True)
    found = await rig.subscriptions.search.find(rig.who(rig.alice), "germline")
    assert found.matches[0].execution_id == new
    assert {match.execution_id for match in found.matches} == {old, new}
    assert lists(rig) == 1


async def test_a_whole_name_is_one(rig: Rig) -> None:
    """Although it is the beginning of another one's name."""
    names = {}
    for _ in range(12):
        execution = rig.gcs.play(story.happy(2), by_hand=True)
        body = rig.gcs.body(execution)
        assert body is not None
        names[body["execution"]["name"]] = execution
    first = min(names, key=len)
    found = await rig.subscriptions.search.find(rig.who(rig.alice), first.upper())
    assert [match.execution_id for match in found.matches] == [names[first]]


async def test_digits_of_what_is_followed_are_free(rig: Rig) -> None:
    """No call is made for them; for those of another execution one or two are."""
    followed, other = await rig.followed(rig.alice), rig.gcs.play(story.happy(2), by_hand=True)
    for execution, calls in ((followed, 0), (other, 2)):
        found = await rig.subscriptions.search.find(rig.who(rig.alice), execution[:8])
        assert ([match.execution_id for match in found.matches], lists(rig)) == ([execution], calls)


async def test_stopping_looks_at_what_is_followed(rig: Rig) -> None:
    """Another execution with such a name is not meant."""
    followed = await rig.followed(rig.alice)
    rig.gcs.play(story.happy(2), by_hand=True)
    found = await rig.subscriptions.search.find(rig.who(rig.alice), "germline", is_followed=True)
    assert ([match.execution_id for match in found.matches], lists(rig)) == ([followed], 0)


async def test_a_silent_gcs_leaves_what_is_followed(rig: Rig) -> None:
    """What is known is found; who follows nothing reads why nothing is."""
    followed = await rig.followed(rig.alice)
    rig.gcs.faults.add(Fault(kind="status", status=503))
    found = await rig.subscriptions.search.find(rig.who(rig.alice), "germline")
    assert [match.execution_id for match in found.matches] == [followed]
    with pytest.raises(GCSUnavailable):
        await rig.subscriptions.search.find(rig.who(rig.lab), "germline-x")


async def test_lists_go_by_phase(rig: Rig) -> None:
    """Only those that are in it."""
    failed, running = (rig.gcs.play(life(2), by_hand=True) for life in (story.failing, story.happy))
    rig.gcs.step(failed, to="failed")
    rig.gcs.step(running)
    for phase, execution in ((Phase.FAILED, failed), (Phase.RUNNING, running)):
        assert [match.execution_id for match in (await rig.subscriptions.search.in_phase(phase)).matches] == [execution]


async def test_a_search_is_a_persons_call(rig: Rig) -> None:
    """It comes out of people's share of the quota, and not beyond."""
    asked = []

    async def spent(*, is_person: bool) -> timedelta:
        asked.append(is_person)
        return timedelta(minutes=1)

    rig.client._take = spent
    with pytest.raises(QuotaSpent):
        await rig.subscriptions.search.find(rig.who(rig.alice), "germline")
    assert set(asked) == {True}
