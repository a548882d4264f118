"""The audit trail of the whole bot: who asked for what, and which messages it led to, at the highest log level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox import story
from tests.end_to_end.conftest import World, eventually, made
from tests.end_to_end.people import Person


def lines(world: World, event: str, **values: str) -> list[dict[str, Any]]:
    """The log lines of one kind with these values."""
    return [line for line in world.bot.logged(event) if values.items() <= line.items()]


async def test_one_id_from_command_to_last_message(tmp_path: Path) -> None:
    """Nothing but the trail at `LOG_LEVEL=error`: who subscribed, each message with its ts, and the end."""
    async with made(tmp_path, LOG_LEVEL="error") as world:
        carol, execution = Person.new(world), world.gcs.play(story.happy(3), by_hand=True)
        await carol.types(f"subscribe {execution} here")
        card = await carol.card(carol.channel)
        world.gcs.step(execution, to="succeeded")
        await eventually(lambda: bool(lines(world, "subscription.ended")))

        (asked,) = lines(world, "handlers.answered")
        who = {"actor": carol.id, "team": world.slack.workspace.team_id}
        about = {"request_id": asked["request_id"], "execution": execution}
        assert asked.items() >= (who | about).items()
        assert (asked["verb"], asked["channel"], asked["result"]) == ("subscribe", carol.channel, "ok")

        (created,) = lines(world, "subscription.created", **who, **about)
        assert (created["subscriber"], created["changes"]) == (carol.channel, "steps")

        sent = lines(world, "message.sent", channel=carol.channel, **about)
        in_slack = [message.ts for message in world.slack.messages(carol.channel)]
        assert [line["ts"] for line in sent if line["kind"] != "edit"] == in_slack
        assert (sent[0]["kind"], sent[0]["ts"], sent[0]["attempt"]) == ("card", card.ts, 1)
        outcome = next(line for line in sent if line.get("change") == "outcome")
        assert 0 <= outcome["delay_s"] < 60

        (ended,) = lines(world, "subscription.ended", **about)
        assert ended["why"] == "execution_over"


async def test_the_trail_names_who_ends_what(tmp_path: Path) -> None:
    """A button in a channel, pressed by another person than the one who subscribed."""
    async with made(tmp_path, LOG_LEVEL="error") as world:
        carol, execution = Person.new(world), world.gcs.play(story.happy(3), by_hand=True)
        await carol.types(f"subscribe {execution} here final")
        card = await carol.card(carol.channel, text="Stop following here")
        dave = Person(world, carol.channel, world.slack.add_user("dave"))
        await dave.presses("Stop following here", await dave.gets("Stop following here …", card))
        # The last line of the two: the request is answered when the subscription has ended.
        await eventually(lambda: bool(lines(world, "handlers.answered", listener="unsubscribe_execution")))
        (ended,) = lines(world, "subscription.ended", why="unsubscribed", subscriber=carol.channel, actor=dave.id)
        (pressed,) = lines(world, "handlers.answered", listener="unsubscribe_execution", actor=dave.id)
        assert ended["request_id"] == pressed["request_id"]
        await carol.card(carol.channel, text="no longer followed")
        await eventually(lambda: bool(lines(world, "message.sent", kind="edit", request_id=ended["request_id"])))
