"""What operators send: registry records and key requests, and how both are loaded at start."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.audit import AuditAction, audited, input_digest
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
from signer.stage import StageHalted
from signer.state import SlotState, StateDamaged, StateRolledBack
from streams.gates.admission import source_of


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
            return [self.refused("registry.refused", record, now_ms, str(error))]
        return []

    def provision(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Answer a key request with a new key, or with an audit record."""
        try:
            envelope = Envelope.decode(record.value)
            request = read_request(envelope, self.registry)
            self.keys.check_free(request)
            return [self._generate(envelope, request, now_ms)]
        except (Malformed, KeyRefused, CustodyError) as error:
            return [self.refused("key.refused", record, now_ms, str(error))]

    def load(self, registry: Iterable[Record], vault: Iterable[Record], seen: SlotState) -> None:
        """Fold the registry as far as the signer read it, and all keys it answered for.

        Raises ``StateRolledBack`` when there are fewer records or keys than the signer has seen,
        ``StateDamaged`` when there are more, or the vault holds what no signer answered.
        """
        for record in registry:
            self.register(record, record.at_ms)
        _check_count("records in the registry", self.registry.sequence, seen.registry_sequence)
        for record in vault:
            self._load_key(record)
        _check_count("keys in the vault", len(self.keys.by_path), seen.key_count)

    def check_registered(self, registry: Registry) -> None:
        """Raise ``StageHalted`` unless a registry names this signer as active and with its key.

        An empty one names nobody: there is nothing to decide under it either.
        """
        name, key = self.identity.keyid, self.identity.public_key
        if registry.sequence and registry.service_key("signer", name) != key:
            raise StageHalted(
                f"the registry does not name {name} as an active signer with the key it has: "
                "nothing is signed until an admin registers it so"
            )

    def refused(self, action: AuditAction, record: Record, now_ms: int, detail: str) -> Outgoing:
        """Return the audit record of a record that came to nothing."""
        source, subject = source_of(record), input_digest(record.value)
        return audited(action, source, subject, detail, actor=self.identity.keyid, at_ms=now_ms)

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


def _check_count(what: str, found: int, seen: int) -> None:
    if found < seen:
        raise StateRolledBack(
            f"there are only {found} {what} where the signer saw {seen}: restore a newer copy"
        )
    if found > seen:
        raise StateDamaged(
            f"there are {found} {what} where the signer saw {seen}: the signer's state is older, "
            "or somebody else wrote them; restore the data folder from a good copy"
        )
