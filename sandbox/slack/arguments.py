"""The arguments of a call, from JSON, a form or the query string.

Does not live here: what they mean (the methods). Called by `web_api` and the methods.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from sandbox.slack.refusal import Refused

Args = dict[str, Any]
_JSON_KEYS = {"blocks", "metadata", "view", "attachments"}


async def arguments(request: web.Request) -> Args:
    """All arguments of a request."""
    found: Args = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        found |= _decoded(body, "invalid_json") if body else {}
    else:
        found |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    for key in _JSON_KEYS & found.keys():
        if isinstance(found[key], str):
            found[key] = _decoded(found[key], f"invalid_{key}_format" if key != "view" else "invalid_arguments")
    return found


def is_on(args: Args, key: str) -> bool:
    """Whether a flag is set, in any spelling that clients use."""
    return args.get(key) in (True, "true", "True", "1")


def integer(args: Args, key: str, default: int) -> int:
    """A whole number."""
    try:
        return int(args.get(key) or default)
    except (TypeError, ValueError):
        raise Refused("invalid_arguments") from None


def _decoded(text: str, code: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Refused(code) from None
