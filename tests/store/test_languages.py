"""Languages that were chosen: kept until they are withdrawn, or the person asks to be forgotten."""

from __future__ import annotations

from bot.store import Store


async def test_a_choice_is_kept_and_withdrawn(store: Store) -> None:
    """For one person or channel of one workspace."""
    await store.languages.choose("T1", "U1", "zh_CN")
    assert await store.languages.find("T1", "U1") == "zh_CN"
    assert await store.languages.find("T2", "U1") == await store.languages.find("T1", "C1") == ""
    await store.languages.choose("T1", "U1", "")
    assert await store.languages.find("T1", "U1") == ""


async def test_a_choice_is_forgotten_with_the_person(store: Store) -> None:
    """That of a channel stays."""
    await store.languages.choose("T1", "U1", "zh_CN")
    await store.languages.choose("T1", "C1", "zh_CN")
    await store.people.forget("U1")
    assert await store.languages.find("T1", "U1") == ""
    assert await store.languages.find("T1", "C1") == "zh_CN"
