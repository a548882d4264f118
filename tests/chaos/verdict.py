"""Whether the bot kept its promises, judged from what both servers saw and what people read.

Lives here: `judge` and its `Verdict`. Pure. Does not live here: the parts of the evidence (`evidence`), gathering it
(`arena`), printing the result (`report`). Called by `arena` and the outage tests. The mark of a message only says whose
it is; its meaning is read from its text.

A state that ends before a poll may be missed, and lines may be merged into one: a change counts as delivered when it or
a later one is. Outcomes are never merged. An outcome that a retry ends must be delivered if it lasted for at least
`MUST_REST`; the last one always.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from tests.chaos.acts_verdict import judge_acts, judge_goodbyes
from tests.chaos.boards_verdict import judge_boards
from tests.chaos.evidence import Promise, Record, Said
from tests.chaos.implied import EARLY, implied, is_held, unasked
from tests.chaos.reading import Moment, Unreadable, is_end, read_card, read_line

MUST_REST = 45.0
"""How long an outcome must last before it must be delivered, without the time in which nobody could see it: longer than
what is left of faults delays nearly all polls. Lists show within seconds that an execution has ended, but the worker
may be dead, GCS failing, or the quota spent or recovering.
In sixteen runs GCS was polled within 20 to 29 s after 99 of 100 outcomes; the longest delay of each run was 27 to 61 s
(30 to 45 in the last four, since failures in a row delay less). With bots that cannot start while Slack refuses the
token it was 60 to 90 s after 99 of 100. So such an outcome is owed only if GCS answered a poll of it meanwhile, or if
it lasted for `SURELY_SEEN`."""

SURELY_SEEN = 90.0
"""How long it must last before it must be delivered in any case: longer than two leases of bots that are killed."""

MOST_REPEATS = 48
"""At most how many messages are repeated after one fail-over: as many as three bots send at once."""

LATE_SHARE = 1e-4
"""Share of calls of Slack that may be over its limits: the bot spaces calls as they leave, and on a busy machine one
may arrive together with the next."""

MANY_STEPS = 30
"""Of an execution with more steps than this, only every 5 percent are reported."""

ON_ITS_WAY = 30.0
"""How long after leaving a message may still arrive, which a worker had claimed before."""


@dataclass(kw_only=True)
class Verdict:
    """The result."""

    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    outcome_delays: list[float] = field(default_factory=list)
    change_delays: list[float] = field(default_factory=list)
    poll_delays: list[float] = field(default_factory=list)
    """How long after each outcome GCS was polled, in seconds."""
    found_delays: list[float] = field(default_factory=list)
    """How long after an execution began people read of it that only follow it by a rule, in seconds."""
    waiting: int = 0
    """How many violations may still disappear, since more may be delivered."""

    def find(self, kind: str, what: str, *, is_waiting: bool = False) -> None:
        """Add a violation."""
        self.counts[kind] += 1
        self.waiting += is_waiting
        self.violations.append(f"{kind}: {what}")


KINDS = (
    "outcome lost",
    "failure lost",
    "outcome doubled",
    "line doubled",
    "card doubled",
    "out of order",
    "card went back",
    "card not final",
    "subscription forgotten",
    "ended wrongly",
    "never was",
    "message after leaving",
    "message unasked",
    "message while quiet",
    "action doubled",
    "action by others",
    "notice doubled",
    "notice lost",
    "board doubled",
    "board lost",
    "board wrong",
    "no response",
    "too many repeats",
    "over quota",
    "over Slack's limits",
    "bot ended",
    "stranger admitted",
)
"""Every kind of violation."""


def judge(record: Record) -> Verdict:
    """Compare everything with the truth."""
    verdict = Verdict()
    said = defaultdict[tuple[str, str], list[Said]](list)
    for message in record.said:
        said[message.execution_id, message.subscriber].append(message)
    promised = defaultdict[tuple[str, str], list[Promise]](list)
    for promise in (*record.promises, *implied(record)):
        promised[promise.execution_id, promise.subscriber].append(promise)
    for key in said.keys() | promised.keys():
        one = _Subscription(verdict, record, key, promised[key], said[key])
        one.judge()
    for text in record.unreadable:
        verdict.find("never was", f"unreadable {text!r}")
    for what in unasked(record):
        verdict.find("message unasked", what)
    judge_acts(record, verdict.find)
    judge_goodbyes(record, verdict.find)
    judge_boards(record, verdict.find)
    _judge_servers(record, verdict)
    return verdict


def _judge_servers(record: Record, verdict: Verdict) -> None:
    if record.gcs_worst_minute > record.gcs_quota:
        verdict.find("over quota", f"{record.gcs_worst_minute} calls in a minute, of {record.gcs_quota}")
    repeats = verdict.counts["repeated after lost writes"]
    if repeats > MOST_REPEATS * len(record.lossy):
        verdict.find("too many repeats", f"{repeats} after {len(record.lossy)} fail-overs")
    if record.slack_over_limit > record.slack_calls * LATE_SHARE:
        verdict.find("over Slack's limits", f"{record.slack_over_limit} calls refused")
    for wish in record.unanswered:
        verdict.find("no response", wish)
    for bot in record.died:
        verdict.find("bot ended", bot)
    for letter in record.dead_letters:
        verdict.find("ended wrongly", letter)
    for bot in record.admitted:
        verdict.find("stranger admitted", bot)


class _Subscription:
    """What one subscriber read of one execution."""

    def __init__(
        self, verdict: Verdict, record: Record, key: tuple[str, str], promises: Sequence[Promise], said: Sequence[Said]
    ) -> None:
        self._verdict, self._record, self._promises = verdict, record, promises
        self._execution_id = key[0]
        self._quiet = [each for each in record.quiet if each.subscriber == key[1] and each.execution_id in {"", key[0]}]
        self._truth, self._polled = record.truths[key[0]], record.polled.get(key[0], [])
        self._whose = f"{self._truth.name} for {key[1]}"
        self._cards = sorted((message for message in said if message.is_card), key=lambda message: message.at)
        self._warned: list[int] = []
        """The index of each moment that a line about a failed step reports."""
        self._lines = sorted((message for message in said if not message.is_card), key=lambda message: message.at)

    def judge(self) -> None:
        """Judge its lines, cards and promise."""
        delivered = self._judge_lines()
        for _, cards in groupby(sorted(self._cards, key=lambda card: card.lane), key=lambda card: card.lane):
            self._judge_cards(list(cards))
        for promise in self._promises:
            if promise.left_at is None:
                self._judge_promise(promise, delivered)
        left = [promise.left_at for promise in self._promises if promise.left_at is not None]
        if len(left) < len(self._promises) or not left or self._truth.moments[-1].at < max(left):
            return  # what had ended by itself before they left is still delivered
        for message in self._lines:
            if message.at > max(left) + ON_ITS_WAY:
                self._verdict.find("message after leaving", f"{self._whose}: {message.text!r}")

    def _judge_lines(self) -> list[tuple[int, float]]:
        """Each line in the order of the truth, and none twice; returns the index and time of each delivered moment."""
        delivered: list[tuple[int, float]] = []
        last, ended = -1, dict[str, float]()
        for message in self._lines:
            moment = self._read(message.text, is_card=False)
            if moment is None:
                if is_end(message.text) and message.at < self._truth.moments[-1].at:  # something was still to come
                    self._verdict.find("ended wrongly", f"{self._whose}: {message.text!r}")
                if message.lane in ended:
                    self._repeated("line doubled", message.text, of=ended[message.lane])
                ended[message.lane] = message.at
                continue
            index = self._find(moment, after=last)
            if index is not None and self._is_premature(index, message.at):
                self._verdict.find("ended wrongly", f"{self._whose}, before it was so: {message.text!r}")
            elif index is not None:
                if any(is_held(quiet, self._truth, index, message.at, delivered) for quiet in self._quiet):
                    self._verdict.find("message while quiet", f"{self._whose}: {message.text!r}")
                last = index
                delivered.append((index, message.at))
                is_warning = moment.failed is not None or (message.is_caught_up and moment.phase == "Failed")
                self._warned += [index] * is_warning  # an end that comes with others names the failures before it
            elif (earlier := self._find(moment, after=-1)) is None:
                self._verdict.find("never was", f"{self._whose}: {message.text!r}")
            else:
                overtaken = next(at for index, at in delivered if index >= earlier)
                self._repeated(
                    _kind(moment, is_reported=earlier in {index for index, _ in delivered}), message.text, of=overtaken
                )
        self._verdict.counts["lines"] += len(self._lines)
        self._verdict.counts["caught up"] += sum(message.is_caught_up for message in self._lines)
        return delivered

    def _judge_cards(self, cards: Sequence[Said]) -> None:
        """One card for a subscription, and no edit shows an earlier state."""
        for before, card in pairwise(cards):
            self._repeated("card doubled", card.text, of=before.at)
        last, since = 0, 0.0
        for at, text in cards[-1].versions:
            moment = self._read(text, is_card=True)
            if moment is None:
                continue
            index = self._find(moment, after=last - 1)
            if index is not None and self._is_premature(index, at):
                self._verdict.find("ended wrongly", f"{self._whose}, on the card, before it was so: {text!r}")
            elif index is not None:
                last, since = index, at if index > last else since
            elif self._find(moment, after=-1) is None:
                self._verdict.find("never was", f"{self._whose}, on the card: {text!r}")
            else:
                self._repeated("card went back", text, of=since)
        self._verdict.counts["cards"] += len(cards)
        self._verdict.counts["edits"] += sum(len(card.versions) - 1 for card in cards)

    def _judge_promise(self, promise: Promise, delivered: Sequence[tuple[int, float]]) -> None:
        """Everything that happened after the promise was delivered, and the card shows the outcome."""
        moments = self._truth.moments
        due = [n for n, moment in enumerate(moments) if moment.at > promise.promised_at]
        owed = [n for n in due if self._must_be_delivered(n, promise) and self._is_wanted(promise.level, n)]
        lost = [n for n in owed if not any(index == n for index, _ in delivered)]
        warned = [n for n in due if self._must_be_warned(n, promise)]
        unheard = [n for n in warned if not any(index >= n for index in self._warned)]
        is_silent = promise.is_by_rule and promise.level in {"failures", "final"}
        has_no_card = (is_silent and not (owed or warned)) or self._is_caught_up(delivered)
        is_final = (has_no_card and not self._cards) or self._is_card_final()
        if lost and not self._cards:
            self._verdict.find("subscription forgotten", self._whose, is_waiting=True)
        else:
            for n in lost:
                self._verdict.find("outcome lost", f"{self._whose}: {moments[n].phase}", is_waiting=True)
            for n in unheard:
                self._verdict.find("failure lost", f"{self._whose}: {moments[n].failed} failed", is_waiting=True)
            if not is_final:
                card = self._cards[-1].text if self._cards else "no card"
                self._verdict.find("card not final", f"{self._whose}: {card!r}", is_waiting=True)
        self._measure(promise, due, delivered)

    def _must_be_delivered(self, n: int, promise: Promise) -> bool:
        moments = self._truth.moments
        if not moments[n].is_outcome or n + 1 == len(moments):
            return moments[n].is_outcome
        return self._must_be_seen(max(moments[n].at, promise.found_by), moments[n + 1].at)

    def _must_be_warned(self, n: int, promise: Promise) -> bool:
        """Whether people must read that a step has failed, since the execution goes on for long enough after it."""
        moments = self._truth.moments
        if not self._is_failure(n):
            return False
        ends = next((moment.at for moment in moments[n:] if moment.is_outcome), moments[-1].at)
        return self._must_be_seen(max(moments[n].at, promise.found_by), ends)

    def _is_failure(self, n: int) -> bool:
        before, moment = self._truth.moments[n - 1] if n else None, self._truth.moments[n]
        return not moment.is_outcome and (moment.failed or 0) > (before.failed or 0 if before else 0)

    def _must_be_seen(self, begins: float, ends: float) -> bool:
        """Whether a bot must have seen what was so between two times."""
        seconds, polled = self._shown(begins, ends), self._record.polled.get(self._execution_id)
        was_polled = polled is None or any(begins <= at <= ends for at in polled)
        return seconds >= SURELY_SEEN or (seconds >= MUST_REST and was_polled)

    def _shown(self, begins: float, ends: float) -> float:
        """For how many seconds a bot could see what was so between two times."""
        shown, seen_until = 0.0, begins
        for since, until in sorted(self._record.blind):
            shown += max(0.0, min(since, ends) - seen_until)
            seen_until = max(seen_until, until)
        return shown + max(0.0, ends - seen_until)

    def _is_premature(self, n: int, at: float) -> bool:
        """Whether an outcome was reported before it was one.

        A deletion that GCS shows under way is believed as soon as GCS no longer knows the execution, although GCS may
        know nothing at all then.
        """
        before, moment = self._truth.moments[n - 1], self._truth.moments[n]
        begins = moment.at
        if (before.phase, moment.phase) == ("Deleting", "Deleted"):
            hidden = [max(since, before.at) for since, until in self._record.blind if until > before.at]
            begins = min([begins, *hidden])
        return moment.is_outcome and at < begins - EARLY

    def _is_caught_up(self, delivered: Sequence[tuple[int, float]]) -> bool:
        """Whether the end was reported with others, after a time in which no card was posted."""
        ends = {message.at for message in self._lines if message.is_caught_up}
        return any(index + 1 == len(self._truth.moments) and at in ends for index, at in delivered)

    def _is_card_final(self) -> bool:
        """Whether the card shows the outcome. Of a card that was posted twice, which is judged elsewhere, one must."""
        cards = [card for card in self._cards if card.lane == self._cards[-1].lane]  # of the last subscription
        left_behind = [card for card in cards if not self._shows_end(card)]
        if len(left_behind) < len(cards):
            self._verdict.counts["cards left behind"] += len(left_behind)
        return len(left_behind) < len(cards)

    def _shows_end(self, card: Said) -> bool:
        shown = self._read(card.text, is_card=True)
        return shown is not None and shown.fits(self._truth.moments[-1])

    def _measure(self, promise: Promise, due: Iterable[int], delivered: Sequence[tuple[int, float]]) -> None:
        """Measure how long after GCS showed a change people could read it, unless they wanted quiet."""
        if promise.is_by_rule and len(self._promises) == 1 and promise.level not in {"failures", "final"}:
            said = [message.at for message in (*self._cards, *self._lines)]
            self._verdict.found_delays += [min(said) - self._truth.began] if said else []
        if self._quiet or promise.is_by_rule:
            return
        for n in due:
            moment = self._truth.moments[n]
            if not self._is_wanted(promise.level, n):
                continue
            self._verdict.counts["changes for subscribers"] += 1
            at = next((at for index, at in delivered if index >= n), None)
            if at is None:
                continue
            delays = self._verdict.outcome_delays if moment.is_outcome else self._verdict.change_delays
            delays.append(at - moment.at)
            if moment.is_outcome and (polled := self._polled[bisect_left(self._polled, moment.at) :]):
                self._verdict.poll_delays.append(polled[0] - moment.at)

    def _is_wanted(self, level: str, n: int) -> bool:
        """Whether people at `level` read about a moment: ends, then phases and quarters of steps, then each step."""
        before, moment = self._truth.moments[n - 1] if n else None, self._truth.moments[n]
        if moment.is_outcome:
            return level != "failures" or moment.phase not in {"Succeeded", "Cancelled"}
        if self._is_failure(n):
            return True
        if level in {"failures", "final"}:
            return False
        if before is None or before.phase != moment.phase or before.finished is None:
            return True
        points = (25, 50, 75) if level == "milestones" else range(5, 100, 5)
        is_each = level == "steps" and (moment.total or 0) <= MANY_STEPS
        return is_each or any(before.share < point <= moment.share for point in points)

    def _repeated(self, kind: str, text: str, *, of: float) -> None:
        """Add a violation, unless the store could lose the receipt of the earlier message, sent at `of`."""
        if any(begins <= of <= ends for begins, ends in self._record.lossy):
            self._verdict.counts["repeated after lost writes"] += 1
        else:
            self._verdict.find(kind, f"{self._whose}: {text!r}")

    def _read(self, text: str, *, is_card: bool) -> Moment | None:
        try:
            return (read_card if is_card else read_line)(text, self._truth.name)
        except Unreadable:
            self._verdict.find("never was", f"{self._whose}: unreadable {text!r}")
            return None

    def _find(self, moment: Moment, *, after: int) -> int | None:
        """The index of the first moment of the truth, after index `after`, that `moment` fits."""
        moments = self._truth.moments
        return next((n for n in range(after + 1, len(moments)) if moment.fits(moments[n])), None)


def _kind(moment: Moment, *, is_reported: bool) -> str:
    """The kind of violation of a line with a moment that was due earlier."""
    if not is_reported:
        return "out of order"
    return "outcome doubled" if moment.is_outcome else "line doubled"
