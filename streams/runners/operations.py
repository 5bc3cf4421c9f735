"""What operators send: registry records and key requests, and how both are loaded at start."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.audit import AuditAction, audited
from schemas.canonical import Malformed
from schemas.dsse import Envelope
from schemas.keys import KeyRequest
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.custody.errors import CustodyError
from signer.keychain import Keychain
from signer.keys import KeyRefused, KeyRegister, read_request
from signer.registry import Registry, RegistryRefused
from signer.signatures import Ed25519Signer
from signer.state import SlotState, StateDamaged, StateRolledBack
from streams.gates.admission import input_digest, source_of
from streams.log.sqlite import SqliteLog

READ_COUNT_MAX = 1000


@dataclass(slots=True)
class Operations:
    """Applies operators' records in order; what it refuses becomes an audit record."""

    identity: Ed25519Signer
    registry: Registry
    keys: KeyRegister
    keychain: Keychain

    def register(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Take a registry record; return what to publish about it."""
        try:
            self.registry.apply(record.value)
        except RegistryRefused as error:
            return [self._refused("registry.refused", record, now_ms, str(error))]
        return []

    def provision(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Answer a key request with a new key, or with an audit record."""
        try:
            envelope = Envelope.decode(record.value)
            request = read_request(envelope, self.registry)
            self.keys.check_free(request)
            return [self._generate(envelope, request, now_ms)]
        except (Malformed, KeyRefused, CustodyError) as error:
            return [self._refused("key.refused", record, now_ms, str(error))]

    def load(
        self, inbox: SqliteLog, pipeline: SqliteLog, registry_end: int, slot: SlotState
    ) -> None:
        """Fold the registry up to where the signer read it, and all keys.

        Raises ``StateRolledBack`` when there are fewer records or keys than ``slot`` saw,
        ``StateDamaged`` when there are more, when a file is cut into other partitions than the
        organisation's, or when the vault holds what no signer answered.
        """
        for record in _records(inbox, Topic.REGISTRY, 0, registry_end):
            self.register(record, record.at_ms)
        _check_count("records in the registry", self.registry.sequence, slot.registry_sequence)
        if self.registry.sequence and self.registry.partitions != inbox.partitions:
            raise StateDamaged("trust.json names other partitions than the registry: restore it")
        for partition in range(pipeline.partitions):
            end = pipeline.end(Topic.VAULT, partition)
            for record in _records(pipeline, Topic.VAULT, partition, end):
                self._load_key(record)
        _check_count("keys in the vault", len(self.keys.by_path), slot.key_count)

    def _load_key(self, record: Record) -> None:
        try:
            self.keys.apply(record.value, self.registry)
        except KeyRefused as error:
            raise StateDamaged(f"the vault holds what no signer answered: {error}") from None

    def _generate(self, envelope: Envelope, request: KeyRequest, now_ms: int) -> Outgoing:
        answer = self.keychain.provision(envelope, request, self.identity.keyid, now_ms)
        signed = self.identity.sign_event(answer)
        self.keys.apply(signed, self.registry)
        return Outgoing(Topic.VAULT, request.account, signed)

    def _refused(self, action: AuditAction, record: Record, now_ms: int, detail: str) -> Outgoing:
        source, subject = source_of(record), input_digest(record.value)
        return audited(action, source, subject, detail, actor=self.identity.keyid, at_ms=now_ms)


def _check_count(what: str, found: int, seen: int) -> None:
    if found < seen:
        raise StateRolledBack(
            f"there are only {found} {what} where the signer saw {seen}: restore a newer copy of "
            "the data folder"
        )
    if found > seen:
        raise StateDamaged(
            f"there are {found} {what} where the signer saw {seen}: the signer's state is older, "
            "or somebody else wrote them; restore the data folder from a good copy"
        )


def _records(log: SqliteLog, topic: Topic, partition: int, end: int) -> Iterator[Record]:
    offset = 0
    while offset < end and (records := log.read(topic, partition, offset, READ_COUNT_MAX)):
        yield from (record for record in records if record.offset < end)
        offset = records[-1].offset + 1
