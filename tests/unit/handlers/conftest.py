"""A tiny Slack on a real socket, a double of `Subscriptions`, and Bolt between them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest
from aiohttp import web
from msgspec import structs
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.acting import Acting
from bot.blocks import buttons
from bot.boards import BoardMade
from bot.domain.access import AccessRules, ChannelRecord
from bot.domain.board import BoardRecord
from bot.domain.change import ChangeKind
from bot.domain.events import Event
from bot.domain.execution import Execution, Phase
from bot.domain.following import Level, Rule, RuleKind, Subscriber, Subscription
from bot.domain.home import Home
from bot.domain.past import Past
from bot.domain.quiet import MuteFor, QuietHours
from bot.domain.search import Found
from bot.domain.snapshot import Followed, Snapshot
from bot.domain.told import LaneState, Log, Seen
from bot.quiet import Muted
from bot.rules import RuleEnded, RuleMade
from bot.slack.client import Identity, SlackClient
from bot.slack.inbound.dispatch import dispatch
from bot.slack.inbound.payloads import checked
from bot.slack.languages import Languages
from bot.slack.workspace import Workspace
from bot.store.people import Forgotten
from bot.store.slack_limits import Admission
from bot.subscriptions import Explained, Subscribed, Subscriptions, Summary, Unsubscribed
from handlers import App, Middleware, register
from sandbox.slack.blockkit import problems, view_problems

ID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
OURS = {"is_ext_shared": False, "is_pending_ext_shared": False}
"""What Slack says of a channel that nobody else reads."""
NOW = datetime(2026, 3, 4, 10, 41, 3, tzinfo=UTC)
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ALL = AccessRules()
"""All members may ask, everywhere."""
SNAPSHOT = Snapshot(
    execution=Execution(id=ID, name="deepvariant", phase="Running", steps_total=5, steps_finished=2),
    revision=1,
    seen_at=NOW,
)


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


class FakeSubscriptions:
    """In the place of `Subscriptions`: remembers its calls, and raises the error that a test sets."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.admitted: list[str] = []
        self.is_refresh = False
        """Whether the last summary was to be newer than the one before."""
        self.error: Exception | None = None
        self.by = ""
        """Who stopped following last."""
        self.refusal: Exception | None = None
        self.events: tuple[Event, ...] | None = ()
        """What GCS shows of the events; None: it refuses them."""
        self.followed = True
        self.found = Found()
        """What any search finds."""
        self.queries: list[tuple[str, str, bool]] = []
        """Who searched for what, and whether what they follow is enough."""
        self.followers: set[str] | None = None
        """Who follows the execution; None for everybody."""
        self.was_subscribed = True
        self.search = self
        self.rules = FakeRules(self._note)
        self.boards = FakeBoards(self._note)
        self.quiet = FakeQuiet(self._note)
        self.also: frozenset[str] = frozenset()
        """Who else follows what is asked about."""
        self.followed_at_home = 1
        self.level = Level.MILESTONES
        """How many executions a Home shows."""
        self.zone = ""
        """Where they were said to live."""
        self.channels: Collection[str] | None = None
        """Which channels the person was said to be in who has looked at their Home last; None: not known."""

    def _note(self, *asked: Any) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error

    async def admit(self, asker: Subscriber) -> None:
        """Someone asks for something that costs calls."""
        self.admitted.append(asker.id)
        if self.refusal is not None:
            raise self.refusal

    async def summary(self, team_id: str, execution_id: str, user_id: str, *, is_refresh: bool = False) -> Summary:
        """Someone wants the summary."""
        self.is_refresh = is_refresh
        self._note("summary", team_id, execution_id, user_id)
        return Summary(SNAPSHOT, None)

    async def log(self, execution_id: str, *subscribers: Subscriber) -> Log:
        """Someone wants to know what they were told."""
        self._note("log", execution_id, *(each.id for each in subscribers))
        seen = Seen(kind=ChangeKind.OUTCOME, revision=2, at=NOW, rank=2, phase="Failed")
        lanes = [
            LaneState(subscriber_id=each.id, subscription=subscription_of(each, Level.STEPS)) for each in subscribers
        ]
        return Log(now=NOW, snapshot=SNAPSHOT, entries=(seen,), lanes=tuple(lanes))

    async def explain(self, team_id: str, execution_id: str, user_id: str) -> Explained:
        """Someone wants to know why it failed."""
        self._note("explain", team_id, execution_id, user_id)
        return Explained(SNAPSHOT, self.events, self.events is None, Past())

    async def subscribe(
        self, subscriber: Subscriber, execution_id: str, *, level: Level | None, owner: str
    ) -> Subscribed:
        """Someone follows."""
        self._note("subscribe", subscriber.id, execution_id, level, owner)
        subscription = subscription_of(subscriber, level or Level.STEPS)
        return Subscribed(subscription, SNAPSHOT, None, followed=self.followed)

    async def unsubscribe(self, subscriber: Subscriber, execution_id: str, *, by: str) -> Unsubscribed:
        """Someone stops following."""
        self.by = by
        self._note("unsubscribe", subscriber.id, execution_id)
        return Unsubscribed(self.was_subscribed)

    async def home(self, person: Subscriber, channels: Collection[str] | None, *, zone: str = "") -> Home:
        """Someone looks at their Home."""
        self._note("home", person.id)
        self.channels, self.zone = channels, zone
        item = (subscription_of(person, Level.STEPS), SNAPSHOT)
        return Home(
            followed=Followed(items=(item,) * self.followed_at_home),
            are_channels_known=channels is not None,
            rules=tuple(rule for rule, _ in self.rules.items),
            hours=self.quiet.kept,
        )

    async def that_follow(self, team_id: str, execution_id: str) -> frozenset[str]:
        """Someone follows, and it is asked who else does."""
        assert (team_id, execution_id) == ("T1", ID)
        return self.also

    async def level_of(self, subscriber: Subscriber) -> Level:
        """Someone is about to name a level."""
        del subscriber
        return self.level

    async def choose_level(self, person: Subscriber, level: Level) -> None:
        """Someone chooses what they are told."""
        self._note("choose_level", person.id, level)

    async def of(self, subscriber: Subscriber) -> Followed:
        """Someone wants the list of what they follow."""
        self._note("of", subscriber.id)
        if self.followers is not None and subscriber.id not in self.followers:
            return Followed()
        return Followed(items=((subscription_of(subscriber, Level.STEPS), SNAPSHOT),))

    async def find(self, subscriber: Subscriber, query: str, *, is_followed: bool = False) -> Found:
        """Someone knows a name."""
        self.queries.append((subscriber.id, query, is_followed))
        if self.error is not None:
            raise self.error
        return self.found

    async def in_phase(self, phase: Phase) -> Found:
        """Someone wants to know what runs, or what has failed."""
        self._note("in_phase", phase)
        return self.found

    async def forget(self, person: Subscriber) -> Forgotten:
        """Someone wants their data deleted."""
        self._note("forget", person.id)
        return Forgotten(subscriptions=2, owned=1)

    async def resume(self, channel: Subscriber) -> None:
        """A channel may be written to again."""
        self._note("resume", channel.id)

    async def refresh_card(self, subscriber: Subscriber, execution_id: str) -> None:
        """Someone wants a fresh card."""
        self._note("refresh_card", subscriber.id, execution_id)

    async def following(self, subscriber: Subscriber, execution_id: str) -> tuple[Subscription, Snapshot]:
        """Someone wants to know at which level it is followed."""
        self._note("following", subscriber.id, execution_id)
        return subscription_of(subscriber, Level.FINAL), SNAPSHOT

    async def change_level(self, subscriber: Subscriber, execution_id: str, level: Level, *, by: str) -> Subscribed:
        """Someone chooses a level."""
        self._note("change_level", subscriber.id, execution_id, level, by)
        return Subscribed(subscription_of(subscriber, level), SNAPSHOT, None, followed=True)

    async def announce_success(
        self, subscriber: Subscriber, execution_id: str, *, is_wanted: bool, by: str
    ) -> Subscribed:
        """Someone has a channel told of a success, or not."""
        self._note("announce_success", subscriber.id, execution_id, is_wanted, by)
        changed = structs.replace(subscription_of(subscriber, Level.FINAL), announces_success=is_wanted)
        return Subscribed(changed, SNAPSHOT, None, followed=True)


