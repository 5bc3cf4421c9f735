"""What operators send: registry records and orders, and how both are loaded at start."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.audit import AuditAction, audited, input_digest
from schemas.dsse import KEY_REQUEST_TYPE, Envelope
from schemas.keys import KeyDeactivated
from schemas.partition import well_routed
from schemas.record import Outgoing, Record
from schemas.recovery import SecretRecovered
from schemas.topics import Topic
from schemas.vault_events import SecretStored, VaultAnswer
from signer.access import Refused as AccessRefused
from signer.custody.errors import CustodyError
from signer.keys.keychain import Keychain
from signer.keys.orders import KeyOrderError, Ordered, check_in_time, open_order
from signer.keys.provisioning import KeyProvisioner
from signer.keys.register import KeyRegister
from signer.registry import Registry, RegistryRecordError
from signer.signatures import Ed25519Signer
from signer.stage import HaltError
from signer.state import SlotState
from signer.vaults.order_execution import VaultOrderExecutor
from signer.vaults.orders import VaultOrdered, check_timely, judge, open_vault_order, vault_parcel
from signer.vaults.register import VaultRegister
from streams.gates.admission import source_of
from streams.runners.custody_maintenance import CustodyMaintenance
from streams.runners.loading import load_registry, load_said
from streams.runners.order_accesses import accesses_of, handed_over
from streams.runners.recoveries import Trail, recovery_in


@dataclass(slots=True)
class Operations:
    """Applies operators' records in order; what it refuses becomes an audit record."""

    identity: Ed25519Signer
    registry: Registry
    vault: VaultRegister
    provisioner: KeyProvisioner
    vaults: VaultOrderExecutor
    chores: CustodyMaintenance

    @property
    def keys(self) -> KeyRegister:
        """Which keys exist."""
        return self.vault.keys

    @property
    def keychain(self) -> Keychain:
        """The keys of all accounts, as they are opened."""
        return self.provisioner.keychain

    def register(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Take a registry record; return what to publish about it."""
        try:
            self.registry.apply(record.value)
        except RegistryRecordError as error:
            return [self.refused("registry.refused", record, now_ms, str(error))]
        return []

    def order(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Carry out an order; return the signer's answer, or an audit record.

        An order that comes again gets the answer that it had.
        """
        parcel = vault_parcel(record.value)
        if parcel is not None and (asked := recovery_in(parcel)) is not None:
            trail = Trail(asked, lambda action, why: self.refused(action, record, now_ms, why))
            return self._recover(record, trail, now_ms)
        try:
            if parcel is not None:
                about = open_vault_order(parcel, self.registry)
                self._check_routed(record, about.order.account)
                return self._answer_vault(about, now_ms)
            ordered = open_order(record.value, self.registry)
            self._check_routed(record, ordered.order.account)
            return self._answer(ordered, now_ms)
        except (KeyOrderError, CustodyError) as error:
            return [self.refused("key.refused", record, now_ms, str(error))]

    def load(self, registry: Iterable[Record], vault: Iterable[Record], seen: SlotState) -> None:
        """Load what there was when the signer last ran; raises ``StateIntegrityError``."""
        load_registry(self.registry, registry, seen)
        load_said(self.vault, vault, self.registry, seen)

    def check_registered(self, registry: Registry) -> None:
        """Raise ``HaltError`` unless a registry names this signer as active and with its key.

        An empty one names nobody: there is nothing to decide under it either.
        """
        name, key = self.identity.keyid, self.identity.public_key
        if registry.sequence and registry.service_key("signer", name) != key:
            raise HaltError(
                f"the registry does not name {name} as an active signer with the key it has: "
                "nothing is signed until an admin registers it so"
            )

    def refused(self, action: AuditAction, record: Record, now_ms: int, detail: str) -> Outgoing:
        """Return the audit record of a record that came to nothing."""
        source, subject = source_of(record), input_digest(record.value)
        return audited(action, source, subject, detail, actor=self.identity.keyid, at_ms=now_ms)

    def _check_routed(self, record: Record, account: str) -> None:
        """Refuse an order that was put elsewhere: the signer there knows not of all keys."""
        if not well_routed(record, account, self.registry.partitions):
            raise KeyOrderError("the record is not where its account's belong")

    def _answer(self, ordered: Ordered, now_ms: int) -> list[Outgoing]:
        account, path = ordered.order.account, ordered.order.path
        check_in_time(ordered.order, now_ms)
        if (earlier := self.keys.answers.get(ordered.id)) is not None:
            return [Outgoing(Topic.VAULT, account, earlier.encode())]
        before = self.keys.find(account, path)
        answer = self.provisioner.carry_out(ordered, self.identity.keyid, now_ms)
        said = self._said(account, self.identity.sign_event(answer))
        if before is not None:
            self.keychain.forget(before)
        if isinstance(answer, KeyDeactivated) or answer.client_share is None:
            return [said]
        place = (self.registry.vaults[account, answer.vault], path, answer.version)
        actor = self.registry.admin_of(ordered.envelope, KEY_REQUEST_TYPE)
        return [said, handed_over(self.registry.org, ordered.id, place, actor, now_ms)]

    def _answer_vault(self, ordered: VaultOrdered, now_ms: int) -> list[Outgoing]:
        account, org = ordered.order.account, self.registry.org
        check_timely(ordered.order, now_ms)
        secrets, keys = self.vault.secrets.events, self.keys.answers
        if (earlier := secrets.get(ordered.id) or keys.get(ordered.id)) is not None:
            return [Outgoing(Topic.VAULT, account, earlier.encode())]
        access = judge(ordered, self.registry, now_ms)
        if isinstance(access, AccessRefused):
            return accesses_of(org, ordered, access, now_ms)
        answer = self.vaults.carry_out(ordered, self.identity.keyid, now_ms)
        said = self._said(account, self.identity.sign_event(answer))
        self._forget_share(answer)
        handed = isinstance(answer, SecretStored | SecretRecovered) and bool(answer.client_share)
        return [said, *accesses_of(org, ordered, access, now_ms, handed=handed)]

    def _recover(self, record: Record, trail: Trail, now_ms: int) -> list[Outgoing]:
        """Replace a client's share as it was ordered; return the answer, if any, and the trail."""
        envelope = Envelope.decode(record.value)
        trail.asked(envelope.signatures[0].keyid)
        try:
            ordered = open_vault_order(envelope, self.registry)
            self._check_routed(record, ordered.order.account)
            check_timely(ordered.order, now_ms)
            trail.approved(ordered.actor)
            said = self._answer_vault(ordered, now_ms)
        except (KeyOrderError, CustodyError) as error:
            trail.refused(str(error))
            return trail.told
        if len(said) > 1:  # else it is the answer that the order had before
            trail.done()
        return [*said, *trail.told]

    def _forget_share(self, answer: VaultAnswer) -> None:
        """Close a key whose client has another share: what the former one opened ends here."""
        if isinstance(answer, SecretRecovered):
            key = self.keys.version(answer.account, answer.path, answer.version)
            if key is not None and key.vault == answer.vault:
                self.keychain.forget(key)

    def _said(self, account: str, signed: bytes) -> Outgoing:
        """Take an event of our own as everybody will, and return it to be published."""
        self.vault.load(signed, self.registry)
        return Outgoing(Topic.VAULT, account, signed)
