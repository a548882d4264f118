"""What people read about rules: the replies to those who make and end them, and what is posted without a request.

Lives here: these messages, and a rule in a few words. Does not live here: the executions that a rule follows (`cards`
and its neighbours), when a message is due (`bot.workers.sweeper.finder`). Called by `handlers` and the notifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks import buttons, text
from bot.blocks.language import _, ngettext
from bot.blocks.levels import level_words
from bot.blocks.message import Block, Message, actions, context, message, section
from bot.blocks.sentences import undeliverable_reason
from bot.domain.access import NOBODY_ELSE, Readers
from bot.domain.following import Level, Rule, RuleKind, RuleNews, RuleNewsKind, Subscriber
from bot.domain.rules import ANNOUNCED

SHOWN = 20
"""At most this many rules in one list: as many as somebody may have."""

Item = tuple[Rule, int]
"""A rule, and how many executions it follows now."""


def rule_made(
    rule: Rule, *, workflows: int = 1, note: str = "", is_held: bool = False, readers: Readers = NOBODY_ELSE
) -> Message:
    """A new rule. `workflows`: so many with its name are among the newest executions; 0: nothing that it would follow.

    `note` is a warning. `is_held` offers the approval without which nothing is posted in a channel that `readers` read.
    """
    shape = (
        _("You follow {rule} from now on.")
        if rule.subscriber.is_person
        else _("This channel follows {rule} from now on.")
    )
    head = shape.format(rule=rule_words(rule))
    more = "" if workflows else _("Nothing like that has run lately; I follow it anyway.")
    if workflows > 1:
        more = _("Several workflows have this name; I follow the runs of all of them.")
    first = [buttons.approve_channel(rule.subscriber.id, readers)] if is_held else []
    return _about(rule, f"🔔 {head}", head, more, note=note, first=first)


def rule_changed(rule: Rule, *, was: Level, note: str = "") -> Message:
    """The rule existed already; its level may have changed."""
    shape = _("You already follow {rule}.") if rule.subscriber.is_person else _("This channel already follows {rule}.")
    head = shape.format(rule=rule_words(rule))
    more = ""
    if was is not rule.level:
        more = _("The new level applies to what I find from now on (was: {before}).").format(before=level_words(was))
    return _about(rule, f"🔔 {head}", head, more, note=note)


def rule_kept(rule: Rule) -> Message:
    """Somebody had it last longer."""
    shape = _("You keep following {rule}.") if rule.subscriber.is_person else _("This channel keeps following {rule}.")
    head = shape.format(rule=rule_words(rule))
    return _about(rule, f"🔔 {head}", head)


def rule_ended(rule: Rule, executions: int, *, note: str = "") -> Message:
    """Somebody ended it; so many executions are not followed any more."""
    shape = (
        _("You no longer follow {rule}.") if rule.subscriber.is_person else _("This channel no longer follows {rule}.")
    )
    line = shape.format(rule=rule_words(rule))
    warning = text.prose(note)
    more = _let_go(executions)
    return message([section(f"🔕 {line}", f"⚠️ {warning}" if warning else ""), context(more)], line, more, warning)


def no_such_rule(subscriber: Subscriber, kind: RuleKind, values: Sequence[str]) -> Message:
    """There was nothing to end."""
    shape = (
        _("You do not follow {rule}, so there is nothing to stop.")
        if subscriber.is_person
        else _("This channel does not follow {rule}, so there is nothing to stop.")
    )
    line = shape.format(rule=_words(kind, values))
    more = _("{command} shows everything that is followed.").format(
        command="`/execution list`" if subscriber.is_person else "`/execution list here`"
    )
    return message([section(f"🔕 {line}"), context(more)], line, more)


def with_rules(followed: Message, rules: Sequence[Item], *, most: int = SHOWN) -> Message:
    """A list of what is followed, behind the rules that follow more, of which `most` are shown."""
    if not rules:
        return followed
    title = _("New executions that are followed")
    blocks = [section(f"*{title}*")]
    lines = [title]
    for rule, executions in rules[:most]:
        line, more = rule_words(rule), _now(rule, executions)
        blocks.append(section(line, more, accessory=buttons.end_rule(rule)))
        lines.append(text.spelled_dates(f"{line}: {more}"))
    if (hidden := len(rules) - most) > 0:
        rest = _("… and {number} more").format(number=text.number(hidden))
        blocks.append(context(rest))
        lines.append(rest)
    return Message((*filter(None, blocks), *followed.blocks), "\n".join((*lines, followed.text)))


def rule_message(news: RuleNews, reader: Subscriber) -> Message:
    """What a place reads about its rule, or the owner of a rule whose place cannot be reached."""
    if news.kind is RuleNewsKind.ENDED:
        return _goodbye(news, reader)
    rule, kind = news.rule, news.kind
    if kind is RuleNewsKind.FULL:
        shape = _("{rule}: I now follow {most} of them, which is as many as I can at once.")
        head = shape.format(rule=_capital(rule_words(rule)), most=text.number(news.executions))
        more = _("I follow new ones once some of these have ended.")
        return message([section(f"⚠️ {head}", more), actions([buttons.end_rule(rule)])], head, more)
    shape = (
        _("You follow {rule}; that ends {date}.")
        if rule.subscriber.is_person
        else _("This channel follows {rule}; that ends {date}.")
    )
    head = shape.format(rule=rule_words(rule), date=text.date(rule.expires_at))
    more = _("Press the button to keep following for another 90 days.")
    return message(
        [section(f"⏳ {head}", more), actions([buttons.keep_rule(rule), buttons.end_rule(rule)])], head, more
    )


def rule_rows(rule: Rule, now: datetime) -> list[Block | None]:
    """A rule on the Home tab: what it follows, for whom, at which level, until when; and what can be done about it."""
    lines = (f"🔔 *{_capital(rule_words(rule))}*", " · ".join((_where(rule), _until(rule))))
    stop = buttons.end_rule(rule, is_at_home=True)
    if rule.expires_at - now > ANNOUNCED:
        return [section(*lines, accessory=stop)]
    return [section(*lines), actions([buttons.keep_rule(rule), stop])]


def rule_words(rule: Rule) -> str:
    """What a rule follows, in a few words: within a sentence."""
    return _words(rule.kind, rule.values)


def _goodbye(news: RuleNews, reader: Subscriber) -> Message:
    rule, more = news.rule, _let_go(news.executions)
    words = rule_words(rule)
    if rule.code:
        shape = _("I no longer follow {rule} for {channel}: {reason}.")
        where = text.destination(rule.subscriber)
        line = shape.format(rule=words, channel=where, reason=text.prose(undeliverable_reason(rule.code)))
    elif rule.ended_by:
        shape = _("{person} ended it: this channel no longer follows {rule}.")
        line = shape.format(rule=words, person=text.person(rule.ended_by))
    elif reader.is_person:
        line = _("The 90 days are over: you no longer follow {rule}.").format(rule=words)
    else:
        line = _("The 90 days are over: this channel no longer follows {rule}.").format(rule=words)
    again = "" if rule.code else _("{command} follows them again.").format(command=text.code(_command(rule), 200))
    return message([section(f"🔕 {line}"), context(text.sentences((more, again)))], line, more, again)


def _about(
    rule: Rule, shown: str, head: str, *more: str, note: str = "", first: Sequence[dict[str, object]] = ()
) -> Message:
    warning = text.prose(note)
    shape = _("Direct messages: {level}") if rule.subscriber.is_person else _("Posts in the channel: {level}")
    level, until = shape.format(level=level_words(rule.level)), _until(rule)
    lines = [*filter(None, more), f"⚠️ {warning}" if warning else ""]
    return message(
        [section(shown, *lines), context(level, until), actions([*first, buttons.end_rule(rule)])],
        head,
        *more,
        level,
        warning,
    )


def _now(rule: Rule, executions: int) -> str:
    running = (
        text.plural("{number} execution now", "{number} executions now", executions)
        if executions
        else _("no execution now")
    )
    return " · ".join((running, level_words(rule.level), _until(rule)))


def _where(rule: Rule) -> str:
    if rule.subscriber.is_person:
        return _("Direct messages: {level}").format(level=level_words(rule.level))
    channel = text.channel(rule.subscriber.id)
    return _("Posts in {channel}: {level}").format(channel=channel, level=level_words(rule.level))


def _until(rule: Rule) -> str:
    return _("until {date}").format(date=text.date(rule.expires_at))


def _let_go(executions: int) -> str:
    if not executions:
        return ""
    return text.plural(
        "{number} execution followed because of it is no longer followed.",
        "{number} executions followed because of it are no longer followed.",
        executions,
    )


def _words(kind: RuleKind, values: Sequence[str]) -> str:
    shown = text.series([text.code(value) for value in values])
    if kind is RuleKind.LABEL:
        shape = ngettext("executions with the label {values}", "executions with the labels {values}", len(values))
        return shape.format(values=shown)
    if kind is RuleKind.PROJECT:
        return _("executions of the project {values}").format(values=shown)
    return _("runs of the workflow {values}").format(values=shown)


def _command(rule: Rule) -> str:
    here = [] if rule.subscriber.is_person else ["here"]
    return " ".join(["/execution subscribe", rule.kind.value, *rule.values, *here, rule.level.value])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
