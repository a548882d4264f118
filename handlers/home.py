"""Publishing a person's Home tab.

Lives here: `publish_home`, `renew_home`, and what can be pressed and chosen there. Does not live here: when a Home is
renewed (`handlers.live`). Called by the listener of the event that opens it, and by those that change what it shows.
"""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha256

from bot.audit import audit
from bot.blocks import buttons, home_tab, parse_page, replies
from bot.blocks.home import AS_OF
from bot.blocks.language import Language, speaking
from bot.blocks.message import Block
from bot.domain.following import Level, Subscriber
from bot.errors import InputProblem, InvalidInput
from bot.slack.calls import NO_PATIENCE, PATIENCE, call
from bot.slack.channels import channels_of
from bot.slack.open_homes import OpenHome
from bot.slack.responses import respond
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.request import Request


async def publish_home(asker: Subscriber, subscriptions: Subscriptions, workspace: Workspace, *, page: int = 0) -> None:
    """Show `asker` a page of their Home tab, which is kept up to date from then on for a while."""
    home = workspace.homes.seen(asker.id, page)
    async with home.lock:
        workspace.homes.hurry(asker.id)  # unless it is published now
        view = await _drawn(asker, subscriptions, workspace, page)
        await _publish(asker, home, view, workspace)


async def renew_home(
    person: Subscriber, home: OpenHome, subscriptions: Subscriptions, workspace: Workspace, *, is_last: bool = False
) -> None:
    """Show on a Home that is open what is new; if `is_last`, that it is not kept up to date any more.

    Raises:
        SlackError: Slack does not take it, for example because another copy of the bot has published it since.
    """
    async with home.lock:
        view = await _drawn(person, subscriptions, workspace, home.page, is_live=not is_last)
        if is_last or digest(view) != home.shown:
            await _publish(person, home, view, workspace, version=home.version, patience=NO_PATIENCE)


async def _drawn(
    person: Subscriber, subscriptions: Subscriptions, workspace: Workspace, page: int, *, is_live: bool = True
) -> Block:
    channels = await channels_of(workspace, person.id)
    if channels is not None:  # where the bot may not be used, it shows nobody what is followed
        channels = frozenset(filter(workspace.rules.allows_channel, channels))
    home = await subscriptions.home(person, channels, zone=await workspace.languages.zone(person.id))
    language = await workspace.languages.chosen(workspace.team_id, person.id)
    return home_tab(home, now=workspace.now(), page=page, language=language, is_live=is_live)


async def _publish(
    person: Subscriber,
    home: OpenHome,
    view: Block,
    workspace: Workspace,
    *,
    version: str = "",
    patience: timedelta = PATIENCE,
) -> None:
    home.version = await call(
        workspace,
        "views.publish",
        lambda: workspace.slack.publish_home(person.id, view, version=version),
        patience=patience,
    )
    home.shown = digest(view)
    workspace.homes.put_off(home)


def digest(view: Block) -> str:
    """Equal for two Homes that differ in the time only at which they were drawn."""
    blocks = [block for block in view["blocks"] if block.get("block_id") != AS_OF]
    return sha256(json.dumps(blocks, sort_keys=True).encode()).hexdigest()


async def publish_again(request: Request, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Show the page of the Home tab that the person sees who has pressed something there."""
    page = parse_page(request.private_metadata)
    await publish_home(request.asker, subscriptions, workspace, page=page)


async def show_home_page(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Previous` and `Next` on the Home tab. A page that is none is moved into those that there are."""
    page = int(request.action_value) if request.action_value.isdecimal() and len(request.action_value) < 5 else 0  # noqa: PLR2004
    await publish_home(request.asker, subscriptions, workspace, page=page)


async def choose_my_level(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """The level for what the person follows from now on without naming one."""
    known = [level for level in Level if level.value == request.action_value]
    if not known:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    await subscriptions.choose_level(request.asker, known[0])
    await publish_again(request, subscriptions, workspace)


async def choose_language(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """The language in which the person reads everything from now on, and at once what they have chosen it in."""
    value, asker = request.action_value, request.asker
    if value != buttons.AUTO and value not in set(Language):
        raise InvalidInput(InputProblem.WHICH_LANGUAGE, verb="language")
    chosen = Language(value) if value != buttons.AUTO else None
    with speaking(await workspace.languages.choose(asker.team_id, asker.id, chosen)):
        audit("language.chosen", subscriber=asker.id, language=value)
        if request.is_at_home:
            await publish_again(request, subscriptions, workspace)
        else:
            await respond(workspace.slack, request.response_url, replies.help_text(chosen), replace=True)
