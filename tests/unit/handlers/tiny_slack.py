"""A tiny Slack: it remembers its calls, and answers what the test put there.

Lives here: its Web API and response_url, and what it says of people and channels. Does not live here: the socket in
front of it (`conftest`). Called by `conftest` and the tests of this folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sandbox.slack.blockkit import problems, view_problems

OURS = {"is_ext_shared": False, "is_pending_ext_shared": False}
"""What Slack says of a channel that nobody else reads."""
SHARED = {"channel": {"id": "C1", "is_member": True, "is_private": False, "is_ext_shared": True}}
PRIVATE = {"channel": {"id": "C1", "is_member": True, "is_private": True, **OURS}}
"""What it says of a channel that others read, too, and of a private one."""
GUEST = {"id": "U1", "team_id": "T1", "is_restricted": True}
OUTSIDER = {"id": "U1", "team_id": "T2", "is_stranger": False}
"""What it says of people who are no members."""


def shared_with(*organisations: str) -> dict[str, Any]:
    """What Slack says of a channel that these organisations read."""
    return {"channel": SHARED["channel"] | {"connected_team_ids": ["T1", *organisations]}}


@dataclass
class TinySlack:
    """Remembers its calls, and answers what the test put there."""

    url: str = ""
    team_id: str = "T1"
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Web API method → what it returns, if that is not simply ok."""
    first_results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The same for its first calls, one by one."""
    teams: dict[str, str] = field(default_factory=dict)
    """The names of workspaces, by their ids."""
    refusing: dict[str, list[str]] = field(default_factory=dict)
    """Web API method → the Retry-After of each 429 that it answers first."""
    broken: set[str] = field(default_factory=set)
    """Web API methods that a gateway's error page answers."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What arrived at the response_url."""
    answer_results: list[tuple[int, str]] = field(default_factory=list)
    """How the response_url reacts, one by one; ok once they are used up."""
    answer_retry_after: str = "0"
    """What it says with a 429."""
    answer_location: str = ""
    """Where it redirects to with a 3xx."""

    def called(self, method: str) -> list[dict[str, Any]]:
        """The bodies of the calls to one method."""
        return [body for name, body in self.calls if name == method]

    async def api(self, request: web.Request) -> web.Response:
        """The Web API."""
        method = request.match_info["method"]
        body = (
            await request.json()
            if request.content_type == "application/json"
            else {**request.query, **await request.post()}
        )
        self.calls.append((method, body))
        if "view" in body:
            assert (
                view_problems(body["view"] if isinstance(body["view"], dict) else json.loads(str(body["view"]))) == []
            )
        if method in {"chat.postMessage", "chat.postEphemeral"}:
            assert problems(body.get("blocks", []), "message") == []
        known: dict[str, dict[str, Any]] = {
            "auth.test": {"user_id": "UBOT", "team_id": "T1", "bot_id": "B1"},
            "views.open": {"view": {"id": "V1"}},
            "users.conversations": {"channels": [{"id": "C1"}, {"id": "C2"}]},
            "conversations.info": {"channel": {"id": "C1", "is_member": True, "is_private": False, **OURS}},
            "team.info": {"team": {"id": body.get("team"), "name": self.teams.get(str(body.get("team")))}},
            "users.info": {"user": {"id": body.get("user"), "team_id": self.team_id}},
        }
        if method in self.refusing:
            headers = {"Retry-After": self.refusing[method].pop(0)}
            if not self.refusing[method]:
                del self.refusing[method]
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if method in self.broken:
            return web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html")
        first = self.first_results.get(method)
        result = first.pop(0) if first else self.results.get(method, {})
        return web.json_response({"ok": True} | known.get(method, {}) | result)

    async def hook(self, request: web.Request) -> web.Response:
        """The response_url."""
        answer = await request.json()
        assert problems(answer.get("blocks", []), "message") == []
        self.answers.append(answer)
        status, text = self.answer_results.pop(0) if self.answer_results else (200, "ok")
        headers = {"Retry-After": self.answer_retry_after} if status == 429 else {}
        headers |= {"Location": self.answer_location} if status in range(300, 400) else {}
        return web.Response(status=status, text=text, headers=headers)
