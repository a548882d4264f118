"""Promises about requests that come again, or cannot be read: nothing is done twice, nothing crashes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from bot.blocks import steps_modal
from bot.blocks.follow_modal import follow_modal
from bot.domain.following import Level
from bot.errors import StoreUnavailable
from bot.slack.inbound.payloads import Malformed
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID

METADATA = str(steps_modal(None, execution_id=ID)["private_metadata"])
"""What the modal knows about itself."""


def command_of(world: World, text: str) -> dict[str, Any]:
    """A command, typed."""
    body = {"command": "/execution", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": "C1"}
    return body | {"response_url": f"{world.slack.url}/hook", "trigger_id": "t.1"}


async def test_a_captured_press_shares_once(world: World) -> None:
    """Sent three times, acked three times, posted once."""
    responses = [await world.arrives(world.press_of("share_execution")) for _ in range(3)]
    assert [response.status for response in responses] == [200] * 3
    assert [answer["response_type"] for answer in world.slack.answers] == ["in_channel"]


async def test_another_press_is_not_a_repetition(world: World) -> None:
    """The same button, pressed once more."""
    await world.arrives(world.press_of("show_execution"))
    await world.arrives(world.press_of("show_execution") | {"trigger_id": "t.2"})
    assert len(world.slack.answers) == 2


async def test_slacks_repeated_event_is_handled_once(world: World) -> None:
    """The envelope differs, the event's id does not."""
    event = {"type": "app_home_opened", "user": "U1", "tab": "home"}
    body = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event}
    for number in range(3):
        assert (await world.arrives(body | {"event_time": number})).status == 200
    assert len(world.slack.called("views.publish")) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), TimeoutError()])
async def test_without_the_store_nothing_is_shared(world: World, error: Exception) -> None:
    """Others could see it twice; the person reads why nobody sees it."""
    world.requests.error = error
    await world.arrives(world.press_of("share_execution"))
    (answer,) = world.slack.answers
    assert answer["response_type"] == "ephemeral"
    assert "memory" in answer["text"]


async def test_without_the_store_people_are_answered(world: World) -> None:
    """What only they see may come twice rather than never."""
    world.requests.error = StoreUnavailable("away")
    await world.arrives(command_of(world, "help"))
    await world.arrives(command_of(world, "help"))
    assert len(world.slack.answers) == 2


@pytest.mark.parametrize("value", ["x", "1.5", "٣", "9" * 400, "-", "1;2", "\x00"])
async def test_a_page_that_is_none_is_explained(world: World, value: str) -> None:
    """One sentence in the open modal, and no crash."""
    view = {"id": "V1", "type": "modal", "private_metadata": METADATA, "callback_id": "steps"}
    await world.arrives(world.press_of("next_page", value) | {"view": view})
    (update,) = world.slack.called("views.update")
    assert "I do not know that button" in str(update["view"])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a payload."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in places(each, (*path, key)))]


ODD: list[Any] = [
    None,
    "",
    "x",
    "\ud800",
    "U1/../x",
    7,
    -1,
    1.5,
    True,
    [],
    {},
    [[]],
    [{}],
    [None],
    {"id": 7},
    {"id": {}},
]


def variants(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The payload with each field in turn missing, or something else."""
    for *path, last in places(body)[1:]:
        for odd in [*ODD, places]:
            found = copy.deepcopy(body)
            target: Any = found
            for key in path:
                target = target[key]
            if odd is places:
                del target[last]
            else:
                target[last] = odd
            yield found


KINDS = [
    "command",
    "share",
    "subscribe",
    "refresh",
    "page",
    "home",
    "revoked",
    "submission",
    "closed",
    "shortcut",
    "found",
    "followed",
    "direct",
    "mention",
]


def of_kind(world: World, kind: str) -> dict[str, Any]:
    """One request of each kind that Slack sends."""
    view = {"id": "V1", "type": "modal", "private_metadata": METADATA, "callback_id": "steps"}
    person = {"team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T1"}, "enterprise": None}
    home = {"type": "app_home_opened", "user": "U1", "tab": "home"}
    event = {"type": "event_callback", "team_id": "T1", "authorizations": [{"team_id": "T1"}]}
    typed = {"user": "U1", "ts": "5.1", "thread_ts": "5.0", "user_team": "T1"}
    fields = {"query": {"query": {"value": ID}}, "level": {"level": {"selected_option": {"value": "final"}}}}
    modal = {"id": "V1", **follow_modal(level=Level.FINAL), "blocks": [], "state": {"values": fields}}
    said = {"text": "which?", "blocks": [{"type": "section", "text": {"text": ID}}]}
    return {
        "command": command_of(world, f"subscribe {ID} here"),
        "share": world.press_of("share_execution"),
        "subscribe": world.press_of("subscribe_execution", f"{ID}|C1"),
        "refresh": world.press_of("refresh_card", f"{ID}|C1"),
        "page": world.press_of("next_page", "1") | {"view": view, "container": {"type": "view", "view_id": "V1"}},
        "home": event | {"event_id": "Ev1", "event": home},
        "revoked": event | {"event": {"type": "tokens_revoked", "tokens": {"bot": ["U1"]}}},
        "submission": {"type": "view_submission", "view": view, **person},
        "closed": {"type": "view_closed", "view": view, **person},
        "shortcut": {"type": "message_action", "callback_id": "c", "trigger_id": "t.1", **person},
        "found": {
            "type": "message_action",
            "callback_id": "follow_this_execution",
            "trigger_id": "t.1",
            **person,
            "message": said,
            "channel": {"id": "C1"},
            "response_url": f"{world.slack.url}/hook",
        },
        "followed": {"type": "view_submission", "view": modal, "trigger_id": "t.1", **person},
        "direct": event
        | {"event_id": "Ev1", "event": typed | {"type": "message", "channel": "D1", "text": f"subscribe {ID}"}},
        "mention": event
        | {"event_id": "Ev1", "event": typed | {"type": "app_mention", "channel": "C1", "text": "<@UBOT> list"}},
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_odd_fields_crash_nothing(
    world: World, kind: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any field is missing or something else: an answer or a refusal, neither a traceback nor a 500."""
    body = of_kind(world, kind)
    assert (await world.arrives(body)).status in {200, 404}
    refused = 0
    for variant in variants(body):
        world.requests.seen.clear()
        try:
            assert (await world.arrives(variant)).status in {200, 404}
        except Malformed:
            refused += 1
    printed = caplog.text + "".join(capsys.readouterr())
    assert "Traceback" not in printed
    assert not [line for line in printed.splitlines() if "handlers.crashed" in line]
    assert refused > 10
