"""What Slack sends when a person does something: the bodies of commands, presses, submissions, shortcuts and events.

Does not live here: transport (`socket_mode`, `http_mode`), what happens next (`interactions`, the caller).
"""

from __future__ import annotations

from typing import Any, Final

from sandbox.slack.rows import Row
from sandbox.slack.state import Block, Channel, View, Workspace

VERIFICATION_TOKEN: Final = "sandbox-verification"  # Slack still sends it; apps should ignore it
_PLAIN_KEYS: Final = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
}


def person(workspace: Workspace, user: str) -> Row:
    """The person who did it."""
    name = workspace.users[user].name
    return {"id": user, "username": name, "name": name, "team_id": workspace.users[user].team_id or workspace.team_id}


def interaction(workspace: Workspace, kind: str, user: str) -> Row:
    """What all interactive payloads have in common. Team and enterprise are the app's, also in a shared channel."""
    enterprise_id = workspace.enterprise_id
    return {
        "type": kind,
        "team": {"id": workspace.team_id, "domain": "sandbox"},
        "enterprise": {"id": enterprise_id, "name": "Sandbox"} if enterprise_id else None,
        "is_enterprise_install": False,
        "user": person(workspace, user),
        "api_app_id": workspace.app_id,
        "token": VERIFICATION_TOKEN,
    }


def channel_name(channel: Channel) -> str:
    """The channel's name in payloads: Slack does not reveal the name of a private channel."""
    return "privategroup" if channel.is_private and not channel.is_im else channel.name


def command(workspace: Workspace, user: str, channel: Channel, name: str, text: str) -> Row:
    """A slash command, without trigger_id and response_url."""
    own = workspace.users[user]
    enterprise_id = own.enterprise_id or ("" if own.team_id else workspace.enterprise_id)
    return {
        **({"enterprise_id": enterprise_id} if enterprise_id else {}),
        "token": VERIFICATION_TOKEN,
        "team_id": own.team_id or workspace.team_id,
        "team_domain": "sandbox",
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user,
        "user_name": workspace.users[user].name,
        "command": name,
        "text": text,
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
    }


def event(workspace: Workspace, payload: Row, event_id: str) -> Row:
    """An event in its envelope."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "api_app_id": workspace.app_id,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(workspace.now()),
        "event": {"event_ts": workspace.next_ts(), **payload},
        "authorizations": [
            {
                "team_id": workspace.team_id,
                "user_id": workspace.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": _is_ext_shared(workspace, payload.get("channel")),
    }


def _is_ext_shared(workspace: Workspace, channel: Any) -> bool:
    place = workspace.channels.get(str(channel))
    return place is not None and bool(place.connected)


def find_action(blocks: list[Block], action_id: str, value: str | None) -> tuple[str, Block]:
    """The block_id and element that a press refers to; of several buttons, the one with that value."""
    for block in blocks:
        elements = [*block.get("elements", ()), block.get("accessory") or {}, block.get("element") or {}]
        for element in elements:
            if element.get("action_id") == action_id and _accepts(element, value):
                return str(block["block_id"]), element
    raise LookupError(f"there is no {action_id} with value {value!r}")


def action(element: Block, block_id: str, value: str | None, ts: str) -> Row:
    """One pressed or chosen element."""
    kind = element["type"]
    row: Row = {"type": kind, "action_id": element["action_id"], "block_id": block_id, "action_ts": ts}
    if kind == "button":
        row["text"] = element["text"]
        return row | {key: element[key] for key in ("value", "style") if key in element}
    return row | entered(element, value)


def entered(element: Block, value: Any) -> Row:
    """The value of an element, as in `state.values`."""
    kind = element["type"]
    row: Row = {"type": kind}
    if kind in _PLAIN_KEYS:
        return row | {_PLAIN_KEYS[kind]: value}
    if kind in {"checkboxes", "multi_static_select"}:
        chosen = value if isinstance(value, list) else [value]
        return row | {"selected_options": [option for option in _options(element) if option["value"] in chosen]}
    if kind in {"static_select", "radio_buttons", "overflow"}:
        found = next((option for option in _options(element) if option["value"] == value), None)
        return row | {"selected_option": found}
    return row | {"value": value}


def state(view: View, values: dict[str, Any]) -> Row:
    """`state.values` of a view in which a person entered `values`, by action_id."""
    found: Row = {}
    for block in view.body["blocks"]:
        element = block.get("element")
        if block["type"] == "input" and element:
            name = element.get("action_id", "")
            value = values.get(name, _initial(element))
            found[block["block_id"]] = {name: entered(element, value)}
    return found


def _accepts(element: Block, value: str | None) -> bool:
    if value is None or element["type"] in _PLAIN_KEYS:
        return True
    if element["type"] == "button":
        return bool(element.get("value") == value)
    return any(option["value"] == value for option in _options(element))


def _options(element: Block) -> list[Block]:
    grouped = [option for group in element.get("option_groups", ()) for option in group["options"]]
    return [*element.get("options", ()), *grouped]


def _initial(element: Block) -> Any:
    if "initial_option" in element:
        return element["initial_option"]["value"]
    if "initial_options" in element:
        return [option["value"] for option in element["initial_options"]]
    plain = {key for key in element if key.startswith("initial_")}
    return element[plain.pop()] if plain else None
