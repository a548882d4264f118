"""Why a step or an execution failed, in words that a person would use: "job-b ran out of memory (exit 137, OOMKilled)".

Lives here: the table of causes, and the text of GCS without the machinery around it. To add a cause, add a line to
`_CAUSES` and its translation (`make texts`). Does not live here: GCS's text as a whole, which is shown on request
(`bot.blocks.words`). Called by the other modules of `bot.blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from bot.blocks import text
from bot.blocks.language import N_, _, own_half

_Escape = Callable[[str], str]
"""Makes foreign text safe."""

LINE_LIMIT, QUOTE_LEAST = 85, 30
"""How long a sentence that quotes GCS's own text may be, so that it stands on one line; and how much is quoted of it at
least. In characters."""

_ALONE_LIMIT = 60
"""The same in a line about many steps."""

_READ = 2_000
"""How much of a text is searched, in characters."""

_CAUSES: tuple[tuple[str, str], ...] = (
    (r"oom.?kill|out of memory|cannot allocate memory|bad_alloc|java heap space", N_("{name} ran out of memory")),
    (r"memory ?pressure|low on resource: memory", N_("{name} was evicted: its machine ran out of memory")),
    (r"no space left|disk ?pressure|ephemeral.storage|disk quota exceeded", N_("{name} ran out of disk")),
    (r"evicted", N_("{name} was evicted from its machine")),
    (r"scheduling|unschedulable|insufficient \w+|nodes are available", N_("{name} found no machine with enough room")),
    (r"exceeded quota|quota ?exceeded|quota exceeds", N_("{name} exceeded a quota")),
    (r"imagepull|invalidimage|pull image|manifest unknown|pull access", N_("{name} could not pull its image")),
    (r"failedmount|failedattach|mountvolume|persistentvolumeclaim", N_("{name} could not reach its storage")),
    (r"createcontainer|runcontainererror", N_("{name} could not start its container")),
    (r"node ?lost|node ?not ?ready|node ?shutdown", N_("{name} lost its machine")),
    (r"access ?denied|permission denied|unauthorized|forbidden", N_("{name} was denied access to something")),
    (r"no such file|file not found|nosuchkey", N_("{name} could not find a file it needs")),
    (r"deadlineexceeded|time.?out|timed out|time limit", N_("{name} hit its time limit")),
    (r"crashloop|backofflimit", N_("{name} failed on every try")),
    (r"connection (?:refused|reset)|no route to host|could not resolve", N_("{name} lost its network connection")),
)
"""A pattern for reason and message, in any case, and what it means. The first line that fits counts."""

_EXIT_CODES: dict[int, str] = {
    126: N_("{name} could not run its command"),
    127: N_("{name} could not find its command"),
    130: N_("{name} was interrupted"),
    134: N_("{name} aborted"),
    137: N_("{name} was killed, probably for lack of memory"),
    139: N_("{name} crashed (segmentation fault)"),
    143: N_("{name} was stopped"),
}
"""By exit code, where the words say nothing."""

_FAILED = N_("{name} failed")
_QUOTED = N_("{name} failed: {quote}")
_ITSELF = N_("The execution")
"""In place of a step's name, where GCS names none."""

_SEARCHED = tuple((re.compile(pattern, re.IGNORECASE), sentence) for pattern, sentence in _CAUSES)
_EXIT_CODE = re.compile(
    r"\bexit(?:ed|ing|s)?(?:[ _-]?(?:with|code|status|value))*[ :=]*\(?(\d{1,3})\b|退出码[ ::=]*(\d{1,3})",
    re.IGNORECASE,
)
_RETRIES = re.compile(r"\bretried (\d{1,3}) times?\b|\b(\d{1,3}) retries\b", re.IGNORECASE)
_MACHINERY = re.compile(r"(?i:element)\(([^()]{1,100})\) execute (?:Action: ?)?\w+ (?:Action )?failed[.:;, ]*")
_MACHINERY_ZH = re.compile(r"元素[((]([^()()]{1,100})[))]执行 ?\w+ ?失败[。.,,::;; ]*")
_SHORT_REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{2,39}")


class Text(NamedTuple):
    """GCS's text without the machinery around it."""

    element: str
    """The step that it names; empty for none."""
    rest: str
    """What is said about it."""


