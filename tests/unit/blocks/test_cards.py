"""Promises of the summary and the card: all facts, the most important first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.blocks import Message, Style, execution_card, execution_summary, shared_summary, steps_modal
from bot.domain.model import Execution, Snapshot, Step, Unseen
from tests.unit.blocks.world import FAILED, ID, NOW, RUNNING, buttons_of, execution, shown, snapshot, subscription


def summary(seen: Snapshot) -> str:
    """The summary for a person without a subscription, as text."""
    return shown(execution_summary(seen, now=NOW, subscription=None).blocks)


def card(seen: Snapshot, style: Style = Style.CLASSIC, subscriber: str = "C123", *, is_ending: bool = False) -> Message:
    """The card of a subscription."""
    return execution_card(seen, subscription(subscriber, is_ending=is_ending), now=NOW, style=style)


def test_the_summary_begins_with_the_essentials() -> None:
    """Name, phase, progress and duration come first."""
    first, second, *_ = summary(snapshot()).splitlines()
    assert first == "🔄 gcs-exec-3-08-20-144951"
    assert second == "🔄 *Running* · ▰▰▱▱▱▱▱▱▱▱ 3 of 12 steps (25 %) · 11 min 41 s"


def test_the_summary_has_the_facts() -> None:
    """It shows workflow, times in the reader's zone, place, deadline and labels."""
    seen = summary(snapshot())
    for fact in (
        "*Workflow*\ndeepvariant",
        "*Runs on*\nCCE · gcs-env-demo",
        "*Labels*\nbatch panel-7",
        "(in 23 h 48 min)",
    ):
        assert fact in seen
    assert "*Created*\n<!date^1534747300^{time}|" in seen


def test_every_summary_shows_when_it_was_polled() -> None:
    """The last line has the time to the second, and the id to copy."""
    assert summary(snapshot()).splitlines()[-5] == f"As of <!date^1534748001^{{time_secs}}|06:53:21 UTC> · `{ID}`"


def test_stale_data_is_called_stale() -> None:
    """While GCS does not answer, or refuses, the card says since when."""
    since = NOW - timedelta(minutes=5)
    assert "⚠️ GCS unreachable since <!date^1534747701^{time}|" in summary(snapshot(unreachable_since=since))
    refused = execution_summary(snapshot(unreachable_since=since, unseen=Unseen.REFUSED), now=NOW, subscription=None)
    assert "⚠️ GCS does not let me look since <!date^1534747701^{time}|" in str(refused.blocks)
    assert " GCS does not let me look since 2018-08-20 06:48" in refused.text


def test_missing_values_read_well() -> None:
    """Little is known of a new execution; unknown values are left out or described."""
    seen = summary(snapshot(Execution(id=ID, phase="Pending")))
    assert "⏳ *Pending* · step counts not reported yet" in seen
    assert "*Workflow*\nfrom file" in seen
    assert "None" not in seen


@pytest.mark.parametrize(
    ("phase", "label"),
    [
        ("Succeeded", "✅ *Succeeded*"),
        ("Failed", "❌ *Failed*"),
        ("Pending", "⏳ *Pending*"),
        ("Retrying", "♻️ *Retrying*"),
        ("Cancelled", "🛑 *Cancelled*"),
        ("Deleting", "🗑 *Deleting*"),
        ("Hibernating", "❔ *Hibernating*"),
        ("", "❔ *phase not reported yet*"),
    ],
)
def test_a_phase_is_a_sign_and_a_word(phase: str, label: str) -> None:
    """No phase is shown by its sign alone, and an unknown one is shown as GCS sent it."""
    assert label in summary(snapshot(execution(phase=phase)))


def test_a_vanished_execution_is_called_deleted() -> None:
    """It says that the execution is deleted and its last phase, and has no button to follow it."""
    message = execution_summary(snapshot(is_vanished=True), now=NOW, subscription=None)
    assert "🗑 *Deleted (was Running)*" in shown(message.blocks)
    assert "Follow" not in buttons_of(message.blocks)


def test_failed_steps_come_first_with_their_reason() -> None:
    """Failed steps, then those that were running, then a count of the others."""
    seen = summary(snapshot(FAILED))
    assert "❌ *call* · Failed\n`OOMKilled`: container call was killed\n▫️ *sort* · was running\n" in seen
    assert "1 never started · 1 finished" in seen


def test_a_failure_says_why() -> None:
    """Reason and message of the execution are below its phase."""
    assert "`StepFailed`: Element(call) execute Action: create failed" in summary(snapshot(FAILED))


def test_many_labels_are_counted() -> None:
    """Eight are named, so that labels do not crowd out the other facts."""
    seen = summary(snapshot(execution(labels={f"k{number}": "v" for number in range(50)})))
    assert "k7 v, 42 more" in seen


def test_running_steps_show_their_sub_jobs() -> None:
    """A step with sub-jobs shows how many are done."""
    assert "🔄 *call* · Running · 3 of 8 sub-jobs · 2 min 38 s" in summary(snapshot())


def test_many_steps_are_folded() -> None:
    """Five thousand steps take no more space than a few."""
    wide = tuple(Step(name=f"scatter-{number}", phase="Running") for number in range(5000))
    seen = summary(snapshot(execution(steps=wide)))
    assert seen.count("scatter-") == 5
    assert "… and 4,995 more running" in seen


@pytest.mark.parametrize("style", Style)
def test_steps_that_are_not_kept_are_counted(style: Style) -> None:
    """Whatever shows the steps, in blocks or in plain text, says how many more there are."""
    seen = snapshot(execution(steps_left_out=3_210))
    card = execution_card(seen, subscription("U1"), now=NOW, style=style)
    for blocks in (card.blocks, steps_modal(seen, now=NOW, execution_id="x")["blocks"]):
        assert "… and 3,210 more steps, more than I list" in shown(blocks)
    assert "… and 3,210 more steps" in card.text


