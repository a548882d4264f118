"""The demo: a pretend GCS, a pretend Slack with its page, the bot between them, and executions to watch.

Lives here: what is started and stopped in which order, the stories that are told, and what is typed for you. Does not
live here: the bot's process (`sandbox.process`), the doubles, the page. Called by `python -m sandbox`.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox import story
from sandbox.gcs import GCS
from sandbox.page.screen import Hint
from sandbox.page.server import Page
from sandbox.process import Bot
from sandbox.slack import Slack

READY_SECONDS = 45.0
LOOK_SECONDS = 2.0
SOON_SECONDS = 4.0
"""After so long an execution starts to run: the first thing that is told."""


@dataclass(frozen=True)
class Part:
    """One execution of the demo."""

    id: str
    name: str
    note: str


class Demo:
    """Everything, in one process, and the bot in another."""

    def __init__(self, *, port: int, has_bot: bool = True) -> None:
        self.gcs = GCS()  # story time is wall time, so that the dates on a card agree with the reader's clock
        self.slack = Slack()
        self.you = self.slack.add_user("You")
        self.desk = self.slack.add_user("Lab desk")
        self.sequencing = self.slack.add_channel("sequencing", members=(self.you, self.desk))
        self.slack.add_channel("clinic", private=True, members=(self.you,))
        self.slack.add_channel("random", members=(self.you, self.desk), bot_is_member=False)
        self.page = Page(self.slack, people=(self.you, self.desk), port=port)
        self.bot: Bot | None = None
        self._has_bot = has_bot
        self._stack = AsyncExitStack()
        self._spare = ""
        self._parts: list[Part] = []

    async def start(self) -> None:
        """Start the doubles and the page, then the bot. OSError where the port is taken."""
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
        """Stop all of it, the bot first."""
        await self._stack.aclose()

    async def play(self) -> None:
        """Begin the stories, type what a user would type, and keep one story ready that nobody follows yet."""
        wide = self._begin(story.wide(8, sub_jobs=3, seconds=300), "wide and slow, told to you alone")
        failing = self._begin(story.failing(6, seconds=75, sub_jobs=4), "fails in the middle, told in #sequencing")
        happy = self._begin(story.happy(6, seconds=120, sub_jobs=4), "succeeds in two minutes, told in #sequencing")
        for execution_id in (happy, failing):
            await self.slack.command(self.you, self.sequencing, f"subscribe {execution_id} here")
        await self.slack.command(self.you, self.slack.dm(self.you), f"subscribe {wide}")
        while True:
            if not self._spare or self.gcs.frame(self._spare).status == "Succeeded":
                self._parts = [part for part in self._parts if part.id != self._spare]
                self._spare = self._begin(story.retried(6, seconds=180), "fails and is retried; nobody follows it yet")
            await asyncio.sleep(LOOK_SECONDS)

    async def ready(self) -> None:
        """Return once the bot says that it is; TimeoutError if it never does."""
        async with asyncio.timeout(READY_SECONDS):
            while not await self._is_ready():  # noqa: ASYNC110  # the bot tells nobody when it is
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
        more = (("list", "/execution list"), ("help", "/execution help"))
        return (*about, Hint("More", "press a word to put the command into the message box", more))

    def _begin(self, life: story.Life, note: str) -> str:
        execution_id = self.gcs.play(life, ago=max(0.0, life.frames[1].at - SOON_SECONDS))
        body = self.gcs.body(execution_id) or {}
        self._parts.append(Part(execution_id, str(body["execution"]["name"]), note))
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
            "LISTEN_HOST": "127.0.0.1",
            "HEALTH_PORT": str(self._health_port),
            "LOG_FORMAT": "text",
            "LOG_LEVEL": "info",
        }


async def run(*, port: int, has_bot: bool = True) -> int:
    """Run the demo until Ctrl-C or SIGTERM; returns the exit code."""
    demo = Demo(port=port, has_bot=has_bot)
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    try:
        await demo.start()
    except OSError as error:
        await demo.stop()
        if error.errno != errno.EADDRINUSE:
            raise
        say(f"Port {port} is in use: stop what listens there, or choose another one with --port.")
        return 1
    try:
        say(f"Open {demo.page.url} · Ctrl-C stops everything")
        await _until(stopped, demo)
    finally:
        await demo.stop()
    return 0


async def _until(stopped: asyncio.Event, demo: Demo) -> None:
    """Let it live until `stopped`; a bot that dies is told about, and the rest stays up to be looked at."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_tell_story(demo)), group.create_task(watch(demo))]
        await stopped.wait()
        for task in tasks:
            task.cancel()


async def _tell_story(demo: Demo) -> None:
    if demo.bot is not None:
        try:
            await demo.ready()
        except TimeoutError:
            if demo.bot.is_running:  # else its end was told
                _complain(demo, f"The bot is not ready after {READY_SECONDS:.0f} seconds.", demo.bot.last)
            return
    await demo.play()


async def watch(demo: Demo) -> None:
    """Tell when the bot dies, and why."""
    if demo.bot is None:
        return
    code = await demo.bot.wait()
    _complain(demo, f"The bot has stopped (exit code {code}). Its last lines:", demo.bot.last)


def _complain(demo: Demo, what: str, lines: Sequence[str]) -> None:
    told = "\n".join((what, *lines))
    demo.page.show(alarm=told)
    say(told)


def say(words: str) -> None:
    """A line on the terminal."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
