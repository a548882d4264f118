"""Promises of `bot.domain.rules`: what a rule is about, from when on, and that a book of them misses none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.following import Level, Rule, RuleKind, Subscriber, louder
from bot.domain.rules import CLOCKS_APART, RuleBook, existing, is_new, matches, newest
from bot.domain.search import Match

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE, LAB = Subscriber(team_id="T1", id="U1"), Subscriber(team_id="T1", id="C1")
RUN = Match(
    "e1",
    "germline-wgs-1",
    "Running",
    "germline-wgs",
    NOW + timedelta(minutes=1),
    "7d2f1c90-6a1b-4f0e-8f5d-1c2b3a4d5e6f",
    (("batch", "panel-7"), ("lane", "3")),
    ("genomics", "42"),
)


def rule(kind: RuleKind, *values: str, subscriber: Subscriber = ALICE) -> Rule:
    """A rule that began at `NOW`."""
    return Rule(
        subscriber=subscriber,
        kind=kind,
        values=values,
        owner="U1",
        created_at=NOW,
        expires_at=NOW + timedelta(days=90),
    )


@pytest.mark.parametrize(
    ("kind", "values", "does"),
    [
        (RuleKind.WORKFLOW, ("germline-wgs",), True),
        (RuleKind.WORKFLOW, ("Germline-WGS",), True),
        (RuleKind.WORKFLOW, (RUN.workflow_id,), True),
        (RuleKind.WORKFLOW, ("germline",), False),
        (RuleKind.WORKFLOW, ("",), False),
        (RuleKind.WORKFLOW, (), False),
        (RuleKind.LABEL, ("batch=panel-7",), True),
        (RuleKind.LABEL, ("lane=3", "batch=panel-7"), True),
        (RuleKind.LABEL, ("batch=panel-7", "lane=4"), False),
        (RuleKind.LABEL, ("batch",), False),
        (RuleKind.PROJECT, ("Genomics",), True),
        (RuleKind.PROJECT, ("42",), True),
        (RuleKind.PROJECT, ("germline-wgs",), False),
        (RuleKind.OTHER, ("germline-wgs",), False),
    ],
)
def test_a_rule_is_about_what_it_names(kind: RuleKind, values: tuple[str, ...], does: bool) -> None:
    """A whole name or an id, in any case; all of its labels."""
    assert matches(kind, values, RUN) is does
    assert bool(RuleBook([rule(kind, *values)]).matching(RUN)) is does


def test_an_empty_name_matches_nothing() -> None:
    """A run from a file has none."""
    assert not matches(RuleKind.WORKFLOW, ("",), Match("e1"))
    assert not matches(RuleKind.LABEL, ("=",), Match("e1", labels=(("", ""),)))


@pytest.mark.parametrize(
    ("created", "is_followed"),
    [
        (timedelta(seconds=1), True),
        (-CLOCKS_APART / 2, True),
        (-CLOCKS_APART, False),
        (-timedelta(days=1), False),
        (None, False),
    ],
)
def test_a_rule_begins_when_it_is_made(created: timedelta | None, is_followed: bool) -> None:
    """But for what clocks may be apart; what has no date is not followed."""
    found = RUN._replace(created_at=None if created is None else NOW + created)
    assert is_new(rule(RuleKind.WORKFLOW, "germline-wgs"), found) is is_followed


def test_what_existed_is_known_by_its_id() -> None:
    """It seems no older than the rule; what is much older needs no id."""
    young, old = RUN._replace(created_at=NOW - timedelta(seconds=5)), RUN._replace(created_at=NOW - timedelta(hours=1))
    known = existing([young, old._replace(execution_id="e2")], now=NOW)
    assert known == ("e1",)
    assert not is_new(replace(rule(RuleKind.WORKFLOW, "germline-wgs"), before=known), young)


def test_however_many_existed_none_is_followed() -> None:
    """A whole batch was started just before the rule: more than it knows by their ids, by a clock that is ahead."""
    ahead = timedelta(minutes=1)
    made = NOW + ahead
    batch = [RUN._replace(execution_id=f"e{n}", created_at=made - timedelta(seconds=n)) for n in range(200)]
    began = replace(
        rule(RuleKind.WORKFLOW, "germline-wgs"), before=existing(batch, now=NOW), newest=newest(batch, now=NOW)
    )
    assert not any(is_new(began, match) for match in batch)
    assert is_new(began, RUN._replace(execution_id="next", created_at=made))
    assert is_new(began, RUN._replace(execution_id="later", created_at=made + timedelta(seconds=1)))


def test_a_date_in_the_future_blocks_nothing() -> None:
    """An execution whose date can only be wrong says nothing about others."""
    odd = RUN._replace(created_at=NOW + timedelta(days=400))
    assert newest([odd, RUN._replace(created_at=None)], now=NOW) is None
    assert newest([odd, RUN], now=NOW) == RUN.created_at


def test_a_rule_that_has_ended_finds_nothing() -> None:
    """Nor does it count for how far back lists are looked through."""
    book = RuleBook([replace(rule(RuleKind.WORKFLOW, "germline-wgs"), ended_by="U1")])
    assert (book.matching(RUN), book.since) == ({}, None)


def test_the_same_words_are_one_rule() -> None:
    """In any case and order; for each subscriber their own."""
    first = rule(RuleKind.LABEL, "batch=panel-7", "lane=3")
    assert first.id == rule(RuleKind.LABEL, "Lane=3", "batch=panel-7").id
    others = {rule(RuleKind.LABEL, "lane=3").id, rule(RuleKind.PROJECT, "batch=panel-7", "lane=3").id}
    assert first.id not in others | {rule(RuleKind.LABEL, "batch=panel-7", "lane=3", subscriber=LAB).id}


@pytest.mark.parametrize(("one", "other"), list(product(Level, Level)))
def test_the_louder_level_includes_the_other(one: Level, other: Level) -> None:
    """And one of another version includes everything."""
    order = list(Level)
    assert louder(one, other) is order[max(order.index(one), order.index(other))]
    assert louder(one, Level("of-next-year")).value == "of-next-year"


_WORDS = st.sampled_from(["germline", "Germline", "rna-seq", "", "a=b", "x"])
_MATCHES = st.builds(
    Match,
    execution_id=st.sampled_from(["e1", "e2"]),
    workflow_name=_WORDS,
    workflow_id=_WORDS,
    created_at=st.sampled_from([None, NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1)]),
    labels=st.lists(st.tuples(_WORDS, _WORDS), max_size=3).map(tuple),
    projects=st.lists(_WORDS, max_size=2).map(tuple),
)
_RULES = st.builds(rule, st.sampled_from(RuleKind), _WORDS, subscriber=st.sampled_from([ALICE, LAB]))


@given(st.lists(_RULES, max_size=6), _MATCHES)
def test_a_book_finds_what_each_rule_would(rules: list[Rule], match: Match) -> None:
    """However many there are."""
    expected = [each for each in rules if matches(each.kind, each.values, match) and is_new(each, match)]
    found = [each for some in RuleBook(rules).matching(match).values() for each in some]
    assert sorted(each.id for each in found) == sorted(each.id for each in expected)
