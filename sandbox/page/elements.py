"""Interactive elements: what can be pressed, chosen or filled in.

Lives here: buttons, menus, the fields of a modal, and the `data-…` attributes from which `page.js` reads what was
pressed. Does not live here: what a press does (`binding`). Called by `render`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from sandbox.page.markup import Html, join, tag, text
from sandbox.page.mrkdwn import SAFE_LINK, Viewer, link, plain
from sandbox.page.own import own
from sandbox.page.words import picture, words

Element = Mapping[str, Any]

FIELD_TYPES = {
    "number_input": "number",
    "email_text_input": "email",
    "url_text_input": "url",
    "datepicker": "date",
    "timepicker": "time",
}
CONVERSATION_KINDS = {"conversations_select", "channels_select"}


def element(item: Element, viewer: Viewer) -> Html:
    """One interactive element, or an image."""
    kind = str(item.get("type", ""))
    if kind == "image":
        return picture(item, "accessory-image")
    draw = DRAW.get(kind)
    return (
        draw(item, viewer)
        if draw
        else tag("span", own("An element that this page cannot show: {kind}", kind=kind), class_="unknown")
    )


def source(item: Element) -> Html:
    """A source of a task, as a link."""
    return link(str(item.get("url", "")), text(item.get("text") or item.get("url", "")))


def input_block(item: Element, viewer: Viewer) -> Html:
    """A field of a modal with its label, hint and a place for an error."""
    inner: Element = item.get("element", {})
    action_id = str(inner.get("action_id", ""))
    label = tag("span", words(item.get("label", {}), viewer), _optional(item), class_="label")
    hint = tag("span", words(item["hint"], viewer), class_="hint") if item.get("hint") else None
    complaint = tag("span", class_="complaint", role="alert")
    group = inner.get("type") in {"radio_buttons", "checkboxes"}
    return tag(
        "fieldset" if group else "label",
        tag("legend", label) if group else label,
        element(inner, viewer),
        hint,
        complaint,
        class_="input",
        data_input=action_id,
        data_kind=inner.get("type"),
        data_required=not item.get("optional", False),
    )


def _optional(item: Element) -> Html | None:
    return tag("span", " ", own("(optional)"), class_="optional") if item.get("optional") else None


def _acts(item: Element) -> dict[str, object]:
    """The attributes that identify a press."""
    confirm = item.get("confirm")
    return {
        "data_act": item.get("type"),
        "data_action_id": item.get("action_id"),
        "data_focus": item.get("action_id"),
        "data_confirm": json.dumps(_confirm(confirm)) if confirm else None,
    }


def _confirm(item: Element) -> dict[str, str]:
    parts = {part: str((item.get(part) or {}).get("text", "")) for part in ("title", "text", "confirm", "deny")}
    return parts | {"style": str(item.get("style", "primary"))}


def _button(item: Element, _viewer: Viewer) -> Html:
    label = plain(str(item.get("text", {}).get("text", "")))
    look = f"button button-{item.get('style', 'default')}"
    described = item.get("accessibility_label")
    url = str(item.get("url", ""))
    if SAFE_LINK.match(url):
        return tag(
            "a",
            label,
            **_acts(item),
            href=url,
            target="_blank",
            rel="noopener noreferrer",
            class_=look,
            aria_label=described,
        )
    return tag(
        "button", label, **_acts(item), type="button", data_value=item.get("value"), class_=look, aria_label=described
    )


def _menu(item: Element, viewer: Viewer) -> Html:
    options = _options(item, viewer)
    chosen = {value for value, _ in _initial(item)}
    many = str(item.get("type", "")).startswith("multi_")
    placeholder = str((item.get("placeholder") or {}).get("text") or own("Choose…"))
    empty = None if many else tag("option", placeholder, value="", selected=not chosen, disabled=True, hidden=True)
    listed = [tag("option", label, value=value, selected=value in chosen) for value, label in options]
    if groups := item.get("option_groups"):
        rest = iter(listed)
        listed = [
            tag("optgroup", *islice(rest, len(group["options"])), label=str(group["label"]["text"])) for group in groups
        ]
    return tag("select", empty, *listed, **_acts(item), multiple=many, class_="menu", aria_label=placeholder)


def _initial(item: Element) -> list[tuple[str, str]]:
    chosen = item.get("initial_options") or ([item["initial_option"]] if item.get("initial_option") else [])
    ids = [str(item[key]) for key in ("initial_conversation", "initial_channel", "initial_user") if item.get(key)]
    return [(str(one.get("value")), "") for one in chosen] + [(one, "") for one in ids]


def _options(item: Element, viewer: Viewer) -> list[tuple[str, str]]:
    kind = str(item.get("type", "")).removeprefix("multi_")
    if kind in CONVERSATION_KINDS:
        return [(channel, f"#{name}") for channel, name in viewer.channels.items()]
    if kind == "users_select":
        return list(viewer.users.items())
    grouped = [one for group in item.get("option_groups") or [] for one in group.get("options", [])]
    return [
        (str(one.get("value", "")), str(one.get("text", {}).get("text", ""))) for one in item.get("options") or grouped
    ]


def _overflow(item: Element, _viewer: Viewer) -> Html:
    attributes = _acts(item)
    listed = (
        tag(
            "button",
            plain(str(one.get("text", {}).get("text", ""))),
            **attributes,
            type="button",
            data_value=one.get("value"),
            role="menuitem",
        )
        for one in item.get("options", [])
    )
    dots = tag("summary", "⋯", class_="button button-default", aria_label=own("More actions"))
    return tag(
        "details",
        dots,
        tag("div", *listed, class_="overflow-menu", role="menu"),
        class_="overflow",
        data_keep=f"menu-{item.get('action_id')}-{item.get('options', [{}])[0].get('value')}",
    )


def _text_field(item: Element, _viewer: Viewer) -> Html:
    shared: dict[str, object] = {
        "placeholder": (item.get("placeholder") or {}).get("text"),
        "minlength": item.get("min_length"),
        "maxlength": item.get("max_length"),
        "autofocus": item.get("focus_on_load", False),
        "class_": "field-input",
    }
    start = str(item.get("initial_value") or item.get("initial_date") or item.get("initial_time") or "")
    if item.get("multiline"):
        return tag("textarea", start, rows="4", **shared)
    kind = FIELD_TYPES.get(str(item.get("type", "")), "text")
    return tag("input", type=kind, value=start, autocomplete="off", **shared)


def _ticks(item: Element, viewer: Viewer) -> Html:
    kind = "radio" if item.get("type") == "radio_buttons" else "checkbox"
    chosen = {value for value, _ in _initial(item)}
    listed = (_tick(one, kind, str(item.get("action_id", "")), chosen, viewer) for one in item.get("options", []))
    return tag("div", *listed, **_acts(item), class_="ticks")


def _tick(option: Element, kind: str, group: str, chosen: set[str], viewer: Viewer) -> Html:
    value = str(option.get("value", ""))
    described = tag("span", words(option["description"], viewer), class_="hint") if option.get("description") else None
    return tag(
        "label",
        tag("input", type=kind, name=group, value=value, checked=value in chosen),
        join(tag("span", words(option.get("text", {}), viewer), described)),
        class_="tick",
    )


DRAW: dict[str, Callable[[Element, Viewer], Html]] = {
    "button": _button,
    "static_select": _menu,
    "multi_static_select": _menu,
    "conversations_select": _menu,
    "multi_conversations_select": _menu,
    "channels_select": _menu,
    "multi_channels_select": _menu,
    "users_select": _menu,
    "multi_users_select": _menu,
    "overflow": _overflow,
    "plain_text_input": _text_field,
    "number_input": _text_field,
    "email_text_input": _text_field,
    "url_text_input": _text_field,
    "datepicker": _text_field,
    "timepicker": _text_field,
    "radio_buttons": _ticks,
    "checkboxes": _ticks,
}
