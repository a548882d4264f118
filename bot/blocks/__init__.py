"""What people see in Slack: pure functions from the model to Block Kit, each with the same in plain text.

Lives here: the messages (`cards`, `thread`, `outcome`, `catch_up`, `board`, `replies`, `rules`), the views
(`step_list`, `facts`, `share`, `why`, `log`, `acting`, `home`, and the modules that end in `_modal`), the buttons with
their action ids (`buttons`), the sentences for errors (`sentences`), and what these are made of (`modals`, `fields`,
`items`, `words`, `trouble`, `groups`, `steps`, `failed_steps`, `causes`, `earlier`, `message`, `text`). Does not live
here: I/O and clocks; `now` is an argument. Called by the notifier and by `handlers`.
"""

from __future__ import annotations

from bot.blocks import board, buttons, replies, rules
from bot.blocks.acting import acted_modal, acted_notice, loading_action, question_modal
from bot.blocks.board import board_held, board_left, board_message, board_undeliverable
from bot.blocks.cards import execution_card, execution_summary, shared_summary
from bot.blocks.catch_up import catch_up_message
from bot.blocks.facts import details_modal
from bot.blocks.home import home_tab, parse_page, refusing_home
from bot.blocks.level_modal import About, levels_modal
from bot.blocks.log import log_message, log_modal
from bot.blocks.message import Message
from bot.blocks.modals import error_modal, loading_modal, parse_metadata
from bot.blocks.outcome import outcome_message
from bot.blocks.rules import rule_message
from bot.blocks.share import share_modal, shared_modal, sharing_modal
from bot.blocks.step_list import StepsPage, steps_modal
from bot.blocks.thread import (
    card_left_message,
    change_message,
    ended_message,
    held_message,
    notice_message,
    owner_notice_message,
    undeliverable_message,
)
from bot.blocks.why import Evidence, loading_why, why_modal

__all__ = [
    "About",
    "Evidence",
    "Message",
    "StepsPage",
    "acted_modal",
    "acted_notice",
    "board",
    "board_held",
    "board_left",
    "board_message",
    "board_undeliverable",
    "buttons",
    "card_left_message",
    "catch_up_message",
    "change_message",
    "details_modal",
    "ended_message",
    "error_modal",
    "execution_card",
    "execution_summary",
    "held_message",
    "home_tab",
    "levels_modal",
    "loading_action",
    "loading_modal",
    "loading_why",
    "log_message",
    "log_modal",
    "notice_message",
    "outcome_message",
    "owner_notice_message",
    "parse_metadata",
    "parse_page",
    "question_modal",
    "refusing_home",
    "replies",
    "rule_message",
    "rules",
    "share_modal",
    "shared_modal",
    "shared_summary",
    "sharing_modal",
    "steps_modal",
    "undeliverable_message",
    "why_modal",
]
