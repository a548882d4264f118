"""Promises of commands and buttons about rules: for whom they are, and who decides about them.

Lives here: from the request to the answer. Does not live here: the words (`test_parsing`), the modal on Home
(`test_home_modals`), what rules find (`tests/workers/test_finder.py`). Called by pytest.
"""

from __future__ import annotations

import pytest

from bot.blocks import buttons
from bot.blocks.sentences import sentence
from bot.domain.access import AccessRules
from bot.domain.following import Level, RuleKind
from bot.errors import InputProblem, InvalidInput
from tests.unit.handlers.conftest import HOME, World, made
from tests.unit.handlers.doubles import RULE


async def test_a_rule_is_for_the_person(world: World) -> None:
    """Without `here`; the reply says what is followed, and that nothing of it has run."""
    world.subscriptions.rules.has_run = False
    await world.command("subscribe workflow germline-wgs steps")
    assert world.subscriptions.asked == [("make", "U1", RuleKind.WORKFLOW, ("germline-wgs",), Level.STEPS, "U1")]
    assert "You follow runs of the workflow `germline-wgs` from now on." in world.reply
    assert "Nothing like that has run lately" in world.reply
    assert world.slack.called("conversations.info") == []


async def test_a_rule_here_is_for_the_channel(world: World) -> None:
    """It is checked like any that is to follow something."""
    await world.command("subscribe label batch=panel-7 here")
    assert world.subscriptions.asked == [("make", "C1", RuleKind.LABEL, ("batch=panel-7",), None, "U1")]
    assert "This channel follows executions with the label" in world.reply


async def test_a_rule_in_a_shared_channel_waits(world: World) -> None:
    """The reply offers the approval, as with an execution."""
    world.slack.results["conversations.info"] = {"channel": {"id": "C1", "is_member": True, "is_ext_shared": True}}
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    await world.command("subscribe workflow germline-wgs here")
    assert buttons.APPROVE_CHANNEL in str(world.slack.answers[-1]["blocks"])


async def test_a_private_channels_rules_are_its_members(world: World) -> None:
    """Nobody makes or ends one from outside."""
    world.slack.results["conversations.info"] = {"channel": {"id": "C1", "is_member": True, "is_private": True}}
    world.slack.results["conversations.members"] = {"members": ["U2"]}
    for verb in ("subscribe", "unsubscribe"):
        await world.command(f"{verb} workflow germline-wgs here")
    assert world.subscriptions.asked == []


async def test_the_same_rule_says_its_level(world: World) -> None:
    """And the one before."""
    world.subscriptions.rules.was = RULE
    await world.command("subscribe workflow germline-wgs final")
    assert "You already follow runs of the workflow `germline-wgs`." in world.reply
    assert "was: failures only" in world.reply


@pytest.mark.parametrize(("is_there", "part"), [(True, "no longer follow"), (False, "nothing to stop")])
async def test_a_rule_is_ended_by_its_words(world: World, is_there: bool, part: str) -> None:
    """The same words stand for the same rule."""
    world.subscriptions.rules.is_there = is_there
    await world.command("unsubscribe workflow Germline-WGS")
    (asked,) = world.subscriptions.asked
    assert asked == ("end", "U1", RULE.id, "U1")
    assert part in world.reply


async def test_the_list_begins_with_rules(world: World) -> None:
    """Each with a button that ends it."""
    world.subscriptions.rules.items = ((RULE, 3),)
    await world.command("list")
    assert world.reply.index("3 executions now") < world.reply.index("deepvariant")
    assert buttons.END_RULE in str(world.slack.answers[-1]["blocks"])


@pytest.mark.parametrize(("action_id", "verb"), [(buttons.END_RULE, "end"), (buttons.KEEP_RULE, "keep")])
async def test_a_rules_buttons_are_its_places(world: World, action_id: str, verb: str) -> None:
    """A person's act for who presses; a channel's in that channel only."""
    await world.press(action_id, f"{RULE.id}|U2")
    await world.press(action_id, f"{RULE.id}|C1")
    assert [asked[:3] for asked in world.subscriptions.asked] == [(verb, "U1", RULE.id), (verb, "C1", RULE.id)]
    await world.press(action_id, f"{RULE.id}|C2")
    assert world.slack.answers[-1]["text"] == sentence(InvalidInput(InputProblem.OTHER_CHANNEL))


@pytest.mark.parametrize(("action_id", "verb"), [(buttons.END_RULE, "end"), (buttons.KEEP_RULE, "keep")])
async def test_rules_are_decided_about_at_home(world: World, action_id: str, verb: str) -> None:
    """Their own, and those of channels that they are in; Home shows what became of it."""
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    for whose in ("U1", "C1"):
        await world.press(action_id, f"{RULE.id}|{whose}", **HOME)
    assert [asked[:2] for asked in world.subscriptions.asked] == [
        (verb, "U1"),
        ("home", "U1"),
        (verb, "C1"),
        ("home", "U1"),
    ]


@pytest.mark.parametrize(
    ("rules", "members", "says"),
    [
        (AccessRules(), ["U2"], "You are not in that channel"),
        (AccessRules(channels=frozenset({"C2"})), ["U1"], "not allowed"),
    ],
)
async def test_rules_of_other_channels_stay(rules: AccessRules, members: list[str], says: str) -> None:
    """A button carries no right."""
    async with made(rules=rules) as world:
        world.slack.results["conversations.members"] = {"members": members}
        await world.press(buttons.END_RULE, f"{RULE.id}|C1", **HOME)
        assert world.subscriptions.asked == []
        assert says in str(world.slack.called("views.open")[-1]["view"])


async def test_a_rule_that_has_ended_says_so(world: World) -> None:
    """Somebody was faster."""
    world.subscriptions.rules.is_there = False
    await world.press(buttons.END_RULE, f"{RULE.id}|U1")
    assert world.reply == sentence(InvalidInput(InputProblem.RULE_ENDED))
