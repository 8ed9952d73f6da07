"""Log records as JSON lines on standard error. Never args, tokens, or addresses that answer for somebody."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from aiohttp.http_exceptions import HttpProcessingError

# Bolt logs the raw body at INFO when a signature fails, and payloads at DEBUG: neither belongs in a log.
_TALKATIVE = ("slack_bolt", "slack_sdk", "aiohttp.access")
_EXTRAS = ("request_id", "agent", "place", "error", "method")


TENANT: ContextVar[str | None] = ContextVar("tenant", default=None)  # whose work is being done


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if tenant := TENANT.get():
            line["tenant"] = tenant
        line |= {name: record.__dict__[name] for name in _EXTRAS if name in record.__dict__}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        told = json.dumps(line, ensure_ascii=False, default=str)
        # What steers terminals, or ends lines for some of them, is left to JSON's own spelling.
        return told if told.isprintable() else json.dumps(line, default=str)


def quotes_nobody(record: logging.LogRecord) -> bool:
    """Whether it does without words of whoever called: aiohttp logs the line that it could not read."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def bolt() -> logging.Logger:
    """Bolt's voice: errors only. Its warnings are about variables that we read ourselves."""
    logger = logging.getLogger("bot.bolt")
    logger.setLevel(logging.ERROR)
    return logger


def set_up(level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(quotes_nobody)
