"""Reads of transactions: a projection that is folded from the log when a read finds it moved.

Catching up, page by page:

1. Read the next outcomes and repetitions, but do not fold them yet.
2. Read and fold the submitted intents to their end. The intent of every outcome of step 1 was
   appended before it, so it is among them.
3. Fold the page of step 1. *If the process ends between two pages, the next one continues after the
   last committed page.*
4. When no full page is left, verify the agents' signatures of the intents that have none: these are
   pending. An outcome proves its intent, so most signatures are never verified here.
"""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from schemas.intents.intent import AnyIntent
from schemas.intents.outcome import AnyOutcome, TransactionSigned
from schemas.record import Record
from schemas.topics import Topic
from sixgate.api_error import ApiError
from sixgate.backends.ports import LogFeed, RegistryRead
from sixgate.gateway.intents import created_at_ms
from sixgate.gateway.transaction_fold import (
    Submitted,
    is_authentic,
    parsed,
    recorded_repetition,
    submitted_intent,
    verified_outcome,
)
from sixgate.gateway.transaction_store import (
    REPEATED,
    UNPROVEN,
    Filter,
    NewRow,
    Place,
    Position,
    Ready,
    Shown,
    TransactionStore,
)
from sixgate.gateway.transaction_view import SIGNED_MEMBERS, status_of, transaction_view

PAGE_COUNT = 500
PAGE_BYTES_MAX = 2 * 1024 * 1024
CATCH_UP_S_MAX = 5.0
_ENDS = (Topic.OUTCOMES, Topic.AUDIT)


class ListPage(NamedTuple):
    """Some replies as JSON, newest first, and the place where the next page begins, if any."""

    replies: list[bytes]
    next: Place | None


