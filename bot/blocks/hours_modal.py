"""The modal in which a person chooses their quiet hours.

Lives here: the modal, and what was entered. Does not live here: words about quiet hours elsewhere (`quiet`), what the
entries do (`handlers.hours`). Called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time
from typing import NamedTuple

from bot.blocks import buttons, fields, text
from bot.blocks.language import N_, _
from bot.blocks.message import Block, Message, actions, section, view
from bot.blocks.modals import spoken_metadata, without_buttons
from bot.domain.quiet import QuietHours

CALLBACK_ID = "choose_hours"
TITLE = N_("Quiet hours")
BEGINS, ENDS, ZONE, FAILURES = "begins", "ends", "zone", "failures"
"""The fields, by their action ids."""

_COME, _WAIT = "come", "wait"
_USUAL = (time(22), time(7))
_ZONE_LIMIT = 60


class Chosen(NamedTuple):
    """What stands in the modal."""

    begins: time = _USUAL[0]
    ends: time = _USUAL[1]
    zone: str = ""
    """As it was typed."""
    holds_failures: bool = False

    @classmethod
    def of(cls, hours: QuietHours | None, zone: str) -> Chosen:
        """The hours of a person; of one who has none, usual ones in the `zone` of their Slack."""
        return cls(hours.begins, hours.ends, hours.zone, hours.holds_failures) if hours else cls(zone=zone)


def hours_modal(chosen: Chosen, *, is_on: bool, problem: str = "") -> Block:
    """The modal, filled in. `is_on`: the person has quiet hours, which can be ended. `problem` is escaped here."""
    failures = [(_COME, _("Failures still come through")), (_WAIT, _("Failures wait too"))]
    blocks = [
        section(f"⚠️ {text.prose(problem)}" if problem else ""),
        section(
            _("Every day during these hours you get no notifications. What happens meanwhile comes when they are over.")
        ),
        fields.entry(BEGINS, _("Begin"), _clock(chosen.begins)),
        fields.entry(ENDS, _("End"), _clock(chosen.ends)),
        fields.entry(
            ZONE,
            _("Time zone"),
            fields.typed(chosen.zone, most=_ZONE_LIMIT, example="Asia/Shanghai"),
            hint=_("A large city near you, or a name such as Asia/Shanghai."),
        ),
        fields.entry(FAILURES, _("Failures"), fields.radio(failures, _WAIT if chosen.holds_failures else _COME)),
        actions([buttons.end_hours()]) if is_on else None,
    ]
    return _modal(blocks, submit=_("Save"))


def saving() -> Block:
    """While the bot writes them into all that the person follows."""
    return _modal([section(_("⏳ Saving …"))])


def hours_saved(reply: Message) -> Block:
    """What became of it: the reply that a command would have."""
    return _modal(without_buttons(reply))


def parse_chosen(values: Mapping[str, str]) -> Chosen:
    """What was entered.

    Raises:
        ValueError: one of the times is none.
    """
    begins, ends = time.fromisoformat(values.get(BEGINS, "")), time.fromisoformat(values.get(ENDS, ""))
    return Chosen(begins, ends, values.get(ZONE, "").strip(), values.get(FAILURES) == _WAIT)


def _clock(moment: time) -> Block:
    return {"type": "timepicker", "initial_time": moment.isoformat("minutes")}


def _modal(blocks: Sequence[Block | None], *, submit: str = "") -> Block:
    return view(_(TITLE), blocks, callback_id=CALLBACK_ID, private_metadata=spoken_metadata(), submit=submit)
