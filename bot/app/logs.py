"""What the log looks like, and how secrets are redacted from it.

Lives here: `set_up_logging`, `redact_secrets`, and what becomes of lines that cannot be written. Does not live here:
which events are logged (their modules), the level and the format (`bot.settings`). Called by `bot.app.cli`.
"""

from __future__ import annotations

import io
import logging
import os
import re
import select
import sys
from typing import Any, TextIO, cast

import structlog

from bot.settings import Settings

_SECRET = re.compile(
    r"(xox[a-z]{1,2}-|xapp-)[\w-]+"  # Slack's tokens
    r"|(ticket=|token=)[^&\s\"']+"  # in the address of a socket
    r"|(hooks\.slack\.com/)[^\s\"']+"  # anyone who has a response_url can answer
    r"|(://[^/\s:@]*:)[^/\s@]+(?=@)"  # the password in an address
    r"|(Proxy-Authorization\W+Basic )[\w+/=]+"
)


PATIENCE_MS = 200
"""How long a line waits for a reader that is slow. Then lines are dropped until there is room again, since nothing else
happens while one waits."""

_AT_ONCE = 4096
"""How many bytes a pipe with room takes without a wait (PIPE_BUF)."""


class _Writer(io.TextIOBase):
    """Writes lines, and drops those that cannot be written.

    The reader may have ended or stopped, or the disk may be full. That must not keep anything from being delivered: an
    error here would reach the code that logs, before a message that was sent is recorded.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._dropped = stream, 0
        try:
            self._file: int | None = stream.fileno()
        except (OSError, ValueError):
            self._file = None  # in memory

    def write(self, text: str) -> int:
        """Write `text`, behind a line that counts those that were dropped before it."""
        missing = (
            f'\n{{"event": "log.dropped", "level": "warning", "lines": {self._dropped}}}\n' if self._dropped else ""
        )
        self._dropped = 0 if self._is_written(missing + text) else self._dropped + 1
        return len(text)

    def _is_written(self, text: str) -> bool:
        try:
            if self._file is None:
                self._stream.write(text)
                return True
            left = memoryview(text.encode(self._stream.encoding, "backslashreplace"))
            while left and self._has_room(self._file):
                left = left[os.write(self._file, left[:_AT_ONCE]) :]
        except (OSError, ValueError):
            return False
        return not left

    def _has_room(self, file: int) -> bool:
        """Whether a reader takes `_AT_ONCE` bytes now, or soon."""
        if not hasattr(select, "poll"):  # Windows
            return True
        room = select.poll()
        room.register(file, select.POLLOUT)
        return bool(room.poll(0 if self._dropped else PATIENCE_MS))


def redact_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A safety net under the rule that nobody logs a secret: replace whatever looks like one."""
    return {key: _redacted(value) if isinstance(value, str) else value for key, value in event.items()}


def _redacted(text: str) -> str:
    return _SECRET.sub(lambda found: f"{next(filter(None, found.groups()))}…", text)


def set_up_logging(settings: Settings) -> None:
    """Log one line per event to stderr. The libraries' records, from WARNING on, go the same way."""
    stderr = cast("TextIO", _Writer(sys.stderr))
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
        logger_factory=structlog.WriteLoggerFactory(stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_secrets, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
