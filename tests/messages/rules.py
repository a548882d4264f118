"""Examples of what is read about rules: the replies, and what is posted by itself.

Lives here: the examples. Does not live here: what their executions show (`tests.messages.cards` and its neighbours).
Called by `tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from bot.blocks import Message, replies, rules
from bot.blocks.language import _
from bot.blocks.sentences import NOT_APPROVED, UNSAFE_UNSUBSCRIBED
from bot.domain.following import Level, Rule, RuleKind, RuleNews, RuleNewsKind
from tests.messages.example import Example, Goal, Place, Surface
from tests.messages.world import CHANNEL_SUBSCRIPTION, NOW, OTHER_PERSON, OWN_SUBSCRIPTION, PERSON, snapshot

REPLY = Goal("short reply", wide=220, narrow=330, is_held=True)
OWN = Rule(
    subscriber=OWN_SUBSCRIPTION.subscriber,
    kind=RuleKind.WORKFLOW,
    values=("germline-wgs",),
    owner=PERSON,
    created_at=NOW,
    expires_at=NOW + timedelta(days=90),
)
HERE = replace(OWN, subscriber=CHANNEL_SUBSCRIPTION.subscriber, level=Level.FINAL)
LABELS = replace(HERE, kind=RuleKind.LABEL, values=("batch=panel-7", "lane=3"))
PROJECT = replace(OWN, kind=RuleKind.PROJECT, values=("genomics",))


def _news(kind: RuleNewsKind, rule: Rule, executions: int = 0, reader: Rule = HERE) -> Callable[[], Message]:
    return lambda: rules.rule_message(RuleNews(kind, rule, executions), reader.subscriber)


RULE_REPLIES = Surface(
    "Replies about new executions",
    "To the person who has them followed as they come, or ends that; nobody else sees them.",
    Place.PRIVATE,
    (
        Example("A workflow", "`subscribe workflow`, by a person.", lambda: rules.rule_made(OWN), REPLY),
        Example(
            "A workflow that nobody has run",
            "No list shows one of that name.",
            lambda: rules.rule_made(HERE, workflows=0),
            REPLY,
        ),
        Example(
            "A label here, not approved",
            "Another organisation shares the channel.",
            lambda: rules.rule_made(LABELS, note=_(NOT_APPROVED), is_held=True),
        ),
        Example("A project", "By its name.", lambda: rules.rule_made(PROJECT), REPLY),
        Example("The same once more", "Nothing changed.", lambda: rules.rule_changed(OWN, was=OWN.level), REPLY),
        Example("At another level", "The level changed.", lambda: rules.rule_changed(HERE, was=Level.STEPS), REPLY),
        Example("Kept", "After a press of Keep following.", lambda: rules.rule_kept(HERE), REPLY),
        Example("Ended", "By a person.", lambda: rules.rule_ended(OWN, 0), REPLY),
        Example(
            "Ended here, unsafely",
            "For a channel, while the store has fewer copies than it should.",
            lambda: rules.rule_ended(HERE, 12, note=_(UNSAFE_UNSUBSCRIBED)),
        ),
        Example(
            "Nothing to end",
            "There was no such rule.",
            lambda: rules.no_such_rule(OWN.subscriber, OWN.kind, OWN.values),
            REPLY,
        ),
        Example(
            "List",
            "With what is followed by itself first.",
            lambda: rules.with_rules(
                replies.subscription_list(((OWN_SUBSCRIPTION, snapshot()),), now=NOW), ((OWN, 3), (PROJECT, 0))
            ),
        ),
    ),
)

RULE_NEWS = Surface(
    "About new executions that are followed",
    "Said by itself, to the person or in the channel that has them followed as they come.",
    Place.CHANNEL,
    (
        Example("Ends soon", "A week before, in a channel.", _news(RuleNewsKind.EXPIRES, HERE)),
        Example("Ends soon, in person", "The same for a person.", _news(RuleNewsKind.EXPIRES, PROJECT, reader=OWN)),
        Example("Too many at once", "More are not followed.", _news(RuleNewsKind.FULL, LABELS, 200)),
        Example(
            "Somebody ended it",
            "In a channel.",
            _news(RuleNewsKind.ENDED, replace(HERE, ended_by=OTHER_PERSON), 3),
        ),
        Example("It ended by itself", "After 90 days.", _news(RuleNewsKind.ENDED, replace(LABELS, ended_by=""), 1)),
        Example(
            "It ended by itself, in person",
            "The same for a person.",
            _news(RuleNewsKind.ENDED, replace(OWN, ended_by=""), reader=OWN),
        ),
        Example(
            "The channel is gone",
            "To the person who asked for it.",
            _news(RuleNewsKind.ENDED, replace(HERE, ended_by="", code="is_archived"), 7, reader=OWN),
        ),
    ),
)
