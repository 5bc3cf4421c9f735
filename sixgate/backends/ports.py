"""Ports of the APIs: the six things they need of a pipeline, wherever that runs."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from schemas.fields import Count
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.registry.registered import Registered
from signer.core.registry.registry import Registry
from signer.keys.register import VaultRegister
from sixgate.answers.ledger_answers import LedgerAnswers
from sixgate.answers.outcome_notifications import Notices, Watch
from sixgate.api import Json, Position
from sixgate.api.errors import as_api_errors
from sixgate.backends.orders import CheckOrder
from streams.simulators.simulation import Call, Simulation, SimulationFailure

T = TypeVar("T")


class Submit(Protocol):
    """Appends signed intents and records of API calls."""

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events, all or nothing, durable on return.

        Raises ``ApiError``: ``halted``, or ``connection_lost`` if the result is unknown.
        """
        ...


class Wait(Protocol):
    """Watches for the ends of intents."""

    def watching(self, names: Iterable[str], notices: Notices) -> AbstractContextManager[Watch]:
        """Watch for the ends of intents and inputs, named by digest, from now on."""
        ...

    def check_deciding(self, waited_ms: int) -> None:
        """Raise ``halted`` if intents are not decided; the caller has waited for ``waited_ms``."""
        ...


class LogFeed(Protocol):
    """Records of the log's topics by position, for projections; any thread may call.

    The first records of a partition may be gone. Raises ``ApiError`` if the log cannot be read.
    """

    def identity(self) -> str:
        """Return the name of the log, or an empty text if only its records tell it from others."""
        ...

    def version(self) -> Hashable:
        """Return a value that changes with new records, perhaps a moment later; must be cheap."""
        ...

    def on_change(self, call: Callable[[], None]) -> None:
        """Call a function whenever there may be new outcomes; it must not block or raise."""
        ...

    def refresh(self) -> Hashable:
        """Return the version of what is committed now: ``read`` returns all of it from now on.

        If it has an outcome, it also has the record of the intent.
        """
        ...

    def partitions_of(self, topic: Topic) -> int:
        """Return the number of partitions of a topic."""
        ...

    def end(self, topic: Topic, partition: int) -> int:
        """Return the offset after the last record, as of the last ``refresh``."""
        ...

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> Sequence[Record]:
        """Return up to ``count_max`` committed records of a partition from ``offset`` on.

        If the first ones are gone, the records begin with the first one that the log still has.
        """
        ...


class SignedEvent(NamedTuple):
    """A signed transaction with a verified signature, and its position among them."""

    position: Position
    event: bytes


def value_at(page: Sequence[Record], offset: int) -> bytes | None:
    """Return the value of the record at an offset if a page begins with it, otherwise None."""
    return page[0].value if page and page[0].offset == offset else None


class RegistryRead(Protocol):
    """The registry as last read, and a way to read it up to now; ``Read`` has both."""

    @property
    def registered(self) -> Registered:
        """The registry."""
        ...

    def refresh(self) -> None:
        """Read the registry up to what is committed now."""
        ...


class Read(RegistryRead, Protocol):
    """Reads what the pipeline's log says. Reads may lag behind it by a moment."""

    @property
    def registered(self) -> Registry:
        """The registry; entries are immutable, so single look-ups need no lock."""
        ...

    @property
    def vaults(self) -> VaultRegister:
        """Keys, vaults and the secrets in them, without values."""
        ...

    def refresh(self) -> None:
        """Read registry and vaults up to what is committed now."""
        ...

    def unchanged(self) -> AbstractContextManager[None]:
        """Keep registry and vaults unchanged during a block of several look-ups."""
        ...

    def waiting(self) -> Count:
        """Return the number of submitted records that no committed batch includes yet."""
        ...

    def account(self, name: str) -> Account:
        """Return an account with its charges."""
        ...

    def refresh_accounts(self) -> None:
        """Read the outcomes that change accounts up to what is committed now."""
        ...

    def vault_log(self) -> Iterator[Record]:
        """Yield every record of the ``vault`` topic, those of each partition in order."""
        ...

    def outcomes_at(self, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        """Return the records of ``outcomes`` at partitions and offsets, None if one is gone."""
        ...

    def signed(self, after: Position, *, follow: bool) -> Iterator[SignedEvent | None]:
        """Yield signed transactions after a position, and None as a tick while there are none.

        Raises ``position_unknown``.
        """
        ...

    def simulate(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """Simulate calls; an agent's limits are not charged. Raise ``simulator_busy``."""
        ...

    def feed(self) -> AbstractContextManager[LogFeed]:
        """Lend a feed of the log, with connections of its own."""
        ...


class Administer(Protocol):
    """Appends admin-signed records and waits until they are in force.

    Both methods check a record against the current registry and vaults before they append it: a
    refused record is never appended.
    """

    def register(self, raw: bytes) -> int:
        """Append a registry record and return its sequence; raise ``registry_refused``."""
        ...

    def execute(self, raw: bytes, check: CheckOrder[T]) -> T:
        """Append an order unless it has an answer already; return the signer's answer.

        Raises the refusal of ``check``, or the signer's, with the code of the checked order.
        """
        ...


class Secrets(Protocol):
    """Reads secrets for agents and people; every use is recorded before the answer."""

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        ...

    def read_secret(self, request: str, client_address: str) -> Json:
        """Answer a signed request; see ``Api.read_secret``."""
        ...


class Ledger(Protocol):
    """The ledger of the pipeline; raises ``ledger_failed``."""

    @property
    def answers(self) -> LedgerAnswers:
        """Answers from the ledger as it is now."""
        ...

    def settled(self) -> LedgerAnswers:
        """Return the answers once the ledger holds everything that is committed now."""
        ...

    def head(self) -> Json:
        """See ``Api.head``."""
        ...

    def verify(self, remembered: Json | None) -> Iterator[Json]:
        """See ``Api.verify``."""
        ...


class Evidence(Protocol):
    """Attestation of the signer, and the ledger."""

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        ...

    def ledger(self) -> Ledger:
        """Return the ledger."""
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

    def outcome(self, intent: str) -> Json | None:
        """Return the verified outcome of an intent once it is committed, or None."""
        return self.outcomes([intent]).get(intent)

    def outcomes(self, intents: Sequence[str]) -> dict[str, Json]:
        """Return the verified outcomes of those intents that have one, by the intent's digest.

        The ledger finds them and ``outcomes`` has them in full. An outcome whose record is gone
        lacks its redacted fields.
        """
        with as_api_errors():
            found = self.evidence.ledger().settled().outcomes.outcomes(intents)
        values = self.read.outcomes_at([(one.partition, one.offset) for one in found.values()])
        return {
            intent: (one.whole(value) if value else None) or one.without_redacted()
            for (intent, one), value in zip(found.items(), values, strict=True)
        }
