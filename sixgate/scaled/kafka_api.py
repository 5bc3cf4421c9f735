"""The ``Api`` of an organisation whose pipeline runs on Kafka and a ClickHouse server."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.fields import Count, TimeMs
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.answers import snapshot
from sixgate.answers.pending_records import names_of
from sixgate.answers.vault_events import vault_event
from sixgate.api import Api, ApiError, Json, Position, bytes_of, submitted_pair
from sixgate.api.errors import as_api_errors
from sixgate.backends.orders import check_key_order, check_vault_order
from sixgate.clocks import wall_ms
from sixgate.custody.link import CustodyLink
from sixgate.data_folder.folder import Folder
from sixgate.scaled import administration, outcome_watch
from sixgate.scaled.bus import Bus
from sixgate.scaled.scaled_ledger import ScaledLedger
from sixgate.scaled.settings import Settings
from sixgate.scaled.signed_topic import SignedTopic
from sixgate.settings.custody import CustodyAddress
from streams.kafka.access import GATES_GROUP
from streams.ledger.clickhouse import ClickHouse

CLIENT = "sixgate-api"
NOT_ATTESTED = "on Kafka each signer serves its own evidence: name one with --url http://HOST:PORT"
_NO_CUSTODY = (
    "the settings name no custody process: run sixgate custody, and add a section [custody_at] "
    "with its url"
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts: for an admin's record, for the ledger to catch up, and without any outcome."""

    operator_s: float = 30.0
    ledger_s: float = 30.0
    idle_s: float = 60.0


