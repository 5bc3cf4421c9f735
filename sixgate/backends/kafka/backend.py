"""The six ports over a pipeline on Kafka and a ledger on a ClickHouse server.

A command connects, reads what it needs and ends. A process that runs for long follows registry,
vaults, accounts and the ends of intents in the background, so that requests read them from memory.
ClickHouse, custody and the simulator are connected at their first use: intents are accepted without
them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from schemas.fields import Count
from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.registry.registry import Registry
from signer.keys.register import VaultRegister
from sixgate.answers.outcome_notifications import Notices, Watch
from sixgate.api import Api, ApiError, Json, Position
from sixgate.api.errors import as_api_errors
from sixgate.backends.kafka import administration
from sixgate.backends.kafka.accounts import Accounts
from sixgate.backends.kafka.appender import RECORD_S_MAX
from sixgate.backends.kafka.bus import Bus, Failed
from sixgate.backends.kafka.ends import EndsFollower
from sixgate.backends.kafka.feed import kafka_feed
from sixgate.backends.kafka.ledger import ScaledLedger
from sixgate.backends.kafka.ledger_lag import LEDGER_TOPICS
from sixgate.backends.kafka.signed_topic import SignedTopic
from sixgate.backends.operations import Operations
from sixgate.backends.orders import CheckOrder
from sixgate.backends.ports import Backend, LogFeed, SignedEvent, value_at
from sixgate.backends.simulations import Simulations
from sixgate.config.process_settings import Settings
from sixgate.custody.link import CustodyLink
from sixgate.data_folder.folder import Folder
from streams.kafka.access import GATES_GROUP
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaUnreachableError
from streams.simulators.simulation import Call, Simulation, SimulationFailure

CLIENT = "sixgate-api"
ANSWER_TOPICS = (
    Topic.SUBMITTED,
    Topic.OUTCOMES,
    Topic.AUDIT,
    Topic.REGISTRY,
    Topic.API_CALLS,
)
"""What the ledger must hold before it answers a gateway, which may not read the other topics."""
FEED_TOPICS = (Topic.SUBMITTED, Topic.OUTCOMES, Topic.AUDIT)
OUTCOME_MS_MAX = 5_000
NOT_ATTESTED = "on Kafka each signer serves its own evidence: name one with --url http://HOST:PORT"
_NO_CUSTODY = (
    "the settings name no custody process: run sixgate custody, and add a section [custody_at] "
    "with its url"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts: for an admin's record, for the ledger to catch up, and without any outcome."""

    operator_s: float = 30.0
    ledger_s: float = 30.0
    idle_s: float = 60.0


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
    with bus, _backend(bus, settings, folder, timeouts or Timeouts(), LEDGER_TOPICS) as opened:
        yield Operations(opened.backend)


@contextmanager
def following_backend(
    settings: Settings, folder: Folder, failed: Failed, timeouts: Timeouts | None = None
) -> Iterator[Backend]:
    """Lend the ports to a process that runs for long; everything is current on entry.

    ``failed`` receives, in another thread, the error after which the process must end: it cannot
    follow the log, or the outcome of a write is unknown. Raises ``FolderError``, and ``ApiError``
    if Kafka cannot be used.
    """
    trust = folder.trust()
    with as_api_errors():
        bus = Bus(settings.kafka.broker(CLIENT), trust.trust_root, failed, RECORD_S_MAX)
    with bus, _backend(bus, settings, folder, timeouts or Timeouts(), ANSWER_TOPICS) as opened:
        with as_api_errors():
            bus.follow()
            opened.ends.start()
            opened.accounts.follow()
        yield opened.backend


@dataclass(frozen=True, slots=True)
class _Opened:
    backend: Backend
    ends: EndsFollower
    accounts: Accounts


@contextmanager
def _backend(
    bus: Bus, settings: Settings, folder: Folder, timeouts: Timeouts, ledger_topics: Sequence[Topic]
) -> Iterator[_Opened]:
    def connect_custody() -> CustodyLink:
        if settings.custody_at is None:
            raise ApiError("custody_absent", _NO_CUSTODY)
        return CustodyLink(settings.custody_at)

    def connect_ledger() -> ScaledLedger:
        return ScaledLedger(settings.clickhouse.connected(), bus, timeouts.ledger_s, ledger_topics)

    ends, accounts = EndsFollower(bus, int(timeouts.idle_s * 1_000)), Accounts(bus)
    with (
        closing(Lazy("the ledger", connect_ledger)) as ledger,
        closing(Lazy("custody", connect_custody)) as custody,
        closing(Simulations(folder.genesis)) as simulations,
    ):
        backend = Backend(
            submit=_Submit(bus, ends),
            wait=_Wait(ends),
            read=_Read(settings.kafka.broker(CLIENT), bus, accounts, simulations),
            administer=KafkaAdminister(bus, timeouts.operator_s),
            secrets=_Secrets(custody),
            evidence=_Evidence(ledger),
        )
        yield _Opened(backend, ends, accounts)


class _Closeable(Protocol):
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=_Closeable)