@pytest.mark.parametrize(
    ("minutes", "expected"), [(1440, "(in 23 h 48 min)"), (30, "⚠️ "), (5, "(passed 6 min 41 s ago)"), (0, "")]
)
def test_a_deadline_is_warned_of(minutes: int, expected: str) -> None:
    """A near or passed deadline is marked; without a limit there is none."""
    seen = summary(snapshot(execution(timeout=timedelta(minutes=minutes))))
    assert expected in seen
    assert ("*Deadline*" in seen) is bool(minutes)


def test_the_first_button_fits_the_person() -> None:
    """It unsubscribes a person who follows, and subscribes one who does not."""
    link = subscription("U1")
    mine = execution_summary(snapshot(), now=NOW, subscription=link)
    other = execution_summary(snapshot(), now=NOW, subscription=None)
    assert list(buttons_of(mine.blocks)) == ["Stop following", "Steps", "Refresh", "Share to channel"]
    assert list(buttons_of(other.blocks)) == ["Follow", "Steps", "Refresh", "Share to channel"]


def test_a_succeeded_execution_cannot_be_followed() -> None:
    """No change can follow, so there is no button to subscribe."""
    done = execution_summary(snapshot(execution(phase="Succeeded")), now=NOW, subscription=None)
    assert list(buttons_of(done.blocks)) == ["Steps", "Refresh", "Share to channel"]


def test_a_shared_summary_names_who_shared_it() -> None:
    """The channel sees by whom, and everyone there can subscribe."""
    message = shared_summary(snapshot(), now=NOW, shared_by="U1")
    assert "Shared by <@U1>" in shown(message.blocks)
    assert list(buttons_of(message.blocks)) == ["Subscribe me", "Steps"]


def test_buttons_of_a_channel_carry_its_id() -> None:
    """They act on the subscription of the channel, not of the person who presses."""
    buttons = buttons_of(card(snapshot()).blocks)
    assert buttons == {"Steps": ID, "Refresh": f"{ID}|C123", "Stop following here": f"{ID}|C123"}


def test_the_card_of_a_person_unsubscribes_that_person() -> None:
    """In a direct message the label has no "here"."""
    assert buttons_of(card(snapshot(), subscriber="U1").blocks)["Stop following"] == f"{ID}|U1"


def test_an_ended_card_says_so() -> None:
    """It offers to follow again, and does not mention a retry that it would not show."""
    message = card(snapshot(FAILED, retry_until=NOW), is_ending=True)
    assert "No longer followed: the execution is Failed." in shown(message.blocks)
    assert buttons_of(message.blocks) == {"Steps": ID, "Follow again": f"{ID}|C123"}
    assert "retry" not in shown(message.blocks) + message.text


def test_the_card_shows_the_retry_period() -> None:
    """While the bot watches for a retry, the card says until when."""
    assert "Watching for a retry until <!date^1534748001" in shown(card(snapshot(FAILED, retry_until=NOW)).blocks)


def test_the_rich_card_is_a_plan() -> None:
    """Slack's plan block: failed, running, a count of finished and a count of waiting steps."""
    plan = next(block for block in card(snapshot(), Style.RICH).blocks if block["type"] == "plan")
    tasks = [(task["task_id"], task["title"], task["status"]) for task in plan["tasks"]]
    assert plan["title"] == "3 of 12 steps"
    assert tasks == [
        ("running-0", "call · running · 3 of 8 sub-jobs", "in_progress"),
        ("finished", "1 step finished", "complete"),
        ("waiting", "1 step waiting", "pending"),
    ]


def test_nothing_spins_on_an_ended_execution() -> None:
    """After a failure, a step that GCS still calls running "was running"; the failed one says why."""
    plan = next(block for block in card(snapshot(FAILED), Style.RICH).blocks if block["type"] == "plan")
    assert [task["status"] for task in plan["tasks"]] == ["error", "pending", "complete", "pending"]
    assert plan["tasks"][1]["title"] == "sort · was running"
    assert shown(plan["tasks"][0]["details"]) == "OOMKilled: container call was killed"


def test_a_plan_has_a_dozen_tasks_at_most() -> None:
    """It does not depend on the number of steps."""
    steps = [
        Step(name=f"{phase}-{n}", phase=phase) for phase in ("Failed", "Running", "Succeeded", "") for n in range(99)
    ]
    plan = next(b for b in card(snapshot(execution(steps=tuple(steps))), Style.RICH).blocks if b["type"] == "plan")
    assert len(plan["tasks"]) == 12
    assert len({task["task_id"] for task in plan["tasks"]}) == 12


def test_the_plain_text_is_complete() -> None:
    """It has name, phase, duration, counts and failed steps, the most important first."""
    plain = card(snapshot(FAILED)).text.splitlines()
    assert plain[0] == "deepvariant execution gcs-exec-3-08-20-144951: Failed, after 11 min 41 s; 3 of 12 steps."
    assert plain[1] == "StepFailed: Element(call) execute Action: create failed"
    assert plain[2] == "1 step failed: call (OOMKilled: container call was killed)."


def test_nothing_secret_is_shown() -> None:
    """Ids of project and namespace are not shown."""
    message = card(snapshot(replace(RUNNING, project_id="c51567523b", namespace="ns-secret")))
    assert "c51567523b" not in str(message)
    assert "ns-secret" not in str(message)