RULE = Rule(
    subscriber=Subscriber(team_id="T1", id="U1"),
    kind=RuleKind.WORKFLOW,
    values=("germline-wgs",),
    owner="U1",
    created_at=NOW,
    expires_at=NOW + timedelta(days=90),
)


class FakeRules:
    """In the place of `RuleRequests`."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.was: Rule | None = None
        """The rule before."""
        self.has_run = self.is_there = True
        """Whether something that matches has run lately, and whether there is a rule to end."""
        self.workflows = 1
        """How many workflows have the name."""
        self.items: tuple[tuple[Rule, int], ...] = ()
        """What anybody has."""

    async def make(
        self, subscriber: Subscriber, kind: RuleKind, values: tuple[str, ...], *, level: Level | None, owner: str
    ) -> RuleMade:
        """Someone has new executions followed."""
        self._note("make", subscriber.id, kind, values, level, owner)
        rule = structs.replace(RULE, subscriber=subscriber, kind=kind, values=values, level=level or Level.FAILURES)
        return RuleMade(rule, self.was, self.has_run, workflows=self.workflows)

    async def end(self, subscriber: Subscriber, rule_id: str, *, by: str) -> RuleEnded:
        """Someone ends that."""
        self._note("end", subscriber.id, rule_id, by)
        return RuleEnded(structs.replace(RULE, subscriber=subscriber) if self.is_there else None, 3)

    async def keep(self, subscriber: Subscriber, rule_id: str) -> Rule:
        """Someone keeps a rule."""
        self._note("keep", subscriber.id, rule_id)
        return structs.replace(RULE, subscriber=subscriber)

    async def of(self, subscriber: Subscriber) -> tuple[tuple[Rule, int], ...]:
        """Someone wants the list."""
        del subscriber
        return self.items


class FakeBoards:
    """In the place of `BoardRequests`."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.is_there = False
        """Whether the channel has a board."""

    async def make(self, channel: Subscriber, workflow: str, *, owner: str) -> BoardMade:
        """Someone wants a board."""
        self._note("board", channel.id, workflow, owner)
        record = BoardRecord(subscriber=channel, workflow=workflow, owner=owner, posted_at=NOW)
        return BoardMade(record, not self.is_there)

    async def of(self, channel: Subscriber) -> tuple[tuple[BoardRecord, str], ...]:
        """Someone wants to know which ones there are."""
        record = BoardRecord(subscriber=channel, workflow="germline-wgs", owner="U1", posted_at=NOW)
        return ((record, "1772366400.123456"), (structs.replace(record, workflow=""), "")) if self.is_there else ()

    async def end(self, channel: Subscriber, board: str, *, by: str) -> tuple[BoardRecord | None, bool]:
        """Someone ends one."""
        self._note("end_board", channel.id, board, by)
        return (BoardRecord(subscriber=channel, owner=by, posted_at=NOW) if self.is_there else None), True

    async def end_named(self, channel: Subscriber, workflow: str, *, by: str) -> tuple[BoardRecord | None, bool]:
        """The same, by its workflow."""
        return await self.end(channel, workflow, by=by)


