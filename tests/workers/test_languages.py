"""Everybody is written to in their own language, at the time of sending."""

from __future__ import annotations

from bot.blocks.language import Language, speaking
from bot.blocks.levels import level_words
from bot.domain.following import Level
from tests.workers.rig import Rig


async def test_cards_are_in_their_readers_language(rig: Rig) -> None:
    """Two readers of one execution read it in two languages."""
    await rig.store.languages.choose(rig.who(rig.lab).team_id, rig.lab, "zh_CN")
    await rig.followed(rig.alice, rig.lab)
    (mine,), (theirs,) = rig.slack.messages(rig.place(rig.alice)), rig.slack.messages(rig.lab)
    assert "个步骤" in theirs.text
    assert "个步骤" not in mine.text


async def test_an_owner_reads_their_own_language(rig: Rig) -> None:
    """Not that of the channel that it is about."""
    await rig.store.languages.choose(rig.who(rig.alice).team_id, rig.alice, "zh_CN")
    execution = await rig.followed(rig.lab)
    bob = rig.slack.add_user("bob")
    await rig.subscriptions.subscribe(rig.who(rig.lab), execution, level=Level.FINAL, owner=bob)
    await rig.deliver()
    with speaking(Language.CHINESE):
        words = level_words(Level.FINAL)
    assert words in rig.slack.messages(rig.place(rig.alice))[-1].text
    assert not any(words in message.text for message in rig.slack.messages(rig.lab))
