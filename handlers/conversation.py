"""What people type to the bot in its direct messages, or after its name in a channel: the same words as a command's.

Lives here: which events are a person's words to the bot, which part of them is the command, and that rubbish is
answered once. Does not live here: what the words mean and do (`handlers.parsing`, `handlers.commands`), where the
answer goes (`handlers.answers`). Called by Bolt, through the middleware.

Two bots that answer each other would never end, and people talk in channels about the bot as well as to it. So words of
other apps, of this one, and all that is not a new message are not heard. What is no command is explained once in
`HELPED` to each person in each conversation, and then not answered; what is one is always answered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from html import unescape
from typing import Any, Protocol

import structlog

from bot.blocks.conversation import not_understood
from bot.blocks.sentences import sentence
from bot.errors import BotError, GCSError, InputProblem, InvalidInput, StoreUnavailable
from bot.slack.client import Identity
from bot.slack.workspace import Workspace
from handlers.answers import answer
from handlers.parsing import is_attempt, is_prose
from handlers.request import TYPED, Request
from handlers.typed import ID, MAX_WORD
from handlers.vocabulary import COMMAND

HELPED = timedelta(hours=1)
"""How long a conversation stays without another reply that says that a person was not understood."""

CHECK_SECONDS = 1.0
"""How long the store may take to say whether there was such a reply; until it says so, there is none."""

_PERSON = re.compile(r"[UW][A-Z0-9]{1,63}")
_CONVERSATION = re.compile(r"[CDG][A-Z0-9]{1,63}")
_DIRECT = "D"
_TS = re.compile(r"\d{1,16}\.\d{1,9}")
_SLACKBOT = "USLACKBOT"
_KINDS = frozenset({None, "", "file_share"})
"""Subtypes of a new message of a person. All others are edits, deletions, joins, broadcasts from threads, and so on."""

_BOTS = ("bot_id", "bot_profile", "app_id", "hidden", "edited")
"""Fields of which none is in a new message that a person has typed."""

_MENTION = re.compile(r"<@[A-Z0-9]+(?:\|[^<>]*)?>")
_LABELLED = re.compile(r"<(?![@#!])([^<>|]*)\|([^<>]*)>")

_NOT_UNDERSTOOD = frozenset(
    {
        *(InputProblem.UNKNOWN_WORD, InputProblem.MISSING_VERB, InputProblem.SEVERAL_VERBS, InputProblem.MISSING_ID),
        *(InputProblem.UNWANTED_ID, InputProblem.HERE_AND_ME, InputProblem.SEVERAL_LEVELS, InputProblem.NOT_NAMED),
        *(InputProblem.UNWANTED_LEVEL, InputProblem.WHICH_LANGUAGE, InputProblem.ELSEWHERE),
    }
)
"""Problems that prose has as well. All others only a command can have."""

log = structlog.get_logger()


Listener = Callable[[Request], Awaitable[None]]
"""What answers `request.text` as a slash command."""


class Once(Protocol):
    """Where all copies of the bot remember what was done."""

    async def is_first(self, team_id: str, identity: str, *, within: timedelta) -> bool:
        """Whether this is the first time `within` that span; notes it."""


def is_heard(event: Any, identity: Identity) -> bool:
    """Whether an event is something that a person has typed to the bot just now."""
    if not isinstance(event, dict) or event.get("type") not in TYPED:
        return False
    subtype, user, channel = event.get("subtype"), event.get("user"), event.get("channel")
    if not (subtype is None or isinstance(subtype, str)) or subtype not in _KINDS or any(map(event.get, _BOTS)):
        return False
    if not (_is(_PERSON, user) and _is(_CONVERSATION, channel) and _is(_TS, event.get("ts"))):
        return False
    if user in {_SLACKBOT, identity.bot_user_id} or not isinstance(event.get("text"), str):
        return False
    return event["type"] == "app_mention" or str(channel).startswith(_DIRECT)


def line_of(event: Mapping[str, Any], bot_user_id: str) -> str:
    """The command in what was typed: what follows the bot's name, or precedes it where nothing follows.

    In direct messages the name may be missing. Slack has escaped the text, and made links of what looks like one.
    """
    text = str(event.get("text") or "")
    before, name, after = text.partition(f"<@{bot_user_id}>")
    if name:
        text = after if _without_marks(after) else before
    line = _without_marks(text)
    verb, _, rest = line.partition(" ")
    return rest.strip() if verb == COMMAND else line


async def said(request: Request, *, listener: Listener, once: Once, workspace: Workspace) -> None:
    """Answer what was typed, or explain once what can be typed.

    Raises:
        BotError: as for a command; `is_answered` where the person gets no other reply.
    """
    line = request.text = line_of(request.body["event"], workspace.identity.bot_user_id)
    try:
        await _work_on(request, listener)
    except (InvalidInput, GCSError) as error:
        if not _is_rubbish(line, error):
            raise
        request.is_answered = True
        if await is_news(request, once, workspace, about="help"):
            await answer(request, not_understood(sentence(error)), workspace)
        raise


async def _work_on(request: Request, listener: Listener) -> None:
    """As a command, unless it is prose: GCS's list need not be searched for that.

    Raises:
        BotError: as for a command.
    """
    if is_prose(request.text) and not is_attempt(request.text):
        raise InvalidInput(InputProblem.NOT_NAMED, word=request.text[:MAX_WORD])
    await listener(request)


async def is_news(request: Request, once: Once, workspace: Workspace, *, about: str) -> bool:
    """Whether a reply `about` something is due: the last one in this conversation is an hour old; notes a new one."""
    words = f"{about}/{request.channel_id}/{request.user_id}"
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await once.is_first(workspace.team_id, sha256(words.encode()).hexdigest(), within=HELPED)
    except (StoreUnavailable, TimeoutError):
        return False


def _is_rubbish(text: str, error: BotError) -> bool:
    """Whether what failed was probably no command."""
    if isinstance(error, InvalidInput) and (error.problem not in _NOT_UNDERSTOOD or "line" in error.values):
        return False
    return not is_attempt(text)


def _without_marks(text: str) -> str:
    """The words as they were typed: no mentions, links as their labels, `&`, `<` and `>` as such."""
    return " ".join(unescape(_LABELLED.sub(_as_typed, _MENTION.sub(" ", text))).split())


def _as_typed(link: re.Match[str]) -> str:
    """The label of what Slack has made a link of; a link whose address alone has an id stays as it is."""
    address, label = link[1], link[2]
    return label if label in address and (ID.search(label) or not ID.search(address)) else link[0]


def _is(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