class FakeQuiet:
    """In the place of `QuietTimes`."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.kept: QuietHours | None = None

    async def hours(self, person: Subscriber) -> QuietHours | None:
        """Someone wants to know their quiet hours."""
        del person
        return self.kept

    async def choose_hours(self, person: Subscriber, hours: QuietHours | None) -> None:
        """Someone wants other ones."""
        self._note("choose_hours", person.id, hours)
        self.kept = hours

    async def mute(
        self,
        subscriber: Subscriber,
        execution_id: str,
        span: MuteFor,
        holds_failures: bool = False,
        *,
        by: str,
        zone: str = "",
    ) -> Muted:
        """Someone wants to read nothing for a while."""
        self._note("mute", subscriber.id, execution_id, span, holds_failures, by, zone)
        quiet = span.from_now(NOW, zone, holds_failures=holds_failures)
        return Muted(msgspec.structs.replace(subscription_of(subscriber, Level.FINAL), muted=quiet), SNAPSHOT, NOW)

    async def unmute(self, subscriber: Subscriber, execution_id: str, *, by: str) -> Muted:
        """Someone wants to read again."""
        self._note("unmute", subscriber.id, execution_id, by)
        return Muted(subscription_of(subscriber, Level.FINAL), SNAPSHOT, NOW)


class FakeChannels:
    """In the place of `Channels`: the records, in memory."""

    def __init__(self) -> None:
        self.records: dict[str, ChannelRecord] = {}
        self.is_replicated = True

    async def find(self, team_id: str, channel_id: str) -> ChannelRecord | None:
        """Someone asks what is known."""
        return self.records.get(f"{team_id}/{channel_id}")

    async def note(
        self,
        team_id: str,
        channel_id: str,
        *,
        is_shared: bool,
        organisations: Collection[str] = (),
        has_joined: bool = False,
    ) -> None:
        """Slack has described a channel."""
        known = self.records.get(f"{team_id}/{channel_id}") if is_shared else None
        known = known or ChannelRecord(is_shared, NOW)
        all_of_them = frozenset(organisations) | (known.organisations if has_joined else frozenset())
        self.records[f"{team_id}/{channel_id}"] = replace(known, is_shared=is_shared, organisations=all_of_them)

    async def approve(
        self, team_id: str, channel_id: str, approver: str, *, organisations: Collection[str] = ()
    ) -> bool:
        """Somebody approves, or withdraws that."""
        known = self.records.get(f"{team_id}/{channel_id}") or ChannelRecord(True, NOW)
        self.records[f"{team_id}/{channel_id}"] = replace(
            known, is_shared=True, approver=approver, approved=frozenset(organisations)
        )
        return self.is_replicated

    async def note_told(self, team_id: str, channel_id: str, owner: str) -> None:
        """Somebody knows that the channel waits."""
        known = self.records[f"{team_id}/{channel_id}"]
        self.records[f"{team_id}/{channel_id}"] = replace(known, told=known.told | {owner})


class FakeChoices:
    """In the place of the store's `Languages`: the choices, in memory."""

    def __init__(self) -> None:
        self.chosen: dict[str, str] = {}
        self.error: Exception | None = None

    async def find(self, team_id: str, reader_id: str) -> str:
        """Someone is about to be written to."""
        if self.error is not None:
            raise self.error
        return self.chosen.get(f"{team_id}/{reader_id}", "")

    async def choose(self, team_id: str, reader_id: str, language: str) -> None:
        """Someone chooses."""
        if self.error is not None:
            raise self.error
        self.chosen[f"{team_id}/{reader_id}"] = language


