"""Whether each channel with a board has one that is true.

Lives here: `judge_boards`. Pure. Does not live here: what is reported about executions (`verdict`, which calls it).

A board counts what its channel follows. Where nobody knows whether something is followed (a command without a response,
an execution that a rule may or may not have found before it ended), it may count it or not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from tests.chaos.evidence import Record
from tests.chaos.implied import implied, may_follow

OVER = ("continues in a newer message", "ended this board")
_COUNT = re.compile(r"(?P<number>[\d,]+) (?P<what>failed|running|waiting|succeeded|cancelled or deleted)")
_COUNTED = {"Failed": "failed", "Succeeded": "succeeded", "Cancelled": "cancelled or deleted"}
_COUNTED |= {"Deleted": _COUNTED["Cancelled"], "Running": "running"}


def judge_boards(record: Record, find: Callable[..., None]) -> None:
    """One message for each board, none of one that has ended, and what it counts is true once nothing changes."""
    for board in record.boards:
        posts = [post.text for post in record.board_posts if post.subscriber == board.subscriber]
        living = [text for text in posts if not any(over in text for over in OVER)]
        wanted = 1 if board.ended_at is None else 0
        if len(living) != wanted:
            kind = "board doubled" if len(living) > wanted else "board lost"
            find(kind, f"{board.subscriber}: {len(living)} of {len(posts)} messages", is_waiting=True)
        elif living:
            shown = {found["what"]: int(found["number"].replace(",", "")) for found in _COUNT.finditer(living[0])}
            least, most = _counts(record, board.subscriber)
            if any(not least[what] <= shown.get(what, 0) <= most[what] for what in (*shown, *least)):
                find("board wrong", f"{board.subscriber}: {shown}, not {dict(least)}", is_waiting=True)


def _counts(record: Record, channel: str) -> tuple[Counter[str], Counter[str]]:
    """What the board counts at least and at most, once nothing changes any more."""
    rules = [rule for rule in record.rules if rule.subscriber == channel]
    promises = [*record.promises, *implied(record)]
    sure = {each.execution_id for each in promises if each.subscriber == channel and each.left_at is None}
    least, most = Counter[str](), Counter[str]()
    for execution_id, truth in record.truths.items():
        counted = _COUNTED.get(truth.moments[-1].phase or "", "")
        least[counted] += execution_id in sure
        is_asked = (execution_id, channel) in record.asked or any(may_follow(rule, truth) for rule in rules)
        most[counted] += execution_id in sure or is_asked
    return +least, +most
