"""Who asks, from where, about what: read from Slack's payload in one place.

Lives here: `Request`, and the subscriber that it means. Does not live here: words (`handlers.parsing`), who may ask
(`bot.slack.access`), whether a channel can be posted to (`bot.slack.channels`). Called by the listeners and by the
middleware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.blocks.buttons import parse_choice
from bot.domain.access import Signs
from bot.domain.following import Subscriber
from bot.errors import InputProblem, NotAllowed
from bot.slack.access import Access
from bot.slack.client import Identity

TYPED = frozenset({"app_mention", "message"})
"""The events that hold what somebody has typed. `handlers.conversation` says which of them are for the bot."""


@dataclass(slots=True)
class Request:
    """One request from Slack: a command, a press of a button, an event."""

    body: dict[str, Any]
    """Slack's payload."""
    asker: Subscriber = field(default_factory=lambda: Subscriber(team_id="", id=""))
    """The person who asks, once the middleware knows that they may."""
    view_id: str = ""
    """The open modal in which an error is shown: the one that was pressed in, or that a listener has opened."""
    verb: str = ""
    """What is asked for, for the audit trail; a listener with several verbs sets it."""
    execution_id: str = ""
    """About which execution, for the audit trail; a listener sets it."""
    access: Access | None = None
    """Who may do what; the middleware sets it."""
    problem: str = ""
    """The `InputProblem` for which it was refused, for the audit trail; the middleware sets it."""

    text: str = ""
    """The command that was typed: after `/execution`, after the bot's name, or in its direct messages."""
    submitted: str = ""
    """Slack's hash of the modal as it was submitted, until what became of that is shown; the middleware sets it."""
    is_answered: bool = False
    """Whether the person needs no sentence about an error any more."""

    def __post_init__(self) -> None:
        self.text = _unescaped(str(self.body.get("text") or ""))
        view = self._part("view")
        if view.get("type") == "modal":
            self.view_id = str(view.get("id") or "")

    async def check_operator(self) -> None:
        """Make sure that the person may cancel and retry executions.

        Raises:
            NotAllowed: they may not.
        """
        if self.access is None:
            raise NotAllowed(InputProblem.NO_OPERATOR)
        await self.access.check_operator(self.asker.id)

    async def is_operator(self) -> bool:
        """Whether they may: what is drawn for them alone depends on it."""
        return self.access is not None and await self.access.is_operator(self.asker.id)

    @property
    def response_url(self) -> str:
        """Where an answer goes; empty for the Home tab, events, and modals in which no channel was chosen."""
        return str(self.body.get("response_url") or self._address.get("response_url") or "")

    @property
    def trigger_id(self) -> str:
        """What opens a modal for the person, for three seconds; empty when Slack sent none."""
        return str(self.body.get("trigger_id") or "")

    @property
    def is_typed(self) -> bool:
        """Whether it is an event with something that somebody has typed, which comes without a `response_url`."""
        return self._part("event").get("type") in TYPED

    @property
    def ts(self) -> str:
        """Of the message that was typed; empty for all other requests."""
        return str(self._part("event").get("ts") or "") if self.is_typed else ""

    @property
    def thread_ts(self) -> str:
        """Of the thread in which it was typed; empty outside one."""
        thread_ts = self._part("event").get("thread_ts") if self.is_typed else ""
        return thread_ts if isinstance(thread_ts, str) and thread_ts != self.ts else ""

    @property
    def channel_id(self) -> str:
        """The channel that the request comes from, or that was chosen in a modal; else empty."""
        if self.is_typed:
            return str(self._part("event").get("channel") or "")
        channel, container = self._part("channel"), self._part("container")
        named = self.body.get("channel_id") or channel.get("id") or container.get("channel_id")
        return str(named or self._address.get("channel_id") or "")

    @property
    def is_direct(self) -> bool:
        """Whether it comes from direct messages: `here` then means the person."""
        return self.channel_id.startswith("D")

    @property
    def is_at_home(self) -> bool:
        """Whether it comes from the Home tab, which has no place for an answer."""
        return bool(self._part("view").get("type") == "home")

    @property
    def is_home_opened(self) -> bool:
        """Whether somebody opens the Home tab."""
        event = self._part("event")
        return event.get("type") == "app_home_opened" and event.get("tab") == "home"

    @property
    def action_value(self) -> str:
        """What the pressed button, or the choice of a menu, carries."""
        return self._choice[1]

    @property
    def chosen(self) -> str:
        """The action id that a choice of a menu stands for; empty for a button, and for a choice of no menu of ours."""
        return self._choice[0]

    @property
    def _choice(self) -> tuple[str, str]:
        action = self.body["actions"][0]
        option = action.get("selected_option")
        if isinstance(option, dict):
            return parse_choice(str(option.get("value") or ""))
        return "", str(action.get("value") or "")

    @property
    def entered(self) -> dict[str, str]:
        """What stands in the fields of a modal that is submitted, by their action ids."""
        state = self._part("view").get("state")
        values = state.get("values") if isinstance(state, dict) else None
        blocks = [block for block in values.values() if isinstance(block, dict)] if isinstance(values, dict) else []
        return {str(name): _entered(field) for block in blocks for name, field in block.items()}

    @property
    def view_hash(self) -> str:
        """Slack's hash of the modal that the request comes from; empty where there is none."""
        return str(self._part("view").get("hash") or "")

    @property
    def private_metadata(self) -> str:
        """What the bot put into the modal that was pressed in; empty where there is none."""
        return str(self._part("view").get("private_metadata") or "")

    @property
    def user_id(self) -> str:
        """The person who asks, as Slack names them; empty when it does not."""
        return str(self._user.get("id") or self.body.get("user_id") or self._part("event").get("user") or "")

    @property
    def team_id(self) -> str:
        """The workspace, or organisation, of the person who asks; empty when Slack does not say."""
        return str(self._user.get("team_id") or self.body.get("team_id") or "")

    def signs(self, identity: Identity) -> Signs:
        """What the request itself shows of the person.

        People of another organisation that shares the channel, or of one that Slack does not name, see what is posted
        there, but nothing is looked up for them.
        """
        return Signs(
            is_outsider=identity.own.isdisjoint(self._organisations),
            is_guest=any(self._user.get(flag) is True for flag in ("is_restricted", "is_ultra_restricted")),
            names_team=bool(self._user.get("team_id")) or len(self._named) == 1,
            is_in_shared_channel=self.body.get("is_ext_shared_channel") is True,
        )

    @property
    def _address(self) -> dict[str, Any]:
        """The channel that was chosen in a modal, with the address for a message there, as Slack issues it."""
        addresses = self.body.get("response_urls")
        first = addresses[0] if isinstance(addresses, list) and addresses else None
        return first if isinstance(first, dict) else {}

    @property
    def _user(self) -> dict[str, Any]:
        return self._part("user")

    def _part(self, name: str) -> dict[str, Any]:
        """A part of the payload; empty when it is missing, or no object."""
        part = self.body.get(name)
        return part if isinstance(part, dict) else {}

    @property
    def _named(self) -> set[str]:
        """What an event itself says that its person belongs to; only some do."""
        event = self._part("event")
        return {str(each) for each in (event.get("user_team"), event.get("source_team")) if each}

    @property
    def _organisations(self) -> set[str]:
        """What Slack says the person belongs to: a workspace (`T…`), an organisation (`E…`), or both.

        In a shared channel the team of a press is the app's, and so is its enterprise: they say nothing about the
        person, unless the person's own team is the same. So does the envelope of an event; some events name the
        person's own.
        """
        body, team_id, named = self.body, self.team_id, self._named
        if named:
            return named if len(named) == 1 else set()
        pressed_in = self._part("team").get("id") or team_id
        enterprise_id = self._part("enterprise").get("id") or body.get("enterprise_id") or ""
        return {team_id} | ({enterprise_id} if team_id and pressed_in == team_id else set())


def _unescaped(text: str) -> str:
    """What was typed after a command: Slack escapes three characters, and only these."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _entered(field: Any) -> str:
    """What was typed into a field, or chosen in it."""
    if not isinstance(field, dict):
        return ""
    option = field.get("selected_option")
    picked = field.get("selected_conversation") or field.get("selected_time")
    chosen = option.get("value") if isinstance(option, dict) else picked
    value = chosen or field.get("value")
    return value if isinstance(value, str) else ""
