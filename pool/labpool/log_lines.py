"""Structured logs: one event a line, as JSON, on standard error. What a caller passes in `extra` becomes fields."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time (UTC), level, part, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"at": at, "level": record.levelname.lower(), "part": record.name}
        line["event"] = record.getMessage()
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_as_json_lines(level: int = logging.INFO) -> None:
    """Send all logs of this process to standard error as lines of JSON; quiet libraries that log each request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "uvicorn.access", "alembic", "tornado.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
