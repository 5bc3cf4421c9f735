"""Structured logs: one JSON object per event on standard error.

An event of ours has a stable name as its message ("slot.taken_over") and facts as ``extra`` fields;
docs/operations.md lists all of them. A library's line is the event ``library.message``.
"""

import json
import logging
import sys
from collections import Counter
from datetime import UTC, datetime

import orjson

from signer.custody.kms.journal import JournaledCall
from streams.slow_calls import SLOW_MS

OWN_LOGGER = "sixgate"
LEVELS = ("debug", "info", "warning", "error")
REPEAT_S = 1.0
REMEMBERED_COUNT_MAX = 1_000
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}
_KMS = logging.getLogger("sixgate.kms")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; ``extra`` fields become members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line. Of an exception it has the type: the message may quote a secret."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        message = record.getMessage()
        if _is_own(record):
            line["event"] = message
        else:
            line |= {"event": "library.message", "message": message}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
        line |= _fields(record)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # a path that is not UTF-8, a number above 64 bits
            return json.dumps(line, default=str)


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == OWN_LOGGER


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the ``extra`` fields. Those of a library may contain requests and their headers."""
    if not _is_own(record):
        count = vars(record).get("suppressed")
        return {"suppressed": count} if count else {}
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class RepeatLimit(logging.Filter):
    """Passes each message of a library at most once in ``REPEAT_S``.

    While no broker answers, each client of Kafka retries every second and logs three lines for it.
    The next line that passes has the number of suppressed ones as ``suppressed``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last_s: dict[tuple[str, str], float] = {}
        self._suppressed: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record passes."""
        if _is_own(record):
            return True
        kind = (record.name, str(record.msg))  # the format string: without values there are few
        if len(self._last_s) >= REMEMBERED_COUNT_MAX:  # a library that formats its messages itself
            self._last_s.clear()
            self._suppressed.clear()
        if record.created - self._last_s.get(kind, 0) < REPEAT_S:
            self._suppressed[kind] += 1
            return False
        self._last_s[kind] = record.created
        if count := self._suppressed.pop(kind, 0):
            record.suppressed = count
        return True


def configure_logging(level: str) -> None:
    """Log all loggers to standard error as JSON lines.

    Libraries log from ``warning`` on: below it they log requests with their credentials and keys.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(RepeatLimit())
    libraries = "error" if level == "error" else "warning"
    logging.basicConfig(level=libraries.upper(), handlers=[handler], force=True)
    logging.getLogger(OWN_LOGGER).setLevel(level.upper())


def log_kms_call(call: JournaledCall) -> None:
    """Log a KMS call that failed or was slow; its record on the topic ``audit`` has the rest."""
    facts = {"call": call.call, "key": call.key_id, "elapsed_ms": call.elapsed_ms}
    if call.failed:
        _KMS.warning("kms.call_failed", extra=facts | {"error": call.failed})
    elif call.elapsed_ms >= SLOW_MS:
        _KMS.warning("kms.call_slow", extra=facts)
