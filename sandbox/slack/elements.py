"""The parts of blocks: text objects, options, buttons and other elements, rich text, with Slack's limits.

Does not live here: blocks, surfaces and rules for whole messages (`blockkit`). Called by `blockkit` only.
"""

from __future__ import annotations

from sandbox.slack.shapes import (
    Check,
    address,
    both,
    exactly_one,
    flag,
    kinds,
    listed,
    number,
    shape,
    string,
    unique,
    word,
)

ID = string(255)
URL = address
IMAGE = both(
    shape({"alt_text": string(2000)}, {"image_url": URL, "slack_file": shape({}, {"id": ID, "url": URL})}),
    exactly_one("image_url", "slack_file"),
)


def plain(most: int) -> Check:
    """A plain_text object."""
    return kinds({"plain_text": shape({"text": string(most)}, {"emoji": flag})})


def text(most: int) -> Check:
    """A text object of either kind."""
    return kinds(
        {
            "plain_text": shape({"text": string(most)}, {"emoji": flag}),
            "mrkdwn": shape({"text": string(most)}, {"verbatim": flag}),
        }
    )


STYLE = word("primary", "danger")
CONFIRM = shape({"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)}, {"style": STYLE})
OPTION = shape({"text": text(75), "value": string(150)}, {"description": text(75)})
OPTIONS = listed(OPTION, 100)
GROUPS = listed(shape({"label": plain(75), "options": OPTIONS}), 100)
ACTION = {"action_id": ID}
PICK = {**ACTION, "placeholder": plain(150), "confirm": CONFIRM, "focus_on_load": flag}
FEW_OPTIONS = {"options": listed(OPTION, 10)}
DISPATCH = shape({}, {"trigger_actions_on": listed(word("on_enter_pressed", "on_character_entered"), 2)})
ENTRY = {
    **ACTION,
    "initial_value": string(3000, least=0),
    "placeholder": plain(150),
    "focus_on_load": flag,
    "dispatch_action_config": DISPATCH,
}

BUTTON = shape(
    {"text": plain(75)},
    {
        **ACTION,
        "value": string(2000),
        "url": URL,
        "style": STYLE,
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
)
CHOICES: dict[str, Check] = {
    "static_select": both(
        shape({}, {**PICK, "options": OPTIONS, "option_groups": GROUPS, "initial_option": OPTION}),
        exactly_one("options", "option_groups"),
    ),
    "multi_static_select": both(
        shape(
            {},
            {
                **PICK,
                "options": OPTIONS,
                "option_groups": GROUPS,
                "initial_options": OPTIONS,
                "max_selected_items": number,
            },
        ),
        exactly_one("options", "option_groups"),
    ),
    "users_select": shape({}, {**PICK, "initial_user": ID}),
    "channels_select": shape({}, {**PICK, "initial_channel": ID, "response_url_enabled": flag}),
    "conversations_select": shape(
        {},
        {
            **PICK,
            "initial_conversation": ID,
            "default_to_current_conversation": flag,
            "response_url_enabled": flag,
            "filter": shape(
                {},
                {
                    "include": listed(word("im", "mpim", "private", "public"), 4),
                    "exclude_external_shared_channels": flag,
                    "exclude_bot_users": flag,
                },
            ),
        },
    ),
    "checkboxes": shape(
        FEW_OPTIONS, {**ACTION, "initial_options": listed(OPTION, 10), "confirm": CONFIRM, "focus_on_load": flag}
    ),
    "radio_buttons": shape(
        FEW_OPTIONS, {**ACTION, "initial_option": OPTION, "confirm": CONFIRM, "focus_on_load": flag}
    ),
    "datepicker": shape({}, {**PICK, "initial_date": string(10)}),
    "timepicker": shape({}, {**PICK, "initial_time": string(5), "timezone": string(100)}),
}
PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": shape(
        {
            "options": listed(
                shape({"text": plain(75), "value": string(150)}, {"description": plain(75), "url": URL}), 5
            )
        },
        {**ACTION, "confirm": CONFIRM},
    ),
}
TYPED: dict[str, Check] = {
    "plain_text_input": shape({}, {**ENTRY, "multiline": flag, "min_length": number, "max_length": number}),
    "number_input": shape({"is_decimal_allowed": flag}, {**ENTRY, "min_value": string(100), "max_value": string(100)}),
    "email_text_input": shape({}, ENTRY),
    "url_text_input": shape({}, ENTRY),
}

LOOK = shape({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), flag))
INLINE = kinds(
    {
        "text": shape({"text": string(3000)}, {"style": LOOK}),
        "link": shape({"url": URL}, {"text": string(3000), "style": LOOK, "unsafe": flag}),
        "emoji": shape({"name": ID}, {"unicode": ID, "style": LOOK}),
        "user": shape({"user_id": ID}, {"style": LOOK}),
        "channel": shape({"channel_id": ID}, {"style": LOOK}),
        "usergroup": shape({"usergroup_id": ID}, {"style": LOOK}),
        "broadcast": shape({"range": word("here", "channel", "everyone")}, {"style": LOOK}),
        "color": shape({"value": string(7)}),
        "date": shape({"timestamp": number, "format": string(255)}, {"url": URL, "fallback": string(3000)}),
    }
)
LINE = kinds({"rich_text_section": shape({"elements": listed(INLINE, 1000, least=0)})})
RICH_TEXT = shape(
    {
        "elements": listed(
            kinds(
                {
                    "rich_text_section": shape({"elements": listed(INLINE, 1000, least=0)}),
                    "rich_text_list": shape(
                        {"style": word("bullet", "ordered"), "elements": listed(LINE, 1000)},
                        {"indent": number, "offset": number, "border": number},
                    ),
                    "rich_text_preformatted": shape(
                        {"elements": listed(INLINE, 1000)}, {"border": number, "language": ID}
                    ),
                    "rich_text_quote": shape({"elements": listed(INLINE, 1000)}, {"border": number}),
                }
            ),
            1000,
        )
    },
    {"block_id": ID},
)

ACTIONS = both(listed(kinds({**PRESSED, **CHOICES}), 25), unique("action_id"))
CONTEXT = listed(
    kinds(
        {
            "image": IMAGE,
            "plain_text": shape({"text": string(3000)}, {"emoji": flag}),
            "mrkdwn": shape({"text": string(3000)}, {"verbatim": flag}),
        }
    ),
    10,
)
ACCESSORY = kinds({"image": IMAGE, **PRESSED, **CHOICES})
INPUT = kinds({**CHOICES, **TYPED})
