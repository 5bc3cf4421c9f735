"""Follows the ends of intents on Kafka: one consumer for everybody who waits."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager

from schemas.canonical import MalformedError
from schemas.intents.clearance import Unattributed
from schemas.intents.outcome import decode_outcome
from schemas.ledger.audit import AuditRecord
from schemas.record import Record
from schemas.topics import Topic
from signer.core.errors import InvalidSignatureError
from signer.keys.signer_events import verify_signer_event
from sixgate.answers.outcome_notifications import ENDS, Notices, OutcomeNotifications, Watch
from sixgate.api import ApiError
from sixgate.api.errors import api_error
from sixgate.backends.kafka.bus import Bus
from sixgate.clocks import boot_ms
from streams.kafka.reader import Reader

READ_COUNT_MAX = 500


class EndsFollower:
    """Implements ``Wait``. Nothing is read until the first wait, or until ``start``."""

    def __init__(self, bus: Bus, idle_ms_max: int) -> None:
        """Gates and signer count as absent if intents wait ``idle_ms_max`` without any end."""
        self._bus = bus
        self._idle_ms_max = idle_ms_max
        self._ends = OutcomeNotifications()
        self._lock = threading.Lock()
        self._following: Future[None] | None = None
        self._page_at_ms = 0
        self._appended_at_ms: int | None = None

    def start(self) -> None:
        """Follow from the current ends of the topics on, if not begun already."""
        with self._lock:
            if self._following is None:
                ends = self._bus.end_offsets(self._bus.partition_ids(*ENDS))
                opened = self._bus.open_reader(ends)
                self._following = self._bus.start(self._follow(opened.reader))

    def watching(self, names: Iterable[str], notices: Notices) -> AbstractContextManager[Watch]:
        """See ``Wait.watching``."""
        self.start()
        return self._ends.watching(names, notices)

    def appended(self) -> None:
        """Note that an intent was appended: from now on an end is due."""
        if self._appended_at_ms is None:
            self._appended_at_ms = boot_ms()

    def check_deciding(self, waited_ms: int) -> None:
        """See ``Wait.check_deciding``; raises the error that ended the following, too."""
        if self._following and self._following.done() and (failure := self._following.exception()):
            raise _as_api_error(failure)
        now_ms, due_ms = boot_ms(), self._appended_at_ms
        waited_ms = max(waited_ms, 0 if due_ms is None else now_ms - due_ms)
        if min(waited_ms, now_ms - self._page_at_ms) > self._idle_ms_max:
            raise ApiError(
                "halted",
                f"no intent was decided for {self._idle_ms_max / 1000:.0f} s: check that sixgate "
                "gates and sixgate signer are running; accepted intents are decided once they run",
            )

    async def _follow(self, reader: Reader) -> None:
        while True:
            page = await reader.read(READ_COUNT_MAX)
            if page:
                self._page_at_ms, self._appended_at_ms = boot_ms(), None
            if unproven := self._ends.publish(page, self._is_authentic):
                await self._bus.refresh_on_loop()  # the signer may have been registered since
                self._ends.publish(unproven, self._is_authentic)

    def _is_authentic(self, record: Record) -> bool:
        """Return whether a record is well-formed for its topic, and an outcome signed by a signer.

        Records on ``audit`` and ``unattributed`` are unsigned: a writer of these topics could
        mislead a waiting client, but not change a decision.
        """
        try:
            if record.topic is Topic.OUTCOMES:
                verify_signer_event(decode_outcome(record.value), self._bus.registry)
            else:
                (AuditRecord if record.topic is Topic.AUDIT else Unattributed).decode(record.value)
        except (MalformedError, InvalidSignatureError):
            return False
        return True


def _as_api_error(failure: BaseException) -> BaseException:
    return api_error(failure) if isinstance(failure, Exception) else failure
