"""The words that people type after `/execution`, and the command that they make.

Lives here: `Verb`, `Command`, and what each word stands for. Does not live here: which words fit together
(`handlers.parsing`), how a line becomes words (`handlers.typed`). Called by `handlers.parsing`, and by what carries a
command out; pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import NamedTuple

from bot.blocks.language import Language
from bot.domain.following import Level, RuleKind
from bot.domain.quiet import MuteFor

COMMAND = "/execution"


class Verb(StrEnum):
    """What a command asks for."""

    SUMMARY = "summary"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    LOG = "log"
    MUTE = "mute"
    UNMUTE = "unmute"
    QUIET = "quiet"
    BOARD = "board"
    LIST = "list"
    RUNNING = "running"
    FAILED = "failed"
    OVERVIEW = "overview"
    FORGET = "forget-me"
    LANGUAGE = "language"
    HELP = "help"


LANGUAGES: dict[str, Language | None] = {
    "en": Language.ENGLISH,
    "english": Language.ENGLISH,
    "zh": Language.CHINESE,
    "chinese": Language.CHINESE,
    "zh-cn": Language.CHINESE,
    "zh_cn": Language.CHINESE,
    "中文": Language.CHINESE,
    "简体中文": Language.CHINESE,
    "英文": Language.ENGLISH,
    "英语": Language.ENGLISH,
    "auto": None,
}
"""The word for each language; `auto` for that of the person's Slack."""

VERBS: dict[str, Verb] = {verb.value: verb for verb in Verb} | {
    "status": Verb.SUMMARY,
    "show": Verb.SUMMARY,
    "find": Verb.SUMMARY,
    "follow": Verb.SUBSCRIBE,
    "unfollow": Verb.UNSUBSCRIBE,
    "snooze": Verb.MUTE,
    "mine": Verb.LIST,
    "forget": Verb.FORGET,
    "?": Verb.HELP,
    **{
        word: verb
        for verb, words in {
            Verb.SUMMARY: "查看 查询 状态",
            Verb.SUBSCRIBE: "关注 订阅",
            Verb.UNSUBSCRIBE: "取消关注 取消订阅",
            Verb.LOG: "日志",
            Verb.MUTE: "静音",
            Verb.UNMUTE: "取消静音",
            Verb.QUIET: "免打扰",
            Verb.BOARD: "看板",
            Verb.LIST: "列表 我的",
            Verb.RUNNING: "执行中 运行中 正在运行",
            Verb.FAILED: "失败 执行失败",
            Verb.LANGUAGE: "语言",
            Verb.HELP: "帮助",
        }.items()
        for word in words.split()
    },
}
"""What the bot's own Chinese texts call it is understood as well."""
del VERBS[Verb.OVERVIEW]  # which is what an empty line asks for
ABOUT_ONE = frozenset({Verb.SUMMARY, Verb.SUBSCRIBE, Verb.UNSUBSCRIBE, Verb.LOG, Verb.MUTE, Verb.UNMUTE})
IN_PHASE = frozenset({Verb.RUNNING, Verb.FAILED})
LISTING = IN_PHASE | {Verb.LIST, Verb.SUMMARY}
LEVELS: dict[str, Level] = {level.value: level for level in Level} | {
    "failure": Level.FAILURES,
    "milestone": Level.MILESTONES,
    "step": Level.STEPS,
    "phase": Level.MILESTONES,
    "progress": Level.STEPS,
    "仅失败": Level.FAILURES,
    "每个步骤": Level.STEPS,
}
"""`phase` and `progress` are former words."""
SPANS: dict[str, MuteFor] = {span.value: span for span in MuteFor} | {
    "hour": MuteFor.HOUR,
    "一小时": MuteFor.HOUR,
    "ends": MuteFor.END,
    "明天": MuteFor.TOMORROW,
}
EVERYTHING = "everything"
WITH_MUTE = {*SPANS, EVERYTHING, "for", "until", "it", "an"}
"""Words that mean something beside `mute` only; the last ones mean nothing: "until it ends"."""
OFF = "off"
HERE, ME = "here", "me"
PLACES = dict.fromkeys("channel 这里 此处 本频道 此频道 当前频道".split(), HERE) | {"关闭": OFF}
"""Other words for one that stands beside a verb."""
FILLERS = frozenset(
    "a about an and by can could execution for from hello hey hi how i id in is level like of on only please run tell "
    "thank thanks that the this to want what with would you 任务 请 和 与".split()
)
"""Words of a sentence that mean nothing beside an id or a name."""
ALL_OF_THEM = FILLERS | frozenset(
    "all any anything are everything executions has have jobs my now runs there which 所有 全部 有 哪些".split()
)
"""The same beside a verb that is about no single execution: "which runs have failed"."""
KNOWN = {*VERBS, *LEVELS, HERE, ME}
MEANT: dict[str, tuple[str, ...]] = {
    word: (verb,)
    for verb, words in {
        "mute": "silence",
        "subscribe": "sub watch",
        "unsubscribe": "stop unsub unwatch end remove 停止 取消",
        "status": "info details describe get search why log logs cancel abort kill retry rerun 详情 重试",
        "board": "dashboard",
        "list": "ls rule rules 规则",
    }.items()
    for word in words.split()
}
"""What people say elsewhere, and the words for it here."""
LEVEL_MEANT: dict[str, str] = {
    word: level
    for level, words in {
        "failures": "error errors fail fails failing 错误",
        "final": "done end finish finished outcome result 结束 完成 结果",
        "milestones": "phases quarters 阶段",
        "steps": "all every everything step-by-step 全部 所有 步骤",
    }.items()
    for word in words.split()
}
"""The same for levels."""

BETWEEN = FILLERS | frozenset("all any each every executions new runs my".split())
"""Words that mean nothing between a verb and what a rule is about: "follow all runs of the workflow"."""
QUIET_FILLERS = frozenset("at between daily day every from hours mode my on please".split())
"""The same beside `quiet`."""
RULES: dict[str, RuleKind] = {
    **{kind.value: kind for kind in (RuleKind.WORKFLOW, RuleKind.LABEL, RuleKind.PROJECT)},
    "labels": RuleKind.LABEL,
    "流程": RuleKind.WORKFLOW,
    "标签": RuleKind.LABEL,
    "项目": RuleKind.PROJECT,
}
"""The words behind `subscribe` and `unsubscribe` that begin a rule."""
STARTS, STOPS = frozenset({"subscribe", "follow"}), frozenset({"unsubscribe", "unfollow", "stop", OFF, "停止", "结束"})
"""The words beside `board` that ask for one, and that end it."""


class RuleWords(NamedTuple):
    """What a rule follows."""

    kind: RuleKind
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed command. A verb that is about one execution has `execution_id`, `query` or `rule`, others have none."""

    verb: Verb
    execution_id: str = ""
    is_here: bool = False
    """Whether it is about the channel that it was typed in, not about the person."""
    level: Level | None = None
    language: Language | None = None
    """For `language`; None for that of the person's Slack."""
    query: str = ""
    """A name, a part of one, or the first digits of an id."""
    rule: RuleWords | None = None
    """For `subscribe` and `unsubscribe`: all new executions of a kind."""
    span: MuteFor | None = None
    """For `mute`: for how long."""
    is_for_everything: bool = False
    """For `mute` and `quiet`: whether it is for failures, too."""
    hours: tuple[time, time] | None = None
    """For `quiet`: when it begins and ends."""
    zone: str = ""
    """For `quiet`: as it was typed."""
    is_off: bool = False
    """For `quiet` and `board`: whether there is to be none."""
