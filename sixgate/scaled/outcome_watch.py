"""The ends of submitted records, as their topics tell them."""

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
from sixgate.scaled.bus import Bus, Reading
from sixgate.scaled.signed_topic import proven

READ_COUNT_MAX = 500
WATCH_MS = 500


def submit(
    bus: Bus, events: Sequence[Outgoing], names: Sequence[Names], first_end: FirstEnd, idle_s: float
) -> Iterator[Json]:
    """Append records and yield what ``Api.submit`` promises to whoever waits.

    Reading begins before anything is appended, so no end is missed. Raises ``halted`` when nothing
    at all ends for ``idle_s``: what was accepted stays accepted.
    """
    with bus.reading(bus.end_offsets(bus.places(*ENDS))) as reading:
        bus.append(events)
        yield {"accepted": len(events)}
        pending = Pending(names)
        wanted = {name for pair in names for name in pair}
        for name, event in _notices(bus, reading, idle_s):
            if name in wanted:
                yield from pending.take(name, event, first_end)
            if not pending:
                return


def _notices(bus: Bus, reading: Reading, idle_s: float) -> Iterator[Notice]:
    heard_s = time.monotonic()
    while True:
        page = reading.read(READ_COUNT_MAX, WATCH_MS)
        if page:
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > idle_s:
            raise ApiError(
                "halted",
                f"nothing was judged for {idle_s:.0f} s: see that sixgate gates and sixgate signer "
                "run; what was accepted will be judged then",
            )
        for record in page:
            if _believed(bus, record):
                yield notice_of(record.topic, orjson.loads(record.value))


def _believed(bus: Bus, record: Record) -> bool:
    """Tell whether a record is what its topic is for; outcomes must be proven as well.

    What ends as unattributed, and that an intent was repeated, nobody signs: whoever may write
    there could tell a client so, and change nothing by it.
    """
    if record.topic is Topic.OUTCOMES:
        return proven(bus, record) is not None
    try:
        (AuditRecord if record.topic is Topic.AUDIT else Unattributed).decode(record.value)
    except MalformedError:
        return False
    return True
