"""What people may type, whatever it is: a known command, or a sentence in which foreign text is only text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.replies import error_reply
from bot.blocks.sentences import sentence
from bot.errors import InvalidInput
from handlers.parsing import parse
from handlers.vocabulary import Command, Verb
from sandbox.slack import blockkit
from tests.fuzz.mutations import texts
from tests.fuzz.profiles import examples
from tests.unit.blocks.test_hostile import CALLS, OURS
from tests.unit.blocks.world import ID, shown

KNOWN = (
    "subscribe",
    "unsubscribe",
    "list",
    "help",
    "forget-me",
    "status",
    "follow",
    "here",
    "me",
    "final",
    "milestones",
    "phase",
    "progress",
    "steps",
    "?",
)
PASTED = (
    ID,
    ID.upper(),
    ID[:-1],
    f"{ID}{ID}",
    f"<https://console.example.com/{ID}|{ID}>",
    f"<https://console.example.com/{ID}",
    "<!channel|x>",
    "<!here>",
    "<@U123|name>",
    "<#C1|general>",
    "<!subteam^S1|@team>",
    "<!date^1^{date}^https://evil.example|x>",
    "<mailto:a@b.example|a@b.example>",
    "\u202e\u2066\u2069\u200b\u00ad\u034f\ufeff",
    "`` `",
    "&lt;!channel&gt;",
    "x" * 39_000,
    "subscrib\u0435",
    "ſubscribe",
    "\U000e0041\U0001f468\u200d\U0001f469",
)
"""Ids, whole and damaged, and what Slack or people put around words."""

AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

word = st.one_of(st.sampled_from(KNOWN), st.sampled_from(PASTED), texts)
typed = st.one_of(st.text(), st.builds(str.join, st.sampled_from([" ", "", "\u00a0", "\n", ", ", "`"]), st.lists(word)))


@examples(200)
@given(typed)
def test_any_words_are_answered(text: str) -> None:
    """A command that is known through and through, or a short sentence that Slack takes and that mentions nobody."""
    try:
        command = parse(text)
    except InvalidInput as error:
        assert_harmless(sentence(error))
    else:
        assert_known(command, text)


def assert_known(command: Command, text: str) -> None:
    """It has an id in lower case, one of those that were typed, or a part of a name, exactly where it needs one."""
    is_about_one = command.verb in {Verb.SUMMARY, Verb.SUBSCRIBE, Verb.UNSUBSCRIBE}
    assert (bool(command.execution_id) != bool(command.query)) == is_about_one
    assert not command.execution_id or AN_ID.fullmatch(command.execution_id)
    assert command.execution_id in text.casefold()
    assert command.level is None or command.verb is Verb.SUBSCRIBE
    assert not command.is_here or command.verb in {Verb.SUBSCRIBE, Verb.UNSUBSCRIBE, Verb.LIST, Verb.HELP}


def assert_harmless(answer: str) -> None:
    """Slack takes the reply; it mentions nobody, links nothing and hides nothing."""
    reply = error_reply(answer)
    assert blockkit.problems(list(reply.blocks), "message") == []
    assert 0 < len(reply.text) <= 600
    for everything in (shown(reply.blocks), reply.text):
        assert not set(OURS.sub("", everything)) & set("<>\u202e\u2066\u200b\x00")
        assert not CALLS.search(everything)
        everything.encode()
    assert answer.count("`") % 2 == 0
