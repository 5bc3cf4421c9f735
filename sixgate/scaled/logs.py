"""Logs as JSON lines on standard error: one object per event, for machines first."""

import logging
import sys
from collections import Counter

import orjson

CLIENT = "aiokafka"
REPEAT_S = 1.0
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


class RepeatFilter(logging.Filter):
    """Lets each message of the Kafka client through once in ``REPEAT_S``.

    It tries again every few milliseconds while no broker answers, and says so each time. The next
    line that comes through counts as ``spared`` those that did not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last_s: dict[tuple[str, str], float] = {}
        self._spared: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is shown."""
        if record.name.split(".")[0] != CLIENT:
            return True
        kind = (record.name, str(record.msg))  # without its values: there are few of them
        if record.created - self._last_s.get(kind, 0) < REPEAT_S:
            self._spared[kind] += 1
            return False
        self._last_s[kind] = record.created
        if spared := self._spared.pop(kind, 0):
            record.spared = spared
        return True


def log_json(level: str) -> None:
    """Send every logger's lines to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
