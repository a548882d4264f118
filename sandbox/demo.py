"""The demo: a simulated GCS, a simulated Slack with its page, the bot between them, and executions to watch.

Lives here: what starts and stops in which order, which executions run, and which commands are typed for you. Does not
live here: the bot's process (`sandbox.process`), the simulated services, the page. Called by `python -m sandbox`.
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
"""How long the bot may take to start."""

SHOWN_SECONDS = 30.0
"""How long the bot may take to post the cards of the three executions."""

SPARE_CHECK_SECONDS = 2.0
"""How often the demo checks whether the execution that nobody follows has ended."""

SOON_SECONDS = 4.0
"""How long after the demo begins an execution starts to run, which is the first change that the bot tells."""


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
        """Start three executions and type the commands that follow them, then start one that nobody follows."""
        wide = self._play(story.wide(8, sub_jobs=3, seconds=300), "wide and slow; only you follow it")
        failing = self._play(story.failing(6, seconds=75, sub_jobs=4), "fails in the middle; #sequencing follows it")
        happy = self._play(story.happy(6, seconds=120, sub_jobs=4), "succeeds in two minutes; #sequencing follows it")
        for execution_id in (happy, failing):
            await self.slack.command(self.you, self.sequencing, f"subscribe {execution_id} here")
        await self.slack.command(self.you, self.slack.dm(self.you), f"subscribe {wide}")
        self._renew_spare()

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

    async def shown(self) -> None:
        """Return once the page shows the cards of the three executions; TimeoutError if it never does."""
        messages, direct = self.slack.messages, self.slack.dm(self.you)
        await self.slack.wait_for(lambda: len(messages(self.sequencing)) >= 2 and messages(direct), SHOWN_SECONDS)

    def hints(self) -> tuple[Hint, ...]:
        """The commands that the page proposes."""
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

    def _renew_spare(self) -> None:
        self._parts = [part for part in self._parts if part.id != self._spare]
        self._spare = self._play(story.retried(6, seconds=180), "fails and is retried; nobody follows it yet")

    def _play(self, life: story.Life, note: str) -> str:
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
    if has_bot:
        say("Starting a simulated GCS, a simulated Slack and the bot: about five seconds.")
    try:
        await demo.start()
    except OSError as error:
        await demo.stop()
        if error.errno != errno.EADDRINUSE:
            raise
        say(f"Port {port} is in use: stop what listens there, or choose another one with --port.")
        return 1
    try:
        await _until(stopped, demo)
    finally:
        await demo.stop()
    return 0


async def _until(stopped: asyncio.Event, demo: Demo) -> None:
    """Keep the demo running until `stopped`. If the bot ends earlier, say so and keep the page up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_play(demo)), group.create_task(watch(demo))]
        await stopped.wait()
        for task in tasks:
            task.cancel()


async def _play(demo: Demo) -> None:
    """Play the executions, and say the address of the page once it shows them, or once the bot has failed."""
    address = f"Open {demo.page.url} · Ctrl-C stops everything"
    if demo.bot is None:
        say(address)
        await demo.begin()
    else:
        is_shown = await _show_unless_it_ends(demo, demo.bot)
        say(address)
        if not is_shown:
            return
    await demo.keep_spare()


async def _show_unless_it_ends(demo: Demo, bot: Bot) -> bool:
    """Whether the page shows the three executions; `watch` says why the bot has ended, if it has."""
    showing, ending = asyncio.create_task(_show(demo, bot)), asyncio.create_task(bot.wait())
    try:
        await asyncio.wait((showing, ending), return_when=asyncio.FIRST_COMPLETED)
        return showing.done() and showing.result()
    finally:
        showing.cancel()
        ending.cancel()


async def _show(demo: Demo, bot: Bot) -> bool:
    try:
        await demo.ready()
        await demo.begin()
        await demo.shown()
    except TimeoutError:
        _complain(demo, "The bot is not ready in time. Its last lines:", bot.last)
        return False
    return True


async def watch(demo: Demo) -> None:
    """Say when the bot ends, and why."""
    if demo.bot is None:
        return
    code = await demo.bot.wait()
    _complain(demo, f"The bot has stopped (exit code {code}). Its last lines:", demo.bot.last)


def _complain(demo: Demo, what: str, lines: Sequence[str]) -> None:
    text = "\n".join((what, *lines))
    demo.page.show(alarm=text)
    say(text)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
