"""Logs as JSON lines on standard error: one object per event, for machines first."""

import logging
import sys

import orjson

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; ``extra`` fields become members of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line. An exception is named and described, without its stack."""
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line |= {"error": type(error).__name__, "detail": str(error)}
        fields = {name: value for name, value in vars(record).items() if name not in _OWN}
        return orjson.dumps(line | fields, default=str).decode()


def log_json(level: str) -> None:
    """Send every logger's lines to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
