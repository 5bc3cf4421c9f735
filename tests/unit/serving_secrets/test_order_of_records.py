"""KMS calls are recorded before the answer that depends on them, also by another thread."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

from schemas.ledger.audit import action_of, audited, input_digest
from schemas.record import Outgoing
from signer.custody.kms.journal import KmsJournal
from signer.keys.custody_records import CustodyRecords
from sixgate.custody.projections import KafkaReadEnvironment
from tests.harness.builders.cases import NOW_MS

LOOK_S = 0.2


class Slow:
    """An appender that blocks its first caller until it is released."""

    def __init__(self) -> None:
        self.begun: list[Outgoing] = []
        self.stopped, self.go = threading.Event(), threading.Event()

    def begin(self, events: Sequence[Outgoing]) -> "Future[None]":
        if not self.stopped.is_set():
            self.stopped.set()
            self.go.wait()
        self.begun += events
        return Future()

    def end(self, waiting: "Future[None]") -> None:
        """Say that it is durable."""

    def append(self, events: Sequence[Outgoing]) -> None:
        self.end(self.begin(events))


class Counting:
    """A monitor that counts nothing."""

    def audited(self, _action: str) -> None: ...

    def decided(self, _stage: str, _reason: str) -> None: ...


def refusal(name: str) -> Outgoing:
    subject = input_digest(name.encode())
    return audited("read.refused", name, subject, name, actor="custody-0", at_ms=NOW_MS)


async def surroundings(appender: Slow, journal: KmsJournal) -> KafkaReadEnvironment:
    records = CustodyRecords("custody-0", "run-1", journal)
    unread: Any = None
    return KafkaReadEnvironment(
        unread, unread, cast("Any", appender), records, cast("Any", Counting()), lambda: NOW_MS
    )


def test_no_answers_record_overtakes_the_calls_that_another_took_along() -> None:
    appender, journal = Slow(), KmsJournal(lambda: NOW_MS)
    here = asyncio.run(surroundings(appender, journal))
    journal.record("unwrap", "gcp:key", b"what the second one has opened")
    first = threading.Thread(target=here.record, args=(refusal("first"),))
    second = threading.Thread(target=here.record, args=(refusal("second"),))
    first.start()
    appender.stopped.wait()
    second.start()
    second.join(LOOK_S)  # long enough to overtake, if that is possible
    appender.go.set()
    first.join()
    second.join()
    assert next(action_of(each.value) for each in appender.begun) == "kms.call"
    assert len(appender.begun) == 3
