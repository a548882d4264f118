"""The modal in which an operator cancels or retries an execution, and the line in the thread that says who did.

Lives here: `question_modal`, `acted_modal`, `loading_action`, `acted_notice`. Does not live here: when which action is
possible (`bot.domain.acting`), the sentence for a refusal (`bot.blocks.sentences`). Called by `handlers.acting` and the
notifier.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.blocks import buttons, text, words
from bot.blocks.facts import as_of_line
from bot.blocks.language import N_, _
from bot.blocks.message import Block, Message, actions, context, message, section, view
from bot.blocks.modals import asking, head
from bot.blocks.steps import by_priority
from bot.domain.acting import Act, Action, Question, Result, possible, state_of
from bot.domain.change import Change
from bot.domain.execution import Execution, Phase
from bot.domain.snapshot import Snapshot

CALLBACK_ID = "acting"
_STEPS_SHOWN = 3
"""At most this many running steps are named."""
_MOMENT = timedelta(minutes=1)
"""For about this long an act without a result is under way."""

_TITLES = {Action.CANCEL: N_("Cancel execution"), Action.RETRY: N_("Retry execution")}
_LEAVE = N_("Leave as is")

_QUESTIONS = {
    Action.CANCEL: N_(
        "*Cancel it?* GCS will dispatch no more of its jobs. Jobs already dispatched run to the end "
        "and may incur charges. You can retry it later."
    ),
    Action.RETRY: N_(
        "*Retry it?* GCS will start it again with the same id and the same inputs. GCS decides which "
        "steps run again; they may incur charges."
    ),
}
_IMPOSSIBLE = {
    Action.CANCEL: N_("It cannot be cancelled now: GCS only cancels executions that are pending or running."),
    Action.RETRY: N_("It cannot be retried now: GCS only retries executions that failed or were cancelled."),
}
_CHANGED = N_("⚠️ Nothing was done: the execution has changed since I asked, or I asked too long ago.")
_UNDER_WAY = {
    Action.CANCEL: N_("{person} is cancelling it right now. Try again in a minute."),
    Action.RETRY: N_("{person} is retrying it right now. Try again in a minute."),
}
_LAST = {
    (Action.CANCEL, Result.DONE): N_("{person} cancelled it {time}."),
    (Action.RETRY, Result.DONE): N_("{person} retried it {time}."),
    (Action.CANCEL, Result.UNKNOWN): N_("{person} asked GCS {time} to cancel it, but the reply was lost."),
    (Action.RETRY, Result.UNKNOWN): N_("{person} asked GCS {time} to retry it, but the reply was lost."),
}
_TAKEN = {
    Action.CANCEL: N_(
        "✅ GCS accepted this and dispatches no more jobs. Jobs already dispatched run to the end and "
        "may incur charges."
    ),
    Action.RETRY: N_("✅ GCS accepted this and is starting the execution again."),
}
_NOT_KNOWN = N_(
    "❔ GCS did not answer, and has shown no change since then. I do not know whether it accepted "
    "this, and I will not send it again by myself. Check again in a minute."
)
_WHO = N_("Everyone who follows it will see that it was you.")
_LOOK_AGAIN = N_("Check again")
_NOTICES = {
    Action.CANCEL: N_("{person} cancelled it from Slack. Jobs already dispatched keep running and may incur charges."),
    Action.RETRY: N_("{person} retried it from Slack."),
}


def question_modal(
    action: Action, snapshot: Snapshot, last: Act | None, *, now: datetime, has_changed: bool = False
) -> Block:
    """What an execution is now, what the action would do, and the button that does it, if it is possible.

    `last`: the last act on it; `has_changed`: the person was asked before, and nothing was done.
    """
    execution = snapshot.execution
    is_busy = last is not None and last.result is Result.UNDER_WAY and now - last.began_at < _MOMENT
    is_possible = possible(execution) is action
    question = Question(
        execution_id=execution.id,
        action=action,
        state=state_of(execution),
        act=last.token if last else "",
        asked_at=now,
    )
    can_do = is_possible and not is_busy
    blocks = [
        section(_(_CHANGED) if has_changed else ""),
        head(snapshot),
        section(_last_words(last, is_busy=is_busy)),
        section(*_question_lines(action, execution, is_possible=is_possible)) if not is_busy else None,
        actions([buttons.do_action(question) if can_do else _look_again(execution.id, action)]),
        _foot(snapshot, _(_WHO) if can_do else ""),
    ]
    return view(_(_TITLES[action]), blocks, close=_(_LEAVE) if can_do else "", callback_id=CALLBACK_ID)


def acted_modal(action: Action, result: Result, snapshot: Snapshot, *, refusal: str = "") -> Block:
    """How it ended; `refusal` is the sentence of a refusal, which is escaped here."""
    execution_id = snapshot.execution.id
    if result is Result.DONE:
        said, row = [_(_TAKEN[action])], []
    else:
        said = [f"⚠️ {text.prose(refusal)}", _("Nothing was done.")] if refusal else [_(_NOT_KNOWN)]
        row = [_look_again(execution_id, action)]
    who = _(_WHO) if result is Result.DONE else ""
    blocks = [section(*said), head(snapshot), actions(row), _foot(snapshot, who)]
    return view(_(_TITLES[action]), blocks, callback_id=CALLBACK_ID)


def loading_action(action: Action) -> Block:
    """Opens at once, since a trigger expires after three seconds, and stands there while GCS is called."""
    return view(_(_TITLES[action]), [asking()], callback_id=CALLBACK_ID)


def acted_notice(notice: Change, execution: Execution) -> Message:
    """Somebody had GCS do something to an execution: who, and what that means."""
    action = Action.RETRY if notice.action == Action.RETRY.value else Action.CANCEL
    line = text.tight(_(_NOTICES[action]).format(person=text.person(notice.by)))
    sign = words.icon(Phase.RETRYING if action is Action.RETRY else Phase.CANCELLING)
    said = _("{name}: {sentence}").format(name=words.name(execution), sentence=line)
    return message([context(f"{sign} {line}")], said)


def _question_lines(action: Action, execution: Execution, *, is_possible: bool) -> list[str]:
    if not is_possible:
        return [_(_IMPOSSIBLE[action])]
    return [_(_QUESTIONS[action]), _running(execution) if action is Action.CANCEL else ""]


def _running(execution: Execution) -> str:
    """The steps that have jobs handed out."""
    running = by_priority(execution.steps).running
    named = [words.step_name(step) for step in running[:_STEPS_SHOWN]]
    if len(running) > _STEPS_SHOWN:
        named.append(text.plural("{number} more step", "{number} more steps", len(running) - _STEPS_SHOWN))
    return _("Running now: {steps}").format(steps=text.series(named)) if named else ""


def _last_words(last: Act | None, *, is_busy: bool) -> str:
    """What was done to it last, by whom; a refusal has changed nothing."""
    if last is None or last.result is Result.REFUSED:
        return ""
    if is_busy:
        return text.tight(_(_UNDER_WAY[last.action]).format(person=text.person(last.by)))
    result = Result.DONE if last.result is Result.DONE else Result.UNKNOWN
    line = _(_LAST[last.action, result]).format(person=text.person(last.by), time=text.ago(last.began_at))
    return text.tight(line)


def _look_again(execution_id: str, action: Action) -> Block:
    return buttons.ask_action(execution_id, action, _(_LOOK_AGAIN))


def _foot(snapshot: Snapshot, *more: str) -> Block | None:
    return context(*more, as_of_line(snapshot))
