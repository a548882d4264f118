"""Promises of `handlers.parsing`: what may be typed, and which sentence a mistake gets."""

from __future__ import annotations

import html
import re
from contextlib import suppress
from datetime import time
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.language import Language
from bot.blocks.replies import error_reply
from bot.blocks.sentences import sentence
from bot.domain.following import Level, RuleKind
from bot.domain.quiet import MuteFor
from bot.errors import InputProblem, InvalidInput
from handlers.parsing import parse
from handlers.typed import read
from handlers.vocabulary import Command, RuleWords, Verb

ID = "e19d3faf-9f04-9685-e5c0-fbe8d40b96cd"
OTHER = "3310a25e-fc1c-11e8-bcb5-0255ac10a106"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        ID.upper(),
        f'"{ID}"',
        f"“{ID}”",
        f"‘{ID}’",
        f"`{ID}`",
        f"*{ID}*",
        f"status {ID}.",
        f"{ID} {ID}",
        f"https://console.example.com/gcs/#/executions/{ID}?tab=steps",
        f"<https://console.example.com/gcs/{ID}|the deepvariant run>",
        f"<https://console.example.com/gcs/{ID}|{ID}>",
        f"\u00a0 {ID}\n",
        f"\u200b{ID}\ufeff",
        ID.replace("-", "\u2011"),
        ID.replace("-", "\u2010"),
        f"show {ID.replace('-', chr(0x2013))}",
        "\uff45" + ID[1:],
        f"what is the status of {ID}?",
        f"is {ID} running?",
        f"/execution {ID}",
        f"`/execution status {ID}`",
        f":rocket: {ID}",
        f"🚀 {ID}",
        f"<{ID}>",
        f"查看{ID}",
        f"状态：{ID}",
        f"ID：{ID}",
    ],
)
def test_an_id_alone_asks_for_the_summary(text: str) -> None:
    """The id is found however it was pasted, in lower case, and its summary is meant."""
    assert parse(text) == Command(Verb.SUMMARY, ID)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", Command(Verb.OVERVIEW)),
        ("help", Command(Verb.HELP)),
        ("?", Command(Verb.HELP)),
        ("list", Command(Verb.LIST)),
        ("list here", Command(Verb.LIST, is_here=True)),
        ("list me", Command(Verb.LIST)),
        (f"subscribe {ID}", Command(Verb.SUBSCRIBE, ID)),
        (f"SUBSCRIBE {ID} Here FINAL", Command(Verb.SUBSCRIBE, ID, is_here=True, level=Level.FINAL)),
        (f"subscribe final here {ID}", Command(Verb.SUBSCRIBE, ID, is_here=True, level=Level.FINAL)),
        (f"{ID} follow phase, me", Command(Verb.SUBSCRIBE, ID, level=Level.MILESTONES)),
        (f"subscribe {ID} progress", Command(Verb.SUBSCRIBE, ID, level=Level.STEPS)),
        (f"subscribe {ID} Failures", Command(Verb.SUBSCRIBE, ID, level=Level.FAILURES)),
        (f"subscribe {ID} milestone milestones", Command(Verb.SUBSCRIBE, ID, level=Level.MILESTONES)),
        (f"unsubscribe {ID} here", Command(Verb.UNSUBSCRIBE, ID, is_here=True)),
        ("language zh", Command(Verb.LANGUAGE, language=Language.CHINESE)),
        ("中文", Command(Verb.LANGUAGE, language=Language.CHINESE)),
        ("语言 English here", Command(Verb.LANGUAGE, is_here=True, language=Language.ENGLISH)),
        ("language auto", Command(Verb.LANGUAGE)),
        (f"subscribe\u200b {ID}", Command(Verb.SUBSCRIBE, ID)),
        (f"unfollow {ID}", Command(Verb.UNSUBSCRIBE, ID)),
        ("mine", Command(Verb.LIST)),
        ("running", Command(Verb.RUNNING)),
        ("list failed", Command(Verb.FAILED)),
        ("germline-WGS", Command(Verb.SUMMARY, query="germline-WGS")),
        ("foo bar", Command(Verb.SUMMARY, query="foo bar")),
        ("e19d3faf", Command(Verb.SUMMARY, query="e19d3faf")),
        ("`*x*`", Command(Verb.SUMMARY, query="x")),
        ("subscribe heer", Command(Verb.SUBSCRIBE, query="heer")),
        (
            "here follow \u5168\u57fa\u56e0\u7ec4 final",
            Command(Verb.SUBSCRIBE, "", True, Level.FINAL, query="\u5168\u57fa\u56e0\u7ec4"),
        ),
        ("show stop", Command(Verb.SUMMARY, query="stop")),
        ("stop-7", Command(Verb.SUMMARY, query="stop-7")),
        ("show en", Command(Verb.SUMMARY, query="en")),
        ("unsubscribe 2018\u20130820", Command(Verb.UNSUBSCRIBE, query="2018-0820")),
        (f"mute {ID}", Command(Verb.MUTE, ID)),
        (f"mute {ID} 8h here", Command(Verb.MUTE, ID, is_here=True, span=MuteFor.EIGHT_HOURS)),
        (f"Mute {ID} for 1h, everything", Command(Verb.MUTE, ID, span=MuteFor.HOUR, is_for_everything=True)),
        ("snooze germline until tomorrow", Command(Verb.MUTE, query="germline", span=MuteFor.TOMORROW)),
        ("mute germline until it ends", Command(Verb.MUTE, query="germline", span=MuteFor.END)),
        (f"unmute {ID}", Command(Verb.UNMUTE, ID)),
        ("quiet", Command(Verb.QUIET)),
        ("quiet off", Command(Verb.QUIET, is_off=True)),
        ("Quiet 22:00–07:00", Command(Verb.QUIET, hours=(time(22), time(7)))),
        ("quiet 22-7 Europe/Paris", Command(Verb.QUIET, hours=(time(22), time(7)), zone="Europe/Paris")),
        (
            "quiet new york 9:30-24 everything",
            Command(Verb.QUIET, hours=(time(9, 30), time(0)), zone="new york", is_for_everything=True),
        ),
        ("until it ends", Command(Verb.SUMMARY, query="until it ends")),
        ("forget-me", Command(Verb.FORGET)),
        ("Forget me.", Command(Verb.FORGET)),
        (f"please subscribe me to {ID}", Command(Verb.SUBSCRIBE, ID)),
        ("unsubscribe from germline", Command(Verb.UNSUBSCRIBE, query="germline")),
        ("- execution germline-1", Command(Verb.SUMMARY, query="germline-1")),
        ("the run", Command(Verb.SUMMARY, query="the run")),
        (f"subscribe：{ID}", Command(Verb.SUBSCRIBE, ID)),
        ("unsubscribe, germline", Command(Verb.UNSUBSCRIBE, query="germline")),
        ("logs-1", Command(Verb.SUMMARY, query="logs-1")),
        (f"关注{ID}", Command(Verb.SUBSCRIBE, ID)),
        (f"请帮我关注 {ID}", Command(Verb.SUBSCRIBE, ID)),
        (f"could you show me {ID}, please? Thanks!", Command(Verb.SUMMARY, ID)),
        ("订阅 germline 本频道 仅失败", Command(Verb.SUBSCRIBE, "", True, Level.FAILURES, query="germline")),
        (f"取消关注，{ID}", Command(Verb.UNSUBSCRIBE, ID)),
        ("关注度-7", Command(Verb.SUMMARY, query="关注度-7")),
        ("失败", Command(Verb.FAILED)),
        ("language zh-CN", Command(Verb.LANGUAGE, language=Language.CHINESE)),
        (f"subscribe {ID} failures only", Command(Verb.SUBSCRIBE, ID, level=Level.FAILURES)),
        (f"subscribe {ID} failed", Command(Verb.SUBSCRIBE, ID, level=Level.FAILURES)),
        ("help subscribe", Command(Verb.HELP)),
        ("帮助 关注", Command(Verb.HELP)),
        (f"mute {ID} for 8 hours", Command(Verb.MUTE, ID, span=MuteFor.EIGHT_HOURS)),
        (f"静音 {ID} 明天", Command(Verb.MUTE, ID, span=MuteFor.TOMORROW)),
        ("status germline-1?", Command(Verb.SUMMARY, query="germline-1")),
        (f"subscribe this channel to {ID}", Command(Verb.SUBSCRIBE, ID, is_here=True)),
        ("list channel", Command(Verb.LIST, is_here=True)),
        ("what is running?", Command(Verb.RUNNING)),
        ("which runs have failed", Command(Verb.FAILED)),
        ("list all my executions", Command(Verb.LIST)),
        ("列表 全部", Command(Verb.LIST)),
        ("subscribe all", Command(Verb.SUBSCRIBE, query="all")),
        ("quiet 22:00 - 07:00", Command(Verb.QUIET, hours=(time(22), time(7)))),
        ("quiet 22:00 07:00", Command(Verb.QUIET, hours=(time(22), time(7)))),
        ("quiet 22:30～7", Command(Verb.QUIET, hours=(time(22, 30), time(7)))),
        ("quiet 10pm to 7am Asia/Tokyo", Command(Verb.QUIET, hours=(time(22), time(7)), zone="Asia/Tokyo")),
        ("quiet 22-7 America/Lima", Command(Verb.QUIET, hours=(time(22), time(7)), zone="America/Lima")),
        ("免打扰 22点到7点 上海", Command(Verb.QUIET, hours=(time(22), time(7)), zone="上海")),
        ("免打扰 关闭", Command(Verb.QUIET, is_off=True)),
    ],
)
def test_words_may_stand_in_any_order(text: str, command: Command) -> None:
    """Verb, id, place and level are recognised in any position and any case."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("subscribe", "Which execution? `/execution subscribe <name or id> [here]"),
        ("here", "Say what to do, and with which execution"),
        (f"{ID} {OTHER}", "One execution at a time, please: `/execution <name or id>`"),
        (f"subscribe {ID} {OTHER} here", "One execution at a time, please: `/execution subscribe"),
        (f"subscirbe {ID} here", f"Did you mean `/execution subscribe {ID} here`?"),
        (f"subscribe {ID} heer", f"Did you mean `/execution subscribe {ID} here`?"),
        ("lst", "Did you mean `/execution list`?"),
        (f"{ID} here final", f"Did you mean `/execution subscribe {ID} here final`?"),
        ("subscirbe my-run here", "Did you mean `/execution subscribe my-run here`?"),
        ("subscribe my-run heer", "Did you mean `/execution subscribe my-run here`?"),
        (f"status {ID} final", f"Did you mean `/execution subscribe {ID} final`?"),
        (f"silence {ID}", f"Did you mean `/execution mute {ID}`?"),
        ("stop", "Which execution? `/execution unsubscribe"),
        ("Stopp", "Which execution? `/execution unsubscribe"),
        ("stop my-run", "Did you mean `/execution unsubscribe my-run`?"),
        ("retry", "Which execution? `/execution <name or id>`"),
        ("cancel my-run", "Did you mean `/execution status my-run`?"),
        ("ls", "Did you mean `/execution list`?"),
        ("rules", "Did you mean `/execution list`?"),
        ("规则", "Did you mean `/execution list`?"),
        ("mute", "Which execution? `/execution mute <name or id> [here] [1h|8h|tomorrow|end] [everything]`"),
        (f"mute {ID} 1h 8h", "For how long? `/execution mute"),
        (f"mute {ID} final", "`final` only works with `subscribe`"),
        (f"mute {ID} 3h", "For how long? `/execution mute"),
        ("mute germline forever", "For how long? `/execution mute"),
        ("quiet 13pm-7am", "When are your quiet hours?"),
        ("关注流程", "Which ones? For example"),
        ("list log x", "I cannot do `list` and `log` at once"),
        ("subscribe workflow germline-wgs #lab", "For another channel, type it there"),
        ("board workflow germline-wgs <#C1|lab>", "For another channel, type it there"),
        (f"{ID} and {OTHER}", "One execution at a time, please"),
        (f"subscribe {ID} errors", f"Did you mean `/execution subscribe {ID} failures`?"),
        (f"subscribe {ID} phasse", f"Did you mean `/execution subscribe {ID} milestones`?"),
        (f"sub {ID} heer", f"Did you mean `/execution subscribe {ID} here`?"),
        (f"关注一 {ID}", f"Did you mean `/execution subscribe {ID}`?"),
        (f"do not follow {ID}", "I do not know `do`"),
        (f"subscribe {ID} #den", "For another channel, type it there"),
        (f"subscribe {ID} for <@U1|bob>", "For another channel, type it there"),
        ("list <#C1|den>", "For another channel, type it there"),
        ("quiet 25:00-07:00", "When are your quiet hours? `/execution quiet <22:00-07:00|off> [zone] [everything]`"),
        ("quiet tonight", "When are your quiet hours?"),
        ("quiet off 22-7", "When are your quiet hours?"),
        ("quiet 22-7 9-10", "When are your quiet hours?"),
        ("quiet everything", "When are your quiet hours?"),
        (f"quiet {ID}", "When are your quiet hours?"),
        (f"{ID} here me", "Either `here`, for this channel, or `me`: `/execution subscribe"),
        ("list foo", "`list` takes no id and no name"),
        (f"explode {ID}", "I do not know `explode`. `/execution help` shows what I know."),
        (f"subscribe unsubscribe {ID}", "I cannot do `subscribe` and `unsubscribe` at once"),
        (f"subscribe {ID} here me", "Either `here`, for this channel, or `me`"),
        (f"subscribe {ID} final phase", "One of `failures`, `final`, `milestones` and `steps`"),
        (f"unsubscribe {ID} final", "`final` only works with `subscribe`"),
        (f"list {ID}", "`list` takes no id"),
        ("forget-me here", "Either `here`, for this channel, or `me`: `/execution forget-me`"),
        (f"forget-me {ID}", "`forget-me` takes no id and no name: `/execution forget-me`"),
        (ID[:-1], "is not a whole execution id"),
        (f"{ID}0", "is not a whole execution id"),
    ],
)
def test_a_mistake_shows_the_right_line(text: str, part: str) -> None:
    """What is no command has a sentence that shows what to type."""
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert part in sentence(caught.value)


@pytest.mark.parametrize("text", ["<!channel>", "<!channel|hey>", "`<@U123>`", "a`b<!here>", "<#C1|general>"])
def test_a_repeated_word_mentions_nobody(text: str) -> None:
    """A word that a reply repeats mentions nobody, and cannot end the code span that it stands in."""
    word = " ".join(each.shown for each in read(text).words)
    refusal = InvalidInput(InputProblem.NOT_NAMED, word=word)
    shown = error_reply(sentence(refusal))
    assert not any(mark in str(shown) for mark in ("<!", "<@", "<#"))
    assert sentence(refusal).count("`") % 2 == 0


WORDS = st.sampled_from(
    [
        *("status show subscirbe unsubscribe lst heer here me finl final stepz phase mute mine foo run-7".split()),
        *("a`b stop ls rules help runing failed forget \u5168\u57fa\u56e0\u7ec4".split()),
        *(ID, ID[:8], ID[:-1], OTHER),
    ]
)


@settings(max_examples=500)
@given(st.one_of(st.lists(WORDS, max_size=6).map(" ".join), st.text(max_size=60)))
def test_a_suggestion_is_a_line_that_parses(text: str) -> None:
    """What is shown after "Did you mean" can be typed as it stands there."""
    try:
        parse(text)
    except InvalidInput as error:
        for line in re.findall(r"Did you mean `/execution ([^`]*)`", error_reply(sentence(error)).text):
            assert parse(html.unescape(line)).verb in set(Verb)


@pytest.mark.parametrize("text", ["lst " * 700, "heer " * 3 + ID, "a" * 3000, "\u200b" * 3000])
def test_a_long_line_is_read_at_once(text: str) -> None:
    """However many words are misspelled."""
    began = process_time()
    with suppress(InvalidInput):
        parse(text)
    assert process_time() - began < 5


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Nothing that can be typed breaks the parser, and a refusal always has a short sentence."""
    shown = "."
    try:
        parse(text)
    except InvalidInput as error:
        shown = sentence(error)
    assert 0 < len(shown) < 400


