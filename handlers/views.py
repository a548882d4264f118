"""Buttons inside modals: pages of steps, the level of a subscription and its mute, the channel to share with.

Lives here: one function for each button that a modal shows. Does not live here: buttons of messages and of the Home tab
(`handlers.actions`). Called by Bolt, through the middleware.
"""

from __future__ import annotations

import re

from bot.blocks import About, StepsPage, levels_modal, parse_metadata, share, steps_modal
from bot.blocks.buttons import IN_CHANNEL, IN_THREAD, NO_MUTE, REFRESH_STEPS, parse_span
from bot.blocks.language import speaking
from bot.blocks.message import Block
from bot.domain.following import Level, Subscriber, Subscription
from bot.domain.snapshot import Snapshot
from bot.errors import InputProblem, InvalidInput
from bot.slack.channels import check_may_see, check_membership
from bot.slack.workspace import Workspace
from bot.subscriptions import Subscriptions
from handlers.modals import show
from handlers.request import Request
from handlers.sharing import share_with_channel


async def show_page(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Show the page that `Previous`, `Next` or `Refresh` of the steps modal names."""
    asker, execution_id = request.asker, _execution_id(request)
    request.execution_id = execution_id
    is_refresh = request.body["actions"][0].get("action_id") == REFRESH_STEPS
    summary = await subscriptions.summary(workspace.team_id, execution_id, asker.id, is_refresh=is_refresh)
    view = steps_modal(summary.snapshot, page=_page(request), execution_id=execution_id)
    await show(request, workspace, view)


async def choose_level(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Choose` beside a level: the subscription has it from now on, and the modal shows so."""
    subscriber, execution_id = await _about(request, workspace)
    known = [level for level in Level if level.value == request.action_value]
    if not known:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    done = await subscriptions.change_level(subscriber, execution_id, known[0], by=request.asker.id)
    await _show_levels(request, done.subscription, done.snapshot, workspace)


async def choose_success(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """Where a channel reads of a success: also outside the thread, or in it only."""
    subscriber, execution_id = await _about(request, workspace)
    if subscriber.is_person or request.action_value not in {IN_CHANNEL, IN_THREAD}:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    done = await subscriptions.announce_success(
        subscriber, execution_id, is_wanted=request.action_value == IN_CHANNEL, by=request.asker.id
    )
    await _show_levels(request, done.subscription, done.snapshot, workspace)


async def choose_mute(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """A choice in `Mute …`, or `Unmute`: it is so from now on, and the modal shows so."""
    subscriber, execution_id = await _about(request, workspace)
    asker, chosen = request.asker, parse_span(request.action_value)
    if chosen is not None:
        zone = await workspace.languages.zone(asker.id)
        done = await subscriptions.quiet.mute(subscriber, execution_id, *chosen, by=asker.id, zone=zone)
    elif request.action_value == NO_MUTE:
        done = await subscriptions.quiet.unmute(subscriber, execution_id, by=asker.id)
    else:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    await _show_levels(request, done.subscription, done.snapshot, workspace)


async def _show_levels(
    request: Request, subscription: Subscription, snapshot: Snapshot | None, workspace: Workspace
) -> None:
    await show(request, workspace, levels_modal(subscription, snapshot, now=workspace.now()))


def sharing(request: Request) -> Block:
    """What the modal shows from its submission on, in its own language."""
    try:
        language = parse_metadata(request.private_metadata, share.Sharing).language
    except ValueError:
        return share.sharing_modal()
    with speaking(language):
        return share.sharing_modal()


async def share_into(request: Request, *, subscriptions: Subscriptions, workspace: Workspace) -> None:
    """`Share` in its modal: in the channel that was chosen, as if it had been pressed there.

    Raises:
        InvalidInput: no channel was chosen, or one that the person is not in.
    """
    try:
        execution_id = parse_metadata(request.private_metadata, share.Sharing).execution_id
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None
    request.execution_id = execution_id
    if not (request.channel_id and workspace.slack.is_response_url(request.response_url)):
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    await check_membership(workspace, request.channel_id, request.asker.id)
    await share_with_channel(request, execution_id, subscriptions, workspace)
    await show(request, workspace, share.shared_modal(request.channel_id))


async def _about(request: Request, workspace: Workspace) -> tuple[Subscriber, str]:
    """Whose subscription to what the modal is about: of the person who presses, or of a channel that they see.

    The modal was opened from a message in that channel, but nobody decides for one that they have left since then.

    Raises:
        InvalidInput: the button was not pressed in a modal of ours, or the channel is not theirs.
    """
    try:
        about = parse_metadata(request.private_metadata, About)
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None
    request.execution_id, asker = about.execution_id, request.asker
    subscriber = Subscriber(team_id=asker.team_id, id=about.subscriber_id)
    if subscriber.is_person or not subscriber.id:
        return asker, about.execution_id
    await check_may_see(workspace, subscriber.id, asker.id)
    return subscriber, about.execution_id


def _execution_id(request: Request) -> str:
    """The execution that the modal shows.

    Raises:
        InvalidInput: the button was not pressed in a modal of ours.
    """
    try:
        return parse_metadata(request.private_metadata, StepsPage).execution_id
    except ValueError:
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON) from None


def _page(request: Request) -> int:
    """The page that the button names.

    Raises:
        InvalidInput: it names none.
    """
    value = request.action_value or "0"
    if not re.fullmatch(r"-?\d{1,4}", value, re.ASCII):
        raise InvalidInput(InputProblem.UNKNOWN_BUTTON)
    return int(value)