class Lazy(Generic[Opened]):
    """Connects to a server at its first use; one thread at a time, so that no thread waits."""

    def __init__(self, server: str, connect: Callable[[], Opened]) -> None:
        self._server = server
        self._connect = connect
        self._connecting = threading.Lock()
        self._opened: Opened | None = None

    def get(self) -> Opened:
        """Return the connection; raise ``busy`` while another thread connects."""
        if self._opened is None:
            if not self._connecting.acquire(blocking=False):
                raise ApiError("busy", f"{self._server} is being connected: retry in a moment")
            try:
                self._opened = self._opened or self._connect()
            finally:
                self._connecting.release()
        return self._opened

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._opened is not None:
            self._opened.close()


@dataclass(frozen=True, slots=True)
class _Submit:
    bus: Bus
    ends: EndsFollower

    def append(self, events: Sequence[Outgoing]) -> None:
        """See ``Submit.append``. All events are sent together; after an error any may be there."""
        if any(event.topic is Topic.SUBMITTED for event in events):
            self.ends.appended()
        with as_api_errors():
            self.bus.append(events)


@dataclass(frozen=True, slots=True)
class _Wait:
    ends: EndsFollower

    def watching(self, names: Iterable[str], notices: Notices) -> AbstractContextManager[Watch]:
        """See ``Wait.watching``."""
        with as_api_errors():
            return self.ends.watching(names, notices)

    def check_deciding(self, waited_ms: int) -> None:
        """See ``Wait.check_deciding``."""
        self.ends.check_deciding(waited_ms)


@dataclass(frozen=True, slots=True)
class _Read:
    broker: Broker
    bus: Bus
    accounts: Accounts
    simulations: Simulations

    @property
    def registered(self) -> Registry:
        """See ``Read.registered``."""
        return self.bus.registry

    @property
    def vaults(self) -> VaultRegister:
        """See ``Read.vaults``."""
        return self.bus.vaults

    def refresh(self) -> None:
        """See ``Read.refresh``."""
        with as_api_errors():
            self.bus.refresh()

    def unchanged(self) -> AbstractContextManager[None]:
        """See ``Read.unchanged``."""
        return self.bus.unchanged()

    def waiting(self) -> Count:
        """See ``Read.waiting``."""
        with as_api_errors():
            return self.bus.unread(GATES_GROUP, Topic.SUBMITTED)

    def account(self, name: str) -> Account:
        """See ``Read.account``."""
        with as_api_errors():
            return self.accounts.account(name)

    def refresh_accounts(self) -> None:
        """See ``Read.refresh_accounts``. The first call reads the outcomes of the last day."""
        with as_api_errors():
            self.accounts.refresh()

    def vault_log(self) -> Iterator[Record]:
        """See ``Read.vault_log``."""
        with as_api_errors():
            partitions = self.bus.partition_ids(Topic.VAULT)
            for page in self.bus.pages(self.bus.first_offsets(partitions)):
                yield from page

    def outcomes_at(self, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        """See ``Read.outcomes_at``: retention may have removed a record."""
        with as_api_errors():
            return [self._outcome_at((Topic.OUTCOMES, place[0]), place[1]) for place in places]

    def _outcome_at(self, partition: PartitionId, offset: int) -> bytes | None:
        if offset < self.bus.first_offsets([partition])[partition]:
            return None
        with self.bus.reading({partition: offset}) as reading:
            page = reading.read(1, OUTCOME_MS_MAX)
        if not page:  # slow, and not gone: otherwise the log would begin after it
            raise KafkaUnreachableError("Kafka did not return an outcome in time: retry")
        return value_at(page, offset)

    def signed(self, after: Position, *, follow: bool) -> Iterator[SignedEvent | None]:
        """See ``Read.signed``. A position is the next offset of every partition."""
        with as_api_errors():
            yield from SignedTopic(self.bus).read(after, follow=follow)

    def simulate(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """See ``Read.simulate``. Chains come from the genesis files in this process's folder."""
        return self.simulations.run(calls)

    def feed(self) -> AbstractContextManager[LogFeed]:
        """See ``Read.feed``."""
        return kafka_feed(self.broker, FEED_TOPICS, self.bus.partitions)


@dataclass(frozen=True, slots=True)
class KafkaAdminister:
    """Appends records of admins and waits for their effect, up to ``wait_s``."""

    bus: Bus
    wait_s: float

    def register(self, raw: bytes) -> int:
        """See ``Administer.register``."""
        with as_api_errors():
            return administration.register(self.bus, raw, self.wait_s)

    def execute(self, raw: bytes, check: CheckOrder[T]) -> T:
        """See ``Administer.execute``."""
        with as_api_errors():
            return administration.execute(self.bus, raw, check, self.wait_s)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Custody in another process; it records the client's address if it knows this gateway."""

    link: Lazy[CustodyLink]

    def reading_key(self) -> Json:
        """See ``Secrets.reading_key``."""
        return self.link.get().reading_key()

    def read_secret(self, request: str, client_address: str) -> Json:
        """See ``Secrets.read_secret``."""
        return self.link.get().read_secret(request, client_address)


@dataclass(frozen=True, slots=True)
class _Evidence:
    opened: Lazy[ScaledLedger]

    def attestation(self, nonce: str) -> Json:  # noqa: ARG002 - only a signer has evidence
        """See ``Evidence.attestation``. Evidence is served by each signer, not over Kafka."""
        raise ApiError("not_attested", NOT_ATTESTED)

    def ledger(self) -> ScaledLedger:
        """See ``Evidence.ledger``."""
        with as_api_errors():
            return self.opened.get()
