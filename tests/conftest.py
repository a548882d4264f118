"""Fixtures that several rings share."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.store.conftest import server_url

__all__ = ["server_url"]

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # how long an example takes is the machine's business

MORE_THAN_CORES = 2
"""How many workers wait while as many others as there are cores compute: whole bots and their servers wait a lot."""


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` starts."""
    return (os.cpu_count() or 1) + MORE_THAN_CORES
