"""The simulated modals through the real SDK: who may open one, how many there are, and what is refused."""

from __future__ import annotations

from tests.sandbox.slack_rig import MODAL, World


async def test_trigger_expires(at: World) -> None:
    """A trigger opens one view, within three seconds."""
    first, second = [(await at.slack.command(at.you, at.channel, "x")).trigger_id for _ in range(2)]
    await at.client.views_open(trigger_id=first, view=MODAL)
    assert await at.code("views.open", trigger_id=first, view=MODAL) == "exchanged_trigger_id"
    at.clock.now += 4
    assert await at.code("views.open", trigger_id=second, view=MODAL) == "expired_trigger_id"


async def test_views_stack_three_deep(at: World) -> None:
    """Two views can be pushed onto an open one, but not three."""
    triggers = [(await at.slack.command(at.you, at.channel, "x")).trigger_id for _ in range(4)]
    await at.client.views_open(trigger_id=triggers[0], view=MODAL)
    for trigger in triggers[1:3]:
        await at.client.views_push(trigger_id=trigger, view=MODAL)
    assert await at.code("views.push", trigger_id=triggers[3], view=MODAL) == "push_limit_reached"
    assert len(at.slack.views(at.you)) == 3


async def test_view_update_checks_the_hash(at: World) -> None:
    """An update with an outdated hash is a conflict; without a hash it succeeds."""
    trigger = (await at.slack.command(at.you, at.channel, "x")).trigger_id
    opened = (await at.client.views_open(trigger_id=trigger, view=MODAL))["view"]
    await at.client.views_update(view_id=opened["id"], hash=opened["hash"], view=MODAL)
    old = {"view_id": opened["id"], "hash": opened["hash"], "view": MODAL}
    assert await at.code("views.update", **old) == "hash_conflict"
    assert await at.code("views.update", view_id=opened["id"], view=MODAL) == ""
    assert await at.code("views.update", view_id="V404", view=MODAL) == "not_found"


async def test_bad_view_is_refused(at: World) -> None:
    """An invalid view is refused and does not use up the trigger."""
    trigger = (await at.slack.command(at.you, at.channel, "x")).trigger_id
    assert await at.code("views.open", trigger_id=trigger, view=MODAL | {"blocks": []}) == "invalid_arguments"
    assert await at.code("views.open", trigger_id=trigger, view=MODAL) == ""


async def test_large_views_are_refused(at: World) -> None:
    """A view of more than 250 kB is refused, although each of its blocks is within its limits."""
    trigger = (await at.slack.command(at.you, at.channel, "x")).trigger_id
    text = {"type": "mrkdwn", "text": "x" * 2990}
    large = {key: value for key, value in MODAL.items() if key != "submit"}
    large["blocks"] = [{"type": "section", "text": text}] * 90
    assert await at.code("views.open", trigger_id=trigger, view=large) == "view_too_large"
    assert await at.code("views.open", trigger_id=trigger, view=large | {"blocks": large["blocks"][:80]}) == ""


async def test_external_ids_are_unique(at: World) -> None:
    """Two views cannot have the same external_id; one view may be updated under its own."""
    first, second = [(await at.slack.command(at.you, at.channel, "x")).trigger_id for _ in range(2)]
    view = MODAL | {"external_id": "steps-1"}
    assert await at.code("views.open", trigger_id=first, view=view) == ""
    assert await at.code("views.update", external_id="steps-1", view=view) == ""
    assert await at.code("views.push", trigger_id=second, view=view) == "duplicate_external_id"
