"""Every error that is known becomes its sentence.

Lives here: the list of them, held to `bot.errors`. Does not live here: the sentences
(`tests/unit/blocks/test_sentences.py`). Called by pytest.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot import errors
from bot.blocks.sentences import sentence
from bot.errors import (
    BotError,
    ExecutionGone,
    ExecutionNotFound,
    GCSAbsent,
    GCSActionForbidden,
    GCSActionRefused,
    GCSBadCredentials,
    GCSError,
    GCSForbidden,
    GCSListForbidden,
    GCSMalformed,
    GCSMisdirected,
    GCSRequestRefused,
    GCSThrottled,
    GCSTooLarge,
    GCSTooLate,
    GCSUnavailable,
    InputProblem,
    InvalidInput,
    MessageGone,
    NotAllowed,
    NotEditable,
    OutcomeUnknown,
    PayloadRejected,
    PortUnavailable,
    RateLimited,
    SettingsInvalid,
    SlackBadCredentials,
    SlackError,
    SlackSuspended,
    SlackUnavailable,
    StateDirInUse,
    StoreFull,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
    TooManyRequests,
    TooManyRules,
    TooManySubscriptions,
    Undeliverable,
    UnknownRefusal,
)
from bot.gcs.breaker import BreakerOpen
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID

EVERY_ERROR = [
    BotError("what"),
    InvalidInput(InputProblem.NOT_AN_ID),
    NotAllowed(InputProblem.GUEST),
    SettingsInvalid(["A is missing"]),
    StateDirInUse(["A is missing"]),
    PortUnavailable("127.0.0.1", 80, "in use"),
    StoreUnavailable("gone"),
    StoreFull("OOM"),
    StoreReadOnly("READONLY"),
    StoreNotOurs({"team": ("T2", "T1")}),
    ExecutionNotFound("404"),
    ExecutionGone("410"),
    GCSForbidden("403"),
    GCSListForbidden("403"),
    GCSActionForbidden("403"),
    GCSBadCredentials("401"),
    BreakerOpen("waiting"),
    GCSMisdirected("APIGW.0101"),
    GCSThrottled("429", retry_after=timedelta(seconds=5)),
    GCSUnavailable("503"),
    GCSAbsent("404"),
    GCSTooLate("4 s"),
    GCSMalformed("no execution"),
    GCSRequestRefused("400"),
    GCSActionRefused("400", code="GCS.4000003"),
    GCSTooLarge(4 << 20),
    TooManyRequests(timedelta(seconds=2)),
    TooManySubscriptions(100, is_person=True),
    TooManySubscriptions(200, is_person=False),
    TooManyRules(20, is_person=True),
    RateLimited(timedelta(seconds=5)),
    Undeliverable("is_archived"),
    MessageGone("message_not_found"),
    NotEditable("cant_update_message"),
    UnknownRefusal("a_code_of_next_year"),
    SlackSuspended("ekm_access_denied"),
    PayloadRejected("invalid_blocks"),
    OutcomeUnknown("no_answer"),
    SlackUnavailable("no_connection"),
    SlackBadCredentials("invalid_auth"),
]


def test_no_error_is_forgotten() -> None:
    """`EVERY_ERROR` has every error that `bot.errors` declares."""
    declared = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BotError)}
    bases: set[type[BotError]] = {GCSError, SlackError}
    assert declared <= bases | {type(error) for error in EVERY_ERROR}


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
async def test_every_known_error_becomes_its_sentence(world: World, error: BotError) -> None:
    """The person reads the error's own sentence, and the request was acked."""
    world.subscriptions.error = error
    response = await world.command(ID)
    assert response.status == 200
    assert sentence(error) in world.reply
