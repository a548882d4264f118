"""Fixtures that several rings share."""

from __future__ import annotations

from tests.store.conftest import server_url

__all__ = ["server_url"]
