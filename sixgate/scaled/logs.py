"""Structured logs: one JSON object per line on standard error."""

import logging
import sys
from collections import Counter

import orjson

CLIENT = "aiokafka"
REPEAT_S = 1.0
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; ``extra`` fields become top-level members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line. Of an exception it has type and message, without the stack."""
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


class RepeatFilter(logging.Filter):
    """Rate limit for the Kafka client's log: each message at most once per ``REPEAT_S``.

    While no broker answers, the client retries every few milliseconds and logs each attempt. The
    next line that passes carries the number of suppressed lines as ``spared``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last_s: dict[tuple[str, str], float] = {}
        self._spared: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        if record.name.split(".")[0] != CLIENT:
            return True
        kind = (record.name, str(record.msg))  # the format string: without values there are few
        if record.created - self._last_s.get(kind, 0) < REPEAT_S:
            self._spared[kind] += 1
            return False
        self._last_s[kind] = record.created
        if spared := self._spared.pop(kind, 0):
            record.spared = spared
        return True


def log_json(level: str) -> None:
    """Log all loggers to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
