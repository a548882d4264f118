"""The verdict about rules, quiet and what operators do: each way of breaking such a promise is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox import story
from tests.chaos.evidence import BoardPromise, Notice, Press, Promise, Quiet, Record, RulePromise, Said, Truth
from tests.chaos.reading import moments
from tests.chaos.test_verdict import BEGAN, CARD, DONE, LINES, NAME, PROMISE, card, found, line

MARKS = frozenset({("workflow", "flow-1"), ("project", "project-2")})
RULE = RulePromise(
    subscriber="U",
    kind="workflow",
    value="flow-1",
    level="final",
    asked_at=BEGAN - 20,
    promised_at=BEGAN - 10,
)
ENDED = replace(RULE, end_asked_at=BEGAN - 5, ended_at=BEGAN - 4, ended_by="U")
HAPPY = story.happy(3, seconds=100)


def ruled(*said: Said, rules: tuple[RulePromise, ...] = (RULE,), life: story.Life = HAPPY) -> Record:
    """The evidence of an execution that nobody follows by hand."""
    truth = Truth(name=NAME, moments=moments(life, BEGAN), marks=MARKS)
    return Record(truths={"e": truth}, promises=[], said=list(said), rules=list(rules))


def test_a_rule_is_a_promise_of_each() -> None:
    """Its end is read once, at the rule's level; what that level leaves out needs no card either."""
    assert found(ruled(CARD, LINES[-1])) == {}
    assert found(ruled(CARD, LINES[-1], LINES[-1])) == {"outcome doubled": 1}
    assert found(ruled()) == {"subscription forgotten": 1}
    assert found(ruled(rules=(replace(RULE, level="failures"),))) == {}
    assert found(ruled(rules=(replace(RULE, level="failures"), replace(RULE, kind="project", value="project-2")))) == {
        "subscription forgotten": 1
    }
    assert found(ruled(rules=(replace(RULE, value="flow-2"),))) == {}


def test_what_ran_before_is_not_reported() -> None:
    """Nor what began after its end; what began in between is."""
    late = replace(RULE, asked_at=BEGAN + 1, promised_at=BEGAN + 2)
    assert found(ruled(CARD, LINES[-1], rules=(late,))) == {"message unasked": 1}
    assert found(ruled(CARD, LINES[-1], rules=(ENDED,))) == {"message after leaving": 1, "message unasked": 1}
    assert found(ruled(rules=(ENDED,))) == {}
    by_hand = ruled(CARD, LINES[-1], rules=(late,))
    by_hand.asked.add(("e", "U"))
    assert found(by_hand) == {}


def test_a_rule_and_a_person_share_a_card() -> None:
    """Two cards in one place are one too many, and each level is owed."""
    both = ruled(CARD, card(*(text for _, text in CARD.versions)), *LINES)
    both.promises = [replace(PROMISE, level="failures")]
    both.asked.add(("e", "U"))
    assert found(both) == {"card doubled": 1}
    both.said = [CARD]
    assert found(both) == {"outcome lost": 1}


def test_an_outcome_before_it_was_found() -> None:
    """Failed, and retried before the rule had to know it: may be missed."""
    retried = story.retried(3, seconds=100)
    rest = (frame if frame.at <= 60 else replace(frame, at=frame.at + 60) for frame in retried.frames)
    last = CARD.versions[-1][1]
    said = [replace(CARD, versions=((BEGAN + 300, last),)), line(300, DONE)]
    assert found(ruled(*said, life=replace(retried, frames=tuple(rest)))) == {}


def test_a_card_shows_an_earlier_end() -> None:
    """A rule had not found it yet; had it ended later, or been followed by hand for more, its end would be reported."""
    life, last = story.happy(3, seconds=60), CARD.versions[-1][1]
    ends = moments(life, 0)[-1].at
    both = ruled(replace(CARD, versions=((BEGAN + ends + 2, last),)), life=life)
    both.asked.add(("e", "U"))
    for at, level, missed in (
        (ends + 1, "steps", {}),
        (ends - 1, "steps", {"outcome lost": 1}),
        (ends - 1, "failures", {}),  # the end is what the person did not want to read
    ):
        both.promises = [replace(PROMISE, promised_at=BEGAN + at, level=level)]
        assert found(both) == missed, (at, level)
    both.promises = []
    assert found(both) == {"outcome lost": 1}


