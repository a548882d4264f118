"""People are answered in their own language, and choose it."""

from __future__ import annotations

from bot.blocks.language import Language
from tests.unit.handlers.conftest import World
from tests.unit.handlers.doubles import ID


async def test_slack_s_locale_is_the_language(world: World) -> None:
    """Where the scope `users:read` lets the bot see it."""
    world.slack.results["users.info"] = {"user": {"id": "U1", "team_id": "T1", "locale": "zh-CN"}}
    await world.command(ID)
    assert "个步骤" in world.slack.answers[-1]["text"]


async def test_a_person_chooses_their_language(world: World) -> None:
    """The answer is in it, and so is the next one."""
    await world.command("language zh")
    assert "中文" in world.slack.answers[-1]["text"]
    await world.command(ID)
    assert "个步骤" in world.slack.answers[-1]["text"]
    await world.command("English")
    assert world.choices.chosen == {"T1/U1": Language.ENGLISH}
    assert "in English from now on" in world.slack.answers[-1]["text"]


async def test_a_channel_has_a_language(world: World) -> None:
    """Its own: the person who chose it is answered in it once."""
    world.slack.results["conversations.info"] = {"channel": {"id": "C1", "is_member": True}}
    world.slack.results["conversations.members"] = {"members": ["U1"]}
    await world.command("language 中文 here")
    assert world.choices.chosen == {"T1/C1": Language.CHINESE}
    assert "本频道" in world.slack.answers[-1]["text"]


async def test_errors_are_in_the_language_too(world: World) -> None:
    """Also those about what was typed."""
    world.choices.chosen["T1/U1"] = "zh_CN"
    await world.command("subscribe")
    assert "哪个任务" in world.slack.answers[-1]["text"]
    await world.command("language")
    assert "哪种语言" in world.slack.answers[-1]["text"]
