"""What people read in the morning: one message about all that has ended while they wanted to read nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import time
from typing import Any

import pytest

from bot.blocks import log_message
from bot.blocks.language import Language
from bot.domain.fates import Fate, FateKind, fates_of
from bot.domain.following import Level
from bot.domain.quiet import MuteFor, QuietHours
from bot.errors import StoreUnavailable
from bot.workers.notifier import Notifier
from sandbox import story
from sandbox.slack.state import Message
from sandbox.story import Life
from tests.servers import expire_claims, let_lanes_come, let_night_pass, let_quiet_end
from tests.workers.rig import Rig, ample_limits
from tests.workers.rules_rig import RulesRig

ALL_DAY = QuietHours(begins=time(0), ends=time(0), zone="UTC", holds_failures=True)
AWAY = "While you were away: "
HAPPY, FAILING = story.happy(2), story.failing(2)
NEVER = 9e15


async def asleep(rig: Rig, *lives: Life, name: str = "", level: Level = Level.FINAL) -> list[str]:
    """A person, Alice if none is named, follows these, and sleeps while they end."""
    name = name or rig.alice
    executions = [await rig.followed(name, life=life, level=level) for life in lives]
    await rig.subscriptions.quiet.choose_hours(rig.who(name), ALL_DAY)
    for execution in executions:
        await play_on(rig, execution)
    await rig.deliver()
    assert set(rig.read(name)) <= {"card"}
    return executions


async def slept(rig: Rig, *lives: Life, name: str = "", level: Level = Level.FINAL) -> list[str]:
    """The same, and it is morning now."""
    executions = await asleep(rig, *lives, name=name, level=level)
    let_night_pass(rig.redis)
    return executions


async def play_on(rig: Rig, execution: str, *, to: str | None = None) -> None:
    """Let GCS show the rest of a life, or that up to a frame, and poll each frame."""
    while (frame := rig.gcs.step(execution)) is not None:
        await rig.poll()
        if frame.name == to:
            break


async def morning(rig: Rig, *, name: str = "", times: int = 4) -> list[Message]:
    """Deliver until nothing is left to be; what a person reads besides cards."""
    await rig.later(times=times)
    return news(rig, name)


def news(rig: Rig, name: str = "") -> list[Message]:
    """All that a person reads besides the cards of executions."""
    messages = rig.slack.messages(rig.place(name or rig.alice))
    return [each for each in messages if each.text.startswith(AWAY) or payload(each)["part"] != "card"]


def payload(message: Message) -> dict[str, Any]:
    """Its mark."""
    found: dict[str, Any] = message.metadata["event_payload"]
    return found


def firsts(messages: list[Message]) -> list[str]:
    """The first words of each."""
    return [each.text.partition(": ")[0] for each in messages]


def names_of(rig: Rig, executions: list[str]) -> list[str]:
    """What GCS calls them."""
    bodies = [rig.gcs.body(each) for each in executions]
    return [body["execution"]["name"] for body in bodies if body is not None]


def kept(rig: Rig) -> list[str]:
    """Keys that stay: none but hours, and what is remembered of the message for a while."""
    found = rig.left_over()
    assert all(rig.redis.pttl(key) > 0 for key in found if ":caught:" in key)
    return [key for key in found if ":caught:" not in key and ":quiet:" not in key]


async def fates(rig: Rig, execution: str) -> list[Fate]:
    """What became of each change for Alice, by the log."""
    log = await rig.subscriptions.log(execution, rig.who(rig.alice))
    return [fate for _, fate in fates_of(log, log.lanes[0])]


async def logged(rig: Rig, execution: str) -> str:
    """The same as Alice reads it."""
    log = await rig.subscriptions.log(execution, rig.who(rig.alice))
    return log_message(log, log.lanes, execution, address="").text


def lane_of(rig: Rig, execution: str) -> tuple[str, str]:
    """A lane, and the set that it is scheduled in."""
    for key in map(str, rig.redis.scan_iter("*:outbox:*")):
        for lane in map(str, rig.redis.zrange(key, 0, -1)):
            if execution in lane:
                return lane, key
    raise AssertionError(execution)


async def test_all_that_has_ended_is_one_message(rig: Rig) -> None:
    """What failed first, with its cause and the way to its card; the cards show the ends."""
    await rig.door.check_token()  # which says where links lead
    await slept(rig, HAPPY, FAILING, HAPPY)
    (message,) = await morning(rig)
    headline, failed, _, succeeded = message.text.split("\n")
    assert headline == f"{AWAY}1 failed, 2 succeeded"
    assert failed.startswith("❌ Failed: ")
    assert succeeded.count(",") == 1
    assert f"archives/{rig.place(rig.alice)}/p" in str(message.blocks[1])
    await rig.later(times=3)
    assert len(news(rig)) == 1
    assert not any("Running" in card for card in rig.cards(rig.alice)[:3])


async def test_nothing_stays_of_it(rig: Rig) -> None:
    """But what is remembered of the message for a while, without what it said."""
    await slept(rig, HAPPY, HAPPY)
    await morning(rig)
    assert kept(rig) == []
    (key,) = rig.redis.scan_iter("*:caught:*")
    fields = rig.redis.hgetall(str(key))
    assert sorted(str(value).partition("|")[0] for value in fields.values()) == ["", "", "posted"]


async def test_the_log_says_what_an_end_waits_for(rig: Rig) -> None:
    """Until when it is quiet; then that quiet hours are over, until the message is posted."""
    execution, _ = await asleep(rig, HAPPY, FAILING)
    waiting = (await fates(rig, execution))[-1]
    assert (waiting.kind, waiting.quiet and waiting.quiet.is_mute) == (FateKind.QUIET, False)
    assert waiting.quiet is not None
    assert waiting.quiet.until is not None
    let_night_pass(rig.redis)
    await rig.deliver()
    assert news(rig) == []
    assert (await fates(rig, execution))[-1].kind is FateKind.WAITING
    assert "you: quiet hours are over; on its way" in await logged(rig, execution)


@pytest.mark.parametrize("code", ["not_listed_anywhere", "invalid_auth"])
async def test_the_log_says_that_slack_refused(rig: Rig, code: str) -> None:
    """The message that an end has joined is tried again; once it is there, nothing of that is left."""
    execution, _ = await slept(rig, HAPPY, HAPPY)
    await rig.deliver()
    rig.fault("error", error=code, times=None)
    await rig.later(times=3)
    rig.slack.faults.clear()
    waiting = (await fates(rig, execution))[-1]
    assert (waiting.kind, waiting.code) == (FateKind.REFUSED, code)
    assert "refused: " in await logged(rig, execution)
    (message,) = await morning(rig, times=6)
    sent = (await fates(rig, execution))[-1]
    assert (sent.kind, sent.ts) == (FateKind.SENT, message.ts)


async def test_a_message_in_doubt_is_not_called_refused(rig: Rig) -> None:
    """Perhaps it is there."""
    execution, _ = await slept(rig, HAPPY, HAPPY)
    await rig.deliver()
    rig.fault("drop_before", times=None)
    await rig.later(times=3)
    assert (await fates(rig, execution))[-1].kind is FateKind.WAITING


async def test_a_single_end_is_reported_as_ever(rig: Rig) -> None:
    """By its own lane, with its buttons."""
    (execution,) = await slept(rig, HAPPY)
    (message,) = await morning(rig)
    assert message.text.startswith("✅ Succeeded: ")
    assert execution in payload(message)["lane"]
    assert kept(rig) == []


async def test_what_led_to_the_end_is_left_out(rig: Rig) -> None:
    """At a louder level there are lines before it; the log knows with which message they were delivered."""
    execution, _ = await slept(rig, story.happy(4), HAPPY, level=Level.STEPS)
    (message,) = await morning(rig)
    found = (await fates(rig, execution))[-3:]
    assert [fate.kind for fate in found] == [FateKind.MERGED, FateKind.MERGED, FateKind.SENT]
    places = {(fate.channel, fate.ts, fate.thread_ts) for fate in found}
    assert places == {(rig.place(rig.alice), message.ts, "")}


async def test_a_run_that_has_ended_twice_reports_both(rig: Rig) -> None:
    """It failed and was retried: neither end is left out."""
    await slept(rig, story.retried(3), HAPPY, HAPPY)
    assert sorted(firsts(await morning(rig))) == sorted(["❌ Failed", "Retrying", "✅ Succeeded", AWAY[:-2]])


async def test_channels_have_messages_of_their_own(rig: Rig) -> None:
    """Each end in its thread, as ever: people ask there about one run."""
    executions = [await rig.followed(rig.lab) for _ in range(2)]
    for each in executions:
        await rig.subscriptions.quiet.mute(rig.who(rig.lab), each, MuteFor.HOUR, by=rig.alice)
        await rig.deliver()
        await play_on(rig, each)
    let_night_pass(rig.redis)
    let_quiet_end(rig.redis)
    await rig.later(times=4)
    assert not any(AWAY in message.text for message in rig.slack.messages(rig.lab))


async def test_an_end_that_comes_late_is_reported_alone(rig: Rig) -> None:
    """The message is posted when its lane comes back."""
    late, *_ = await slept(rig, HAPPY, HAPPY, HAPPY)
    lane, key = lane_of(rig, late)
    rig.redis.zadd(key, {lane: NEVER})
    for _ in range(3):
        await rig.deliver()
        let_lanes_come_but(rig, lane, key)
    assert firsts(news(rig)) == [AWAY[:-2]]
    assert await morning(rig)
    assert firsts(news(rig)) == [AWAY[:-2], "✅ Succeeded"]
    assert kept(rig) == []


def let_lanes_come_but(rig: Rig, lane: str, key: str) -> None:
    """Let the time of all lanes come but that of one."""
    let_lanes_come(rig.redis)
    rig.redis.zadd(key, {lane: NEVER})


async def test_a_mute_meanwhile_doubles_nothing(rig: Rig) -> None:
    """The end has joined the message; what its lane waits for next ends later, and is another message."""
    execution, _ = await slept(rig, HAPPY, HAPPY)
    await rig.deliver()
    await rig.store.subscribers.keep_hours(rig.who(rig.alice), None)
    row = next(str(key) for key in rig.redis.scan_iter(f"*:subs:*{execution}"))
    fields = str(rig.redis.hget(row, rig.alice)).split("|")
    rig.redis.hset(row, rig.alice, "|".join([*fields[:7], "99", "1-2"]))  # another quiet time was over long ago
    assert firsts(await morning(rig)) == [AWAY[:-2]]


async def test_news_meanwhile_comes_after_it(rig: Rig) -> None:
    """A run is retried while its failure waits for the message: first one reads that it had failed."""
    execution, _ = await asleep(rig, HAPPY, HAPPY)
    other = await rig.followed(rig.alice, life=story.retried(3), level=Level.FINAL)
    await play_on(rig, other, to="failed")
    let_night_pass(rig.redis)
    await rig.deliver()
    await play_on(rig, other)
    assert firsts(await morning(rig)) == [AWAY[:-2], "Retrying", "✅ Succeeded"]
    assert execution


@pytest.mark.parametrize("level", [Level.FINAL, Level.MILESTONES])
async def test_what_only_a_rule_follows_has_no_card(rig: Rig, level: Level) -> None:
    """Runs that began and ended in the night are in the message, and nowhere else; the log links it."""
    rules = RulesRig(rig)
    await rules.make(rig.alice, level=level)
    await rig.subscriptions.quiet.choose_hours(rig.who(rig.alice), ALL_DAY)
    executions = [await rules.found(HAPPY) for _ in range(3)]
    for execution in executions:
        await play_on(rig, execution)
    assert await rig.deliver() == 0
    let_night_pass(rig.redis)
    (message,) = await morning(rig)
    assert len(rig.read(rig.alice)) == 1
    assert "3 succeeded" in message.text
    assert (await fates(rig, executions[0]))[-1].ts == message.ts
    assert not [key for key in kept(rig) if executions[0] in key]


@pytest.mark.parametrize(("code", "times"), [("invalid_blocks", 2), ("user_not_found", 3), ("not_listed_anywhere", 1)])
async def test_a_refused_message_leaves_ends_to_lanes(rig: Rig, code: str, times: int) -> None:
    """Slack takes it in no form, or not for an hour: each end is reported by itself, or leaves its own dead letter."""
    await slept(rig, HAPPY, HAPPY)
    await rig.deliver()
    (key,) = map(str, rig.redis.scan_iter("*:subs:*-c-*"))
    fields = str(rig.redis.hget(key, rig.alice)).split("|")
    rig.redis.hset(key, rig.alice, "|".join([*fields[:2], str(int(fields[2]) - 4_000_000), *fields[3:]]))
    rig.fault("error", error=code, times=times)
    await rig.later(times=6)
    letters = await rig.store.outbox.dead_letters()
    assert len(news(rig)) + len(letters) == 2
    assert not any(AWAY in message.text for message in news(rig))


async def test_a_refusal_that_may_pass_is_waited_out(rig: Rig) -> None:
    """Nobody knows the code: all come together once Slack takes messages again."""
    await slept(rig, HAPPY, HAPPY)
    rig.fault("error", error="not_listed_anywhere")
    assert firsts(await morning(rig, times=6)) == [AWAY[:-2]]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status_after", "ratelimited"])
async def test_a_message_in_doubt_is_there_once(rig: Rig, kind: str) -> None:
    """Whether or not Slack had taken it; no end is reported beside it."""
    await slept(rig, HAPPY, FAILING)
    await rig.deliver()
    assert news(rig) == []
    rig.fault(kind, status=502)
    assert firsts(await morning(rig, times=6)) == [AWAY[:-2]]


async def test_it_speaks_the_language_of_its_reader(rig: Rig) -> None:
    """At the time of sending: the store holds values."""
    await rig.store.languages.choose(rig.slack.workspace.team_id, rig.alice, Language.CHINESE.value)
    await slept(rig, HAPPY, FAILING)
    await rig.later(times=4)
    texts = [message.text for message in rig.slack.messages(rig.place(rig.alice))]
    assert [text.partition("\n")[0] for text in texts if text.startswith("你不在时")] == [
        "你不在时：1 个失败、1 个成功"
    ]


async def test_forgotten_people_read_nothing(rig: Rig) -> None:
    """Also of what has joined a message that was not posted yet."""
    await slept(rig, HAPPY, HAPPY)
    await rig.deliver()
    await rig.subscriptions.forget(rig.who(rig.alice))
    assert await morning(rig) == []
    assert not [key for key in rig.redis.scan_iter() if rig.alice in str(key) and "asked" not in str(key)]


async def test_two_bots_post_one_message(rig: Rig) -> None:
    """Both claim lanes at the same time."""
    await slept(rig, HAPPY, FAILING, HAPPY, HAPPY)
    other = Notifier(rig.door, rig.store, ample_limits(rig.store), concurrency=2)
    for _ in range(6):
        let_lanes_come(rig.redis)
        await asyncio.gather(rig.notifier.run_once(), other.run_once())
    (message,) = news(rig)
    assert message.text.startswith(f"{AWAY}1 failed, 3 succeeded")


class Killed(StoreUnavailable):
    """A worker goes no further, and keeps its claim."""


class Killer:
    """Kills the worker at a step, before or after that has had its effect, after some times at which it does not."""

    def __init__(self, rig: Rig, patch: pytest.MonkeyPatch, step: str, *, is_late: bool) -> None:
        """`step`: a script, or `post`."""
        self.has_struck = False
        self._step, self._is_late, self._left = step, is_late, -1
        connection = rig.store._connection
        run, post = connection.run, rig.door.post
        patch.setattr(connection, "run", lambda name, *args, **more: self._do(name, lambda: run(name, *args, **more)))
        patch.setattr(rig.door, "post", lambda *args, **more: self._do("post", lambda: post(*args, **more)))

    def arm(self, after: int) -> None:
        """Strike after so many times."""
        self.has_struck, self._left = False, after

    def disarm(self) -> None:
        """Do not strike any more."""
        self._left = -1

    async def _do(self, name: str, act: Callable[[], Awaitable[Any]]) -> Any:
        if name != self._step or self._left < 0:
            return await act()
        self._left -= 1
        if self._left >= 0:
            return await act()
        self.has_struck = True
        if self._is_late:
            await act()
        raise Killed(name)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(
    "step",
    [
        "outbox/amend",
        "catch_ups/enter",
        "outbox/release",
        "catch_ups/close",
        "post",
        "catch_ups/finish",
        "outbox/record",
        "outbox/forget",
    ],
)
async def test_a_kill_at_any_step_doubles_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str, is_late: bool
) -> None:
    """Before or after a script, or the post: all is reported once, by the next worker."""
    killer = Killer(rig, monkeypatch, step, is_late=is_late)
    for times in range(9):
        rig.redis.flushall()
        name = rig.slack.add_user(f"person-{times}")
        ends = await slept(rig, HAPPY, FAILING, name=name)
        killer.arm(times)
        for _ in range(7):
            await rig.later()
            expire_claims(rig.redis)
        killer.disarm()
        lines = [line for each in news(rig, name) for line in each.text.split("\n") if line[:1] in "✅❌"]
        assert sorted(line.partition(": ")[2] for line in lines) == sorted(names_of(rig, ends)), times
        if not killer.has_struck:
            break
    assert times > 0
