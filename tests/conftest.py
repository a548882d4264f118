"""What all tests share: the servers of the store, and how pytest-xdist hands tests to its workers.

Lives here: fixtures that several folders of tests use, hypothesis's profile, the number of workers and what stays in
one of them. Does not live here: what a single folder needs. Called by pytest.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.fuzz.profiles import FUZZ
from tests.store.conftest import server_url

__all__ = ["server_url"]

settings.register_profile("untimed", deadline=None)
settings.register_profile(FUZZ, deadline=None, print_blob=True)
settings.load_profile("untimed")  # how long an example takes depends on the machine

WAITING_WORKERS = 2
"""How many workers run beside one for each core: whole bots and their servers wait most of the time."""

SHARING = (
    "tests/browser/test_page.py",
    "tests/end_to_end/test_commands.py",
    "tests/end_to_end/test_buttons.py",
    "tests/end_to_end/test_gcs_outage.py",
    "tests/end_to_end/test_slack_outage.py",
)
"""Files whose tests share something that takes long to make: a browser, a bot, an outage. Each stays in one worker."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives a worker the next test when it is done with one; first of all, the files in `SHARING` as a whole.

    This is xdist's `loadgroup`, which needs to write node ids; pytest 9.2 lets nobody do that.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return path if path in SHARING else nodeid


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` starts."""
    return (os.cpu_count() or 1) + WAITING_WORKERS


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """How tests are handed to workers."""
    return Scheduling(config, log)
