"""The owner of a data folder: pipeline, ledger and front door in one process."""

import base64
import copy
import gc
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from schemas.canonical import Malformed
from schemas.dsse import Envelope
from schemas.outcome import decode_outcome
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.keys import KeyRefused, read_request
from signer.registry import RegistryRefused
from signer.signatures import SignatureWrong, verify_event
from sixgate import snapshot
from sixgate.api import ApiError, Json
from sixgate.assembly import Parts, assemble, boot_ms, wall_ms
from sixgate.folder import Folder
from sixgate.loops import Loop
from sixgate.notices import Notices, Watch
from sixgate.waiting import Pending, names_of

FOLLOW_S = 0.2
WATCH_S = 0.5
# An insert costs 10 ms however few its rows, so the ledger lets them gather for this long.
LEDGER_S = 0.25
# While the pipeline is busy the ledger lets it go first, but not for longer than this.
LEDGER_LAG_MS_MAX = 5_000
GC_ALLOCATIONS = 50_000  # events make no cycles; looking for them often costs 6 %
SWITCH_S = 0.0005  # the pipeline's short waits must not cost it the interpreter for 5 ms
READ_COUNT_MAX = 500
KEY_LENGTH_MAX = 63


class Node:
    """Serves the ``Api``; every method may be called from any thread."""

    def __init__(self, folder: Folder) -> None:
        self._notices = Notices()
        self._parts: Parts = assemble(folder, self._committed)
        self._stage = self._parts.runner.stage
        self._started_at_ms = wall_ms()
        self._failure: BaseException | None = None
        self._failed = threading.Event()
        self._lock = threading.RLock()  # held while the pipeline steps: the registry is still
        self._inbox_lock = threading.Lock()
        self._news = threading.Condition()
        self._pipeline = Loop("pipeline", self._step, self._fail)
        self._busy = False
        self._booked_at_ms = boot_ms()
        self._ledger = Loop("ledger", self._keep_books, self._fail, idle_s=LEDGER_S)

    def start(self) -> None:
        """Prove and finish what earlier lives left, then run; raises what halts the pipeline."""
        sys.setswitchinterval(SWITCH_S)
        gc.set_threshold(GC_ALLOCATIONS)
        self._parts.start()
        self._step()
        self._pipeline.start()
        self._ledger.start()

    def stop(self) -> None:
        """End after the current batch, with the ledger caught up unless something failed."""
        self._pipeline.stop()
        self._ledger.stop()
        try:
            if self._failure is None:
                self._parts.books.catch_up()
        finally:
            self._parts.close()

    def wait(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set; raise what halted the node if something did."""
        while not stop.wait(WATCH_S) and not self._failed.is_set():
            pass
        self.check()

    def check(self) -> None:
        """Raise what halted the node, if something did."""
        if self._failure is not None:
            raise self._failure

    def status(self) -> Json:
        """See ``Api.status``."""
        return {
            "org": self._stage.registry.org,
            "pid": os.getpid(),
            "started_at_ms": self._started_at_ms,
            "ledger_rows": self._parts.books.rows(),
        }

    def registry(self) -> Json:
        """See ``Api.registry``."""
        with self._lock:
            return snapshot.registered(self._stage.registry, self._stage.keys)

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        raw = base64.b64decode(envelope)
        with self._lock:
            self._step()
            sequence = self._stage.registry.sequence
            try:
                copy.deepcopy(self._stage.registry).apply(raw)
            except RegistryRefused as error:
                raise ApiError("registry_refused", str(error)) from None
            self._append([Outgoing(Topic.REGISTRY, "", raw)])
            self._step()
        return {"sequence": sequence}

    def provision(self, envelope: str) -> Json:
        """See ``Api.provision``."""
        raw = base64.b64decode(envelope)
        with self._lock:
            self._step()
            try:
                request = read_request(Envelope.decode(raw), self._stage.registry)
                self._stage.keys.check_free(request)
            except (Malformed, KeyRefused) as error:
                raise ApiError("key_refused", str(error)) from None
            self._append([Outgoing(Topic.KEY_REQUESTS, request.account, raw)])
            self._step()
            key = self._stage.keys.find(request.account, request.path)
        if key is None:
            raise ApiError("key_refused", "the key could not be made: see the audit records")
        return snapshot.key(key)

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """See ``Api.submit``."""
        if any(len(record["key"]) > KEY_LENGTH_MAX for record in records):
            raise ApiError("request_malformed", "a record's key is no account's name")
        pairs = [(record["key"], base64.b64decode(record["value"])) for record in records]
        names = [names_of(value, key) for key, value in pairs] if wait else []
        with self._notices.watching(name for pair in names for name in pair) as watch:
            self._append([Outgoing(Topic.SUBMITTED, *pair) for pair in pairs])
            self._pipeline.wake()
            yield {"accepted": len(records)}
            yield from self._ends(Pending(names), watch)

    def intents(self, *, limit: int, account: str | None, agent: str | None) -> list[Json]:
        """See ``Api.intents``."""
        self.settle()
        return self._parts.books.intents(limit, account, agent)

    def trail(self, intent: str) -> list[Json]:
        """See ``Api.trail``."""
        self.settle()
        return self._parts.books.trail(intent)

    def budgets(self) -> list[Json]:
        """See ``Api.budgets``."""
        with self._lock:
            return snapshot.budgets(self._stage.registry, self._stage.memory.account, wall_ms())

    def signed(self, *, after: int, follow: bool) -> Iterator[Json]:
        """See ``Api.signed``; a position counts signed transactions in the order of commits."""
        return (found for found in self.signed_or_tick(after=after, follow=follow) if found)

    def signed_or_tick(self, *, after: int, follow: bool) -> Iterator[Json | None]:
        """Yield signed transactions, and None whenever there was nothing for a moment."""
        log, position = self._parts.reader(), after
        try:
            while True:
                page = log.signed_after(position, READ_COUNT_MAX)
                for proved, event in self._proved(page):
                    yield {"position": proved, "event": orjson.loads(event)}
                if page:
                    position = page[-1][0]
                    continue
                if not follow:
                    return
                self._check_running()
                with self._news:
                    self._news.wait(FOLLOW_S)
                yield None
        finally:
            log.close()

    def head(self) -> Json:
        """See ``Api.head``."""
        self.settle()
        return self._parts.books.head()

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """See ``Api.verify``."""
        self.settle()
        yield from self._parts.books.verify(head)

    def sql(self, query: str) -> Json:
        """See ``Api.sql``."""
        self.settle()
        return self._parts.books.sql(query)

    def export(self, path: str, *, form: str, since_ms: int, until_ms: int) -> Iterator[Json]:
        """See ``Api.export``."""
        self.settle()
        yield from self._parts.books.export(Path(path), form, since_ms, until_ms)

    def _step(self) -> int:
        """Step the runner; after a failure it is spent, whoever called, and the node with it."""
        self._check_running()
        with self._lock:
            try:
                read = self._parts.runner.step()
            except BaseException as error:
                self._fail(error)
                raise
        self._busy = read > 0
        return read

    def _keep_books(self) -> int:
        waited_ms = boot_ms() - self._booked_at_ms
        if self._busy and waited_ms < LEDGER_LAG_MS_MAX:
            return 0
        self._booked_at_ms = boot_ms()
        self._parts.books.step()
        return 0

    def _proved(self, found: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yield what the signer really signed: whoever writes to the log could add to it."""
        for position, raw in found:
            with suppress(Malformed, SignatureWrong):
                verify_event(decode_outcome(raw), self._stage.identity.public_key)
                yield position, raw

    def _append(self, events: Sequence[Outgoing]) -> None:
        self._check_running()
        with self._inbox_lock:
            self._parts.inbox.append(events, wall_ms())

    def settle(self) -> None:
        """Let the ledger catch up with all that is committed."""
        self._check_running()
        self._parts.books.catch_up()

    def _committed(self, events: Sequence[Outgoing]) -> None:
        self._notices.publish(events)
        with self._news:
            self._news.notify_all()

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._failed.set()

    def _ends(self, pending: Pending, watch: Watch) -> Iterator[Json]:
        while pending:
            try:
                notices = watch.notices.get(timeout=WATCH_S)
            except queue.Empty:
                self._check_running()
                continue
            for name, event in notices:
                yield from pending.take(name, event, self._first_end)

    def _first_end(self, intent: str) -> Json | None:
        self.settle()
        return self._parts.books.outcome(intent)

    def _check_running(self) -> None:
        if self._failure is not None:
            raise ApiError("halted", str(self._failure))


@contextmanager
def running(folder: Folder) -> Iterator[Node]:
    """Lend a started node; the caller owns the folder. Raises what halts the pipeline."""
    node = Node(folder)
    try:
        node.start()
        yield node
        node.check()
    finally:
        node.stop()
