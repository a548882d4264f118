"""What Slack sends, read and checked before Bolt and the listeners rely on it.

Lives here: `parsed` (the body of an HTTP request), `checked` (the shape of a payload), `identity` (what makes two
requests the same). Does not live here: whether a request is Slack's (`signatures`), who asks (`handlers.request`).
Called by the siblings; pure.

Only fields that somebody reads are checked; unknown fields and kinds are passed on as they are.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, Field, StringConstraints, model_validator

_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,64}$")]
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,63}")
_Text = Annotated[str, StringConstraints(max_length=40_000)]
_Word = Annotated[str, StringConstraints(max_length=3_000)]

_HALF = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON can hold, but neither UTF-8 nor the store can."""

_MAX_FIELDS = 100
"""At most this many fields in a form; Slack's commands have about 15."""


class Malformed(ValueError):
    """Nothing that Slack sends."""


class _Named(BaseModel):
    """A person, a channel, a workspace or an organisation."""

    id: _Id | None = None
    team_id: _Id | None = None


class _Container(BaseModel):
    channel_id: _Id | None = None


class _Option(BaseModel):
    value: _Word | None = None


class _Action(BaseModel):
    action_id: _Word | None = None
    value: _Word | None = None
    selected_option: _Option | None = None


class _View(BaseModel):
    id: _Id
    type: _Word
    callback_id: _Word | None = ""
    private_metadata: _Word | None = ""
    app_installed_team_id: _Id | None = None


class _Event(BaseModel):
    """Its other fields depend on its type; those of the Home tab and of shared channels are read."""

    type: _Word
    user: _Id | dict[str, Any] | None = None
    tab: _Word | None = None
    channel: Any = None

    @property
    def is_whole(self) -> bool:
        """Whether it has what is read of an event of its type."""
        if self.type == "app_home_opened":
            return isinstance(self.user, str)
        if self.type in {"channel_shared", "channel_unshared"}:
            return isinstance(self.channel, str) and _CHANNEL.fullmatch(self.channel) is not None
        return True


class _Payload(BaseModel):
    """The fields that the listeners, Bolt or `identity` read."""

    type: _Word | None = None
    command: _Word | None = None
    text: _Text | None = None
    user: _Named | None = None
    user_id: _Id | None = None
    team: _Named | None = None
    team_id: _Id | None = None
    enterprise: _Named | None = None
    enterprise_id: _Id | None = None
    channel: _Named | None = None
    channel_id: _Id | None = None
    container: _Container | None = None
    view: _View | None = None
    actions: list[_Action] | None = None
    event: _Event | None = None
    event_id: _Word | None = None
    trigger_id: _Word | None = None
    response_url: _Word | None = None
    response_urls: list[dict[str, Any]] = Field(default_factory=list)
    authorizations: list[dict[str, Any]] | None = None
    callback_id: _Word | None = None
    action_id: _Word | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        match self.type:
            case "block_actions":
                is_whole = bool(self.actions) and all(each.action_id for each in self.actions or ())
            case "event_callback":
                is_whole = self.event is not None and self.event.is_whole
            case "view_submission" | "view_closed":
                is_whole = self.view is not None
            case _:
                is_whole = True
        if not is_whole:
            raise ValueError("a field is missing")
        return self


def parsed(body: bytes, content_type: str) -> Any:
    """The payload in the body of a request: JSON, a form, or JSON in the field `payload` of a form.

    Raises:
        Malformed: it is none of them.
    """
    try:
        text = body.decode()
        if content_type == "application/json":
            return json.loads(text)
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
        return json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError):
        raise Malformed from None


def checked(payload: Any) -> dict[str, Any]:
    """The payload, if it has the shape that all later code relies on; half a character in it becomes U+FFFD.

    Raises:
        Malformed: it does not.
    """
    try:
        _Payload.model_validate(payload)
        text = json.dumps(payload, ensure_ascii=False)
        found: dict[str, Any] = json.loads(_HALF.sub("\ufffd", text)) if _HALF.search(text) else payload
    except (ValueError, RecursionError):
        raise Malformed from None
    return found


def identity(payload: dict[str, Any]) -> str:
    """Equal for two deliveries of the same request: Slack's repetition of an event, or a replay by somebody else.

    Slack repeats an event with the same id in another envelope. It may send what somebody has typed twice, as a mention
    and as a message, so there channel and time are compared. Each command and each press has a trigger and a time of
    its own, so there the whole payload is compared.

    Raises:
        Malformed: it is nested too deeply to compare.
    """
    is_event = payload.get("type") == "event_callback" and payload.get("event_id")
    try:
        compared = json.dumps((_typed(payload) or payload["event_id"]) if is_event else payload, sort_keys=True)
    except (RecursionError, ValueError):
        raise Malformed from None
    return sha256(compared.encode()).hexdigest()


def _typed(payload: dict[str, Any]) -> list[str]:
    """Channel and time of what somebody has typed; empty for other events.

    A message in a channel does not count: the bot ignores it, and the mention in it must not look like its repetition.
    """
    event = payload.get("event") or {}
    channel, ts, kind = event.get("channel"), event.get("ts"), event.get("type")
    if not (isinstance(channel, str) and isinstance(ts, str)) or event.get("subtype"):
        return []
    is_typed = kind == "app_mention" or (kind == "message" and channel.startswith("D"))
    return [channel, ts] if is_typed else []