@given(st.permutations(["subscribe", ID, "here", "final"]), st.sampled_from(["", "`", '"', "“", "*"]))
def test_order_and_quotes_do_not_matter(words: list[str], quote: str) -> None:
    """All orders of the same words, quoted or not, ask for the same thing."""
    text = " ".join(f"{quote}{word}{quote}" for word in words)
    assert parse(text) == Command(Verb.SUBSCRIBE, ID, is_here=True, level=Level.FINAL)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (
            "subscribe workflow germline-wgs",
            Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, ("germline-wgs",))),
        ),
        (
            "follow Workflow here “全基因组 检测” final",
            Command(
                Verb.SUBSCRIBE,
                is_here=True,
                level=Level.FINAL,
                rule=RuleWords(RuleKind.WORKFLOW, ("全基因组 检测",)),
            ),
        ),
        *(
            (text, Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, ("germline-wgs",))))
            for text in (
                *("subscribe to workflow germline-wgs", "follow all new runs of the workflow germline-wgs"),
                *("关注流程 germline-wgs", "关注流程：germline-wgs"),
            )
        ),
        ("取消关注流程 gw", Command(Verb.UNSUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, ("gw",)))),
        *(
            (text, Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.LABEL, ("batch=panel-7", "lane=3"))))
            for text in (
                *("subscribe label batch=panel-7,lane=3", "subscribe label batch=panel-7 and lane=3"),
                *("subscribe labels batch＝panel-7，lane＝３", "关注标签 batch=panel-7、lane=3"),
            )
        ),
        ("subscribe label a=1,2", Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.LABEL, ("a=1,2",)))),
        ("board of the workflow gw", Command(Verb.BOARD, is_here=True, query="gw")),
        ("stop the board", Command(Verb.BOARD, is_here=True, is_off=True)),
        ("结束看板", Command(Verb.BOARD, is_here=True, is_off=True)),
        ("看板 停止", Command(Verb.BOARD, is_here=True, is_off=True)),
        (f"show log of {ID}", Command(Verb.LOG, ID)),
        ("subscribe workflow to gw", Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, ("gw",)))),
        ("show list", Command(Verb.LIST)),
        ("quiet hours from 22:00 to 07:00, every day", Command(Verb.QUIET, hours=(time(22), time(7)))),
        (f"subscribe workflow {ID}", Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, (ID,)))),
        (
            "subscribe label batch=panel-7 lane=3 batch=panel-7 me",
            Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.LABEL, ("batch=panel-7", "lane=3"))),
        ),
        (
            "unsubscribe project genomics here",
            Command(Verb.UNSUBSCRIBE, is_here=True, rule=RuleWords(RuleKind.PROJECT, ("genomics",))),
        ),
        ("subscribe 流程 全基因组", Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, ("全基因组",)))),
        ("subscribe workflow list", Command(Verb.SUBSCRIBE, rule=RuleWords(RuleKind.WORKFLOW, ("list",)))),
    ],
)
def test_a_rule_is_understood(text: str, command: Command) -> None:
    """Kind and values as they were typed; place and level stand anywhere behind them."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("subscribe workflow", InputProblem.MISSING_RULE),
        ("subscribe label here final", InputProblem.MISSING_RULE),
        ("unsubscribe project", InputProblem.MISSING_RULE),
        ("subscribe label batch", InputProblem.NOT_A_LABEL),
        ("subscribe label batch = panel-7", InputProblem.NOT_A_LABEL),
        ("subscribe label =panel-7", InputProblem.NOT_A_LABEL),
        ("subscribe workflow a here me", InputProblem.HERE_AND_ME),
        ("subscribe workflow a final steps", InputProblem.SEVERAL_LEVELS),
        ("unsubscribe workflow a final", InputProblem.UNWANTED_LEVEL),
        ("subscribe workflow " + "a" * 300, InputProblem.UNKNOWN_WORD),
        ("subscribe label " + " ".join(f"k{n}=v" for n in range(9)), InputProblem.UNKNOWN_WORD),
    ],
)
def test_a_mistake_in_a_rule_has_its_problem(text: str, problem: InputProblem) -> None:
    """Each has a sentence that says what to type."""
    with pytest.raises(InvalidInput) as raised:
        parse(text)
    assert raised.value.problem is problem
    assert sentence(raised.value)