class KafkaApi:
    """Implements the ``Api``; every method may be called from any thread.

    Only methods that read the ledger connect to ClickHouse, so intents are accepted without it.
    """

    def __init__(
        self,
        bus: Bus,
        connect: Callable[[], ClickHouse],
        timeouts: Timeouts,
        custody: CustodyAddress | None = None,
    ) -> None:
        self._bus = bus
        self._custody = custody
        self._custody_link: CustodyLink | None = None
        self._connect = connect
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._opened: ScaledLedger | None = None
        self._started_at_ms = wall_ms()

    def status(self) -> Json:
        """See ``Api.status``."""
        with as_api_errors():
            with self._bus.refreshed() as projections:
                org = projections.registry.org
            return {
                "org": org,
                "pid": os.getpid(),
                "started_at_ms": self._started_at_ms,
                "ledger_rows": self._ledger().answers.table.tip().rows,
                "waiting": self._bus.unread(GATES_GROUP, Topic.SUBMITTED),
            }

    def registry(self) -> Json:
        """See ``Api.registry``."""
        with as_api_errors(), self._bus.refreshed() as projections:
            return snapshot.registry_snapshot(projections.registry, self._bus.vaults)

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        with as_api_errors():
            raw, wait_s = bytes_of(envelope), self._timeouts.operator_s
            return {"sequence": administration.register(self._bus, raw, wait_s)}

    def order_key(self, record: str) -> Json:
        """See ``Api.order_key``."""
        with as_api_errors():
            raw, wait_s = bytes_of(record), self._timeouts.operator_s
            key = administration.execute(self._bus, raw, check_key_order, wait_s)
            return snapshot.key_answer(key)

    def order_vault(self, record: str) -> Json:
        """See ``Api.order_vault``."""
        with as_api_errors():
            raw, wait_s = bytes_of(record), self._timeouts.operator_s
            return administration.execute(self._bus, raw, check_vault_order, wait_s)

    def vault(self, account: str, vault: str) -> Json:
        """See ``Api.vault``."""
        with as_api_errors(), self._bus.refreshed():
            return snapshot.vault_content(self._bus.vaults, (account, vault))

    def client_shares(self, account: str, vault: str, path: str) -> list[Json]:
        """See ``Api.client_shares``."""
        with as_api_errors(), self._bus.refreshed():
            return snapshot.client_shares(self._bus.vaults, (account, vault), path)

    def vault_events(self) -> Iterator[Json]:
        """See ``Api.vault_events``."""
        with as_api_errors():
            for page in self._bus.pages(
                self._bus.first_offsets(self._bus.partition_ids(Topic.VAULT))
            ):
                for record in page:
                    yield vault_event(record)

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        return self._custody_api().reading_key()

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        return self._custody_api().read_secret(request)

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """See ``Api.submit``."""
        pairs = [submitted_pair(record) for record in records]
        events = [Outgoing(Topic.SUBMITTED, *pair) for pair in pairs]
        with as_api_errors():
            if wait:
                names = [names_of(value, key) for key, value in pairs]
                idle_s = self._timeouts.idle_s
                yield from outcome_watch.submit(self._bus, events, names, self._first_end, idle_s)
            else:
                self._bus.append(events)
                yield {"accepted": len(events)}

    def intents(
        self,
        *,
        limit: Count,
        account: str | None,
        agent: str | None,
        idempotency_key: str | None = None,
    ) -> list[Json]:
        """See ``Api.intents``."""
        with as_api_errors():
            return self._ledger().settled().intents.newest(limit, account, agent, idempotency_key)

    def trail(self, intent: str) -> list[Json]:
        """See ``Api.trail``."""
        with as_api_errors():
            return self._ledger().settled().intents.trail(intent)

    def budgets(self) -> list[Json]:
        """See ``Api.budgets``. Reads the outcomes of the last day."""
        with as_api_errors():
            accounts = self._bus.accounts()
            with self._bus.refreshed() as projections:
                return snapshot.budgets(projections.registry, accounts, wall_ms())

    def signed(self, *, after: Position, follow: bool) -> Iterator[Json]:
        """See ``Api.signed``."""
        return (found for found in self.signed_or_tick(after=after, follow=follow) if found)

    def signed_or_tick(self, *, after: Position, follow: bool) -> Iterator[Json | None]:
        """Yield signed transactions, and None as a tick while there are none."""
        with as_api_errors():
            yield from SignedTopic(self._bus).read(after, follow=follow)

    def attestation(self, nonce: str) -> Json:  # noqa: ARG002 - only a signer has evidence
        """See ``Api.attestation``. Evidence is served by each signer, not over Kafka."""
        raise ApiError("not_attested", NOT_ATTESTED)

    def head(self) -> Json:
        """See ``Api.head``."""
        with as_api_errors():
            return self._ledger().head()

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """See ``Api.verify``."""
        with as_api_errors():
            yield from self._ledger().verify(head)

    def sql(self, query: str) -> Json:
        """See ``Api.sql``."""
        with as_api_errors():
            return self._ledger().settled().sql(query)

    def export(self, path: str, *, form: str, since_ms: TimeMs, until_ms: TimeMs) -> Iterator[Json]:
        """See ``Api.export``."""
        with as_api_errors():
            answers = self._ledger().settled()
            yield from answers.export(Path(path), form, since_ms, until_ms)

    def close(self) -> None:
        """Close the connections to custody and ClickHouse; the caller closes the bus."""
        if self._custody_link:
            self._custody_link.close()
        if self._opened:
            self._opened.close()

    def _custody_api(self) -> CustodyLink:
        with self._lock:
            if self._custody is None:
                raise ApiError("custody_absent", _NO_CUSTODY)
            if self._custody_link is None:
                self._custody_link = CustodyLink(self._custody)
            return self._custody_link

    def _ledger(self) -> ScaledLedger:
        with self._lock:
            if self._opened is None:
                self._opened = ScaledLedger(self._connect(), self._bus, self._timeouts.ledger_s)
            return self._opened

    def _first_end(self, intent: str) -> Json | None:
        return self._ledger().settled().outcomes.outcome(intent)


@contextmanager
def open_kafka_api(
    settings: Settings, folder: Folder, timeouts: Timeouts | None = None
) -> Iterator[Api]:
    """Lend the ``Api`` of the organisation that a folder trusts.

    Raises ``FolderError``, and ``ApiError`` if Kafka cannot be used.
    """
    trust = folder.trust()
    with as_api_errors():
        bus = Bus(settings.kafka.broker(CLIENT), trust.trust_root)
    with bus:
        api = KafkaApi(
            bus, settings.clickhouse.connected, timeouts or Timeouts(), settings.custody_at
        )
        try:
            yield api
        finally:
            api.close()
