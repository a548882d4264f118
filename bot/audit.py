"""The audit trail: who asked for what, where, how it ended, and which messages it led to.

Lives here: `audit`, which writes one line at every `LOG_LEVEL`, and the id of the request under way, which is part of
each line that is logged meanwhile. Does not live here: what the log looks like (`bot.app.logs`), which lines there are
(their modules). Called by `handlers.middleware`, `bot.subscriptions` and the notifier.

Lines hold ids and codes only: no names, no words that somebody typed, no text of GCS.
"""

from __future__ import annotations

import logging
import re
from uuid import uuid4

import structlog

_trail = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET))

_REQUEST_ID = "request_id"

_IDS = {
    "actor": re.compile(r"[UWB][A-Z0-9]{0,31}"),
    "team": re.compile(r"[TE][A-Z0-9]{0,31}"),
    "channel": re.compile(r"[CDG][A-Z0-9]{0,31}"),
    "subscriber": re.compile(r"[UWCG][A-Z0-9]{0,31}"),
    "owner": re.compile(r"[UW][A-Z0-9]{0,31}"),
    "execution": re.compile(r"[0-9a-f-]{1,36}"),
    _REQUEST_ID: re.compile(r"[0-9a-f]{12}"),
}
"""Fields that come from outside, and what an id of that kind looks like."""

NOT_AN_ID = "invalid"
"""Logged in place of what is not an id, since a request can hold any text."""


def audit(event: str, **values: str | float | None) -> None:
    """Write one line. `values` are ids (see `_IDS`), codes and numbers; empty ones are left out."""
    shown = {name: _checked(name, value) for name, value in values.items() if value not in {None, ""}}
    _trail.info(event, **shown)


def begin_request(*, actor: str, team: str) -> str:
    """Give a person's request an id; everything that this task logs from now on has the id and the person.

    Returns:
        The id: 12 hexadecimal digits.
    """
    request_id = uuid4().hex[:12]
    person = {"actor": actor, "team": team}
    known = {name: _checked(name, value) for name, value in person.items() if value}
    structlog.contextvars.bind_contextvars(**known, **{_REQUEST_ID: request_id})
    return request_id


def current_request() -> str:
    """The id of the request under way; empty outside one."""
    return str(structlog.contextvars.get_contextvars().get(_REQUEST_ID, ""))


def _checked(name: str, value: str | float | None) -> str | float | None:
    pattern = _IDS.get(name)
    return value if pattern is None or pattern.fullmatch(str(value)) else NOT_AN_ID
