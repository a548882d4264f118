"""The one place where text that is not ours is cleaned, cut and escaped, and where values become words.

Lives here: `escape`, `code`, `bold`, `plain`, `clean`; Slack's date tokens; durations, counts and the progress bar.
Does not live here: sentences and layout. Called by the other modules of `bot.blocks`, by nobody else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

NAME_LIMIT = 80
"""Names of executions, workflows, steps: GCS allows 64, a hostile one gets a little more and no whole message."""
MESSAGE_LIMIT = 400
"""The error text of an execution: enough for the sentence that matters."""
STEP_MESSAGE_LIMIT = 200
"""The error text of one step among several."""

_NEAR = timedelta(hours=6)
_ZERO_WIDTH_JOINER = "\u200d"
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
"""Control, format (bidi overrides, zero-width, tags) and lone surrogates, which are no valid UTF-8."""
_is_harmless = re.compile(r"(?:[\w.:/+-]+(?: [\w.:/+-]+)*)?", re.ASCII).fullmatch
"""What most names are: such a text stays as it is."""
_BROADCAST = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)
_UNITS = tuple(pairwise([(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]))
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPES = str.maketrans(_ENTITIES)
_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` on one line, without anything invisible or calling everybody, cut with «…» to `limit` characters.

    Right-to-left text is isolated, so that it cannot reorder what stands beside it.
    """
    if len(text) <= limit and _is_harmless(text):
        return text
    return _isolated(cut(_tidy(text, limit), limit))


def cut(text: str, limit: int) -> str:
    """`text` if it fits into `limit` characters, else its beginning and «…», never inside a visible character."""
    if len(text) <= limit:
        return text
    end = limit - 1
    while end > limit // 2 and _is_joined(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() + "…"


def escape(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` for mrkdwn: nothing in it is markup, a link or a mention any more; `limit` includes the escapes."""
    if len(text) <= limit and _is_harmless(text):
        return text
    tidy = _tidy(text, limit).replace("`", "ˋ")
    if len(escaped := tidy.translate(_ESCAPES)) <= limit:
        return _isolated(escaped)
    used = list(accumulate(len(_ENTITIES.get(character, " ")) for character in tidy))
    tidy = tidy[: sum(total < limit for total in used)].rstrip() + "…"
    return _isolated(tidy.translate(_ESCAPES))


def prose(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """A sentence of our own, which may quote somebody: escaped, but with its code spans."""
    return escape(text, limit).replace("ˋ", "`")


def plain(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` for plain_text and rich_text, where entities are not everywhere decoded: brackets are replaced instead."""
    return clean(text, limit).replace("<", "‹").replace(">", "›")


def code(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` as a code span, or nothing where nothing is left of it."""
    safe = escape(text, limit)
    return f"`{safe}`" if safe else ""


def bold(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` in bold, or nothing where nothing is left of it."""
    safe = escape(text, limit).replace("*", "∗")
    return f"*{safe}*" if safe else ""


def identifier(slack_id: str) -> str:
    """A Slack id reduced to what ids are made of, so that it can stand between our own angle brackets."""
    return "".join(character for character in slack_id if character.isascii() and character.isalnum())[:32]


def utc(moment: datetime) -> str:
    """`moment` in words, for where Slack shows no date tokens."""
    return f"{moment.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"


def utc_seconds(moment: datetime) -> str:
    """The time of day of `moment` to the second, for "as of" where Slack shows no date tokens."""
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds')[11:19]} UTC"


def date(moment: datetime, now: datetime) -> str:
    """`moment` in the reader's own time zone; within a few hours of `now` the day goes without saying."""
    shape = "{time}" if abs(moment - now) < _NEAR else "{date_short_pretty} {time}"
    return f"<!date^{int(moment.timestamp())}^{shape}|{utc(moment)}>"


def time_secs(moment: datetime) -> str:
    """The time of day of `moment`, to the second, in the reader's own time zone."""
    return f"<!date^{int(moment.timestamp())}^{{time_secs}}|{utc_seconds(moment)}>"


def span(duration: timedelta) -> str:
    """`duration` in its two largest units: «45 s», «11 min 41 s», «1 h 12 min», «2 d 3 h»."""
    seconds = max(0, int(duration.total_seconds()))
    for (size, unit), (smaller, small_unit) in _UNITS:
        if seconds >= size:
            amount, more = seconds // size, seconds % size // smaller
            return f"{amount:,} {unit} {more} {small_unit}" if more else f"{amount:,} {unit}"
    return f"{seconds} s"


def bar(done: int, total: int, width: int = 10) -> str:
    """A progress bar; full only when everything is done, and never empty once something is."""
    if total <= 0:
        return "▱" * width
    filled = max(0, min(width, done * width // total))
    if done > 0:
        filled = max(filled, 1)
    return "▰" * filled + "▱" * (width - filled)


def count(number: int, noun: str) -> str:
    """`number` with its noun in the right form: «1 step», «1,200 steps»."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number(value: float) -> str:
    """`value` with at most two decimals and no trailing zeros."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def within(lines: Iterable[str], limit: int) -> str:
    """As many whole lines as fit into `limit` characters, so that no markup is ever cut in two."""
    lines = list(lines)
    if len(whole := "\n".join(lines)) < limit:
        return whole
    kept: list[str] = []
    for line in lines:
        limit -= len(line) + 1
        if limit < 0:
            break
        kept.append(line)
    return "\n".join(kept)


def _tidy(text: str, limit: int) -> str:
    # Far more than any limit is looked at, but not megabytes of it.
    words = " ".join(text[: 8 * limit + 64].split())
    if not words.isprintable():  # what is printable is kept whole
        words = " ".join("".join(character for character in words if _is_kept(character)).split())
    return _BROADCAST.sub("@\u2060", words)


def _isolated(text: str) -> str:
    if not text.isascii() and any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"{_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _is_kept(character: str) -> bool:
    return character == _ZERO_WIDTH_JOINER or unicodedata.category(character) not in _DROPPED_CATEGORIES


def _is_joined(left: str, right: str) -> bool:
    """Whether both belong to one visible character: combining marks, joined emoji, skin tones, halves of a flag."""
    return (
        unicodedata.category(right).startswith("M")
        or _ZERO_WIDTH_JOINER in {left, right}
        or "\U0001f3fb" <= right <= "\U0001f3ff"
        or ("\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff")
    )
