"""The emoji that the page knows.

Lives here: Slack's short names and their characters. The frequent ones come from the page itself (`static/emoji.svg`),
so that they look right on machines without a colour emoji font. Called by `mrkdwn` and `richtext`.
"""

from __future__ import annotations

import re

from sandbox.page.markup import Html, tag, text

CHARACTERS = {
    "white_check_mark": "✅",
    "heavy_check_mark": "✔",
    "x": "❌",
    "hourglass_flowing_sand": "⏳",
    "hourglass": "⌛",
    "arrows_counterclockwise": "🔄",
    "repeat": "🔁",
    "no_entry_sign": "🚫",
    "no_entry": "⛔",
    "warning": "⚠",
    "bell": "🔔",
    "no_bell": "🔕",
    "mag": "🔍",
    "rocket": "🚀",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠",
    "large_blue_circle": "🔵",
    "red_circle": "🔴",
    "white_circle": "⚪",
    "black_circle": "⚫",
    "information_source": "ℹ",
    "question": "❓",
    "grey_question": "❔",
    "exclamation": "❗",
    "tada": "🎉",
    "wave": "👋",
    "eyes": "👀",
    "dna": "🧬",
    "wastebasket": "🗑",
    "double_vertical_bar": "⏸",
    "arrow_forward": "▶",
    "black_square_for_stop": "⏹",
    "stopwatch": "⏱",
    "clock1": "🕐",
    "alarm_clock": "⏰",
    "link": "🔗",
    "lock": "🔒",
    "gear": "⚙",
    "wrench": "🔧",
    "broken_heart": "💔",
    "bulb": "💡",
    "inbox_tray": "📥",
    "outbox_tray": "📤",
    "clipboard": "📋",
    "bar_chart": "📊",
    "memo": "📝",
    "microscope": "🔬",
    "test_tube": "🧪",
    "robot_face": "🤖",
    "thumbsup": "👍",
    "+1": "👍",
    "heart": "❤",
    "zap": "⚡",
    "fire": "🔥",
    "boom": "💥",
    "sos": "🆘",
    "skull": "💀",
    "zzz": "💤",
    "house": "🏠",
    "point_right": "👉",
    "arrow_right": "➡",
    "point_down": "👇",
    "point_up": "☝",
    "speech_balloon": "💬",
    "thread": "🧵",
    "hash": "#",
    "octagonal_sign": "🛑",
    "construction": "🚧",
    "sparkles": "✨",
    "heavy_minus_sign": "➖",
    "small_blue_diamond": "🔹",
    "satellite": "📡",
    "card_index_dividers": "🗂",
    "recycle": "♻",
    "globe_with_meridians": "🌐",
    "white_small_square": "▫",
}

DRAWN = frozenset(
    "white_check_mark heavy_check_mark x hourglass_flowing_sand hourglass arrows_counterclockwise repeat no_entry_sign"
    " no_entry warning bell no_bell mag rocket large_green_circle large_yellow_circle large_orange_circle"
    " large_blue_circle red_circle white_circle black_circle information_source question grey_question exclamation"
    " tada eyes dna wastebasket double_vertical_bar arrow_forward black_square_for_stop stopwatch link wave bulb"
    " octagonal_sign speech_balloon recycle globe_with_meridians white_small_square clipboard".split()
)

VARIATION = "\ufe0f"
NAMES = {character: name for name, character in CHARACTERS.items() if name in DRAWN}
DRAWN_CHARACTER = re.compile(f"([{''.join(map(re.escape, NAMES))}]){VARIATION}?")


def named(name: str) -> Html:
    """The emoji of a short name; an unknown name is shown as it was typed."""
    if name in DRAWN:
        use = tag("use", href=f"/static/emoji.svg#{name}")
        return tag("svg", use, class_="emoji", role="img", aria_label=name.replace("_", " "), viewBox="0 0 20 20")
    if name in CHARACTERS:
        return tag("span", CHARACTERS[name], class_="emoji-char", role="img", aria_label=name.replace("_", " "))
    return text(f":{name}:")


def in_text(plain: str) -> Html:
    """`plain` escaped, with emoji characters replaced by the page's own drawings where it has one."""
    pieces = DRAWN_CHARACTER.split(plain)
    return Html("".join(named(NAMES[piece]) if index % 2 else text(piece) for index, piece in enumerate(pieces)))
