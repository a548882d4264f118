"""Promises of the summary and the card: state, trouble, progress, steps, and nothing that goes stale."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.blocks import Message, details_modal, execution_card, execution_summary, shared_summary
from bot.blocks.language import Language, speaking
from bot.domain.execution import Execution, Phase, Step
from bot.domain.following import Quiet
from bot.domain.snapshot import Snapshot, Usual
from tests.unit.blocks.world import FAILED, ID, NOW, RUNNING, buttons_of, execution, shown, snapshot, subscription

EARLY = replace(RUNNING, steps=(*RUNNING.steps, Step(name="sort", phase="Failed", reason="OOMKilled")))


def card(seen: Snapshot, subscriber: str = "C123", *, is_ending: bool = False) -> Message:
    """The card of a subscription."""
    return execution_card(seen, subscription(subscriber, is_ending=is_ending), now=NOW)


def lines(message: Message) -> list[str]:
    """What the card shows, line by line."""
    return shown(message.blocks).splitlines()


def test_the_card_begins_with_state_and_name() -> None:
    """Then how far it is and since when, the steps, and one grey line."""
    head, progress, step, waiting, done, grey, *_ = lines(card(snapshot()))
    assert head == "🔄 Running: gcs-exec-3-08-20-144951"
    assert progress == "▰▰▱▱▱▱▱▱▱▱ *3 of 12 steps* · started <!date^1534747300^{ago}|2018-08-20 06:41 UTC>"
    assert step == "🔄 *call* · 3 of 8 sub-jobs · started <!date^1534747843^{ago}|2018-08-20 06:50 UTC>"
    assert (waiting, done) == ("◌ merge · waiting", "✓ bwa-mem · done")
    assert grey.startswith("deepvariant · batch panel-7 · limit <!date^1534833700^{date_short_pretty} {time}|")
    assert grey.endswith("As of <!date^1534748001^{date_short_pretty} {time_secs}|2018-08-20 06:53:21 UTC>")


def test_a_card_is_the_same_an_hour_later() -> None:
    """Nothing on it is a span that grows: Slack writes how long ago it started."""
    later = execution_card(snapshot(), subscription("C123"), now=NOW + timedelta(hours=1))
    assert later == card(snapshot())


def test_when_it_is_done_is_a_moment() -> None:
    """With how long such runs usually take; without enough earlier runs nothing is said."""
    seen = snapshot(usual=Usual(count=12, center=8.2, scale=0.15, freedom=15))
    assert "likely done <!date^" in shown(card(seen).blocks)
    assert "(usually " in shown(card(seen).blocks)
    assert "usually" not in shown(card(snapshot()).blocks)


def test_missing_values_read_well() -> None:
    """Little is known of a new execution; unknown values are left out or described."""
    seen = shown(card(snapshot(Execution(id=ID, phase="Pending"))).blocks)
    assert f"⏳ Pending: {ID}\n*step counts not reported yet*\nfrom file · " in seen
    assert "None" not in seen


@pytest.mark.parametrize(
    ("phase", "head"),
    [
        ("Succeeded", "✅ Succeeded: "),
        ("Failed", "❌ Failed: "),
        ("Pending", "⏳ Pending: "),
        ("Retrying", "♻️ Retrying: "),
        ("Cancelled", "🛑 Cancelled: "),
        ("Deleting", "🗑 Deleting: "),
        ("Hiber<nating", "❔ Hiber‹nating: "),
        ("", "❔ phase not reported yet: "),
    ],
)
def test_a_phase_is_a_sign_and_a_word(phase: str, head: str) -> None:
    """No phase is shown by its sign alone, and an unknown one is shown as GCS sent it."""
    assert lines(card(snapshot(execution(phase=phase))))[0].startswith(head)


def test_a_vanished_execution_is_called_deleted() -> None:
    """Once, with its last phase below, and no time that would count on; nobody can follow it."""
    message = execution_summary(snapshot(execution(phase="Deleting"), is_vanished=True), now=NOW, subscription=None)
    head, last, counts, *_ = lines(message)
    assert (head, counts) == ("🗑 Deleted: gcs-exec-3-08-20-144951", "*3 of 12 steps*")
    assert last == "GCS no longer knows it. Last seen: Deleting."
    assert "Follow" not in buttons_of(message.blocks)


def test_a_finished_card_has_three_lines() -> None:
    """State and name, counts with duration and longest step, one grey line; the counts once."""
    steps = (*RUNNING.steps[:1], Step(name="call", phase="Succeeded", elapsed=timedelta(minutes=9)))
    done = execution(phase="Succeeded", steps=steps, steps_finished=12, elapsed=timedelta(minutes=15))
    message = card(snapshot(done))
    texts = [block for block in message.blocks if block["type"] != "actions"]
    assert [block["type"] for block in texts] == ["header", "section", "context"]
    assert lines(message)[1] == "*12 of 12 steps* in 15 min · longest: call, 9 min"
    assert shown(message.blocks).count("12 of 12") == 1
    assert len(message.blocks[-1]["elements"]) <= 3


def test_a_failure_says_why_below_the_name() -> None:
    """The cause is the second line; of the steps only failed ones are named."""
    head, why, counts, *rest = lines(card(snapshot(FAILED)))
    assert head == "❌ Failed: gcs-exec-3-08-20-144951"
    assert why == "*call* ran out of memory (`OOMKilled`)"
    assert counts.startswith("*3 of 12 steps* in 11 min 41 s")
    assert "sort" not in "".join(rest)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("seen", [snapshot(EARLY), snapshot(FAILED)], ids=["early", "failed"])
def test_the_text_is_state_name_cause_time(language: Language, seen: Snapshot) -> None:
    """In this order, in both languages; the cause begins before character 110, also after a long name."""
    long = replace(seen, execution=replace(seen.execution, name="n" * 80))
    state = {Language.ENGLISH: seen.execution.phase, Language.CHINESE: "执行"}[language]
    time = {
        Language.ENGLISH: "11 min" if seen.execution.is_terminal else "06:41",
        Language.CHINESE: "11 分" if seen.execution.is_terminal else "06:41",
    }
    with speaking(language):
        said = card(long).text
    places = [said.find(part) for part in (state, "nnn", seen.execution.failed_steps[0].name, time[language])]
    assert places == sorted(places)
    assert places[0] == 0
    assert 0 < places[2] < 110


def test_the_plain_text_has_the_id() -> None:
    """For those who have no menu to open the details with."""
    assert card(snapshot()).text.splitlines()[-2] == f"As of 2018-08-20 06:53:21 UTC. Id: {ID}"


def test_buttons_fit_the_person() -> None:
    """Two and a menu; a person who follows can stop, another one can follow."""
    link = subscription("U1")
    mine = execution_summary(snapshot(), now=NOW, subscription=link)
    other = execution_summary(snapshot(), now=NOW, subscription=None)
    menu = ["⋯ Refresh", "⋯ Details", "⋯ Share to channel"]
    assert list(buttons_of(mine.blocks)) == ["Steps", "Stop following", *menu]
    assert list(buttons_of(other.blocks)) == ["Steps", "Follow", *menu]


def test_a_succeeded_execution_cannot_be_followed() -> None:
    """No change can follow, so there is no button to subscribe."""
    done = execution_summary(snapshot(execution(phase="Succeeded")), now=NOW, subscription=None)
    assert "Follow" not in buttons_of(done.blocks)


@pytest.mark.parametrize("seen", [FAILED, EARLY])
def test_a_summary_of_a_failure_offers_why(seen: Execution) -> None:
    """First; following is in the menu then."""
    mine = execution_summary(snapshot(seen), now=NOW, subscription=subscription("U1"))
    other = execution_summary(snapshot(seen), now=NOW, subscription=None)
    shared = shared_summary(snapshot(seen), now=NOW, shared_by="U1")
    menu = ["⋯ Refresh", "⋯ Details", "⋯ Share to channel"]
    assert list(buttons_of(mine.blocks)) == ["Why", "Steps", *menu, "⋯ Stop following"]
    assert list(buttons_of(other.blocks)) == ["Why", "Steps", *menu, "⋯ Follow"]
    assert list(buttons_of(shared.blocks)) == ["Why", "Steps", "⋯ Details", "⋯ Follow"]


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_a_card_of_a_failure_offers_why(phase: str) -> None:
    """As soon as a step has failed; following has its place in the menu, where there is room for it."""
    seen = snapshot(execution(phase=phase, steps=FAILED.steps))
    assert list(buttons_of(card(seen).blocks))[:2] == ["Why", "Steps"]
    assert "⋯ Follow" in buttons_of(card(seen).blocks)
    assert "⋯ Follow" not in buttons_of(card(seen, subscriber="U1").blocks)
    quiet = replace(subscription("C123"), muted=Quiet(until=NOW + timedelta(hours=1)))
    muted = execution_card(seen, quiet, now=NOW)
    assert sum(label.startswith("⋯") for label in buttons_of(muted.blocks)) == 5


def test_a_shared_summary_names_who_shared_it() -> None:
    """The channel sees by whom, and everyone there can follow."""
    message = shared_summary(snapshot(), now=NOW, shared_by="U1")
    assert "shared by <@U1>" in shown(message.blocks)
    assert list(buttons_of(message.blocks)) == ["Steps", "Follow", "⋯ Details"]


def test_buttons_of_a_channel_carry_its_id() -> None:
    """They act on the subscription of the channel; `Follow` on that of the person who presses."""
    assert buttons_of(card(snapshot()).blocks) == {
        "Steps": ID,
        "Follow": ID,
        "⋯ Refresh": f"refresh_card:{ID}|C123",
        "⋯ Details": f"show_details:{ID}",
        "⋯ Share elsewhere …": f"share_execution:{ID}|C123",
        "⋯ Notifications …": f"show_levels:{ID}|C123",
        "⋯ Stop following here …": f"ask_unsubscribe:{ID}|C123",
    }


def test_a_muted_card_says_until_when() -> None:
    """In the reader's zone, with a way out in its menu; one whose mute is over says nothing of it."""
    for until, seen in ((NOW + timedelta(hours=1), "🔕 muted until <!date^"), (None, "🔕 muted until it ends")):
        muted = replace(subscription("C123"), muted=Quiet(until=until))
        message = execution_card(snapshot(), muted, now=NOW)
        assert seen in shown(message.blocks)
        assert seen.partition("<")[0] in message.text
        assert buttons_of(message.blocks)["⋯ Unmute"] == f"unmute_execution:{ID}|C123"
    over = replace(subscription("C123"), muted=Quiet(until=NOW))
    assert execution_card(snapshot(), over, now=NOW) == execution_card(snapshot(), subscription("C123"), now=NOW)


