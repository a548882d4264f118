"""Promises of `bot.slack.inbound.payloads`: what Slack sends passes, whatever else arrives is `Malformed`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import strategies

from bot.slack.inbound.payloads import Malformed, checked, identity, parsed

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
DEEP = '{"a":' * 100_000
JSON_VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "content_type", "payload"),
    [
        (b"command=%2Fexecution&text=&user_id=U1", FORM, {"command": "/execution", "text": "", "user_id": "U1"}),
        (urlencode({"payload": '{"type": "view_closed"}'}).encode(), FORM, {"type": "view_closed"}),
        (b'{"type": "url_verification", "challenge": "x"}', JSON, {"type": "url_verification", "challenge": "x"}),
        (b"ssl_check=1&token=x", FORM, {"ssl_check": "1", "token": "x"}),
        (b"", FORM, {}),
    ],
)
def test_slacks_formats_are_read(body: bytes, content_type: str, payload: dict[str, Any]) -> None:
    """Commands, interactions and events each come in another format."""
    assert parsed(body, content_type) == payload


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"\xff\xfe", JSON),
        (b"\xff", FORM),
        (b"payload=", FORM),
        (b"payload=%7B", FORM),
        (b"payload=" + DEEP.encode(), FORM),
        (DEEP.encode(), JSON),
        (b'{"a":' + b"9" * 5000 + b"}", JSON),
        (b"&".join(b"a%d=1" % number for number in range(500)), FORM),
    ],
)
def test_rubbish_is_malformed(body: bytes, content_type: str) -> None:
    """Neither too deep nor too large nor cut off."""
    with pytest.raises(Malformed):
        parsed(body, content_type)


@hypothesis.given(strategies.binary(max_size=300), strategies.sampled_from([JSON, FORM, "", "text/plain"]))
def test_no_bytes_crash(body: bytes, content_type: str) -> None:
    """Read, or malformed."""
    with suppress(Malformed):
        identity(checked(parsed(body, content_type)))


@hypothesis.given(JSON_VALUES)
def test_no_value_crashes(payload: Any) -> None:
    """Checked, or malformed."""
    with suppress(Malformed):
        identity(checked(payload))


PRESS: dict[str, Any] = {
    "type": "block_actions",
    "team": {"id": "T1", "domain": "lab"},
    "enterprise": None,
    "user": {"id": "U1", "team_id": "T1"},
    "channel": {"id": "C1"},
    "actions": [{"action_id": "show_steps", "value": "x", "block_id": "b"}],
}


@pytest.mark.parametrize(
    "change",
    [
        {"actions": []},
        {"actions": None},
        {"actions": {}},
        {"actions": ["show_steps"]},
        {"actions": [{}]},
        {"actions": [{"action_id": None}]},
        {"actions": [{"action_id": 7}]},
        {"actions": [{"action_id": "show_steps", "value": {}}]},
        {"actions": [{"action_id": "show_steps", "value": "x" * 3001}]},
        {"user": "U1"},
        {"user": {"id": ["U1"]}},
        {"user": {"id": "U1/T2"}},
        {"user": {"id": "U1\n"}},
        {"user": {"id": "U" * 65}},
        {"user": {"id": "\ud800"}},
        {"team": ["T1"]},
        {"channel": "C1"},
        {"container": []},
        {"view": {}},
        {"view": {"id": 1}},
        {"response_url": ["https://hooks.slack.com/x"]},
        {"trigger_id": 1},
        {"type": ["block_actions"]},
        {"type": "event_callback"},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "event": {}},
        {"type": "event_callback", "event": {"type": "app_home_opened", "tab": "home"}},
        {"type": "event_callback", "event": {"type": "channel_shared"}},
        {"type": "event_callback", "event": {"type": "channel_unshared", "channel": {"id": "C1"}}},
        {"type": "event_callback", "event": {"type": "channel_shared", "channel": "what somebody typed"}},
        {"type": "view_submission"},
        {"type": "view_closed", "view": None},
        {"authorizations": "T1"},
        {"response_urls": 1},
    ],
)
def test_wrong_shapes_are_malformed(change: dict[str, Any]) -> None:
    """A press in which one field is not what Slack sends."""
    assert checked(PRESS) is PRESS
    with pytest.raises(Malformed):
        checked(PRESS | change)


def test_half_a_character_is_replaced() -> None:
    """Anywhere, also in names of fields; what is whole stays."""
    payload = PRESS | {"token": "\ud800", "state": [{"a\udfff": "\U0001f9ec\ud83e"}]}
    assert checked(payload) == PRESS | {"token": "\ufffd", "state": [{"a\ufffd": "\U0001f9ec\ufffd"}]}


@pytest.mark.parametrize("payload", [None, [], "x", 7, True])
def test_only_objects_are_payloads(payload: Any) -> None:
    """Valid JSON of another kind is malformed."""
    with pytest.raises(Malformed):
        checked(payload)


@pytest.mark.parametrize(
    "change",
    [
        {"a_field_of_tomorrow": [{"x": [1, None]}]},
        {"type": "a_kind_of_tomorrow", "actions": None},
        {"type": "interactive_message", "actions": [{"name": "a"}], "callback_id": "c"},
        {"type": "event_callback", "event": {"type": "user_change", "user": {"id": "U1", "profile": {}}}},
        {"type": "event_callback", "event": {"type": "channel_shared", "channel": "C1"}},
        {"type": "event_callback", "event": {"type": "channel_rename", "channel": {"id": "C1"}}},
        {"enterprise": {"id": "E1", "name": "Institute"}, "team": None},
        {"actions": [{"action_id": "pick", "selected_option": {"value": "x"}}]},
        {"view": {"id": "V1", "type": "home", "callback_id": "", "private_metadata": ""}},
    ],
)
def test_what_slack_may_send_passes(change: dict[str, Any]) -> None:
    """Fields, kinds and values that nobody here reads refuse nothing."""
    assert checked(PRESS | change)


def test_only_repetitions_are_the_same() -> None:
    """An event in another envelope is the same; a press that differs in anything is another one."""
    event = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_home_opened"}}
    assert identity(event) == identity(event | {"event_time": 7})
    assert identity(event) != identity(event | {"event_id": "Ev2"})
    assert identity(PRESS) == identity(json.loads(json.dumps(PRESS)))
    assert identity(PRESS) != identity(PRESS | {"trigger_id": "2"})
    assert identity(PRESS | {"event_id": "Ev1"}) != identity(PRESS | {"event_id": "Ev1", "trigger_id": "2"})
