"""The one place that cleans, cuts and escapes foreign text, and formats values.

Lives here: `escape`, `code`, `bold`, `plain`, `clean`; mentions; Slack's date tokens; durations, counts, percents and
lists in the reader's language; the progress bar.
Does not live here: sentences and layout. Called only by the other modules of `bot.blocks`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from babel.lists import format_list

from bot.blocks.language import Language, _, ngettext, spoken
from bot.domain.following import Subscriber

NAME_LIMIT = 80
"""How long a name of an execution, workflow or step may be, in characters. GCS allows 64."""
MESSAGE_LIMIT = 400
"""How much of an execution's error text is shown, in characters."""
STEP_MESSAGE_LIMIT = 200
"""How much of a step's error text is shown where there are several, in characters."""

_ZERO_WIDTH_JOINER = "\u200d"
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
"""Control and format characters (bidi overrides, zero-width, tags), and lone surrogates, which UTF-8 cannot encode."""
_is_harmless = re.compile(r"(?:[\w.:/+-]+(?: [\w.:/+-]+)*)?", re.ASCII).fullmatch
"""The shape of most names, which need no cleaning or escaping."""
_BROADCAST = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)
_EMOJI = re.compile(r":(?=[\w+'-]+:)(?!(?<=\d:)\d+:)")
"""The first colon of what Slack would show as an emoji; times of day have some too, and are none."""
_MARKS = re.compile(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])")
"""What begins or ends bold, italic and struck text: within a word it does neither."""
_LOOKALIKES = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb"}
"""Slack has no escape for its marks, so others that look the same stand in their place."""
UNBROKEN = "\u00a0"
"""A space at which no line ends. The plain text of a message has ordinary ones, as people search in it."""
_AFTER_NUMBER = re.compile(r"(?<=\d) (?=[\w%])")
_GAP = re.compile("(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")
_JOINER = "\u2060"
"""Takes no room, and ends what Slack would take for a mention, an emoji or a quotation."""
_TIGHT = re.compile(r"(?<=[`>])和(?=[`<])")
_LISTS = {Language.ENGLISH: "en_GB", Language.CHINESE: "zh_CN"}
"""Whose lists are written: British English has no comma before "and"."""
_DATE = re.compile(r"<!date[^>|]*\|([^>]*)>")
_WIDE_FROM = 0x2E7F
"""Characters after this one are as wide as two letters, most of them Chinese."""
_HOUR, _MINUTE = 3_600, 60
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPES = str.maketrans(_ENTITIES)
_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` on one line, without invisible characters and broadcast mentions, cut to `limit` characters.

    Right-to-left text is isolated, so that it cannot reorder the text around it.
    """
    if len(text) <= limit and _is_harmless(text) and not _EMOJI.search(text):
        return text
    return _isolated(cut(_spelled(_tidy(text, limit)), limit))


def cut(text: str, limit: int) -> str:
    """`text` if it fits into `limit` characters, else its beginning and "…", never cut inside a visible character."""
    if len(text) <= limit:
        return text
    end = limit - 1
    while end > limit // 2 and _is_joined(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() + "…"


def escape(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` for mrkdwn, shown as it was typed: no markup, emoji, links and mentions; `limit` counts the escapes."""
    if len(text) <= limit and _is_harmless(text) and not _MARKS.search(text) and not _EMOJI.search(text):
        return text
    tidy = _MARKS.sub(lambda mark: _LOOKALIKES[mark[0]], _spelled(_tidy(text, limit)))
    return _escaped(f"{_JOINER}{tidy}" if tidy.startswith(">") else tidy, limit)


def prose(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """A sentence of ours that may quote foreign text in code spans: escaped, but the spans are kept."""
    return _escaped(_tidy(text, limit), limit).replace(_LOOKALIKES["`"], "`")


def plain(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` for plain_text and rich_text. Slack does not always decode entities there, so brackets are replaced."""
    return clean(text, limit).replace("<", "‹").replace(">", "›")


