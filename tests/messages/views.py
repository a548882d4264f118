"""Examples of the Home tab and of modals.

Lives here: the examples. Does not live here: what they show (`tests.messages.world`). Called by
`tests.messages.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bot.blocks import (
    Evidence,
    details_modal,
    error_modal,
    home_tab,
    levels_modal,
    loading_modal,
    loading_why,
    quiet,
    refusing_home,
    replies,
    rules,
    share_modal,
    shared_modal,
    sharing_modal,
    steps_modal,
    why_modal,
)
from bot.blocks.follow_modal import EMPTY, Entered, follow_modal, followed, working
from bot.blocks.hours_modal import Chosen, hours_modal, hours_saved, saving
from bot.blocks.language import Language
from bot.blocks.message import Block
from bot.blocks.rule_modal import Wanted, looking, rule_followed, rule_modal
from bot.blocks.sentences import sentence
from bot.blocks.step_list import TITLE as STEPS_TITLE
from bot.domain.execution import Execution
from bot.domain.home import Home, InChannels
from bot.domain.search import Match
from bot.domain.snapshot import Followed
from bot.errors import GCSUnavailable, InputProblem, InvalidInput, NotAllowed
from tests.messages import world
from tests.messages.example import Example, Place, Surface
from tests.messages.replies import NIGHTS
from tests.messages.rules import HERE, OWN
from tests.messages.world import CHANNEL_SUBSCRIPTION, ID, LEVELS, NOW, OWN_SUBSCRIPTION, snapshot

_ITEMS = (
    (OWN_SUBSCRIPTION, snapshot(world.FAILED)),
    (replace(OWN_SUBSCRIPTION, level=LEVELS[-1]), snapshot()),
    (replace(OWN_SUBSCRIPTION, execution_id=world.OTHER_ID), None),
)
_OVER = "5d1b0e64-93f7-4c55-8f0a-0c9b1d2e3f47"
_LATER = "2c9f4a10-0f4d-4b7e-8a2b-6e5d4c3b2a19"
_HOME = Home(
    Followed(
        (
            (OWN_SUBSCRIPTION, snapshot(world.FAILED, retry_until=NOW + world.minutes(600))),
            (OWN_SUBSCRIPTION, snapshot(world.EARLY)),
            (replace(OWN_SUBSCRIPTION, level=LEVELS[-1]), world.USUAL_KNOWN),
            *_ITEMS[2:],
            (
                OWN_SUBSCRIPTION,
                snapshot(replace(world.RUNNING, id=_LATER, phase="Cancelled", elapsed=world.minutes(9))),
            ),
        )
    ),
    in_channels=(
        InChannels(ID, snapshot(world.WIDE), (world.CHANNEL,)),
        InChannels(ID, snapshot(world.MANY_FAILED), (world.CHANNEL,)),
        InChannels(world.OTHER_ID, None, (world.CHANNEL,)),
    ),
    ended=(snapshot(replace(world.SUCCEEDED, id=_OVER)), snapshot(replace(world.FAILED, id=_OVER))),
)

HOME = Surface(
    "Home",
    "What one person sees of what they follow, and of what their channels follow.",
    Place.HOME,
    (
        Example("Empty", "Nothing is followed yet.", lambda: home_tab(Home(), now=NOW)),
        Example(
            "Following some",
            "Of each kind, and what channels follow; the person has chosen a language.",
            lambda: home_tab(_HOME, now=NOW, language=Language.CHINESE),
        ),
        Example(
            "New executions",
            "Rules of the person, and one that they made for a channel and that ends within a week; quiet hours.",
            lambda: home_tab(
                Home(rules=(OWN, replace(HERE, expires_at=NOW + timedelta(days=5))), hours=NIGHTS), now=NOW
            ),
        ),
        Example(
            "Today",
            "Where the zone of the reader is known; a retry of another run is waited for.",
            lambda: home_tab(_HOME._replace(since=NOW - timedelta(hours=10)), now=NOW, page=0),
        ),
        Example(
            "Unreadable",
            "The store holds what this version cannot read.",
            lambda: home_tab(Home(Followed(_ITEMS[:1], (world.OTHER_ID,))), now=NOW),
        ),
        Example(
            "Channels unknown",
            "Slack does not say which ones the person is in.",
            lambda: home_tab(Home(Followed(_ITEMS[1:2]), are_channels_known=False), now=NOW),
        ),
        Example(
            "Many channels",
            "More than are read.",
            lambda: home_tab(Home(in_channels=_HOME.in_channels, channels_left_out=2), now=NOW),
        ),
        Example("Left open", "For more than ten minutes.", lambda: home_tab(Home(), now=NOW, is_live=False)),
        Example(
            "Crowded",
            "The second of three pages.",
            lambda: home_tab(Home(Followed((_ITEMS[1],) * 40)), now=NOW, page=1),
        ),
        Example(
            "Refused",
            "The person may not use the bot.",
            lambda: refusing_home(sentence(NotAllowed(InputProblem.GUEST))),
        ),
    ),
)


_CHOICES = (
    Match(ID, world.NAME, "Running", "germline-wgs", world.STARTED),
    Match(world.OTHER_ID, "germline-wgs-03-11-080000-13", "Failed", "germline-wgs"),
)


def _why(execution: Execution, **evidence: Any) -> Callable[[], Block]:
    return lambda: why_modal(snapshot(execution), Evidence(**evidence))


MODALS = Surface(
    "Modals",
    "Opened by a button.",
    Place.MODAL,
    (
        Example("Follow an execution", "The shortcut.", lambda: follow_modal(level=LEVELS[2])),
        Example(
            "Follow an execution, one of several",
            "A part of a name was typed; also after *Follow this execution* on a message that names several.",
            lambda: follow_modal(Entered(choices=_CHOICES, channel_id=world.CHANNEL), level=LEVELS[2], more=3),
        ),
        Example(
            "Follow an execution, none named",
            "*Follow this execution* on a message without any.",
            lambda: follow_modal(level=LEVELS[2], problem=sentence(InvalidInput(InputProblem.NOTHING_NAMED))),
        ),
        Example("Follow an execution, working", "While the bot looks.", working),
        Example(
            "Follow an execution, done",
            "After the submission.",
            lambda: followed(replies.subscribed(OWN_SUBSCRIPTION, snapshot()), EMPTY),
        ),
        Example("Follow a workflow", "From Home.", rule_modal),
        Example(
            "Follow a workflow, none named",
            "Nothing was typed.",
            lambda: rule_modal(
                Wanted("", world.CHANNEL, "final"), problem=sentence(InvalidInput(InputProblem.MISSING_WORKFLOW))
            ),
        ),
        Example("Follow a workflow, working", "While the bot looks.", looking),
        Example(
            "Follow a workflow, done",
            "Several have the name.",
            lambda: rule_followed(rules.rule_made(OWN, workflows=2)),
        ),
        Example("Quiet hours", "There are none yet.", lambda: hours_modal(Chosen(zone="Asia/Shanghai"), is_on=False)),
        Example(
            "Quiet hours, an unknown zone",
            "They exist, and can be ended.",
            lambda: hours_modal(
                Chosen.of(NIGHTS, "")._replace(zone="Mars"),
                is_on=True,
                problem=sentence(InvalidInput(InputProblem.UNKNOWN_ZONE)),
            ),
        ),
        Example("Quiet hours, saving", "They are written into all that is followed.", saving),
        Example("Quiet hours, done", "Saved.", lambda: hours_saved(quiet.hours_reply(NIGHTS, NOW, is_new=True))),
        Example("Steps, loading", "At once, before GCS has answered.", lambda: loading_modal(STEPS_TITLE)),
        Example("Steps", "The usual case.", lambda: steps_modal(snapshot(), execution_id=ID)),
        Example(
            "Steps, failed",
            "After a failure.",
            lambda: steps_modal(snapshot(world.FAILED), execution_id=ID),
        ),
        Example(
            "Steps, Chinese names",
            "Names and texts in Chinese.",
            lambda: steps_modal(snapshot(world.CHINESE), execution_id=ID),
        ),
        Example(
            "Steps, wide",
            "The second of seven pages.",
            lambda: steps_modal(snapshot(world.WIDE), page=1, execution_id=ID),
        ),
        Example(
            "Steps, none",
            "GCS has listed none yet.",
            lambda: steps_modal(snapshot(world.BARE), execution_id=ID),
        ),
        Example("Steps, not seen", "No poll has come back yet.", lambda: steps_modal(None, execution_id=ID)),
        Example("Details", "All that is known.", lambda: details_modal(world.USUAL_KNOWN, now=NOW)),
        Example("Details, failed", "After a failure.", lambda: details_modal(snapshot(world.FAILED), now=NOW)),
        Example("Notifications, in person", "The level.", lambda: levels_modal(OWN_SUBSCRIPTION, snapshot(), now=NOW)),
        Example("Notifications, in a channel", "The same.", lambda: levels_modal(CHANNEL_SUBSCRIPTION, None, now=NOW)),
        Example(
            "Notifications, with successes",
            "Somebody had successes also sent to the channel.",
            lambda: levels_modal(replace(CHANNEL_SUBSCRIPTION, announces_success=True), snapshot(), now=NOW),
        ),
        Example(
            "Notifications, muted",
            "Somebody muted it for the channel; failures wait, too.",
            lambda: levels_modal(replace(CHANNEL_SUBSCRIPTION, muted=world.MUTED_ALL), snapshot(), now=NOW),
        ),
        Example("Share", "From a direct message: where to?", lambda: share_modal(ID)),
        Example("Share, under way", "GCS is asked.", sharing_modal),
        Example("Share, done", "It is in the channel.", lambda: shared_modal(world.CHANNEL)),
        Example("Why, loading", "At once, before GCS has answered.", loading_why),
        Example("Why", "A step failed, as in earlier runs.", _why(world.FAILED, events=world.EVENTS, past=world.PAST)),
        Example("Why, Chinese names", "Names and texts in Chinese.", _why(world.CHINESE, events=())),
        Example("Why, many steps", "29 steps failed.", _why(world.MANY_FAILED)),
        Example("Why, no events", "GCS does not show them.", _why(world.FAILED, events=None)),
        Example("Why, events refused", "The bot may not read them.", _why(world.FAILED, events=None, is_refused=True)),
        Example("Why, running again", "It was retried meanwhile.", _why(world.RUNNING)),
        Example("Steps, error", "They cannot be shown.", lambda: error_modal(sentence(GCSUnavailable()))),
    ),
)
