"""The verdict: kept promises are no violation, and each way of breaking one is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox import story
from tests.chaos.evidence import Promise, Record, Said, Truth
from tests.chaos.reading import Moment, Unreadable, moments, read_card, read_catch_up, read_line
from tests.chaos.verdict import KINDS, judge

NAME = "germline-wgs-11-24-1"
LANE = "T/e/U/1"
BEGAN = 1000.0

RUNNING = f"Running: {NAME} · Pending → Running · after 2 s"
ONE = f"Running: {NAME} · 0 → 1 of 3 steps · fastq-split finished · after 24 s"
TWO = f"Running: {NAME} · 1 → 2 of 3 steps · bwa-mem finished · after 60 s"
DONE = f"✅ Succeeded: {NAME}\n3 of 3 steps in 1 min 40 s · longest: bwa-mem, 40 s"
ENDED = f"No longer following {NAME}. No retry came."


def card(*texts: str, lane: str = LANE) -> Said:
    """A card with these texts, one after the other; the second one stands once the execution has ended."""
    versions = tuple((BEGAN + 102 * n, text) for n, text in enumerate(texts))
    return Said(execution_id="e", subscriber="U", lane=lane, is_card=True, versions=versions)


def line(at: float, text: str) -> Said:
    """A message in the thread, or the outcome."""
    return Said(execution_id="e", subscriber="U", lane=LANE, is_card=False, versions=((BEGAN + at, text),))


CARD = card(f"Pending: {NAME}\nstep counts not reported yet", f"Succeeded: {NAME}\n3 of 3 steps in 2 min\nAs of …")
LINES = [line(3, RUNNING), line(30, ONE), line(70, TWO), line(101, DONE)]
LIFE = story.happy(3, seconds=100)
PROMISE = Promise(execution_id="e", subscriber="U", level="steps", promised_at=BEGAN + 1)


def record(*said: Said, life: story.Life = LIFE) -> Record:
    """The evidence of one promise."""
    truth = Truth(name=NAME, moments=moments(life, BEGAN))
    return Record(truths={"e": truth}, promises=[PROMISE], said=list(said))


def found(evidence: Record) -> dict[str, int]:
    """The violations, by kind."""
    counts = judge(evidence).counts
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def test_kept_promises_are_no_violation() -> None:
    """Everything is delivered once, in order; delays run from GCS's change to Slack's message."""
    verdict = judge(record(CARD, *LINES))
    assert verdict.violations == []
    assert verdict.outcome_delays == [pytest.approx(1)]
    assert [round(delay) for delay in verdict.change_delays] == [1, 6, 3]


def test_the_delay_of_polls_is_measured() -> None:
    """From the moment GCS shows a followed outcome until the next poll."""
    evidence = record(CARD, *LINES)
    outcome = evidence.truths["e"].moments[-1].at
    evidence.polled = {"e": [outcome - 1, outcome + 7, outcome + 9], "nobody's": [outcome]}
    assert judge(evidence).poll_delays == [pytest.approx(7)]


def test_merged_lines_are_no_violation() -> None:
    """A change counts as delivered when a later one is."""
    merged = line(72, f"Running: {NAME} · Pending → Running · 2 of 3 steps · fastq-split, bwa-mem finished")
    verdict = judge(record(CARD, merged, LINES[-1]))
    assert verdict.violations == []
    assert len(verdict.change_delays) == 3


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ([CARD, *LINES[:3]], {"outcome lost": 1}),
        ([CARD], {"outcome lost": 1}),
        ([], {"subscription forgotten": 1}),
        ([CARD, *LINES, line(102, DONE)], {"outcome doubled": 1}),
        ([CARD, *LINES[:3], line(71, TWO), LINES[3]], {"line doubled": 1}),
        ([CARD, *LINES, line(150, ENDED), line(151, ENDED)], {"line doubled": 1}),
        ([CARD, CARD, *LINES], {"card doubled": 1}),
        ([CARD, LINES[0], LINES[2], replace(LINES[1], versions=((BEGAN + 80, ONE),)), LINES[3]], {"out of order": 1}),
        ([card(f"Running: {NAME}\n2 of 3 steps · started …"), *LINES], {"card not final": 1}),
        ([CARD, line(50, f"❌ Failed: {NAME}\nbwa-mem ran out of memory"), *LINES], {"never was": 1}),
        ([CARD, line(50, "Good morning"), *LINES], {"never was": 1}),
        ([CARD, line(50, ENDED), *LINES], {"ended wrongly": 1}),
        ([CARD, *LINES[:3], line(90, DONE), LINES[3]], {"ended wrongly": 1}),
        ([CARD, card(*(version[1] for version in CARD.versions[1:]), lane="T/e/U/2"), *LINES], {"ended wrongly": 1}),
    ],
)
def test_each_broken_promise_is_found(said: list[Said], kinds: dict[str, int]) -> None:
    """Lost, forgotten, repeated, out of order, stale or untrue: each has its kind."""
    assert found(record(*said)) == kinds


def test_a_card_that_went_back_is_found() -> None:
    """An older edit over a newer one, even when a newer one follows."""
    texts = [f"Running, 1 step failed: {NAME}\nx failed: OOM\n{n} of 3 steps · started …" for n in (2, 1)]
    last = CARD.versions[-1][1]
    assert found(record(card(*texts, last), *LINES)) == {"card went back": 1}


@pytest.mark.parametrize(
    ("level", "kinds", "changes"),
    [
        ("steps", {"outcome lost": 1}, 4),
        ("milestones", {"outcome lost": 1}, 4),
        ("final", {"outcome lost": 1}, 1),
        ("failures", {}, 0),
    ],
)
def test_each_level_is_owed_something_else(level: str, kinds: dict[str, int], changes: int) -> None:
    """Where all goes well, people at `failures` wait for nothing."""
    evidence = record(CARD)
    evidence.promises = [replace(PROMISE, level=level)]
    assert found(evidence) == kinds
    assert judge(evidence).counts["changes for subscribers"] == changes


def test_changes_before_the_promise_need_no_message() -> None:
    """A person who came late gets the rest."""
    evidence = record(CARD, LINES[-1])
    evidence.promises = [replace(PROMISE, promised_at=BEGAN + 90)]
    verdict = judge(evidence)
    assert verdict.violations == []
    assert verdict.change_delays == []


def test_who_left_gets_no_more_messages() -> None:
    """Not even the outcome; a message that was being sent when they left may arrive."""
    evidence = record(CARD, *LINES[:3])
    evidence.promises = [replace(PROMISE, left_at=BEGAN + 35)]
    assert found(evidence) == {"message after leaving": 1}
    evidence.promises = [replace(PROMISE, left_at=BEGAN + 65)]
    assert found(evidence) == {}


def test_what_had_ended_before_is_delivered() -> None:
    """People who left after the end may have waited for a Slack that refused everything."""
    evidence = record(CARD, *LINES[:3], line(190, DONE))
    evidence.promises = [replace(PROMISE, left_at=BEGAN + 105)]
    assert found(evidence) == {}
    evidence.promises = [replace(PROMISE, left_at=BEGAN + 95)]
    assert found(evidence) == {"message after leaving": 1}


@pytest.mark.parametrize(("rest", "kinds"), [(2.0, {}), (120.0, {"outcome lost": 1})])
def test_an_outcome_that_was_left_again(rest: float, kinds: dict[str, int]) -> None:
    """Failed and retried at once may be missed; failed for minutes may not."""
    retried = story.retried(3, seconds=100)
    failed = next(frame.at for frame in retried.frames if frame.name == "failed")
    frames = (frame if frame.at <= failed else replace(frame, at=frame.at + rest) for frame in retried.frames)
    last = CARD.versions[-1][1]
    said = [replace(CARD, versions=((BEGAN + 300, last),)), line(300, DONE)]
    assert found(record(*said, life=replace(retried, frames=tuple(frames)))) == kinds


def test_an_outcome_that_gcs_hid_may_be_missed() -> None:
    """Failed for minutes, but GCS knew nothing for most of that."""
    retried = story.retried(3, seconds=300)
    (failed, again) = (
        next(frame.at for frame in retried.frames if frame.name == name) for name in ("failed", "retrying")
    )
    frames = (frame if frame.at <= failed else replace(frame, at=frame.at + 60) for frame in retried.frames)
    done = f"✅ Succeeded: {NAME}\n3 of 3 steps in 6 min"
    evidence = record(replace(CARD, versions=((BEGAN + 400, CARD.text),)), line(400, done))
    evidence.truths = record(life=replace(retried, frames=tuple(frames))).truths
    assert found(evidence) == {"outcome lost": 1}
    evidence.blind = [(BEGAN + failed + 10, BEGAN + again + 30)]
    assert found(evidence) == {}
    evidence.blind = [(BEGAN + failed, BEGAN + again + 10)] * 2  # the rest is still long enough
    assert found(evidence) == {"outcome lost": 1}
    evidence.polled = {"e": [BEGAN + failed - 1, BEGAN + again + 61]}
    assert found(evidence) == {}
    evidence.polled["e"].append(BEGAN + failed + 1)
    assert found(evidence) == {"outcome lost": 1}
    evidence.polled, evidence.blind = {"e": []}, []  # but it lasted
    assert found(evidence) == {"outcome lost": 1}


def test_a_deletion_under_way_may_be_believed_early() -> None:
    """While GCS knows nothing, what was being deleted looks deleted."""
    life = story.deleted(3)
    deleting, deleted = moments(life, BEGAN)[-2:]
    assert (deleting.phase, deleted.phase) == ("Deleting", "Deleted")
    text = f"🗑 Deleted: {NAME}\nGCS no longer knows it. Last seen: Deleting."
    early = line((deleting.at + deleted.at) / 2 - BEGAN, text)
    evidence = record(replace(CARD, versions=((early.at, f"Deleted: {NAME}\n1 of 3 steps"),)), early, life=life)
    assert found(evidence)["ended wrongly"]
    evidence.blind = [(early.at + 1, deleted.at)]  # which began later
    assert found(evidence)["ended wrongly"]
    evidence.blind = [(BEGAN, early.at)]
    assert found(evidence) == {}


def test_repeats_around_lost_writes_are_counted_apart() -> None:
    """A fail-over that lost acknowledged writes excuses repeats of what was sent then, and nothing else."""
    evidence = record(CARD, *LINES, line(150, DONE))
    evidence.lossy = [(BEGAN + 140, BEGAN + 160)]
    assert found(evidence) == {"outcome doubled": 1}
    evidence.lossy = [(BEGAN + 90, BEGAN + 110)]
    verdict = judge(evidence)
    assert verdict.violations == []
    assert verdict.counts["repeated after lost writes"] == 1


def test_only_lost_writes_excuse_a_second_card() -> None:
    """One of two cards shows the outcome; the second is excused where the receipt of the first may be lost."""
    orphan = card(f"Running: {NAME}\n2 of 3 steps · started …")
    for said in ([CARD, orphan], [orphan, CARD]):
        evidence = record(*said, *LINES)
        assert found(evidence) == {"card doubled": 1}
        evidence.lossy = [(BEGAN - 1, BEGAN + 1)]
        verdict = judge(evidence)
        assert (verdict.violations, verdict.counts["cards left behind"]) == ([], 1)
    assert found(record(orphan, orphan, *LINES))["card not final"] == 1


def test_repeats_are_bounded() -> None:
    """One fail-over excuses only as many repeats as messages can have been in progress."""
    evidence = record(CARD, *LINES, *(line(102 + n, DONE) for n in range(49)))
    evidence.lossy = [(BEGAN + 90, BEGAN + 110)]
    assert found(evidence) == {"too many repeats": 1}


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        ({"gcs_quota": 600, "gcs_worst_minute": 601}, "over quota"),
        ({"slack_over_limit": 1}, "over Slack's limits"),
        ({"slack_calls": 20_000, "slack_over_limit": 3}, "over Slack's limits"),
        ({"died": ["bot-1: Traceback"]}, "bot ended"),
        ({"dead_letters": ["T/e/U/1 of U: channel_not_found"]}, "ended wrongly"),
        ({"admitted": ["exit code 0"]}, "stranger admitted"),
        ({"unanswered": ["e for person 1"]}, "no response"),
    ],
)
def test_what_the_servers_counted(evidence: dict[str, object], kind: str) -> None:
    """Quotas, limits, crashes and missing responses are violations too."""
    assert found(replace(record(CARD, *LINES), **evidence)) == {kind: 1}  # type: ignore[arg-type]


def test_two_calls_may_arrive_together() -> None:
    """The bot cannot space what waits on its way."""
    assert found(replace(record(CARD, *LINES), slack_calls=20_000, slack_over_limit=2)) == {}


def test_reading() -> None:
    """Each kind of message as a moment; what its text does not say is None."""
    assert read_line(RUNNING, NAME) == Moment("Running", None)
    assert read_line(TWO, NAME) == Moment(None, 2)
    retried = f"Running: {NAME} · Retried: Failed → Retrying → Running · 2 → 3 of 4 steps · after 1 h"
    assert read_line(retried, NAME) == Moment("Running", 3)
    assert read_line(DONE, NAME) == Moment("Succeeded", 3)
    assert read_line(f"❌ Failed: {NAME}\nbwa-mem was stopped (exit 143)\n1 of 4 steps in 40 min", NAME) == Moment(
        "Failed", 1
    )
    assert read_line(ENDED, NAME) is None
    wide = f"Running: {NAME} · 9,999 → 10,000 of 10,001 steps · post-process finished · after 1 h"
    assert read_line(wide, NAME) == Moment(None, 10_000)
    assert read_card(f"Deleted: {NAME}\nGCS no longer knows it.\n1 of 4 steps", NAME) == Moment("Deleted", 1)
    with pytest.raises(Unreadable):
        read_line(RUNNING, "another")


def test_the_truth_is_what_gcs_shows() -> None:
    """Each state once, at its time; where GCS sends no counts, none are expected."""
    shown = [(moment.phase, moment.finished, round(moment.at)) for moment in moments(LIFE, BEGAN)]
    assert shown[0] == ("Pending", None, 1000)
    assert shown[-1] == ("Succeeded", 3, 1100)
    assert [finished for _, finished, _ in shown] == [None, 0, 1, 2, 3]
    assert moments(story.deleted(3), 0)[-1].phase == "Deleted"


STUMBLING = story.stumbling(4, seconds=300)
STUMBLED = f"⚠️ Running, 1 step failed: {NAME}\n*bwa-mem* failed: exit 137\nafter 1 min"
BROKEN = [
    line(7, RUNNING),
    line(72, f"Running: {NAME} · 0 → 1 of 4 steps · fastq-split finished · after 70 s"),
    line(118, STUMBLED),
    line(160, f"Running: {NAME} · 1 → 2 of 4 steps · mark-duplicates finished · after 2 min"),
    line(301, f"❌ Failed: {NAME}\nmerge-vcf failed\n3 of 4 steps in 5 min"),
]


def test_a_failed_step_must_be_reported() -> None:
    """While the execution goes on; at every level, and not only with the end."""
    card_ = card(*[f"Pending: {NAME}\nstep counts not reported yet"] * 3, f"Failed: {NAME}\n3 of 4 steps in 5 min")
    evidence = record(card_, *BROKEN, life=STUMBLING)
    assert found(evidence) == {}
    evidence.said.remove(BROKEN[2])
    assert found(evidence) == {"failure lost": 1}
    evidence.promises = [replace(PROMISE, level="failures")]
    assert found(evidence) == {"failure lost": 1}


def test_a_failed_step_is_read() -> None:
    """With its number, and the count behind it if there is one."""
    assert read_line(STUMBLED, NAME) == Moment("Running", None, failed=1)
    more = f"⚠️ Running, 2 steps failed: {NAME}\n*a* failed.\n*b* failed.\n2 → 3 of 4 steps · after 1 min"
    assert read_line(more, NAME) == Moment("Running", 3, failed=2)


CAUGHT_UP = """While you were away: 1 failed, 4 succeeded
❌ Failed: a-1
bwa-mem ran out of memory
✅ Succeeded: b-2, c-3 and 2 more"""


def test_a_message_about_many_ends_is_read() -> None:
    """Each as a line about it alone; one whose numbers do not agree is nothing that people understand."""
    ends = {"a-1": "❌ Failed: a-1", "b-2": "✅ Succeeded: b-2", "c-3": "✅ Succeeded: c-3"}
    assert dict(read_catch_up(CAUGHT_UP)) == ends
    assert read_line(ends["a-1"], "a-1") == Moment("Failed", None)
    with pytest.raises(Unreadable):
        read_catch_up(CAUGHT_UP.replace("4", "3"))


def reported_with_others(at: float, text: str) -> Said:
    """A part of such a message."""
    return replace(line(at, text), is_caught_up=True)


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ([CARD, reported_with_others(130, DONE)], {}),
        ([reported_with_others(130, DONE)], {}),
        ([CARD, reported_with_others(130, DONE), line(131, DONE)], {"outcome doubled": 1}),
        ([CARD, reported_with_others(130, DONE), reported_with_others(140, DONE)], {"outcome doubled": 1}),
        ([CARD, reported_with_others(130, f"❌ Failed: {NAME}")], {"never was": 1, "outcome lost": 1}),
    ],
)
def test_an_end_is_reported_with_others(said: list[Said], kinds: dict[str, int]) -> None:
    """It counts as a message about it, and needs no card that was not there before."""
    assert found(record(*said)) == kinds


def test_an_unreadable_message_is_found() -> None:
    """Nobody knows what it is about."""
    assert found(replace(record(CARD, *LINES), unreadable=["While you were away: everything"])) == {"never was": 1}


def test_a_failure_with_others_names_its_steps() -> None:
    """People who wanted to read nothing at all read the end, not each step before it."""
    shown = card(f"Pending: {NAME}\nstep counts not reported yet", f"Failed: {NAME}\n1 of 4 steps in 2 min")
    kinds = [found(record(shown, said, life=STUMBLING)) for said in _failures()]
    assert ["failure lost" in each for each in kinds] == [True, False]


def _failures() -> tuple[Said, Said]:
    """The end of a run whose step had failed long before, reported by itself and with others."""
    failed = line(500, f"❌ Failed: {NAME}")
    return failed, replace(failed, is_caught_up=True)