@pytest.mark.parametrize(
    ("quiet", "kinds"),
    [
        (Quiet(subscriber="U", execution_id="e", since=BEGAN + 20, until=BEGAN + 40), {"message while quiet": 1}),
        (Quiet(subscriber="U", since=BEGAN + 20, until=BEGAN + 40), {"message while quiet": 1}),
        (Quiet(subscriber="U", execution_id="e", since=BEGAN + 20), {"message while quiet": 2}),
        (Quiet(subscriber="U", execution_id="e", since=BEGAN + 26, until=BEGAN + 65), {}),
        (Quiet(subscriber="C", since=BEGAN + 20, until=BEGAN + 40), {}),
    ],
)
def test_quiet_is_kept(quiet: Quiet, kinds: dict[str, int]) -> None:
    """What happened before may still be reported, and its end is reported at once."""
    evidence = ruled(CARD, *LINES, rules=())
    evidence.promises, evidence.quiet = [PROMISE], [quiet]
    evidence.asked.add(("e", "U"))
    assert found(evidence) == kinds


def test_failures_break_a_quiet_time() -> None:
    """Unless it is for everything; with them comes what was waiting."""
    life = story.failing(3, seconds=100)
    ends = next(frame.at for frame in life.frames if frame.finished == 1)
    one = line(100.5, f"Running: {NAME} · 0 → 1 of 3 steps · fastq-split finished · after 24 s")
    failed = line(101, f"❌ Failed: {NAME}\nbwa-mem ran out of memory")
    shown = card(f"Pending: {NAME}\nstep counts not reported yet", f"Failed: {NAME}\n1 of 3 steps in 2 min\nAs of …")
    evidence = ruled(shown, one, failed, rules=(), life=life)
    evidence.asked.add(("e", "U"))
    evidence.promises = [replace(PROMISE, promised_at=BEGAN + ends - 1)]
    evidence.quiet = [Quiet(subscriber="U", execution_id="e", since=BEGAN + ends - 1, until=BEGAN + 200)]
    assert found(evidence) == {}
    evidence.quiet = [replace(evidence.quiet[0], is_for_everything=True)]
    assert found(evidence) == {"message while quiet": 2}


def test_what_waits_comes_with_a_failure() -> None:
    """It failed and was retried before that was reported: both come at once; what happens afterwards waits."""
    life = story.retried(6, seconds=100)
    failed = next(frame for frame in life.frames if frame.name == "failed")
    again = next(frame for frame in life.frames if frame.at > failed.at)
    failure = line(again.at + 4, f"🔴 Failed: {NAME}\n{failed.finished} of 6 steps")
    retried = line(again.at + 5, f"{again.status}: {NAME} · Retried: Failed → {again.status} · after 1 s")
    evidence = ruled(failure, retried, rules=(), life=life)
    evidence.asked.add(("e", "U"))
    evidence.quiet = [Quiet(subscriber="U", execution_id="e", since=BEGAN + 1, until=BEGAN + 200)]
    assert found(evidence) == {}
    early = line(again.at - 0.1, failure.text)
    assert found(replace(evidence, said=[early, retried])) == {"message while quiet": 1}


def test_an_end_reported_late_ends_a_mute() -> None:
    """Muted until it ends, after it had failed and before anybody knew: what a retry brings is reported again."""
    life = story.retried(6, seconds=100)
    failed = next(frame for frame in life.frames if frame.name == "failed")
    again = next(frame for frame in life.frames if frame.at > failed.at)
    retried = line(again.at + 1, f"Running: {NAME} · Retried: Failed → Running · after 1 s")
    failure = line(failed.at + 4, f"🔴 Failed: {NAME}\n{failed.finished} of 6 steps")
    evidence = ruled(failure, retried, rules=(), life=life)
    evidence.asked.add(("e", "U"))
    evidence.quiet = [Quiet(subscriber="U", execution_id="e", since=BEGAN + failed.at + 2)]
    assert found(evidence) == {}
    evidence.quiet = [replace(evidence.quiet[0], since=BEGAN + failed.at + 6)]
    assert found(evidence) == {"message while quiet": 1}


