"""What a person reads in a message of the bot, as a moment in an execution's life.

Lives here: `read_line`, `read_card` and `read_catch_up`. Pure, and reads only what people can see. Does not live here:
whether it is true (`verdict`). Called by `verdict` and the outage tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.story import Life

OUTCOMES = frozenset({"Succeeded", "Failed", "Cancelled", "Deleted"})
"""The phases that ping people."""

_HEADLINE = re.compile(r"(?P<phase>\w+)[^:]*: $")
_UNCOUNTED = "step counts not reported yet"
_OUTCOME = re.compile(r"\S+ (?P<phase>[A-Z]\w+): ")
_LINE = re.compile(
    r" · (?:Retried: )?(?P<phase>[A-Z]\w*(?: → (?:[A-Z]\w*|…))+)?(?: · )?"
    r"(?:(?:[\d,]+ → )?(?P<finished>[\d,]+) of [\d,]+ step)?"
)
_WARNING = re.compile(r"⚠️ (?P<phase>\w+), (?P<failed>\d+) steps? failed: ")
_COUNTED = re.compile(r"(?P<finished>[\d,]+) of [\d,]+ steps?")
_END = "No longer following"
AWAY = "While you were away: "
_NAMED = re.compile(r"(?P<head>[^\w\s]\S* [A-Z]\w+: )(?P<names>.*?)(?: and (?P<more>[\d,]+) more)?")
_NUMBER = re.compile(r"\d[\d,]*(?= )")


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of an execution. In what people read, None means that the text does not say."""

    phase: str | None
    finished: int | None
    at: float = 0.0
    """When GCS began to show it, in the truth."""
    total: int | None = None
    """How many steps there are, in the truth."""
    failed: int | None = None
    """How many of them have failed."""

    @property
    def is_outcome(self) -> bool:
        """Whether it pings people."""
        return self.phase in OUTCOMES

    @property
    def share(self) -> int:
        """Finished steps in percent."""
        return 100 * (self.finished or 0) // self.total if self.total else 0

    def fits(self, truth: Moment) -> bool:
        """Whether a text with this moment is true of `truth`."""
        if self.failed not in {None, truth.failed}:
            return False
        if self.phase is None:  # progress of an execution that has not ended
            return self.finished == truth.finished and not truth.is_outcome
        return self.phase == truth.phase and (
            self.finished is None or truth.finished is None or self.finished == truth.finished
        )


class Unreadable(Exception):
    """A text that no person could understand."""


def moments(life: Life, began: float) -> tuple[Moment, ...]:
    """The truth: each state that GCS shows of a life that began at `began`, once."""
    found: list[Moment] = []
    for frame in life.frames:
        phase = "Deleted" if frame.is_gone else frame.status
        finished = frame.finished if frame.steps and frame.has_counts else None
        failed = sum(step.status == "Failed" for step in frame.steps)
        if not found or (phase, finished, failed) != (found[-1].phase, found[-1].finished, found[-1].failed):
            found.append(Moment(phase, finished, began + frame.at, len(frame.steps), failed))
    return tuple(found)


def read_card(text: str, name: str) -> Moment:
    """The moment that a card states."""
    head, _, rest = text.partition(name)
    state, counted = _HEADLINE.match(head), _COUNTED.search(rest)
    if state is None or (counted is None and _UNCOUNTED not in rest):
        raise Unreadable(text)
    return Moment(state["phase"], int(counted["finished"].replace(",", "")) if counted else None)


def read_catch_up(text: str) -> list[tuple[str, str]]:
    """What a message about all that has ended says: the name of each, and a line as about that alone."""
    headline, *lines = text.split("\n")
    ends, more = list[tuple[str, str]](), 0
    for line in filter(None, map(_NAMED.fullmatch, lines)):
        ends += [(name, f"{line['head']}{name}") for name in line["names"].split(", ")]
        more += int((line["more"] or "0").replace(",", ""))
    if sum(int(number.replace(",", "")) for number in _NUMBER.findall(headline)) != len(ends) + more:
        raise Unreadable(text)
    return ends


def is_end(text: str) -> bool:
    """Whether it is the message that ends a subscription."""
    return text.startswith(_END)


def read_line(text: str, name: str) -> Moment | None:
    """The moment that a message or a line in the thread states; None for the message that ends a subscription."""
    if is_end(text):
        return None
    if warning := _WARNING.match(text):
        rest = _after(text, name).rpartition("\n")[2]
        counted = _COUNTED.search(rest)
        finished = int(counted["finished"].replace(",", "")) if counted else None
        return Moment(warning["phase"], finished, failed=int(warning["failed"]))
    rest = _after(text, name)
    if rest.startswith(" · "):
        moment = _moment(_LINE, rest)
        if moment.phase is None and moment.finished is None:
            raise Unreadable(text)
        return moment
    outcome = _OUTCOME.match(text)
    if outcome is None:
        raise Unreadable(text)
    counted = _COUNTED.search(rest)
    return Moment(outcome["phase"], int(counted["finished"].replace(",", "")) if counted else None)


def _after(text: str, name: str) -> str:
    _, found, rest = text.partition(name)
    if not found:
        raise Unreadable(text)
    return rest


def _moment(pattern: re.Pattern[str], text: str) -> Moment:
    found = pattern.match(text)
    if found is None:
        raise Unreadable(text)
    phase = found["phase"].rpartition(" → ")[2] if found["phase"] else None
    return Moment(phase, int(found["finished"].replace(",", "")) if found["finished"] else None)
