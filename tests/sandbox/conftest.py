"""The workspace that the tests of the simulated Slack share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.slack_rig import World, world


@pytest.fixture
async def at() -> AsyncIterator[World]:
    """A workspace in which time stands still."""
    async with world() as opened:
        yield opened
