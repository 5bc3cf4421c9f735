"""The six ports over the pipeline of a data folder, in the same process."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from schemas.fields import Count
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.registry.registry import Registry
from signer.keys.register import VaultRegister
from signer.secrets.secret_service import SecretService
from sixgate.answers.ledger_answers import LedgerAnswers
from sixgate.answers.outcome_notifications import Notices, OutcomeNotifications, Watch
from sixgate.api import ApiError, Json, Position, bytes_of
from sixgate.attesting.evidence_service import EvidenceService
from sixgate.backends.orders import CheckOrder, check_record
from sixgate.backends.ports import Backend, SignedEvent, value_at
from sixgate.clocks import boot_ms
from sixgate.custody import reading
from sixgate.services.embedded.log_files import LogFiles
from sixgate.services.embedded.pipeline import Pipeline
from sixgate.services.embedded.secret_reads import PipelineReadEnvironment, secret_service
from sixgate.services.embedded.signed_feed import SignedFeed
from streams.simulators.simulation import Call, Simulation, SimulationFailure

T = TypeVar("T")
_NOT_DONE = "the signer did not execute the order: see the audit records"


def embedded_backend(pipeline: Pipeline, ends: OutcomeNotifications, signed: SignedFeed) -> Backend:
    """Return the ports over a pipeline whose commits are passed to ``ends`` and ``signed``."""
    return Backend(
        submit=_Submit(pipeline),
        wait=_Wait(pipeline, ends),
        read=_Read(pipeline, signed),
        administer=_Administer(pipeline),
        secrets=_Secrets(PipelineReadEnvironment(pipeline), secret_service(pipeline)),
        evidence=_Evidence(pipeline, EvidenceService(pipeline.parts.attestor, boot_ms)),
    )


@dataclass(frozen=True, slots=True)
class _Submit:
    pipeline: Pipeline

    def append(self, events: Sequence[Outgoing]) -> None:
        """See ``Submit.append``."""
        self.pipeline.append(events)
        self.pipeline.wake()


@dataclass(frozen=True, slots=True)
class _Wait:
    pipeline: Pipeline
    ends: OutcomeNotifications

    def watching(self, names: Iterable[str], notices: Notices) -> AbstractContextManager[Watch]:
        """See ``Wait.watching``."""
        return self.ends.watching(names, notices)

    def check_deciding(self, waited_ms: int) -> None:  # noqa: ARG002 - it is slow or halted
        """See ``Wait.check_deciding``."""
        self.pipeline.check_running()


@dataclass(frozen=True, slots=True)
class _Read:
    pipeline: Pipeline
    feed_of_signed: SignedFeed

    @property
    def registered(self) -> Registry:
        """See ``Read.registered``."""
        return self.pipeline.slot.registry

    @property
    def vaults(self) -> VaultRegister:
        """See ``Read.vaults``."""
        return self.pipeline.slot.vault

    def refresh(self) -> None:
        """See ``Read.refresh``: they are the pipeline's own and always current."""

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """See ``Read.unchanged``."""
        with self.pipeline.lock:
            yield

    def waiting(self) -> Count:
        """See ``Read.waiting``."""
        return self.pipeline.waiting()

    def account(self, name: str) -> Account:
        """See ``Read.account``."""
        with self.pipeline.lock:
            return self.pipeline.slot.account(name)

    def refresh_accounts(self) -> None:
        """See ``Read.refresh_accounts``: they are the pipeline's own and always current."""

    def vault_log(self) -> Iterator[Record]:
        """See ``Read.vault_log``."""
        with closing(self.pipeline.parts.reader()) as log:
            for partition in range(log.partitions):
                yield from log.scan(Topic.VAULT, partition)

    def outcomes_at(self, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        """See ``Read.outcomes_at``."""
        with closing(self.pipeline.parts.reader()) as log:
            pages = [log.read(Topic.OUTCOMES, *place, 1) for place in places]
        return [value_at(page, offset) for page, (_, offset) in zip(pages, places, strict=True)]

    def signed(self, after: Position, *, follow: bool) -> Iterator[SignedEvent | None]:
        """See ``Read.signed``. A position counts signed transactions in commit order."""
        if not isinstance(after, int):
            raise ApiError(
                "position_unknown",
                f"{after!a} is not a position of this folder: use 0 or a printed one",
            )
        return self.feed_of_signed.read(self.pipeline, after, follow=follow)

    def simulate(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """See ``Read.simulate``."""
        return self.pipeline.parts.simulations.run(calls)

    @contextmanager
    def feed(self) -> Iterator[LogFiles]:
        """See ``Read.feed``."""
        folder, partitions = self.pipeline.parts.folder, self.registered.partitions
        with (
            closing(LogFiles(folder, partitions, self.pipeline.log_version)) as files,
            self.pipeline.calling(files.committed),
        ):
            yield files


@dataclass(frozen=True, slots=True)
class _Administer:
    """Appends records in three steps, with the pipeline's lock held.

    1. Let the pipeline read what waits, so that the check sees the newest registry and keys.
    2. Check the record, and append it to the inbox. *If the process ends after that, the next start
       of the pipeline executes it, unless it expired.*
    3. Let the pipeline execute it.

    Repeating an order is idempotent.
    """

    pipeline: Pipeline

    def register(self, raw: bytes) -> int:
        """See ``Administer.register``."""
        slot = self.pipeline.slot
        with self.pipeline.lock:
            self.pipeline.step()  # 1.
            sequence = slot.registry.record_count
            check_record(raw, slot.registry, slot.check_registered)
            # 2. If the process ends after this line, the record is durable, and the next start
            # applies it.
            self.pipeline.append([Outgoing(Topic.REGISTRY, "", raw)])
            self.pipeline.step()  # 3.
        return sequence

    def execute(self, raw: bytes, check: CheckOrder[T]) -> T:
        """See ``Administer.execute``."""
        slot = self.pipeline.slot
        with self.pipeline.lock:
            self.pipeline.step()  # 1.
            order = check(raw, slot.registry, slot.vault)
            found = order.answer()
            # An answered order is not appended again: the caller may have died before the answer.
            if found is None:
                self.pipeline.append([Outgoing(Topic.KEY_REQUESTS, order.account, raw)])  # 2.
                self.pipeline.step()  # 3.
                found = order.answer()
            denial = order.denial()
        if found is None:
            raise ApiError(order.code, denial or _NOT_DONE)
        return found


@dataclass(frozen=True, slots=True)
class _Secrets:
    environment: PipelineReadEnvironment
    service: SecretService

    def reading_key(self) -> Json:
        """See ``Secrets.reading_key``."""
        return reading.reading_key(self.service)

    def read_secret(self, request: str, client_address: str) -> Json:
        """See ``Secrets.read_secret``."""
        return reading.read(self.environment, self.service, bytes_of(request), client_address)


@dataclass(frozen=True, slots=True)
class _Evidence:
    pipeline: Pipeline
    attester: EvidenceService

    def attestation(self, nonce: str) -> Json:
        """See ``Evidence.attestation``."""
        return self.attester.attestation(nonce)

    def ledger(self) -> "_Ledger":
        """See ``Evidence.ledger``."""
        return _Ledger(self.pipeline)


@dataclass(frozen=True, slots=True)
class _Ledger:
    pipeline: Pipeline

    @property
    def answers(self) -> LedgerAnswers:
        """See ``Ledger.answers``."""
        return self.pipeline.parts.ledger_service.answers

    def settled(self) -> LedgerAnswers:
        """See ``Ledger.settled``."""
        self.pipeline.settle()
        return self.answers

    def head(self) -> Json:
        """See ``Ledger.head``."""
        self.pipeline.settle()
        return self.pipeline.parts.ledger_service.head()

    def verify(self, remembered: Json | None) -> Iterator[Json]:
        """See ``Ledger.verify``."""
        self.pipeline.settle()
        yield from self.pipeline.parts.ledger_service.verify(remembered)
