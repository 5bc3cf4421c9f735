"""Waits on Kafka for the ends of submitted records."""

import time
from collections.abc import Iterator, Sequence

import orjson

from schemas.audit import AuditRecord
from schemas.canonical import MalformedError
from schemas.clearance import Unattributed
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from sixgate.answers.outcome_notifications import ENDS, Notice, notice_of
from sixgate.answers.pending_records import FirstEnd, Names, Pending
from sixgate.api import ApiError, Json
from sixgate.scaled.bus import BlockingReader, Bus
from sixgate.scaled.signed_topic import verified_outcome

READ_COUNT_MAX = 500
WATCH_MS = 500


def submit(
    bus: Bus, events: Sequence[Outgoing], names: Sequence[Names], first_end: FirstEnd, idle_s: float
) -> Iterator[Json]:
    """Append records and yield their ends as ``Api.submit`` does with ``wait``.

    Raises ``halted`` if no intent at all ends for ``idle_s``; accepted records stay accepted.
    """
    # Reading begins before anything is appended, so that no end is missed.
    with bus.reading(bus.end_offsets(bus.partition_ids(*ENDS))) as reading:
        bus.append(events)
        yield {"accepted": len(events)}
        pending = Pending(names)
        wanted = {name for pair in names for name in pair}

        def first_outcome(intent: str) -> Json | None:
            # From here on its outcome is taken from the topic; an earlier one is in the ledger.
            wanted.add(intent)
            return first_end(intent)

        for name, event in _notices(bus, reading, idle_s):
            if name in wanted:
                yield from pending.take(name, event, first_outcome)
            if not pending:
                return


def _notices(bus: Bus, reading: BlockingReader, idle_s: float) -> Iterator[Notice]:
    last_s = time.monotonic()
    while True:
        page = reading.read(READ_COUNT_MAX, WATCH_MS)
        if page:
            last_s = time.monotonic()
        elif time.monotonic() - last_s > idle_s:
            raise ApiError(
                "halted",
                f"no intent was decided for {idle_s:.0f} s: check that sixgate gates and sixgate "
                "signer are running; accepted intents are decided once they run",
            )
        for record in page:
            if _is_authentic(bus, record):
                yield notice_of(record.topic, orjson.loads(record.value))


def _is_authentic(bus: Bus, record: Record) -> bool:
    """Return whether a record is well-formed for its topic, and an outcome signed by a signer.

    Records on ``audit`` and ``unattributed`` are unsigned: a writer of these topics could mislead a
    waiting client, but not change a decision.
    """
    if record.topic is Topic.OUTCOMES:
        return verified_outcome(bus, record) is not None
    try:
        (AuditRecord if record.topic is Topic.AUDIT else Unattributed).decode(record.value)
    except MalformedError:
        return False
    return True
