"""How many messages a whole life costs at each level, counted as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.domain.following import Level
from sandbox import story
from sandbox.story import Life
from tests.workers.rig import CADENCE, Rig, watcher_of


async def lived(rig: Rig, life: Life) -> dict[Level, list[str]]:
    """Play a life to its end for a channel at each level; returns what each reads besides its card."""
    places = {level: rig.slack.add_channel(f"lab-{level}", members=[rig.alice]) for level in Level}
    execution = rig.gcs.play(life, by_hand=True)
    for level, place in places.items():
        await rig.store.channels.note(rig.slack.workspace.team_id, place, is_shared=False)
        await rig.subscriptions.subscribe(rig.who(place), execution, level=level, owner=rig.alice)
    await rig.deliver()
    while rig.gcs.step(execution) is not None:
        await rig.poll()
        await rig.later()
    found = {level: rig.slack.messages(place) for level, place in places.items()}
    assert all("Succeeded" in messages[0].text for messages in found.values())  # the card shows the end
    return {level: [message.text for message in messages[1:]] for level, messages in found.items()}


@pytest.mark.parametrize("level", Level)
async def test_an_end_before_the_card_is_shown(rig: Rig, level: Level) -> None:
    """Slack was away since the start: also who reads of failures only has a card then, which shows the end."""
    execution = await rig.follow(rig.lab, level=level)
    await rig.step(execution, to="succeeded")
    await rig.deliver()
    card, *messages = rig.slack.messages(rig.lab)
    assert ("Succeeded" in card.text, len(messages)) == (True, int(level is not Level.FAILURES))
    assert rig.left_over() == []


async def test_an_end_is_shown_though_others_follow_again(rig: Rig) -> None:
    """Slack was away until nobody waited for a retry any more; then somebody else follows the same execution."""
    execution = await rig.follow(rig.lab, life=story.cancelled(2), level=Level.FAILURES)
    usual, rig.watcher = (
        rig.watcher,
        watcher_of(rig.client, rig.store, cadence=replace(CADENCE, retry_grace=timedelta(0))),
    )
    await rig.step(execution, to="cancelled")
    await rig.poll()
    rig.watcher = usual
    await rig.subscriptions.subscribe(rig.who(rig.alice), execution, level=None, owner=rig.alice)
    await rig.deliver()
    (card,) = rig.slack.messages(rig.lab)
    assert "Cancelled" in card.text


@pytest.mark.parametrize(
    ("life", "most"),
    [
        (story.happy(20), {Level.FAILURES: 0, Level.FINAL: 1, Level.MILESTONES: 5, Level.STEPS: 21}),
        (story.wide(60, sub_jobs=1), {Level.FAILURES: 0, Level.FINAL: 1, Level.MILESTONES: 5, Level.STEPS: 21}),
    ],
    ids=["20 steps", "65 steps"],
)
async def test_a_good_run_costs_few_messages(rig: Rig, life: Life, most: dict[Level, int]) -> None:
    """Besides the card: none at `failures`, the end at `final`, and a bounded number where steps are reported."""
    read = await lived(rig, life)
    assert {level: len(messages) for level, messages in read.items()} == most
