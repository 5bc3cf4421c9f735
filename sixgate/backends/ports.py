"""Ports of the HTTP API: the six things it needs of a pipeline, wherever that runs."""

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from schemas.fields import TimeMs, X25519PublicKey
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.registered import Registered
from signer.vaults.register import VaultRegister
from sixgate.answers.audit_queries import AuditQueries
from sixgate.api import Json
from streams.simulators.simulation import Call, Simulation, SimulationFailure


class Submit(Protocol):
    """Appends signed intents and records of API calls."""

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events, all or nothing, durable on return.

        Raises ``ApiError``: ``halted``, or ``connection_lost`` if the result is unknown.
        """
        ...


class Expected(Protocol):
    """The awaited end of one submitted intent."""

    async def result(self, wait_s: float) -> Json | None:
        """Return ``{intent, result, repeated}``, or None if there is no end within ``wait_s``."""
        ...


class Wait(Protocol):
    """Waits for the ends of intents."""

    def expect(self, account: str, envelope: bytes) -> AbstractContextManager[Expected]:
        """Watch for the end of an intent from now on; enter it before the intent is appended."""
        ...


class LogFeed(Protocol):
    """Records of the log's topics by position, for projections; any thread may call.

    Raises ``ApiError`` ``halted`` if the log cannot be read.
    """

    def version(self) -> Hashable:
        """Return a value that changes whenever the log has new records; must be cheap."""
        ...

    def partitions_of(self, topic: Topic) -> int:
        """Return the number of partitions of a topic."""
        ...

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> Sequence[Record]:
        """Return up to ``count_max`` committed records of a partition from ``offset`` on."""
        ...


class Read(Protocol):
    """Reads what the pipeline's log says. Reads may lag behind it by a moment."""

    @property
    def registered(self) -> Registered:
        """The registry; entries are immutable, so single look-ups need no lock."""
        ...

    @property
    def vaults(self) -> VaultRegister:
        """Keys, vaults and the secrets in them, without values."""
        ...

    def unchanged(self) -> AbstractContextManager[None]:
        """Keep registry and vaults unchanged during a block of several look-ups."""
        ...

    def spent_wei(self, account: str, at_ms: TimeMs) -> int:
        """Return the charges of an account in the current window."""
        ...

    def share_key(self, account: str) -> X25519PublicKey | None:
        """Return the key to which client shares for an account's keys are sealed, if any."""
        ...

    def outcome(self, intent: str) -> Json | None:
        """Return the verified outcome of an intent once it is committed, or None."""
        ...

    def simulate(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """Simulate calls; an agent's limits are not charged. Raise ``simulator_busy``."""
        ...

    def feed(self) -> AbstractContextManager[LogFeed]:
        """Lend a feed of the log, with connections of its own."""
        ...


class Administer(Protocol):
    """Appends admin-signed records and waits until they are in force.

    ``register`` raises ``registry_refused``, ``order_key`` ``key_refused``, ``order_vault``
    ``vault_refused``; records are base64 of envelopes, as in ``sixgate.api.Api``.
    """

    def registry(self) -> Json:
        """See ``Api.registry``."""
        ...

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        ...

    def order_key(self, record: str) -> Json:
        """See ``Api.order_key``."""
        ...

    def order_vault(self, record: str) -> Json:
        """See ``Api.order_vault``."""
        ...

    def vault(self, account: str, vault: str) -> Json:
        """See ``Api.vault``."""
        ...


class Secrets(Protocol):
    """Reads secrets for agents and people; every use is recorded before the answer."""

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        ...

    def read_secret(self, request: str, client_address: str) -> Json:
        """Answer a signed request; see ``Api.read_secret``."""
        ...


class Evidence(Protocol):
    """Attestation of the signer, and who did what as the ledger proves it."""

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        ...

    def audit(self) -> AuditQueries:
        """Return the queries about who did what, on a ledger that has caught up."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """The six ports."""

    submit: Submit
    wait: Wait
    read: Read
    administer: Administer
    secrets: Secrets
    evidence: Evidence
