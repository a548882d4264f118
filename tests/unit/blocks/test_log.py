"""The log as people read it: a line for each change, with what became of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.blocks import log_message, log_modal
from bot.blocks.language import Language, speaking
from bot.domain.change import ChangeKind
from bot.domain.fates import LaneState, Log, Note, NoteKind, QuietTime, Seen
from bot.domain.following import Quiet
from tests.messages.logs import ADDRESS, ALONE, HERE, LOG, MINE, PENDING, RUNS, SUCCEEDED
from tests.messages.world import ID, NOW, OWN_SUBSCRIPTION, PERSON

MINUTE = timedelta(minutes=1)


def lines_of(log: Log, *lanes: LaneState) -> list[str]:
    """Each change with what became of it, the newest first, in one line."""
    shown = log_message(log, lanes, ID, address=ADDRESS).text
    return [each.replace("\n↳ ", " ").partition(" · ")[2] for each in shown.split("\n2026-")[1:]]


def test_both_are_distinguished() -> None:
    """The person and the channel have a fate each, in one line."""
    lines = lines_of(LOG, MINE, HERE)
    assert lines[0].startswith("✅ *Succeeded* you: not followed then · here: refused: ")
    joined = "\n".join(lines)
    assert "invite me there; next try" in joined
    assert "level `milestones` includes it" in joined
    assert "after the mute" in joined
    assert joined.count("you:") == joined.count("here:") == 9


@pytest.mark.parametrize(
    ("muted", "hours", "words"),
    [
        (None, Quiet(until=NOW - MINUTE), "quiet hours are over; on its way"),
        (Quiet(until=NOW - MINUTE), None, "the mute is over; on its way"),
        (None, Quiet(until=NOW - 3 * MINUTE), "on its way"),
        (None, Quiet(until=NOW + MINUTE), "on its way"),
        (Quiet(until=NOW - MINUTE), Quiet(until=NOW + MINUTE), "on its way"),
        (None, None, "on its way"),
    ],
)
def test_what_waited_says_that_quiet_is_over(muted: Quiet | None, hours: Quiet | None, words: str) -> None:
    """Until it is sent. What was seen after it has not waited, nor has what is sent in spite of it."""
    quiet = Note(kind=NoteKind.QUIET, subscriber_id=PERSON, quiet=QuietTime(is_mute=muted is not None, until=NOW))
    lane = replace(ALONE, subscription=replace(OWN_SUBSCRIPTION, muted=muted, hours=hours))
    (line,) = lines_of(replace(PENDING, entries=(quiet, SUCCEEDED)), lane)
    assert line.startswith(f"✅ *Succeeded* you: {words}\n")


def test_links_lead_to_messages() -> None:
    """Channel, message and thread, as Slack's own links have them."""
    blocks = str(log_message(LOG, [MINE, HERE], ID, address=ADDRESS).blocks)
    assert (
        f"<{ADDRESS}archives/C0SEQUENCING/p1773306000000100?thread_ts=1773300000.000200&amp;cid=C0SEQUENCING|sent>"
        in blocks
    )
    assert "archives" not in str(log_message(LOG, [MINE, HERE], ID, address="").blocks)


def test_it_fits_however_long() -> None:
    """500 changes: the newest are shown, the others counted."""
    many = tuple(replace(RUNS, revision=n, at=NOW + timedelta(minutes=n)) for n in range(500))
    log = replace(PENDING, entries=many, dropped=7)
    reply, modal = log_message(log, [ALONE, HERE], ID, address=ADDRESS), log_modal(log, [ALONE], ID, address=ADDRESS)
    assert "492 earlier changes are not shown" in str(reply.blocks)
    assert "467 earlier changes are not shown" in str(modal)
    for blocks in (reply.blocks, modal["blocks"]):
        assert len(blocks) <= 12
        assert all(len(block["text"]["text"]) < 2900 for block in blocks if block["type"] == "section")
    assert "archives" not in str(modal)


def test_names_are_escaped() -> None:
    """A step's name is foreign text."""
    failed = Seen(kind=ChangeKind.STEP_FAILED, revision=2, at=NOW, rank=3, step="<!here> *x*", failed=1)
    shown = str(log_message(replace(PENDING, entries=(failed,)), [ALONE], ID, address=ADDRESS).blocks)
    assert "<!here>" not in shown
    assert "*x*" not in shown


def test_nothing_of_others() -> None:
    """Who has never followed it reads nothing of it."""
    shown = log_message(LOG, [], ID, address=ADDRESS)
    assert "neither you nor this channel" in shown.text
    assert "Succeeded" not in str(shown)


def test_a_fate_is_set_apart_from_the_change() -> None:
    """By a sign at its beginning: Slack drops spaces there; words are joined as the reader's language does."""
    blocks = json.dumps(log_message(LOG, (MINE, HERE), ID, address=ADDRESS).blocks, ensure_ascii=False)
    assert "\\n↳ you: " in blocks
    assert "⚠️ 2 steps failed: mark-duplicates" in blocks
    with speaking(Language.CHINESE):
        blocks = json.dumps(log_message(LOG, (MINE, HERE), ID, address=ADDRESS).blocks, ensure_ascii=False)
    assert "⚠️ 2 个步骤失败：mark-duplicates" in blocks
