"""The page's own words, which Slack's client would say in the language of its reader: English, or simplified Chinese.

Lives here: `reading`, `own`, the table of words, clock times and days. Does not live here: what the bot writes.
`binding` says who reads; every other module of the page asks for words. A word that is not in the table stays English.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from datetime import datetime, timedelta

from sandbox.page import dates

_reader: ContextVar[str] = ContextVar("reader", default="en-US")


def reading(locale: str) -> None:
    """Everything that is drawn for this request from now on is for a reader of `locale`."""
    _reader.set(locale)


def language() -> str:
    """The language of the page, as HTML names it."""
    return "zh-CN" if _is_chinese() else "en"


def own(words: str, **values: object) -> str:
    """The page's own `words`, in which `values` have names: `own("Message {place}", place="#lab")`."""
    shape = CHINESE.get(words, words) if _is_chinese() else words
    return shape.format(**values) if values else shape


def for_script() -> str:
    """The words of the script, as JSON."""
    return json.dumps({words: own(words) for words in OF_SCRIPT}, ensure_ascii=False)


def clock(when: datetime) -> str:
    """`9:05 AM`, `09:05`."""
    return dates.render("{time}", when, when, _reader.get())


def day(when: datetime, now: datetime) -> str:
    """`Today`, `Tuesday, February 18th`; `今天`, `2026年2月18日星期三`."""
    return dates.render("{date_long_pretty}", when, now, _reader.get()) if _is_chinese() else dates.day(when, now)


def recently(when: datetime, now: datetime) -> str:
    """`just now`, `3 minutes ago`."""
    return own("just now") if now - when < timedelta(minutes=1) else dates.render("{ago}", when, now, _reader.get())


def _is_chinese() -> bool:
    return _reader.get().partition("-")[0] == "zh"


OF_SCRIPT = (
    "The sandbox has stopped: this page is no longer updated.",
    "Are you sure?",
    "Cancel",
    "Yes",
    "Please complete this required field.",
)

CHINESE = {
    "The sandbox has stopped: this page is no longer updated.": "沙盒已停止：本页面不再更新。",
    "Are you sure?": "确定吗？",
    "Cancel": "取消",
    "Yes": "确定",
    "Please complete this required field.": "请填写此必填项。",
    "This Slack is pretend, the bot is real.": "这个 Slack 是模拟的，机器人是真的。",
    "Nothing leaves this computer.": "没有任何内容离开这台电脑。",
    "Skip to the message box": "跳到消息输入框",
    "This page needs its script.": "本页面需要运行脚本。",
    "Message {place}": "发消息到 {place}",
    "Channels and direct messages": "频道和私信",
    "Close the list": "关闭列表",
    "You are": "当前身份",
    "Channels": "频道",
    "Apps": "应用",
    "{number} unread": "{number} 条未读",
    "Home": "主页",
    "Messages": "消息",
    "Things to try": "可以试试",
    "This Home is empty.": "主页是空的。",
    "This is the very beginning of {place}.": "这里是 {place} 的开头。",
    "Thread": "消息列",
    "Close the thread": "关闭消息列",
    "Reply…": "回复…",
    "Send": "发送",
    "Close": "关闭",
    "Only visible to you": "仅你可见",
    "APP": "应用",
    "(edited)": "（已编辑）",
    "a thread": "消息列",
    "replied to ": "回复了",
    "{number} reply": "{number} 条回复",
    "{number} replies": "{number} 条回复",
    "Last reply {time}": "最后回复：{time}",
    "just now": "刚刚",
    "Dismiss": "忽略",
    "Reply in thread": "在消息列中回复",
    "Choose…": "请选择…",
    "More actions": "更多操作",
    "(optional)": "（可选）",
    "Plan": "计划",
    "Table": "表格",
    "Picture": "图片",
    "Picture from {host}, not fetched": "来自 {host} 的图片，未获取",
    "elsewhere": "其他地方",
    "An element that this page cannot show: {kind}": "本页面无法显示的元素：{kind}",
    "A block that this page cannot show: {kind}": "本页面无法显示的区块：{kind}",
    "That did not work: {error}": "操作未成功：{error}",
    "{command} is not a valid command here. Try /execution help.": (
        "{command} 在这里不是有效的命令。请试试 /execution help。"
    ),
    "Follow an execution": "关注任务",
    "Follow this execution": "关注此任务",
    "GCS goes away": "GCS 断开",
    "for a minute; cards say so": "持续一分钟；卡片会说明",
    "away": "断开",
    "back": "恢复",
    "is shared with another organisation: choose it, and have it follow something": (
        "与其他组织共享：选择它，让它关注一个任务"
    ),
    "may have a board: choose it, and see all that it follows in one message": (
        "可以有看板：选择它，在一条消息里查看它关注的全部任务"
    ),
    "board": "看板",
    "stop": "取消",
    "Language": "语言",
    "what the bot writes to you in": "机器人给你发消息所用的语言",
    "More": "更多",
    "press a word to put the command into the message box": "按一个词，命令就会填入消息输入框",
    "mention": "提及",
    "runs as usual, done in four minutes": "正常执行，四分钟后完成",
    "slower than its earlier runs": "比以往的运行慢",
    "failed in the middle": "中途失败",
    "a step fails early, the others go on; only you follow it": "一个步骤很早失败，其余继续；只有 You 关注它",
    "195 steps; only you follow it": "195 个步骤；只有 You 关注它",
    "Chinese names; choose the Chinese reader as who you are": "中文名称；请把当前身份选为 Chinese reader",
    "fails and is retried; nobody follows it yet": "失败后重试；还没有人关注",
    "status": "查看",
    "subscribe": "关注",
    "unsubscribe": "取消关注",
    "list": "列表",
    "help": "帮助",
}
"""English → Chinese; of Slack's words, those of its own Chinese pages."""
