"""The node that owns a data folder: pipeline, ledger and API in one process."""

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from schemas.fields import Count, TimeMs
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.answers import snapshot
from sixgate.answers.audit_queries import AuditQueries
from sixgate.answers.outcome_notifications import NoticeQueue, OutcomeNotifications, Watch
from sixgate.answers.pending_records import Pending, names_of
from sixgate.answers.signed_feed import SignedFeed
from sixgate.answers.vault_events import vault_event
from sixgate.api import ApiError, Json, Position, bytes_of, submitted_pair
from sixgate.attesting.evidence_service import EvidenceService
from sixgate.clocks import boot_ms, wall_ms
from sixgate.custody import reading as custody_reading
from sixgate.data_folder.folder import Folder
from sixgate.embedded import administration, secret_reads
from sixgate.embedded.pipeline import WATCH_S, Pipeline


class Node:
    """Implements the ``Api``; every method may be called from any thread."""

    def __init__(self, folder: Folder) -> None:
        self.notices = OutcomeNotifications()
        self._feed = SignedFeed()
        self.pipeline = Pipeline(folder, self._committed)
        self.stage = self.pipeline.parts.runner.stage
        self.vaults = self.pipeline.parts.runner.slot.operations.vault
        self._secrets = secret_reads.secret_service(self.pipeline)
        self._read_environment = secret_reads.PipelineReadEnvironment(self.pipeline)
        self._ledger = self.pipeline.parts.ledger_service
        self._attestation = EvidenceService(self.pipeline.parts.attestor, boot_ms)
        self._started_at_ms = wall_ms()

    def wait(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set; raise the error that halted the pipeline, if any."""
        self.pipeline.wait(stop)

    def status(self) -> Json:
        """See ``Api.status``."""
        return {
            "org": self.stage.registry.org,
            "pid": os.getpid(),
            "started_at_ms": self._started_at_ms,
            "ledger_rows": self._ledger.answers.table.tip().rows,
            "waiting": self.pipeline.waiting(),
        }

    def registry(self) -> Json:
        """See ``Api.registry``."""
        with self.pipeline.lock:
            return snapshot.registry_snapshot(self.stage.registry, self.vaults)

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        return administration.register(self.pipeline, envelope)

    def order_key(self, record: str) -> Json:
        """See ``Api.order_key``."""
        return administration.order_key(self.pipeline, record)

    def order_vault(self, record: str) -> Json:
        """See ``Api.order_vault``."""
        return administration.order_vault(self.pipeline, record)

    def vault(self, account: str, vault: str) -> Json:
        """See ``Api.vault``."""
        with self.pipeline.lock:
            return snapshot.vault_content(self.vaults, (account, vault))

    def client_shares(self, account: str, vault: str, path: str) -> list[Json]:
        """See ``Api.client_shares``."""
        with self.pipeline.lock:
            return snapshot.client_shares(self.vaults, (account, vault), path)

    def vault_events(self) -> Iterator[Json]:
        """See ``Api.vault_events``."""
        with closing(self.pipeline.parts.reader()) as log:
            for partition in range(log.partitions):
                for record in log.scan(Topic.VAULT, partition):
                    yield vault_event(record)

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        return custody_reading.reading_key(self._secrets)

    def read_secret(self, request: str, client_address: str = secret_reads.LOCAL) -> Json:
        """See ``Api.read_secret``; the record of the use names ``client_address``."""
        raw = bytes_of(request)
        return custody_reading.read(self._read_environment, self._secrets, raw, client_address)

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """See ``Api.submit``."""
        pairs = [submitted_pair(record) for record in records]
        names = [names_of(value, key) for key, value in pairs] if wait else []
        watched: NoticeQueue = queue.SimpleQueue()
        every = (name for pair in names for name in pair)
        with self.notices.watching(every, watched) as watch:
            self.pipeline.append([Outgoing(Topic.SUBMITTED, *pair) for pair in pairs])
            self.pipeline.wake()
            yield {"accepted": len(records)}
            yield from self._ends(Pending(names), watched, watch)

    def intents(
        self,
        *,
        limit: Count,
        account: str | None,
        agent: str | None,
        idempotency_key: str | None = None,
    ) -> list[Json]:
        """See ``Api.intents``."""
        self.settle()
        return self._ledger.answers.intents.newest(limit, account, agent, idempotency_key)

    def trail(self, intent: str) -> list[Json]:
        """See ``Api.trail``."""
        self.settle()
        return self._ledger.answers.intents.trail(intent)

    def budgets(self) -> list[Json]:
        """See ``Api.budgets``."""
        with self.pipeline.lock:
            return snapshot.budgets(self.stage.registry, self.stage.memory.account, wall_ms())

    def signed(self, *, after: Position, follow: bool) -> Iterator[Json]:
        """See ``Api.signed``. A position counts signed transactions in commit order."""
        return (found for found in self.signed_or_tick(after=after, follow=follow) if found)

    def signed_or_tick(self, *, after: Position, follow: bool) -> Iterator[Json | None]:
        """Yield signed transactions, and None as a tick while there are none."""
        if not isinstance(after, int):
            raise ApiError(
                "position_unknown",
                f"{after!a} is not a position of this folder: use 0 or a printed one",
            )
        return self._feed.read(self.pipeline, after, follow=follow)

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        return self._attestation.attestation(nonce)

    def head(self) -> Json:
        """See ``Api.head``."""
        self.settle()
        return self._ledger.head()

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """See ``Api.verify``."""
        self.settle()
        yield from self._ledger.verify(head)

    def sql(self, query: str) -> Json:
        """See ``Api.sql``."""
        self.settle()
        return self._ledger.answers.sql(query)

    def export(self, path: str, *, form: str, since_ms: TimeMs, until_ms: TimeMs) -> Iterator[Json]:
        """See ``Api.export``."""
        self.settle()
        yield from self._ledger.answers.export(Path(path), form, since_ms, until_ms)

    def audit(self) -> AuditQueries:
        """Return the audit queries of the ledger, which has caught up."""
        self.settle()
        return self._ledger.answers.audit

    def outcome(self, intent: str) -> Json | None:
        """Return the verified outcome of an intent once it is committed, or None."""
        self.settle()
        return self._ledger.answers.outcomes.outcome(intent)

    def settle(self) -> None:
        """Let the ledger catch up with everything that is committed."""
        self.pipeline.settle()

    def _committed(self, events: Sequence[Outgoing]) -> None:
        self.notices.publish(events)
        self._feed.committed(events)

    def _ends(self, pending: Pending, watched: NoticeQueue, watch: Watch) -> Iterator[Json]:
        while pending:
            try:
                notices = watched.get(timeout=WATCH_S)
            except queue.Empty:
                self.pipeline.check_running()
                continue
            for name, event in notices:
                yield from pending.take(name, event, partial(self.first_end, watch))

    def first_end(self, watch: Watch, intent: str) -> Json | None:
        """Return the recorded end of an intent; None if ``watch`` will notice it from now on."""
        # Before the look-up, so that an outcome that is committed meanwhile is noticed.
        watch.names.add(intent)
        self.settle()
        return self._ledger.answers.outcomes.outcome(intent)


@contextmanager
def running(folder: Folder) -> Iterator[Node]:
    """Lend a started node; the caller owns the folder. Raises the error that halts the pipeline."""
    node = Node(folder)
    try:
        node.pipeline.start()
        yield node
        node.pipeline.check()
    finally:
        node.pipeline.stop()
