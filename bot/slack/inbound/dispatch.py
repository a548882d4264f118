"""From a checked payload to Bolt's response, in both modes.

Called by `http_mode` and `socket_mode`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.slack.inbound.payloads import Malformed, identity

IDENTITY = "request_identity"
"""Where listeners find in Bolt's context what makes two requests the same (`payloads.identity`)."""

_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What Bolt raises when it reads a field of another type than it expects; listeners run elsewhere."""


async def dispatch(app: AsyncApp, payload: dict[str, Any]) -> BoltResponse:
    """Bolt's response to a payload whose origin and shape were checked.

    Raises:
        Malformed: Bolt cannot read it, here or when it looks for a listener (`handlers.App` answers 400 then).
    """
    context = {IDENTITY: identity(payload)}
    try:
        # Bolt takes a parsed payload in this mode only; it changes nothing else but the check of the signature.
        request = AsyncBoltRequest(body=payload, context=context, mode="socket_mode")
        response = await app.async_dispatch(request)
    except _UNREADABLE:
        raise Malformed from None
    if response.status == HTTPStatus.BAD_REQUEST:
        raise Malformed
    return response