class Transactions:
    """The transactions of every agent; any thread may call.

    The projection does not own ``feed``. Reads see what the log had at the last ``catch_up``.
    """

    def __init__(self, path: Path, feed: LogFeed, read: RegistryRead) -> None:
        self._feed = feed
        self._read = read
        self._registry_may_lag = False
        self._folding = threading.Lock()
        self._version: Hashable = None
        # When the last complete fold began, and when this process last added to the log.
        self._complete_at_ns, self._outdated_at_ns = -1, 0
        self._store = TransactionStore(path)
        self._positions = self._store.positions()
        feed.refresh()
        if not self._is_of_log():
            self._store.clear(feed.identity())
            self._positions = {}

    def outdate(self) -> None:
        """Make the next read catch up: the log has more, whether or not the feed knows it yet."""
        self._outdated_at_ns = time.monotonic_ns()

    def is_current(self) -> bool:
        """Return whether the log has not moved since the last complete ``catch_up``; cheap."""
        is_complete = self._complete_at_ns > self._outdated_at_ns
        return is_complete and self._version == self._feed.version()

    def catch_up(self, within_s: float = CATCH_UP_S_MAX) -> None:
        """Fold everything that the log had when this was called.

        Raises ``ApiError`` ``reads_behind`` if that takes longer. What was folded is kept, so later
        calls get further.
        """
        if self.is_current():
            return
        called_at_ns = time.monotonic_ns()
        ends_at_s = time.monotonic() + within_s
        if not self._folding.acquire(timeout=within_s):
            raise _behind()
        try:
            if self._complete_at_ns > called_at_ns:
                return  # another thread began and ended a fold meanwhile
            with _translated():
                self._fold_all(ends_at_s)
        finally:
            self._folding.release()

    def reply(self, agent: str, name: str, *, include_signed_tx: bool = False) -> bytes | None:
        """Return a ``TransactionReply`` as JSON, or None if the agent has no such transaction.

        ``name`` is an id or a transaction hash. What a read leaves out is absent.
        """
        with _translated(), self._store.reading() as reader:
            found = reader.named(agent, name)
        return self._shown(found, include_signed_tx=include_signed_tx) if found else None

    def newest(
        self, agent: str, limit: int, filters: Filter | None = None, *, include_signed_tx: bool
    ) -> ListPage:
        """Return an agent's transactions, newest first, after the place in ``filters``.

        A page ends early at ``PAGE_BYTES_MAX``: one transaction has up to 512 KiB.
        """
        page: list[Shown] = []
        size_bytes = 0
        following = None
        with (
            _translated(),
            self._store.reading() as reader,
            closing(reader.newest(agent, limit + 1, filters or Filter())) as rows,
        ):
            for row in rows:
                size_bytes += len(row.reply) + len(row.signed) * include_signed_tx
                if len(page) == limit or (page and size_bytes > PAGE_BYTES_MAX):
                    following = page[-1].place
                    break
                page.append(row)
        replies = [self._shown(row, include_signed_tx=include_signed_tx) for row in page]
        return ListPage(replies, following)

    def lag(self) -> Iterator[tuple[str, int, int]]:
        """Yield the label of each partition, how far it is folded, and where it ends."""
        is_current = self.is_current()
        for topic, partition in self._places(Topic.SUBMITTED, *_ENDS):
            end = self._feed.end(topic, partition)
            position = self._positions.get((topic, partition))
            # A partition may end with offsets that are no records.
            done = end if is_current else position.next if position else 0
            yield f"{topic}/{partition}", done, end

    def close(self) -> None:
        """Close the file."""
        with self._folding:
            self._store.close()

    def _fold_all(self, ends_at_s: float) -> None:
        # Before the first read: what is appended later changes the version again.
        began_at_ns = time.monotonic_ns()
        version = self._feed.refresh()
        while self._version != version:
            # 1.
            ends = {place: self._next(*place) for place in self._places(*_ENDS)}
            self._registry_may_lag = True
            # 2.
            for place in self._places(Topic.SUBMITTED):
                while self._fold(place, records := self._next(*place), self._add):
                    _check_time(ends_at_s)
                    if len(records) < PAGE_COUNT:
                        break
            # 3.
            for place, records in ends.items():
                if self._fold(place, records, self._end):
                    _check_time(ends_at_s)
            # A page that is not full reached the end of its partition, which may have moved since.
            if all(len(records) < PAGE_COUNT for records in ends.values()):
                # 4.
                self._verify_pending(ends_at_s)
                self._version = version
        self._complete_at_ns = began_at_ns

    def _places(self, *topics: Topic) -> list[tuple[Topic, int]]:
        return [
            (topic, partition)
            for topic in topics
            for partition in range(self._feed.partitions_of(topic))
        ]

    def _next(self, topic: Topic, partition: int) -> Sequence[Record]:
        position = self._positions.get((topic, partition))
        return self._feed.read(topic, partition, position.next if position else 0, PAGE_COUNT)

    def _fold(
        self, place: tuple[Topic, int], records: Sequence[Record], fold: Callable[[Record], None]
    ) -> bool:
        """Fold records of one partition and commit them with the position after them.

        Return whether there were any.
        """
        if not records:
            return False
        position = Position(records[-1].offset + 1, _digest(records[-1]))
        with self._store.writing():
            for record in records:
                fold(record)
            self._store.advance(*place, position)
        self._positions[place] = position
        return True

    def _add(self, record: Record) -> None:
        if found := submitted_intent(record, self._read.registered):
            intent = found.intent
            place = Place(record.at_ms, record.offset, record.partition)
            row = (intent.agent, intent.idempotency_key, place, intent.chain_id, record.value)
            self._store.add(found.id, NewRow(*row))

    def _end(self, record: Record) -> None:
        if record.topic is Topic.AUDIT:
            self._repeat(record)
        elif outcome := self._verified(record):
            self._decide(record, outcome)

    def _verified(self, record: Record) -> AnyOutcome | None:
        outcome = verified_outcome(record, self._read.registered)
        if outcome is None and self._registry_was_refreshed():
            outcome = verified_outcome(record, self._read.registered)
        return outcome

    def _registry_was_refreshed(self) -> bool:
        """Read the registry, if it may be older than the pages; return whether it was.

        An outcome that is skipped now is never read again, and its signer may be new.
        """
        if not self._registry_may_lag:
            return False
        self._read.refresh()
        self._registry_may_lag = False
        return True

    def _decide(self, record: Record, outcome: AnyOutcome) -> None:
        """Show an intent with its outcome; of several outcomes the first one counts."""
        if asked := self._store.undecided(outcome.intent):
            intent = parsed(asked.submitted).intent
            self._show(outcome.intent, intent, outcome, asked.place)
        elif not self._store.is_known(outcome.intent):
            # The log no longer has the intent.
            place = Place(outcome.decided_at_ms, record.offset, record.partition)
            row = (outcome.agent, outcome.idempotency_key, place, outcome.chain_id, None)
            self._store.add(outcome.intent, NewRow(*row))
            self._show(outcome.intent, None, outcome, place)

    def _repeat(self, record: Record) -> None:
        """Let a repetition share the reply of the first intent.

        Nobody signed the record, so it counts only if both intents are of one agent with one key.
        """
        found = recorded_repetition(record)
        if not found or not self._store.same_request(found.intent, found.first):
            return
        if self._store.undecided(found.intent):
            self._store.hide(found.intent, REPEATED, found.first)

    def _verify_pending(self, ends_at_s: float) -> None:
        while rows := self._store.unverified(PAGE_COUNT):
            with self._store.writing():
                for intent_id, asked in rows:
                    found: Submitted = parsed(asked.submitted)
                    if is_authentic(found, self._read.registered):
                        self._show(intent_id, found.intent, None, asked.place)
                    else:
                        self._store.hide(intent_id, UNPROVEN)
            _check_time(ends_at_s)

    def _show(
        self, intent_id: str, intent: AnyIntent | None, outcome: AnyOutcome | None, place: Place
    ) -> None:
        reply = transaction_view(
            intent,
            outcome,
            "",
            intent_id=intent_id,
            created_at_ms=self._created_at_ms(intent, place),
            include_signed_tx=True,
        )
        # The chain's name is added by ``_shown``: it may change.
        members = reply.model_dump(by_alias=True, exclude={"chain"})
        signed = {name: members.pop(name) for name in SIGNED_MEMBERS}
        ready = Ready(
            status=status_of(outcome, intent.mode if intent else "submit"),
            transaction_hash=(
                outcome.transaction_hash if isinstance(outcome, TransactionSigned) else None
            ),
            reply=orjson.dumps(members),
            signed=orjson.dumps(signed),
        )
        self._store.show(intent_id, ready)

    def _created_at_ms(self, intent: AnyIntent | None, place: Place) -> int:
        """Return when an intent was made: its gateway says so; otherwise when it was appended."""
        agent = self._read.registered.agents.get(intent.agent) if intent else None
        by_gateway = agent is not None and agent.gateway is not None
        return created_at_ms(intent) if intent and by_gateway else place.created_at_ms

    def _shown(self, row: Shown, *, include_signed_tx: bool) -> bytes:
        """Join the members of up to three JSON objects without decoding them."""
        chain = self._read.registered.chains.get(row.chain_id)
        begin = orjson.dumps({"chain": chain.name if chain else str(row.chain_id)})
        members = begin[:-1] + b"," + row.reply[1:]
        return members[:-1] + b"," + row.signed[1:] if include_signed_tx else members

    def _is_of_log(self) -> bool:
        """Return whether the file is a projection of this log, not of another or older one."""
        return self._store.log() == self._feed.identity() and all(
            self._is_in_log(Topic(topic), partition) for topic, partition in self._positions
        )

    def _is_in_log(self, topic: Topic, partition: int) -> bool:
        """Return whether the log has, or had, the last record that was folded of a partition."""
        position = self._positions[topic, partition]
        found = self._feed.read(topic, partition, position.next - 1, 1)
        if found and found[0].offset == position.next - 1:
            return _digest(found[0]) == position.last
        # The log was trimmed beyond it, if it is not a shorter one.
        return self._feed.end(topic, partition) >= position.next


def _digest(record: Record) -> bytes:
    return hashlib.sha256(b"%d\x00%b" % (record.offset, record.value)).digest()


def _check_time(ends_at_s: float) -> None:
    if time.monotonic() > ends_at_s:
        raise _behind()


def _behind() -> ApiError:
    return ApiError("reads_behind", "reads of transactions are still catching up with the log")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ApiError(
            "reads_failed",
            f"reads.db cannot be used ({type(error).__name__}): check the disk; it may be deleted, "
            "and is then built again from what the log holds",
        ) from error
