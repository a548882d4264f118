"""Under which names runs and steps are remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.execution import Execution, Step
from bot.domain.past import WIDE, stem_of, step_keys, workflow_key


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("haplotype-caller-chr12", "haplotype-caller"),
        ("align_chrX", "align"),
        ("germline-wgs-11-29-133329-14", "germline-wgs"),
        ("scatter-3-of-20", "scatter"),
        ("sort.shard-7", "sort"),
        ("shard-0012", "shard"),
        ("步骤-3", "步骤"),
        ("bwa-mem", "bwa-mem"),
        ("12", "12"),
        ("-", "-"),
        ("0\n", "0\n"),
        ("", ""),
    ],
)
def test_numbers_at_the_end_are_no_name(name: str, stem: str) -> None:
    """With the word that counts, and what separates them."""
    assert stem_of(name) == stem


@given(st.text(max_size=90))
def test_a_stem_has_no_stem(name: str) -> None:
    """It begins the name, and is never empty."""
    stem = stem_of(name)
    assert stem_of(stem) == stem
    assert name.startswith(stem)
    assert bool(stem) == bool(name)


def test_a_workflow_is_its_id_or_name() -> None:
    """A run from a file is known by its name's stem, if it has a number at its end; else there is no history."""
    assert workflow_key(Execution(id="e", workflow_id="w1", workflow_name="wgs", name="run-1")) == "w1"
    assert workflow_key(Execution(id="e", workflow_name="wgs")) == "wgs"
    assert workflow_key(Execution(id="e", name="germline-7")) == "~germline"
    assert [workflow_key(Execution(id="e", name=name)) for name in ("", "germline", "12", "a-1")] == [""] * 4


def test_many_steps_are_remembered_together() -> None:
    """Where they have one stem; others keep their names."""
    wide = [Step(name=f"call-{number}") for number in range(WIDE + 1)]
    few = [Step(name=f"sort-{number}") for number in range(WIDE)]
    keys = step_keys([*wide, *few])
    assert {keys[step.name] for step in wide} == {"call*"}
    assert [keys[step.name] for step in few] == [step.name for step in few]