def test_the_card_of_a_person_unsubscribes_that_person() -> None:
    """In a direct message the label has no "here", and nobody is asked first."""
    found = buttons_of(card(snapshot(), subscriber="U1").blocks)
    assert found["⋯ Stop following"] == f"unsubscribe_execution:{ID}|U1"
    assert "Follow" not in found


def test_an_ended_card_says_so() -> None:
    """It offers to follow again, and does not mention a retry that it would not show."""
    message = card(snapshot(FAILED, retry_until=NOW), is_ending=True)
    assert "no longer followed" in shown(message.blocks)
    assert list(buttons_of(message.blocks)) == ["Steps", "Follow again", "⋯ Details"]
    assert "retry" not in shown(message.blocks) + message.text


def test_the_card_shows_the_retry_period() -> None:
    """While the bot watches for a retry, the card says until when."""
    assert "Waiting until <!date^1534748001" in shown(card(snapshot(FAILED, retry_until=NOW)).blocks)


def test_details_have_what_left_the_card() -> None:
    """Times, place, limit, all labels, ids; units that nobody knows are not guessed."""
    more = {f"k{number}": "v" for number in range(9)}
    seen = execution(labels=more, namespace="genomics", resources={"cpu": 3.1}, time_ratio=92.0, priority=5)
    text = shown(details_modal(snapshot(seen), now=NOW))
    for fact in ("*Cluster*\ngcs-env-demo", "*Namespace*\ngenomics", "*Priority*\n5", "k8 v", "92 %", f"`{ID}`"):
        assert fact in text
    assert "*Created*\n<!date^1534747300^{date_short_pretty} {time}|" in text
    assert "cpu" not in text


def test_nothing_secret_is_shown() -> None:
    """The id of the project is shown nowhere."""
    seen = snapshot(replace(RUNNING, project_id="c51567523b"))
    assert "c51567523b" not in f"{card(seen)}{details_modal(seen, now=NOW)}"


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_fits_the_headline(phase: Phase) -> None:
    """With the longest name, in both languages."""
    for language in Language:
        with speaking(language):
            assert len(lines(card(snapshot(execution(phase=phase, name="n" * 80))))[0]) < 150