class FakePauses:
    """In the place of `SlackLimits`: remembers which methods are to be left alone, and until when."""

    def __init__(self, team_id: str) -> None:
        self.team_id = team_id
        self.admitted: list[str] = []
        self.is_away = False
        self.until: dict[str, float] = {}
        self.error: Exception | None = None

    async def paused(self, team_id: str, method: str) -> timedelta:
        """A listener is about to call."""
        assert team_id == self.team_id
        if self.error is not None:
            raise self.error
        return timedelta(seconds=max(0.0, self.until.get(method, 0.0) - time.monotonic()))

    async def admit_answer(self, team_id: str, person_id: str, name: str) -> Admission:
        """A listener is about to post an answer."""
        self.admitted.append(f"{person_id} {name}")
        return Admission(await self.paused(team_id, "chat.postMessage"), is_away=self.is_away)

    async def back(self, team_id: str) -> None:
        """Slack took the answer."""
        assert team_id == self.team_id
        self.is_away = False

    async def pause(self, team_id: str, method: str, span: timedelta) -> None:
        """A listener got a 429."""
        assert team_id == self.team_id
        if self.error is not None:
            raise self.error
        self.until[method] = time.monotonic() + span.total_seconds()


class FakeRequests:
    """In the place of `Requests`: remembers what it was asked, and raises the error that a test sets."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.spans: set[timedelta] = set()
        """For how long it was to remember."""
        self.error: Exception | None = None

    async def is_first(self, team_id: str, identity: str, *, within: timedelta) -> bool:
        """A request arrived, or somebody is to be told something."""
        if self.error is not None:
            raise self.error
        self.spans.add(within)
        is_first = (team_id, identity) not in self.seen
        self.seen.add((team_id, identity))
        return is_first


def subscription_of(subscriber: Subscriber, level: Level) -> Subscription:
    """A subscription to the one execution of these tests."""
    return Subscription(execution_id=ID, subscriber=subscriber, level=level, owner="U1", created_at=NOW)


IN_MENU = {
    *(buttons.REFRESH_CARD, buttons.REFRESH_SUMMARY, buttons.SHARE_EXECUTION),
    *(buttons.SHOW_DETAILS, buttons.SHOW_LEVELS, buttons.ASK_UNSUBSCRIBE),
}
"""What entries of the menu do, and no button does."""


def action_of(action_id: str, value: str) -> dict[str, Any]:
    """What Slack says was pressed or chosen."""
    if action_id not in IN_MENU:
        return {"type": "button", "block_id": "b", "action_id": action_id, "value": value}
    option = {"text": {"type": "plain_text", "text": "…"}, "value": f"{action_id}:{value}"}
    return {"type": "overflow", "block_id": "b", "action_id": buttons.CHOOSE, "selected_option": option}


@dataclass
class World:
    """Everything that a test of a listener needs."""

    slack: TinySlack
    subscriptions: FakeSubscriptions
    app: App
    middleware: Middleware
    limits: FakePauses
    channels: FakeChannels
    requests: FakeRequests
    choices: FakeChoices
    said: int = 0
    """How often somebody has typed to the bot."""

    async def send(self, body: dict[str, Any]) -> BoltResponse:
        """One signed request through Bolt; returns the answer to Slack once the listener is done."""
        response = await self.deliver(body)
        assert await self.middleware.drain(timedelta(seconds=10)) == 0
        return response

    async def arrives(self, body: dict[str, Any]) -> BoltResponse:
        """One request as it arrives, with what makes it the same as another one."""
        response = await dispatch(self.app, checked(body))
        assert await self.middleware.drain(timedelta(seconds=10)) == 0
        return response

    async def deliver(self, body: dict[str, Any]) -> BoltResponse:
        """The same, without waiting for the listener."""
        is_event = body.get("type") == "event_callback"
        is_command = "command" in body
        raw = json.dumps(body) if is_event else urlencode(body if is_command else {"payload": json.dumps(body)})
        stamp = str(int(time.time()))
        signature = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=raw) or ""
        headers = {
            "x-slack-signature": signature,
            "x-slack-request-timestamp": stamp,
            "content-type": "application/json" if is_event else "application/x-www-form-urlencoded",
        }
        return await self.app.async_dispatch(AsyncBoltRequest(body=raw, headers=cast("Any", headers)))

    async def command(
        self, text: str, *, channel: str = "C1", command: str = "/execution", **more: str
    ) -> BoltResponse:
        """Someone types a slash command."""
        body = {"command": command, "text": text, "team_id": "T1", "user_id": "U1", "channel_id": channel}
        return await self.send(body | {"response_url": f"{self.slack.url}/hook", "trigger_id": "t.1"} | more)

    async def press(self, action_id: str, value: str = ID, **more: Any) -> BoltResponse:
        """Someone presses a button in a message, or chooses an entry of its menu."""
        body = {
            "type": "block_actions",
            "user": {"id": "U1", "team_id": "T1"},
            "team": {"id": "T1"},
            "channel": {"id": "C1"},
            "trigger_id": "t.1",
            "response_url": f"{self.slack.url}/hook",
            "actions": [action_of(action_id, value)],
        }
        return await self.send(body | more)

    async def chooses(self, action_id: str, value: str = ID, **more: Any) -> BoltResponse:
        """Someone chooses from a menu in a message what a button with this action id does."""
        option = {"text": {"type": "plain_text", "text": "…"}, "value": f"{action_id}:{value}"}
        action = {"type": "overflow", "block_id": "b", "action_id": buttons.CHOOSE, "selected_option": option}
        return await self.press(buttons.CHOOSE, actions=[action], **more)

    async def event(self, event: dict[str, Any]) -> BoltResponse:
        """Slack sends an event."""
        return await self.send({"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event})

    async def says(self, text: str, **more: Any) -> list[dict[str, Any]]:
        """Someone types to the bot: in their direct messages, or else after its name. Returns how it answered."""
        self.said += 1
        event = {"type": "message", "channel": "D1", "user": "U1", "ts": f"1772620000.{self.said:06d}", "text": text}
        seen = len(self.slack.calls)
        body = {"type": "event_callback", "team_id": "T1", "event_id": f"Ev{self.said}", "event": event | more}
        await self.arrives(body)
        posts = {"chat.postMessage", "chat.postEphemeral"}
        return [call for method, call in self.slack.calls[seen:] if method in posts]

    @property
    def reply(self) -> str:
        """The text of the one answer that the person got."""
        (answer,) = self.slack.answers
        return str(answer["text"])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The listeners of one workspace, registered as in production, in front of a tiny Slack."""
    async with made() as world:
        yield world


