"""The demo: a simulated GCS, a simulated Slack with its page, the bot between them, and executions to watch.

Lives here: what starts and stops in which order, who follows what, and what the page proposes. Does not live here: the
executions (`sandbox.programme`), the bot's process (`sandbox.process`), the simulated services, the page. Called by
`sandbox.terminal`, by tests and by `make pictures`.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox import programme
from sandbox.gcs import GCS, Fault
from sandbox.page.screen import Hint
from sandbox.page.server import Page
from sandbox.process import Bot
from sandbox.programme import Piece
from sandbox.slack import Shortcut, Slack

EVENTS = ("app_mention", "message.im")
"""The events of messages that the app is subscribed to, as in manifest.yaml."""

SHORTCUTS = (
    Shortcut("Follow an execution", "follow_execution"),
    Shortcut("Follow this execution", "follow_this_execution", is_message=True),
)
"""The shortcuts, as in manifest.yaml."""

READY_SECONDS = 180.0
"""How long the bot may take to start: seconds, but minutes on a machine that is busy."""

SHOWN_SECONDS = 90.0
"""How long the bot may take to post the cards of the first screen."""

LEARNT_SECONDS = 15.0
"""How long the bot may take to see that the earlier runs have ended."""

EARLIER_LEVEL = "failures"
"""The level at which the lab desk follows the earlier runs, which all succeed."""

AWAY_SECONDS = 60.0
"""How long GCS does not answer once somebody asks for that."""

SPARE_CHECK_SECONDS = 2.0
"""How often the demo checks whether the execution that nobody follows has ended."""


@dataclass(frozen=True)
class Part:
    """One execution of the demo."""

    id: str
    name: str
    note: str


class Demo:
    """The simulated services in this process, and the bot in another."""

    def __init__(self, *, port: int, has_bot: bool = True) -> None:
        self.gcs = GCS()  # story time is wall time, so that the dates on a card agree with the reader's clock
        self.gcs.play_on()
        self.slack = Slack(events=EVENTS, shortcuts=SHORTCUTS)
        self.you = self.slack.add_user("You")
        self.desk = self.slack.add_user("Lab desk")
        self.reader = self.slack.add_user("Chinese reader", tz="Asia/Shanghai", locale="zh-CN")
        everybody = (self.you, self.desk, self.reader)
        self.sequencing = self.slack.add_channel("sequencing", members=everybody)
        self.slack.add_channel("clinic", private=True, members=(self.you,))
        self.slack.add_channel("random", members=everybody, bot_is_member=False)
        self.partners = self.slack.add_channel("partners", members=everybody)
        self.slack.workspace.channels[self.partners].connected.add("T0PARTNERS")
        self.page = Page(self.slack, people=everybody, port=port)
        self.page.binding.stages = {"away": self.leave, "back": self.come_back}
        self.bot: Bot | None = None
        self._has_bot = has_bot
        self._stack = AsyncExitStack()
        self._spare = ""
        self.running_id = ""
        """Of the execution that runs as usual."""
        self._away: tuple[Fault, asyncio.TimerHandle] | None = None
        self._parts: list[Part] = []

    async def start(self) -> None:
        """Start the simulated services and the page, then the bot. OSError where the port is taken."""
        await self._stack.enter_async_context(self.page)
        await self._stack.enter_async_context(self.gcs)
        await self._stack.enter_async_context(self.slack)
        if self._has_bot:
            directory = Path(
                self._stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="execution-bot-", ignore_cleanup_errors=True)
                )
            )
            self.bot = Bot(self._settings(directory), directory=directory)
            self._stack.push_async_callback(self.bot.stop)
            await self.bot.start()

    async def stop(self) -> None:
        """Stop everything, the bot first."""
        await self._stack.aclose()

    async def begin(self) -> None:
        """Have people follow executions: what the first screen shows last, so that it is at the bottom."""
        await self._learn()
        channel, direct = self.sequencing, self.slack.dm(self.you)
        failed = await self._follow(programme.failed(), channel, self.desk)
        await self._shown(channel, 1)
        self.running_id = await self._follow(programme.running(), channel, self.desk)
        await self._shown(channel, 2)
        await self._follow(programme.slow(), channel, self.desk)
        await self._shown(channel, 3)
        for piece in (programme.wide(), programme.stumbling()):
            await self._follow(piece, direct)
        chinese = await self._follow(programme.chinese(), self.slack.dm(self.reader), self.reader)
        self._renew_spare()
        self.gcs.step(failed)
        await self._shown(self.slack.dm(self.reader), 1)
        self.gcs.step(chinese)
        await self._shown(channel, 4)

    def leave(self) -> None:
        """Have GCS not answer for a while."""
        self.come_back()
        fault = self.gcs.faults.add(Fault(kind="status", status=503))
        self._away = fault, asyncio.get_running_loop().call_later(AWAY_SECONDS, self.come_back)

    def come_back(self) -> None:
        """Have GCS answer again, if it does not."""
        if self._away is not None:
            fault, timer = self._away
            timer.cancel()
            self.gcs.faults.remove(fault)
            self._away = None

    async def keep_spare(self) -> None:
        """Have an execution at hand, for ever, that nobody follows yet."""
        while True:
            await asyncio.sleep(SPARE_CHECK_SECONDS)
            if self.gcs.frame(self._spare).status == "Succeeded":
                self._renew_spare()

    async def ready(self) -> None:
        """Return once the bot is ready; TimeoutError if it never is."""
        async with asyncio.timeout(READY_SECONDS):
            while not await self._is_ready():  # noqa: ASYNC110  # the bot has no event for this
                await asyncio.sleep(0.2)

    def hints(self) -> tuple[Hint, ...]:
        """What the page proposes."""
        about = tuple(
            Hint(
                part.name,
                part.note,
                tuple((verb, f"/execution {verb} {part.id}") for verb in ("status", "subscribe", "unsubscribe")),
            )
            for part in self._parts
        )
        away = Hint("GCS goes away", "for a minute; cards say so", stages=(("away", "away"), ("back", "back")))
        partners = Hint(
            "#partners",
            "is shared with another organisation: choose it, and have it follow something",
            (("subscribe", f"/execution subscribe {self.running_id} here"),) if self.running_id else (),
        )
        board = Hint(
            "#sequencing",
            "may have a board: choose it, and see all that it follows in one message",
            (("board", "/execution board"), ("stop", "/execution board stop")),
        )
        languages = (("中文", "/execution language zh"), ("English", "/execution language en"))
        more = (
            ("list", "/execution list"),
            ("help", "/execution help"),
            ("mention", "@execution-bot running"),
        )
        spoken = Hint("Language", "what the bot writes to you in", languages)
        everything = Hint("More", "press a word to put the command into the message box", more)
        return (*about, away, partners, board, spoken, everything)

    async def _learn(self) -> None:
        """Have the lab desk follow runs that then succeed, so that the bot knows how long such runs take."""
        place = self.slack.dm(self.desk)
        runs = [await self._follow(piece, place, self.desk, EARLIER_LEVEL) for piece in programme.earlier()]
        if not self._has_bot:
            return
        with suppress(TimeoutError):  # without them nothing is slow, and the rest is as it should be
            async with asyncio.timeout(LEARNT_SECONDS):
                await self._polled(runs, dict.fromkeys(runs, 0))
                for run in runs:
                    self.gcs.step(run)
                await self._polled(runs, Counter(call.execution_id for call in self.gcs.calls))

    async def _polled(self, runs: Sequence[str], before: Mapping[str, int]) -> None:
        """Return once each of `runs` was asked about more often than `before`."""
        for run in runs:
            await self.gcs.wait_for_calls(run, before[run] + 1)

    async def _follow(self, piece: Piece, place: str, who: str = "", level: str = "") -> str:
        """Play a piece and have `who` (you) follow it in `place`; returns its id."""
        execution_id = self._play(piece, is_proposed=level != EARLIER_LEVEL)
        here = "here" if place == self.sequencing else ""
        await self.slack.command(who or self.you, place, f"subscribe {execution_id} {here} {level}".strip())
        return execution_id

    async def _shown(self, channel: str, count: int) -> None:
        """Return once a channel has so many messages; TimeoutError if it never has, unless there is no bot."""
        if self._has_bot:
            await self.slack.wait_for(lambda: len(self.slack.messages(channel)) >= count, SHOWN_SECONDS)

    def _renew_spare(self) -> None:
        self._parts = [part for part in self._parts if part.id != self._spare]
        self._spare = self._play(programme.spare())

    def _play(self, piece: Piece, *, is_proposed: bool = True) -> str:
        execution_id = self.gcs.play(piece.life, ago=piece.ago, by_hand=piece.is_by_hand)
        for _ in piece.life.frames[2:] if piece.is_by_hand else ():
            self.gcs.step(execution_id)
        body = self.gcs.body(execution_id) or {}
        if is_proposed:
            self._parts.append(Part(execution_id, str(body["execution"]["name"]), piece.note))
            self.page.show(hints=self.hints())
        return execution_id

    async def _is_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._health_port)
        except OSError:
            return False
        try:
            writer.write(b"GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _settings(self, directory: Path) -> dict[str, str]:
        self._health_port = _free_port()
        return {
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "GCS_ENDPOINT": self.gcs.url,
            "IAM_ENDPOINT": self.gcs.url,
            "GCS_AK": self.gcs.access_key,
            "GCS_SK": self.gcs.secret_key,
            "GCS_PROJECT_ID": self.gcs.project_id,
            "STATE_DIR": str(directory / "state"),
            "POLL_INTERVAL": "2",
            "COALESCE": "1",
            "PERSON_REQUESTS_PER_MINUTE": "60",  # one person tries everything, and quickly
            "OPERATORS": self.you,
            "LISTEN_HOST": "127.0.0.1",
            "HEALTH_PORT": str(self._health_port),
            "LOG_FORMAT": "text",
            "LOG_LEVEL": "info",
        }


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
