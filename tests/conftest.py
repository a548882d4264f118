"""What all tests share: the servers of the store, their end, and how pytest-xdist hands tests to its workers.

Lives here: fixtures that several folders of tests use, hypothesis's profile, the number of workers, what stays in one
of them, and what Python's garbage collector leaves alone. Does not live here: what a single folder needs. Called by
pytest.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from functools import cache
from multiprocessing.util import get_temp_dir
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.fuzz.profiles import FUZZ
from tests.leftovers import ended_with_us
from tests.store.conftest import server_url

__all__ = ["server_url"]

settings.register_profile("untimed", deadline=None)
settings.register_profile(FUZZ, deadline=None, print_blob=True)
settings.load_profile("untimed")  # how long an example takes depends on the machine

WAITING_WORKERS = 6
"""How many workers run beside one for each core: whole bots and their servers wait most of the time. With four, the two
cores of a machine did nothing in 30 % of a run."""

SHARING = (
    "tests/browser",
    "tests/end_to_end/test_commands.py",
    "tests/end_to_end/test_buttons.py",
    "tests/end_to_end/test_gcs_outage.py",
    "tests/end_to_end/test_slack_outage.py",
)
"""Files and folders whose tests share something that takes long to make: a browser, a bot, an outage. Each stays in one
worker."""

CLUSTER = "tests/store/cluster"
"""Stands for the tests of the store on a cluster of six servers: they share it in one worker, for the same reason."""

LONGEST = (
    "tests/end_to_end/test_slack_outage.py",
    "tests/end_to_end/test_rules.py",
    "tests/chaos/test_chaos.py",
    "tests/end_to_end/test_store.py",
    "tests/end_to_end/test_kills.py",
    "tests/end_to_end/test_lives.py",
    "tests/end_to_end/test_gcs_outage.py",
    CLUSTER,
    "tests/browser",
    "tests/end_to_end/test_boards.py",
    "tests/end_to_end/test_versions.py",
    "tests/end_to_end/test_brake.py",
    "tests/end_to_end/test_limits.py",
    "tests/end_to_end",
    "tests/store/test_failover.py",
    "tests/store/test_embedded.py",
    "tests/store",
    "tests/workers",
)
"""Files and folders in the order in which their tests begin, before all others: one that takes a minute must not be
the last to begin, while all other workers are done."""


def place_of(nodeid: str) -> str:
    """The file of a test, or what stands for those that share a cluster."""
    path, _, name = nodeid.partition("::")
    return CLUSTER if path.startswith("tests/store/") and "[cluster" in name else path


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives a worker the next test when it is done with one; what shares something as a whole.

    This is xdist's `loadgroup`, which needs to write node ids; pytest 9.2 lets nobody do that.
    """

    def _split_scope(self, nodeid: str) -> str:
        place = place_of(nodeid)
        return next((shared for shared in (CLUSTER, *SHARING) if place.startswith(shared)), nodeid)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What this worker starts works in its folder, temporary folders included, and ends when it is killed."""
    folder = tmp_path_factory.getbasetemp()
    get_temp_dir()  # stays elsewhere: it is removed after the worker's folder may be
    with pytest.MonkeyPatch.context() as patch, ended_with_us(folder):
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)  # it is read from there again
        yield


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` starts."""
    return (os.cpu_count() or 1) + WAITING_WORKERS


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """How tests are handed to workers: in the order of their collection."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays until the end: searching it for garbage took nearly as long as to collect it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=lambda item: _turn(place_of(item.nodeid)))


@cache
def _turn(place: str) -> int:
    """When the tests of a place begin: the lowest number first."""
    return next((at for at, path in enumerate(LONGEST) if place.startswith(path)), len(LONGEST))
