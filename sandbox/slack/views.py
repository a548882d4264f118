"""The Web API's `views.*`: modals, at most three on top of each other, and Home tabs.

Does not live here: what the response to a submission does (`interactions`). Called through the `catalogue`.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.slack.arguments import Args
from sandbox.slack.blockkit import view_problems
from sandbox.slack.passes import Passes
from sandbox.slack.refusal import Refused, invalid
from sandbox.slack.rows import view_row
from sandbox.slack.state import View, Workspace

DEPTH = 3
"""At most this many modals on top of each other."""

MOST_BYTES = 250_000
"""At most this many bytes in one view, as JSON."""


def open_view(workspace: Workspace, args: Args, passes: Passes) -> dict[str, Any]:
    """views.open: replaces all open modals of that person."""
    body = _checked(args, "modal")
    _check_external_id(workspace, body)
    user = passes.redeem_trigger(args.get("trigger_id"))
    workspace.modals[user] = []
    return {"view": view_row(workspace, put_on_top(workspace, user, body))}


def push(workspace: Workspace, args: Args, passes: Passes) -> dict[str, Any]:
    """views.push: on top of the open modal."""
    body = _checked(args, "modal")
    _check_external_id(workspace, body)
    user = passes.redeem_trigger(args.get("trigger_id"))
    if not workspace.modals.get(user):
        raise Refused("not_found")
    return {"view": view_row(workspace, put_on_top(workspace, user, body))}


def update(workspace: Workspace, args: Args, _passes: Passes) -> dict[str, Any]:
    """views.update: by view_id or by the app's external_id."""
    modals = [view for stack in workspace.modals.values() for view in stack]
    wanted = args.get("view_id"), args.get("external_id")
    view = next((each for each in modals if each.id == wanted[0] or _external(each) == wanted[1]), None)
    if view is None:
        raise Refused("not_found")
    body = _checked(args, "modal")
    _check_external_id(workspace, body, view)
    _check_hash(view, args)
    change(workspace, view, body)
    return {"view": view_row(workspace, view)}


def publish(workspace: Workspace, args: Args, _passes: Passes) -> dict[str, Any]:
    """views.publish: a person's Home tab."""
    user = str(args.get("user_id"))
    if user not in workspace.users:
        raise Refused("user_not_found")
    body = _checked(args, "home")
    view = workspace.homes.get(user)
    _check_external_id(workspace, body, view)
    if view is None:
        name = workspace.next_id("V")
        view = workspace.homes[user] = View(name, user, {}, "", name)
    else:
        _check_hash(view, args)
    change(workspace, view, body)
    return {"view": view_row(workspace, view)}


def put_on_top(workspace: Workspace, user: str, body: dict[str, Any]) -> View:
    """Open a new modal on top of the others."""
    stack = workspace.modals.setdefault(user, [])
    if len(stack) >= DEPTH:
        raise Refused("push_limit_reached")
    name = workspace.next_id("V")
    view = View(name, user, {}, "", stack[0].id if stack else name, stack[-1].id if stack else None)
    stack.append(view)
    change(workspace, view, body)
    return view


def change(workspace: Workspace, view: View, body: dict[str, Any]) -> None:
    """Change what a view shows."""
    view.body = {**body, "blocks": workspace.named(body["blocks"])}
    view.errors = {}
    view.hash = f"{workspace.next_ts()}.hash"
    workspace.touch()


def _checked(args: Args, kind: str) -> dict[str, Any]:
    body = args.get("view")
    found = view_problems(body)
    if not isinstance(body, dict) or found:
        raise invalid("invalid_arguments", found)
    if len(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise Refused("view_too_large")
    if body["type"] != kind:
        raise invalid("invalid_arguments", [f"/view/type: must be {kind}"])
    return body


def _check_hash(view: View, args: Args) -> None:
    if args.get("hash") and args["hash"] != view.hash:
        raise Refused("hash_conflict")


def _check_external_id(workspace: Workspace, body: dict[str, Any], own: View | None = None) -> None:
    """An app's own id names one view of the workspace; `own` is the view that is about to have it."""
    wanted = body.get("external_id")
    others = [view for view in workspace.views() if view is not own]
    if wanted and any(view.body.get("external_id") == wanted for view in others):
        raise Refused("duplicate_external_id")


def _external(view: View) -> str:
    # A view without external_id must not match a call without external_id.
    return str(view.body.get("external_id") or view.id)
