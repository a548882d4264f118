"""Fixtures that several rings share."""

from __future__ import annotations

from hypothesis import settings

from tests.store.conftest import server_url

__all__ = ["server_url"]

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # how long an example takes is the machine's business