PRESS = Press(execution_id="e", by="U1", at=BEGAN + 30)
CANCELLED = Notice(about="e", subscriber="U", text=f"{NAME}: <@U1> cancelled it from Slack. Jobs already handed out …")


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({}, {}),
        ({"acted": [("e", BEGAN + 31), ("e", BEGAN + 35)]}, {"action doubled": 1}),
        ({"acted": [("e", BEGAN + 29)]}, {"action doubled": 1}),
        ({"acted": [("e", BEGAN + 31), ("e", BEGAN + 41)], "presses": [PRESS, replace(PRESS, at=BEGAN + 40)]}, {}),
        ({"acts": [CANCELLED, CANCELLED]}, {"notice doubled": 1}),
        ({"acts": []}, {"notice lost": 1}),
        ({"acts": [replace(CANCELLED, text=CANCELLED.text.replace("U1", "U2"))]}, {"action by others": 1}),
        ({"operated": set()}, {"never was": 1}),
    ],
)
def test_what_operators_do_is_done_once(change: dict[str, object], kinds: dict[str, int]) -> None:
    """One call for each press, by nobody else, and one line for everybody who follows it."""
    evidence = ruled(CARD, *LINES, rules=())
    evidence.promises = [PROMISE, Promise(execution_id="e", subscriber="U", level="final", promised_at=BEGAN + 99)]
    evidence.asked.add(("e", "U"))
    evidence.presses, evidence.acted, evidence.operated = [PRESS], [("e", BEGAN + 31)], {"e"}
    evidence.acts = [CANCELLED]
    assert found(replace(evidence, **change)) == kinds  # type: ignore[arg-type]


BOARD = Notice(about="b-b-1", subscriber="U", text="Board: everything this channel follows\n1 succeeded")
MOVED = replace(BOARD, text="This board continues in a newer message below.")
CLOSED = replace(BOARD, text="<@U1> ended this board. `/execution board` starts a new one.")


@pytest.mark.parametrize(
    ("posts", "has_ended", "kinds"),
    [
        ([BOARD], False, {}),
        ([MOVED, BOARD], False, {}),
        ([BOARD, BOARD], False, {"board doubled": 1}),
        ([MOVED], False, {"board lost": 1}),
        ([replace(BOARD, text="Board: …\n1 running")], False, {"board wrong": 1}),
        ([replace(BOARD, text="Board: …\n2 succeeded")], False, {"board wrong": 1}),
        ([MOVED, CLOSED], True, {}),
        ([BOARD], True, {"board doubled": 1}),
    ],
)
def test_a_board_is_one_and_true(posts: list[Notice], has_ended: bool, kinds: dict[str, int]) -> None:
    """Once nothing runs any more, it counts what its channel follows; once it has ended, nobody reads it."""
    evidence = ruled(CARD, LINES[-1])
    evidence.boards = [BoardPromise(subscriber="U", ended_at=BEGAN if has_ended else None)]
    evidence.board_posts = posts
    assert found(evidence) == kinds


def test_a_board_counts_what_still_runs() -> None:
    """Where nobody waits until everything has ended."""
    evidence = ruled(replace(CARD, versions=((BEGAN + 90, f"Running: {NAME}\n2 of 3 steps"),)))
    truth = evidence.truths["e"]
    evidence.truths["e"] = replace(truth, moments=truth.moments[:-1])
    evidence.boards = [BoardPromise(subscriber="U")]
    evidence.board_posts = [replace(BOARD, text="Board: …\n1 running")]
    assert found(evidence) == {}
    evidence.board_posts = [replace(BOARD, text="Board: …\n1 failed")]
    assert found(evidence) == {"board wrong": 1}


def test_the_end_of_a_rule_is_reported_once() -> None:
    """In a channel, with who ended it; nobody reads of what they did themselves."""
    evidence = ruled(rules=(replace(ENDED, subscriber="C"),))
    goodbye = Notice(about="r-e-1", subscriber="C", text="<@U> ended it: this channel no longer follows … `flow-1` …")
    assert found(evidence) == {"notice lost": 1}
    assert found(replace(evidence, goodbyes=[goodbye])) == {}
    assert found(replace(evidence, goodbyes=[goodbye, goodbye])) == {"notice doubled": 1}
    own = ruled(rules=(ENDED,))
    assert found(replace(own, goodbyes=[replace(goodbye, subscriber="U")])) == {"notice doubled": 1}