def code(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` as a code span, in which nothing else is markup; empty when nothing is left of it."""
    safe = _escaped(_tidy(text, limit), limit)
    return f"`{safe}`" if safe else ""


def bold(text: str, limit: int = NAME_LIMIT) -> str:
    """`text` in bold; empty when nothing is left of it."""
    safe = escape(text, limit).replace("*", _LOOKALIKES["*"])
    return f"*{safe}*" if safe else ""


def identifier(slack_id: str) -> str:
    """A Slack id without any other characters, so that it is safe in a mention."""
    return "".join(character for character in slack_id if character.isascii() and character.isalnum())[:32]


def person(user_id: str) -> str:
    """A mention of a person; unnamed if their data was deleted meanwhile."""
    return f"<@{identifier(user_id)}>" if user_id else _("Somebody")


def channel(channel_id: str) -> str:
    """A channel's name, as a link to it."""
    return f"<#{identifier(channel_id)}>"


def destination(subscriber: Subscriber) -> str:
    """The person or channel that is notified."""
    return person(subscriber.id) if subscriber.is_person else channel(subscriber.id)


def utc(moment: datetime) -> str:
    """`moment` as text, for places where Slack shows no date tokens."""
    return f"{moment.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"


def utc_seconds(moment: datetime) -> str:
    """The same to the second."""
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds')[:19]} UTC"


def date(moment: datetime) -> str:
    """`moment` in the reader's time zone, with its day: a message is read long after it was drawn."""
    return _token(moment, "{date_short_pretty} {time}", utc(moment))


def ago(moment: datetime) -> str:
    """How long ago `moment` is, or until then, when the message is read: "2 hours ago"."""
    return _token(moment, "{ago}", utc(moment))


def date_secs(moment: datetime) -> str:
    """Day and time of `moment` to the second, in the reader's time zone."""
    return _token(moment, "{date_short_pretty} {time_secs}", utc_seconds(moment))


def spelled_dates(line: str) -> str:
    """`line` with its date tokens as text: notifications and screen readers fill in none."""
    return _DATE.sub(r"\1", line)


def _token(moment: datetime, shape: str, fallback: str) -> str:
    return f"<!date^{int(moment.timestamp())}^{shape}|{fallback}>"


def span(duration: timedelta) -> str:
    """`duration` in its two largest units: "45 s", "11 min 41 s", "1 h 12 min", "2 d 3 h". No line ends within it."""
    seconds = max(0, int(duration.total_seconds()))
    (days, hours), (minutes, rest) = divmod(seconds // _HOUR, 24), divmod(seconds % _HOUR, _MINUTE)
    if days:
        shape = _("{days} d {hours} h") if hours else _("{days} d")
    elif hours:
        shape = _("{hours} h {minutes} min") if minutes else _("{hours} h")
    elif minutes:
        shape = _("{minutes} min {seconds} s") if rest else _("{minutes} min")
    else:
        shape = _("{seconds} s")
    return shape.format(days=number(days), hours=hours, minutes=minutes, seconds=rest).replace(" ", UNBROKEN)


def unbroken(phrase: str) -> str:
    """`phrase`, in which no line ends between a number and what it counts."""
    return _AFTER_NUMBER.sub(UNBROKEN, phrase)


def bar(done: int, total: int, width: int = 10) -> str:
    """A progress bar. It is full only when everything is done, and not empty once anything is."""
    if total <= 0:
        return "▱" * width
    filled = max(0, min(width, done * width // total))
    if done > 0:
        filled = max(filled, 1)
    return "▰" * filled + "▱" * (width - filled)


def count(number: int, noun: str) -> str:
    """`number` with its noun in the right form: "1 step", "1,200 steps"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plural(one: str, many: str, amount: int) -> str:
    """`amount` in the text of its form, where it is `{number}`: `plural("{number} step", "{number} steps", 1200)`."""
    return unbroken(ngettext(one, many, amount).format(number=number(amount)))


def number(value: float) -> str:
    """`value` with at most two decimals and no trailing zeros; thousands are grouped alike in both languages."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def percent(value: float) -> str:
    """`value` percent: "33 %"."""
    return unbroken(_("{number} %").format(number=number(value)))


def listed(items: Iterable[str]) -> str:
    """All of `items`, the last one joined by "and"; in Chinese with a space beside code and channels, as elsewhere."""
    return _TIGHT.sub(r" \g<0> ", format_list(list(items), locale=_LISTS[spoken()]))


def series(items: Iterable[str]) -> str:
    """Some of what could be listed, the empty ones left out: "fastq-split, bwa-mem"."""
    # Translators: stands between the items of a list, with the space after it if there is one.
    return _(", ").join(filter(None, items))


def clauses(items: Iterable[str]) -> str:
    """The same for phrases of which one may have a comma in it: "exit 1 (20); was killed, most often so (9)"."""
    phrases = list(filter(None, items))
    if not any("," in phrase or "\uff0c" in phrase for phrase in phrases):
        return series(phrases)
    # Translators: stands between phrases that may have commas in them, with the space after it if there is one.
    return _("; ").join(phrases)


def sentences(parts: Iterable[str]) -> str:
    """Sentences one behind the other, the empty ones left out; in Chinese without a space between them."""
    return ("" if spoken() is Language.CHINESE else " ").join(filter(None, parts))


def tight(line: str) -> str:
    """`line` of ours without spaces between Chinese characters: one stands where a name may, and a word does."""
    return _GAP.sub("", line)


def within(lines: Iterable[str], limit: int) -> str:
    """As many whole lines as fit into `limit` characters, so that no markup is cut in two."""
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


def rows(line: str, width: int = 40) -> int:
    """About how many rows `line` takes on a phone, on which `width` letters stand beside each other."""
    seen = _DATE.sub("12 minutes ago", line)
    return -(-sum(2 if ord(character) > _WIDE_FROM else 1 for character in seen) // width)


def _escaped(tidy: str, limit: int) -> str:
    tidy = tidy.replace("`", _LOOKALIKES["`"])
    if len(escaped := tidy.translate(_ESCAPES)) <= limit:
        return _isolated(escaped)
    used = list(accumulate(len(_ENTITIES.get(character, " ")) for character in tidy))
    tidy = tidy[: sum(total < limit for total in used)].rstrip() + "…"
    return _isolated(tidy.translate(_ESCAPES))


def _spelled(text: str) -> str:
    """`text` without emoji that are written as their names."""
    return _EMOJI.sub(f":{_JOINER}", text)


def _tidy(text: str, limit: int) -> str:
    # Cleaning shortens text, so more than `limit` is read, but not megabytes.
    words = " ".join(text[: 8 * limit + 64].split())
    if not words.isprintable():  # printable text has nothing to drop
        words = " ".join("".join(character for character in words if _is_kept(character)).split())
    return _BROADCAST.sub(f"@{_JOINER}", words)


def _isolated(text: str) -> str:
    if not text.isascii() and any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"{_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _is_kept(character: str) -> bool:
    return character == _ZERO_WIDTH_JOINER or unicodedata.category(character) not in _DROPPED_CATEGORIES


def _is_joined(left: str, right: str) -> bool:
    """Whether both are parts of one visible character: combining marks, joined emoji, skin tones, halves of a flag."""
    return (
        unicodedata.category(right).startswith("M")
        or _ZERO_WIDTH_JOINER in {left, right}
        or "\U0001f3fb" <= right <= "\U0001f3ff"
        or ("\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff")
    )
