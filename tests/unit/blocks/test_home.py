"""Promises of the Home tab."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.blocks import home_tab, parse_page
from bot.blocks.language import Language, speaking
from bot.domain.following import Rule, RuleKind, Subscriber, Subscription
from bot.domain.home import Home, InChannels, ends_of
from bot.domain.quiet import QuietHours, day_began
from bot.domain.snapshot import Followed, Snapshot
from sandbox.slack import blockkit
from tests.unit.blocks.world import FAILED, FAILED_STEP, ID, NOW, RUNNING, execution, shown, snapshot, subscription

OTHER = "0b7c52d8-5b1e-4c8e-9a57-2f1c6f0d3a44"


def followed(*seen: Snapshot | None) -> Followed:
    """What a person follows, each execution with an id of its own."""
    return Followed(tuple((_subscription(number, one), one) for number, one in enumerate(seen)))


def _subscription(number: int, seen: Snapshot | None) -> Subscription:
    execution_id = seen.execution.id if seen else f"e-{number}"
    return replace(subscription("U1"), execution_id=execution_id)


def menus(view: dict[str, Any]) -> list[list[str]]:
    """The choices of each menu."""
    elements = [each for block in view["blocks"] for each in (*block.get("elements", ()), block.get("accessory", {}))]
    return [[one["text"]["text"] for one in each["options"]] for each in elements if each.get("type") == "overflow"]


def titles(view: dict[str, Any]) -> list[str]:
    """The titles of the sections, above those of the settings."""
    return [block["text"]["text"] for block in view["blocks"] if block["type"] == "header"][:-1]


def test_what_needs_somebody_comes_first() -> None:
    """A failure, with its cause, before what runs; what was not polled yet runs."""
    view = home_tab(Home(followed(snapshot(), None, snapshot(FAILED))), now=NOW)
    assert titles(view) == ["Needs you (1)", "Running (2)"]
    seen = shown(view)
    assert "❌ *Failed: gcs-exec-3-08-20-144951*\n*call* ran out of memory" in seen
    assert seen.index("ran out of memory") < seen.index("3 of 12 steps (25 %)")
    assert "*e-1*\nno data from GCS yet" in seen


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (snapshot(execution(steps=FAILED.steps)), "Running, 1 step failed: "),
        (snapshot(unreachable_since=NOW), "Running when last seen: "),
        (snapshot(is_vanished=True), "Deleted: "),
    ],
)
def test_each_trouble_needs_somebody(seen: Snapshot, says: str) -> None:
    """What is wrong stands in the headline."""
    view = home_tab(Home(followed(seen)), now=NOW)
    assert titles(view) == ["Needs you (1)"]
    assert says in shown(view)


def test_each_execution_has_its_buttons() -> None:
    """Why only where something failed; the rest is in the menu."""
    view = home_tab(Home(followed(snapshot(FAILED), snapshot())), now=NOW)
    rows = [[one["text"]["text"] for one in block["elements"][:-1]] for block in view["blocks"] if "elements" in block]
    assert rows[1:3] == [["Why", "Steps"], ["Steps"]]
    assert menus(view) == [["Details", "Refresh", "Notifications …", "Stop following"]] * 2


HOURS = QuietHours(begins=time(22), ends=time(7), zone="Asia/Shanghai")


def test_rules_are_shown_with_what_can_be_done() -> None:
    """Where, how much and until when; within a week of its end a rule can be kept."""
    soon = replace(rule("C1"), expires_at=NOW + timedelta(days=7))
    view = home_tab(Home(rules=(rule("U1"), soon)), now=NOW)
    assert titles(view) == ["New executions that you follow (2)"]
    seen = shown(view)
    assert "🔔 *Runs of the workflow `germline-wgs`*\nDirect messages: failures only · until " in seen
    assert "Posts in <#C1>: failures only" in seen
    below = [block["elements"] for block in view["blocks"] if block["type"] == "actions"]
    rows = [[one["text"]["text"] for one in row] for row in below]
    assert rows[1:] == [["Keep following", "Stop following"]]
    assert len(view["blocks"]) <= 100


def test_quiet_hours_are_a_setting() -> None:
    """As they are, with a button that changes them."""
    assert "Your quiet hours are 22:00 to 07:00, every day" in shown(home_tab(Home(hours=HOURS), now=NOW))
    assert "You have no quiet hours" in shown(home_tab(Home(), now=NOW))


def test_today_is_the_readers_day() -> None:
    """Where their zone is known; else it is the last 24 hours, and says so. What waits for a retry is older."""
    old = execution(id="e-old", phase="Cancelled", updated_at=NOW - timedelta(hours=30))
    new = execution(id="e-new", phase="Cancelled", updated_at=NOW - timedelta(hours=1))
    home = Home(followed(snapshot(old), snapshot(new)))
    waiting = "Waiting for somebody to retry ({})"
    assert titles(home_tab(home, now=NOW)) == [waiting.format(1), "Ended in the last 24 hours (1)"]
    since = day_began(NOW, "Asia/Shanghai")
    assert titles(home_tab(home._replace(since=since), now=NOW)) == [waiting.format(1), "Ended today (1)"]
    assert titles(home_tab(home._replace(since=NOW), now=NOW)) == [waiting.format(2)]


@pytest.mark.parametrize("language", Language)
def test_a_full_home_is_within_slacks_limits(language: Language) -> None:
    """As many rows as a page has, each of a rule that is about to end."""
    rules = tuple(replace(rule("C1"), expires_at=NOW, values=("*x*" * 60,)) for _ in range(40))
    with speaking(language):
        assert blockkit.view_problems(home_tab(Home(rules=rules, hours=HOURS), now=NOW, page=1)) == []


def rule(whose: str) -> Rule:
    """A rule for somebody."""
    return Rule(
        subscriber=Subscriber("T1", whose),
        kind=RuleKind.WORKFLOW,
        values=("germline-wgs",),
        owner="U1",
        created_at=NOW,
        expires_at=NOW + timedelta(days=90),
    )


def test_channels_are_named_with_what_they_follow() -> None:
    """The most urgent first; a person follows it from there, and decides nothing for the channel."""
    one = InChannels(ID, snapshot(), ("C1",))
    other = InChannels(OTHER, snapshot(FAILED), ("C1", "C2", "C3", "C4", "C5"))
    view = home_tab(Home(in_channels=(one, other)), now=NOW)
    assert titles(view) == ["In your channels (2)"]
    seen = shown(view)
    assert "· <#C1>\n" in seen
    assert "<#C1>, <#C2>, <#C3> and 2 more" in seen
    assert seen.index("❌") < seen.index("🔄")
    assert menus(view) == [["Steps", "Details", "Why", "Follow"], ["Steps", "Details", "Follow"]]


def test_unknown_channels_are_said() -> None:
    """Nobody takes a missing section for channels that follow nothing."""
    assert "Slack is not showing me which channels" in shown(home_tab(Home(are_channels_known=False), now=NOW))
    assert "2 more of your channels" in shown(home_tab(Home(channels_left_out=2), now=NOW))


def test_ends_are_shown_once() -> None:
    """What is followed still, in case it is retried, is not shown a second time."""
    gone = snapshot(execution(id=OTHER, phase="Succeeded"))
    cancelled = snapshot(execution(phase="Cancelled"))
    view = home_tab(Home(followed(cancelled), ended=(gone, cancelled)), now=NOW)
    assert titles(view) == ["Ended in the last 24 hours (2)"]
    assert shown(view).count("Cancelled: ") == 1
    assert "Succeeded: gcs-exec-3-08-20-144951*\n3 of 12 steps in 7 min 1 s" in shown(view)


def test_an_end_counts_failed_steps_only() -> None:
    """Until its last message is delivered, too; GCS may have sent more steps than are kept, that have not failed."""
    steps = tuple(replace(FAILED_STEP, name=name) for name in ("call", "sort", "merge", "report", "publish"))
    seen = snapshot(replace(FAILED, steps=(*FAILED.steps[:1], *steps), steps_left_out=700))
    view = home_tab(Home(ended=tuple(ends_of(Followed(ending=(seen,)), ()))), now=NOW)
    assert "4 more steps failed." in shown(view)


def test_an_empty_home_says_how_to_begin() -> None:
    """A new person learns what to type."""
    assert "`/execution subscribe`" in shown(home_tab(Home(), now=NOW))


def test_home_names_what_is_unreadable() -> None:
    """A person who follows nothing else does not read that they follow nothing."""
    view = shown(home_tab(Home(Followed(unreadable=("e-bad",))), now=NOW))
    assert "about `e-bad`" in view
    assert "You follow no executions" not in view


@pytest.mark.parametrize("language", list(Language))
def test_a_crowded_home_has_pages(language: Language) -> None:
    """Of 200 executions, many of which need somebody, Slack takes each page, and nothing is missing."""
    seen = [
        replace(one, execution=replace(one.execution, id=f"e-{number}", name=f"run-{number}."))
        for number, one in enumerate([snapshot(FAILED), snapshot(RUNNING)] * 100)
    ]
    channels = tuple(
        InChannels(f"c-{number}", snapshot(execution(name=f"in-{number}.")), ("C1",)) for number in range(30)
    )
    home = Home(followed(*seen), channels, ended=(snapshot(execution(id=OTHER, name="over.")),))
    with speaking(language):
        pages = [home_tab(home, now=NOW, page=page) for page in range(16)]
    assert [view for view in pages if blockkit.view_problems(view)] == []
    assert max(len(view["blocks"]) for view in pages) <= 50
    text = "".join(map(shown, pages))
    assert [one for one in (f"run-{number}." for number in range(200)) if text.count(one) != 1] == []
    assert text.count("over.") == 1


@pytest.mark.parametrize(("asked", "got"), [(-3, 0), (1, 1), (99, 1)])
def test_a_missing_page_becomes_the_nearest(asked: int, got: int) -> None:
    """Something may have ended since the button was made."""
    view = home_tab(Home(followed(*[None] * 20)), now=NOW, page=asked)
    assert parse_page(view["private_metadata"]) == got


@pytest.mark.parametrize("foreign", ["", "[]", "{}", '{"page": null}', "null"])
def test_foreign_metadata_means_the_first_page(foreign: str) -> None:
    """A Home that another version has published still takes presses."""
    assert parse_page(foreign) == 0
