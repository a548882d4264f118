"""Promises of `bot.slack.inbound.signatures`: only what Slack signed lately is served, and nothing crashes."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies
from multidict import CIMultiDict
from slack_sdk.signature import SignatureVerifier

from bot.slack.inbound.signatures import Refusal, refusal

SECRET, BODY, NOW = "8f742231b10e8888abcd99yyyzzz85a5", b"command=%2Fexecution&text=help", 1_800_000_000.0


def signed(body: bytes = BODY, *, at: str = str(int(NOW)), secret: str = SECRET) -> CIMultiDict[str]:
    """Headers as Slack sends them, made by the SDK."""
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
    return CIMultiDict({"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(signature)})


def without(name: str) -> CIMultiDict[str]:
    """Good headers but one."""
    headers = signed()
    del headers[name]
    return headers


def twice(name: str, value: str) -> CIMultiDict[str]:
    """Good headers, and one of them once more in front."""
    return CIMultiDict([(name, value), *signed().items()])


def changed(**values: str) -> CIMultiDict[str]:
    """Good headers with other values."""
    return CIMultiDict({**signed(), **{name.replace("_", "-"): value for name, value in values.items()}})


GOOD = signed()["X-Slack-Signature"]

CASES: list[tuple[str, CIMultiDict[str], Refusal | None]] = [
    ("good", signed(), None),
    ("just young enough", signed(at=str(int(NOW) - 300)), None),
    ("just too old", signed(at=str(int(NOW) - 301)), Refusal.STALE),
    ("from the future", signed(at=str(int(NOW) + 301)), Refusal.STALE),
    ("no headers", CIMultiDict(), Refusal.UNSIGNED),
    ("no signature", without("X-Slack-Signature"), Refusal.UNSIGNED),
    ("no timestamp", without("X-Slack-Request-Timestamp"), Refusal.UNSIGNED),
    ("bad before good", twice("X-Slack-Signature", "v0=" + "0" * 64), Refusal.AMBIGUOUS),
    ("good twice", twice("x-slack-signature", GOOD), Refusal.AMBIGUOUS),
    ("two timestamps", twice("X-Slack-Request-Timestamp", "1"), Refusal.AMBIGUOUS),
    ("another secret", signed(secret="0" * 32), Refusal.WRONG_SIGNATURE),
    ("another body", signed(b"command=%2Fexecution&text=list"), Refusal.WRONG_SIGNATURE),
    ("old and not ours", signed(at="1", secret="0" * 32), Refusal.WRONG_SIGNATURE),
    ("capitals", changed(X_Slack_Signature=GOOD.upper()), Refusal.MALFORMED_HEADER),
    ("without version", changed(X_Slack_Signature=GOOD[3:]), Refusal.MALFORMED_HEADER),
    ("not ASCII", changed(X_Slack_Signature="v0=" + "é" * 64), Refusal.MALFORMED_HEADER),
    ("surrogates", changed(X_Slack_Signature="v0=\udcff"), Refusal.MALFORMED_HEADER),
    *(
        (f"timestamp {value[:9]!r}", changed(X_Slack_Request_Timestamp=value), Refusal.MALFORMED_HEADER)
        for value in ("nan", "inf", "abc", "", " ", "-1", "1.5", "1e9", "9" * 400, "١٢٣", "0x10", "1_0")
    ),
]


@pytest.mark.parametrize(("headers", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_request_has_its_reason(headers: CIMultiDict[str], expected: Refusal | None) -> None:
    """What Slack signed lately is served; everything else is refused for a reason of its own."""
    assert refusal(SECRET, headers, BODY, now=NOW) is expected


@hypothesis.given(strategies.binary(max_size=200))
def test_signatures_cover_all_bytes(body: bytes) -> None:
    """A body need not be text to be verified, and any change to it is found."""
    headers = CIMultiDict({"X-Slack-Request-Timestamp": "1800000000", "X-Slack-Signature": "v0=" + "0" * 64})
    assert refusal(SECRET, headers, body, now=NOW) is Refusal.WRONG_SIGNATURE


@hypothesis.given(strategies.text(), strategies.text())
def test_no_header_raises(timestamp: str, signature: str) -> None:
    """Whatever the headers are, the answer is a reason."""
    headers = CIMultiDict({"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature})
    assert refusal(SECRET, headers, BODY, now=NOW) is not None
