"""What the log looks like, and how secrets are redacted from it.

Lives here: `set_up_logging`, `redact_secrets`. Does not live here: which events are logged (their modules), the level
and the format (`bot.settings`). Called by `bot.app.cli`.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

from bot.settings import Settings

_SECRET = re.compile(
    r"(xox[a-z]{1,2}-|xapp-)[\w-]+"  # Slack's tokens
    r"|(ticket=|token=)[^&\s\"']+"  # in the address of a socket
    r"|(hooks\.slack\.com/)[^\s\"']+"  # anyone who has a response_url can answer
    r"|(://[^/\s:@]*:)[^/\s@]+(?=@)"  # the password in an address
    r"|(Proxy-Authorization\W+Basic )[\w+/=]+"
)


def redact_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A safety net under the rule that nobody logs a secret: replace whatever looks like one."""
    return {key: _redacted(value) if isinstance(value, str) else value for key, value in event.items()}


def _redacted(text: str) -> str:
    return _SECRET.sub(lambda found: f"{next(filter(None, found.groups()))}…", text)


def set_up_logging(settings: Settings) -> None:
    """Log one line per event to stderr. The libraries' records, from WARNING on, go the same way."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    is_json = settings.log_format == "json"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_secrets,
    ]
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False) if is_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_secrets, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