@asynccontextmanager
async def made(
    team_id: str = "T1",
    enterprise_id: str = "",
    rules: AccessRules = ALL,
    scopes: Collection[str] = (),
    acting: Acting | None = None,
) -> AsyncIterator[World]:
    """The same, for a workspace of its own, perhaps of an organisation, or with other rules, or optional scopes.

    With `acting` some may cancel and retry.
    """
    slack, subscriptions, limits = TinySlack(team_id=team_id), FakeSubscriptions(), FakePauses(team_id)
    channels, choices = FakeChannels(), FakeChoices()
    server = web.Application()
    server.add_routes([web.route("*", "/api/{method}", slack.api), web.post("/hook", slack.hook)])
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        client = AsyncWebClient(token="xoxb-1", base_url=f"{slack.url}/api/", session=session, retry_handlers=[])
        app = App(signing_secret=SECRET, client=client, ignoring_self_events_enabled=False)
        known = SlackClient("xoxb-1", base_url=f"{slack.url}/api/", session=session)
        workspace = Workspace(
            identity=Identity(team_id, "UBOT", "B1", frozenset(scopes), enterprise_id),
            slack=known,
            languages=Languages(known, choices),
            limits=limits,
            rules=rules,
            channels=channels,
            now=lambda: NOW,
        )
        requests = FakeRequests()
        middleware = register(
            app,
            subscriptions=cast("Subscriptions", subscriptions),
            workspace=workspace,
            requests=requests,
            acting=acting,
        )
        yield World(slack, subscriptions, app, middleware, limits, channels, requests, choices)
    await runner.cleanup()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts."""
    monkeypatch.setattr("bot.slack.responses.WAIT_SECONDS", 0.001)
