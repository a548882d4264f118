"""Answers of GCS that were changed at random: what they mean can be shown and stored, or they are refused cleanly."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import replies
from bot.blocks.sentences import sentence
from bot.domain import observing
from bot.domain.cadence import Cadence
from bot.domain.change import Change, ChangeKind
from bot.domain.execution import Execution
from bot.domain.following import Level
from bot.domain.snapshot import Snapshot
from bot.errors import BotError, GCSMalformed
from bot.gcs.errors import gcs_error
from bot.gcs.fingerprint import fingerprint_of
from bot.gcs.http import Response
from bot.gcs.known import Listing
from bot.gcs.listed_ids import parse_listed_ids
from bot.gcs.listing import Page, PageReader, parse_page
from bot.gcs.tables import GetExecutionResponse, find_listed
from bot.store.rows import BYTES
from bot.store.snapshots import first_text, snapshot_of
from sandbox.slack import blockkit
from tests.fuzz.mutations import encoded, mutated, values
from tests.fuzz.profiles import examples
from tests.unit.blocks.test_hostile import CALLS, OURS, messages, views
from tests.unit.blocks.world import NOW, shown, subscription
from tests.unit.gcs.conftest import FAILED_ID, ID, body_of

NAMES = ("running", "complete", "cromwell", "succeeded", "failed", "pending")
ANSWERS: dict[str, Any] = {name: json.loads(body_of(name)) for name in NAMES}
REFUSED: Any = json.loads(body_of("refused"))
CADENCE = Cadence(poll=timedelta(seconds=10), retry_grace=timedelta(hours=1), staleness=timedelta(minutes=10))

names = st.sampled_from(NAMES)


def asked(name: str) -> str:
    """The id of one of the reference's executions."""
    return FAILED_ID if name == "failed" else ID


def parsed(body: bytes, name: str) -> GetExecutionResponse | None:
    """An answer as the client reads it; None when it is refused with a sentence."""
    try:
        return GetExecutionResponse.parse(body, requested_id=asked(name))
    except GCSMalformed as error:
        assert_sentence(error)
        return None


def assert_sentence(error: BotError) -> None:
    """An error has a sentence that Slack takes, and that mentions nobody."""
    reply = replies.error_reply(sentence(error))
    assert blockkit.problems(list(reply.blocks), "message") == []
    assert 0 < len(reply.text) < 1_000
    assert not CALLS.search(reply.text)


def assert_shown(seen: Snapshot, change: Change) -> None:
    """Slack takes every message and view about a snapshot, and they mention nobody."""
    link = subscription("C123", level=Level.STEPS)
    for message in messages(seen, link, change):
        assert blockkit.problems(list(message.blocks), "message") == []
        everything = shown(message.blocks) + message.text
        assert not set(OURS.sub("", everything)) & set("<>\u202e\u200b\x00")
        assert not CALLS.search(everything)
    for view in views(seen, link, change):
        assert blockkit.view_problems(view) == []


def polled(before: Execution, seen: Execution) -> tuple[Snapshot, Change]:
    """What a poll means that sees one execution after the other, and the change that people would read."""
    first = observing.first_snapshot(before, now=NOW, cadence=CADENCE)
    verdict = observing.observe(first, seen, now=NOW + timedelta(minutes=1), cadence=CADENCE)
    change = verdict.changes[0] if verdict.changes else Change(kind=ChangeKind.PROGRESS, revision=1, at=NOW)
    return verdict.snapshot, change


@examples(120)
@given(st.data(), names)
def test_an_answer_is_shown_or_refused(data: st.DataObject, name: str) -> None:
    """A changed answer becomes an execution that can be stored and shown, or a clean refusal; nothing else."""
    response = parsed(data.draw(encoded(data.draw(mutated(ANSWERS[name], list(ANSWERS.values()))))), name)
    if response is None:
        return
    usual = GetExecutionResponse.parse(body_of(name), requested_id=asked(name)).to_execution()
    execution = response.to_execution()
    for before, after in ((usual, execution), (execution, usual), (execution, execution)):
        seen, change = polled(before, after)
        assert_shown(seen, change)
    seen, _ = polled(usual, execution)
    stored = first_text(seen, fingerprint_of(response)).encode(errors=BYTES)
    assert snapshot_of(stored.decode(errors=BYTES)).execution == seen.execution


@examples(80)
@given(st.data(), st.lists(names, min_size=1, max_size=4), st.integers(1, 300))
def test_a_list_is_read_or_refused(data: st.DataObject, listed: list[str], size: int) -> None:
    """A changed page is read the same in pieces and as a whole, or refused; so are the other readers of lists."""
    page = {"executions": [ANSWERS[name] for name in listed], "count": len(listed)}
    body = data.draw(encoded(data.draw(mutated(page, list(ANSWERS.values())))))
    results: list[Any] = []
    for pieces in ([body], [body[at : at + size] for at in range(0, len(body), size)]):
        reader = PageReader()
        try:
            for piece in pieces:
                reader.feed(piece)
            results.append(reader.page())
        except GCSMalformed as error:
            assert_sentence(error)
            results.append(None)
    assert results[0] == results[1]
    if results[0] is not None:
        assert states(parse_page(body, before(results[0]))) == states(results[0])
    for read in (parse_listed_ids, lambda text: find_listed(text, ID)):
        try:
            read(body)
        except GCSMalformed as error:
            assert_sentence(error)


def states(page: Page) -> list[tuple[str, str]]:
    """What a page says about each execution."""
    return [(item.execution_id, item.state) for item in page.items]


def before(page: Page) -> Listing:
    """A page as an earlier reading of the same list."""
    return Listing.of(page.items, page.runs)


@examples(80)
@given(st.data(), st.sampled_from([400, 401, 403, 404, 410, 413, 429, 500, 502, 503]), st.text(max_size=20))
def test_a_refusal_has_a_sentence(data: st.DataObject, status: int, wait: str) -> None:
    """Any body of a refusal is understood as an error that people can read."""
    body = data.draw(encoded(data.draw(st.one_of(mutated(REFUSED), values))))
    headers = [(b"retry-after", wait.encode("utf-8", "replace").replace(b"\n", b"").replace(b"\r", b""))]
    assert_sentence(gcs_error(Response(status, httpx.Headers(headers), body)))