class Said(NamedTuple):
    """What GCS says of a failure, in both languages."""

    reason: str
    message: str
    message_zh: str
    reason_zh: str

    @property
    def code(self) -> str:
        """The reason, where it is a word of GCS's own, the same in every language: `OOMKilled`; else empty."""
        reason = self.reason.strip()
        return reason if _SHORT_REASON.fullmatch(reason) else ""

    @property
    def own(self) -> str:
        """The message in the reader's language, without the machinery around it; else the reason that is no code."""
        reason = own_half(self.reason, self.reason_zh).strip()
        return parsed(own_half(self.message, self.message_zh)).rest or (reason if reason != self.code else "")


def parsed(message: str) -> Text:
    """`Element(job-b) execute Action: create failed: timeout` → job-b and `timeout`; any other text as it is."""
    for machinery in (_MACHINERY, _MACHINERY_ZH):
        if found := machinery.match(message.strip()):
            return Text(found[1].strip(), message.strip()[found.end() :].strip())
    return Text("", message.strip())


def cause(name: str, reason: str, message: str, message_zh: str = "", reason_zh: str = "") -> str:
    """Why `name` failed, as mrkdwn, with the evidence in brackets; else what GCS says, in the reader's language.

    `name` is a step; where it is empty, the step that `message` names counts, else the execution itself.
    """
    subject = name or parsed(message).element
    shown = text.bold(subject) if subject else _(_ITSELF)
    return _sentence(shown, Said(reason, message, message_zh, reason_zh), text.code)


def cause_words(name: str, reason: str, message: str, message_zh: str = "", reason_zh: str = "") -> str:
    """The same in plain text."""
    subject = text.escape(name or parsed(message).element) or _(_ITSELF)
    return _sentence(subject, Said(reason, message, message_zh, reason_zh), text.escape)


def cause_alone(reason: str, message: str, message_zh: str = "", reason_zh: str = "") -> str:
    """Why it failed without saying what, in plain text, for one of many: `ran out of memory`, `exit 1`."""
    said = Said(reason, message, message_zh, reason_zh)
    known, code = _known(said)
    if known is not None:
        return _(known).format(name="").strip()
    if code is not None:
        return _("exit {code}").format(code=code)
    return text.escape(said.code or said.own, _ALONE_LIMIT) or _("no reason given")


def exit_code(*texts: str) -> int | None:
    """The exit code that one of `texts` names; None where none does, and for 0."""
    for each in texts:
        if found := _EXIT_CODE.search(each[:_READ]):
            return int(found[1] or found[2]) or None
    return None


def retries(message: str) -> int:
    """How many times it was tried again, as far as GCS says so; 0 where it does not."""
    found = _RETRIES.search(message[:_READ])
    return int(found[1] or found[2]) if found else 0


def _known(said: Said) -> tuple[str | None, int | None]:
    """The sentence of the table that fits, and the exit code; None for those that there are not."""
    code = exit_code(*said)
    searched = f"{said.reason[:_READ]} {parsed(said.message).rest[:_READ]}"
    known = next((sentence for pattern, sentence in _SEARCHED if pattern.search(searched)), None)
    return known or _EXIT_CODES.get(code or 0), code


def _sentence(name: str, said: Said, quoted: _Escape) -> str:
    known, code = _known(said)
    if known is None:
        return _unknown(name, said, code, quoted)
    evidence = _evidence(code, said, quoted)
    sentence = _(known).format(name=name)
    return _("{sentence} ({evidence})").format(sentence=sentence, evidence=evidence) if evidence else sentence


def _unknown(name: str, said: Said, code: int | None, quoted: _Escape) -> str:
    """What GCS says, in the reader's language."""
    evidence = _evidence(code, said, quoted)
    quote = text.escape(said.own, max(QUOTE_LEAST, LINE_LIMIT - len(name) - len(evidence)))
    if not quote or (code is not None and _EXIT_CODE.fullmatch(quote.rstrip(".。"))):  # the evidence says so already
        sentence = _(_FAILED).format(name=name)
        return _("{sentence} ({evidence})").format(sentence=sentence, evidence=evidence) if evidence else sentence
    sentence = _(_QUOTED).format(name=name, quote=quote)
    is_said = evidence == "" or said.reason.casefold() in quote.casefold()
    return sentence if is_said else _("{sentence} ({evidence})").format(sentence=sentence, evidence=evidence)


def _evidence(code: int | None, said: Said, quoted: _Escape) -> str:
    """What the sentence rests on: the exit code, and GCS's own short reason."""
    reason = quoted(said.code) if said.code else ""
    if code is None:
        return reason
    shape = _("exit {code}, {reason}") if reason else _("exit {code}")
    return shape.format(code=code, reason=reason)
