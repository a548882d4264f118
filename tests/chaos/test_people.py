"""Chaos' people understand what the bot replies: a text that changes here must change there."""

from __future__ import annotations

import json
from datetime import time

import pytest
from msgspec.structs import replace

from bot.blocks import acted_modal, buttons, loading_action, question_modal, quiet, replies, rules
from bot.blocks.message import Message
from bot.blocks.sentences import sentence
from bot.domain.acting import Action, Result
from bot.domain.execution import Execution
from bot.domain.following import Level, Rule, Subscription
from bot.domain.quiet import MuteFor, QuietHours
from bot.errors import ExecutionNotFound, InputProblem, InvalidInput, NotAllowed
from sandbox.slack.state import Ephemeral
from tests.chaos import people
from tests.chaos.operators import LABELS as WORDS
from tests.chaos.operators import NOT_KNOWN, NOT_YOURS, ONGOING, TAKEN
from tests.chaos.people import FOLLOWED, LEFT, is_about, is_about_quiet, is_about_rule
from tests.messages import world
from tests.messages.rules import HERE, LABELS, OWN, PROJECT

MINE, OURS = world.OWN_SUBSCRIPTION, world.CHANNEL_SUBSCRIPTION
RUNNING = world.snapshot()


@pytest.mark.parametrize(
    "reply",
    [
        *(replies.subscribed(each, RUNNING) for each in (MINE, OURS)),
        *(replies.already_subscribed(each, RUNNING) for each in (MINE, OURS)),
        *(replies.level_changed(each, RUNNING, was=Level.FINAL) for each in (MINE, OURS)),
    ],
)
def test_people_know_that_they_follow(reply: Message) -> None:
    """A promise has been made to them."""
    assert is_about(reply.text, world.NAME)
    assert FOLLOWED.match(reply.text)


@pytest.mark.parametrize(
    "said",
    [replies.nothing_to_follow(world.snapshot(world.SUCCEEDED)).text, sentence(ExecutionNotFound("404"))],
)
def test_people_know_that_they_are_late(said: str) -> None:
    """There is nothing to wait for, and nothing was promised."""
    assert is_about(said, world.NAME)
    assert not FOLLOWED.match(said)


@pytest.mark.parametrize("subscription", [MINE, OURS])
def test_people_know_that_they_have_left(subscription: Subscription) -> None:
    """Whether they followed it or not."""
    for reply in (replies.unsubscribed, replies.not_subscribed):
        said = reply(subscription.subscriber, world.ID).text
        assert said.startswith(LEFT)
        assert world.ID in said


@pytest.mark.parametrize("rule", [OWN, HERE, LABELS, PROJECT])
def test_people_know_what_rules_they_have(rule: Rule) -> None:
    """A rule was made, or existed already, and has ended, or there was none."""
    (value, *_) = rule.values
    for reply in (rules.rule_made(rule, workflows=0), rules.rule_changed(rule, was=Level.STEPS)):
        assert is_about_rule(reply.text, value, people.RULED)
        assert not is_about_rule(reply.text, value, LEFT)
        assert not FOLLOWED.match(reply.text)
    for reply in (rules.rule_ended(rule, 2), rules.no_such_rule(rule.subscriber, rule.kind, rule.values)):
        assert is_about_rule(reply.text, value, LEFT)
        assert not is_about_rule(reply.text, value, people.RULED)
    assert not is_about_rule(rules.rule_ended(rule, 2).text, "another", LEFT)


@pytest.mark.parametrize("subscription", [MINE, OURS])
def test_people_know_that_it_is_quiet(subscription: Subscription) -> None:
    """Muted, unmuted, or not followed at all."""
    now = world.NOW
    for span in MuteFor:
        muted = replace(subscription, muted=span.from_now(now, "UTC"))
        assert is_about_quiet(_shown(quiet.muted_reply(muted, RUNNING)), world.ID, people.MUTED)
    for is_changed in (True, False):
        unmuted = quiet.unmuted_reply(subscription, RUNNING, now=now, is_changed=is_changed)
        assert is_about_quiet(_shown(unmuted), world.ID, people.UNMUTED)
        assert not is_about_quiet(_shown(unmuted), "another", people.UNMUTED)
    problem = InvalidInput(InputProblem.NOT_FOLLOWED, line=f"/execution subscribe {world.ID}")
    said = Ephemeral(channel="", ts="", user="", text=sentence(problem))
    assert is_about_quiet(said, world.ID, people.MUTED)
    assert not said.text.startswith(people.MUTED)


def test_people_know_their_quiet_hours() -> None:
    """That they have some, and that they have none."""
    hours = QuietHours(begins=time(22), ends=time(7), zone="UTC")
    assert quiet.hours_reply(hours, world.NOW, is_new=True).text.startswith(people.HOURS)
    assert quiet.hours_reply(None, world.NOW, is_new=True).text.startswith(people.NO_HOURS)


@pytest.mark.parametrize(("action", "execution"), [(Action.CANCEL, world.RUNNING), (Action.RETRY, world.FAILED)])
def test_operators_know_what_they_did(action: Action, execution: Execution) -> None:
    """The question has the button, the result says that it was taken, and others read that they may not."""
    shown = world.snapshot(execution)
    asks, confirms = WORDS[action.value]
    assert confirms in json.dumps(question_modal(action, shown, None, now=world.NOW), ensure_ascii=False)
    assert TAKEN in json.dumps(acted_modal(action, Result.DONE, shown), ensure_ascii=False)
    assert NOT_KNOWN in json.dumps(acted_modal(action, Result.UNKNOWN, shown), ensure_ascii=False)
    assert asks in json.dumps(buttons.action_entry(world.ID, action), ensure_ascii=False)
    assert ONGOING[0] in json.dumps(loading_action(action), ensure_ascii=False)
    assert NOT_YOURS in sentence(NotAllowed(InputProblem.NO_OPERATOR))


def _shown(message: Message) -> Ephemeral:
    return Ephemeral(channel="", ts="", user="", text=message.text, blocks=list(message.blocks))
