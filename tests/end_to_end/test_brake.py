"""`execution-bot release` beside a bot that has stopped endings."""

from __future__ import annotations

from pathlib import Path

from sandbox import story
from sandbox.slack import Fault
from tests.end_to_end.bot_process import ended
from tests.end_to_end.conftest import eventually, made
from tests.end_to_end.people import Person
from tests.end_to_end.test_process import problem_with, until_ready


async def test_release_lets_deletions_be_reported(tmp_path: Path) -> None:
    """All that is followed disappears: nobody reads "deleted" until an operator says that it is right."""
    async with made(tmp_path) as world:
        carol = Person.new(world)
        executions = [world.gcs.play(story.deleted(2), by_hand=True) for _ in range(3)]
        for execution in executions:
            await carol.types(f"subscribe {execution}")
        await eventually(lambda: len(carol.dm) == len(executions))
        for execution in executions:
            world.gcs.step(execution, to="gone")
        assert "region or project is wrong" in await problem_with(world, "brake")
        await eventually(lambda: all("GCS has not shown this execution" in card.text for card in carol.dm))
        assert len(world.bot.logged("brake.on")) == 1
        for wrong, said in (("gcs:notfound", "what is stopped: gcs:not_found."), ("", "The argument is empty")):
            code, printed = await ended(tmp_path, "release", world.bot.settings, wrong)
            assert (code, said in printed, "may end now" in printed) == (1, True, False), printed
        code, printed = await ended(tmp_path, "release", world.bot.settings)
        assert (code, "gcs:not_found" in printed, "3 may end now" in printed) == (0, True, True), printed
        await eventually(lambda: sum("Deleted" in message.text for message in carol.dm) >= len(executions))
        await until_ready(world)
        assert await ended(tmp_path, "release", world.bot.settings) == (0, "Nothing is stopped.\n")


async def test_dead_letters_are_repaired_beside_the_bot(tmp_path: Path) -> None:
    """Exported, deleted, imported, and resurrected: the outcome arrives in the end."""
    async with made(tmp_path) as world:
        carol = Person.new(world)
        execution = world.gcs.play(story.happy(2), by_hand=True)
        await carol.types(f"subscribe {execution} here")
        await carol.card(carol.channel)
        world.slack.faults.add(Fault(kind="error", method="chat.postMessage", error="no_permission"))
        world.gcs.step(execution, to="succeeded")
        await eventually(lambda: bool(world.bot.logged("notifier.undeliverable")))
        await eventually(lambda: any("I can no longer notify" in message.text for message in carol.dm))

        async def letters(*words: str) -> str:
            code, printed = await ended(tmp_path, "dead-letters", world.bot.settings, *words)
            assert code == 0, printed
            return printed

        assert execution in await letters()
        for words in (("export", "nowhere/letters.jsonl"), ("export", "."), ("import", "letters.jsonl")):
            code, printed = await ended(tmp_path, "dead-letters", world.bot.settings, *words)
            assert (code > 0, "Traceback" in printed) == (True, False), printed
        for mistake in (
            ("purge", "nobody"),
            ("--resurrect", "nobody"),
            ("--resurrect", ""),
            ("--resurrect", "all", "purge", "all"),
        ):
            code, printed = await ended(tmp_path, "dead-letters", world.bot.settings, *mistake)
            assert (code, len(printed.splitlines())) == (1, 1), printed
        assert execution in await letters()
        (tmp_path / "letters.jsonl").touch(mode=0o644)
        assert await letters("export", "letters.jsonl") == "1 written.\n"
        assert (tmp_path / "letters.jsonl").stat().st_mode & 0o777 == 0o600
        assert execution in await letters("export", "/dev/stdout")
        assert "deleted" in await letters("purge", "all")
        assert await letters() == "There are none.\n"
        assert await letters("import", "letters.jsonl") == "1 added.\n"
        assert "resurrected" in await letters("--resurrect", "all")
        await eventually(lambda: any("Succeeded" in each.text for each in world.slack.messages(carol.channel)[1:]))
        assert await letters() == "There are none.\n"
