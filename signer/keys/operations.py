"""Registry records and orders: applies and executes them.

An order, step by step:

1. Verify it: an admin (or the agent itself) signed it, it is in its account's partition, and it is
   neither early nor expired.
2. If it was answered before, return the same answer: orders are idempotent.
3. Carry it out, sign the answer, and add the answer to the register.
   *If the process ends here, nothing is durable. The order is read again and, unless it expired
   meanwhile, carried out a second time. No committed answer has a key that the first attempt
   generated, so such a key is worth nothing.*
4. The caller commits the answer with the position after the order.
   *If the process ends after that commit, the register is rebuilt from the answers.*
"""

from dataclasses import dataclass

from schemas.dsse import KEY_REQUEST_TYPE, Envelope
from schemas.keys.key_events import KeyDeactivated
from schemas.keys.recovery import SecretRecovered
from schemas.keys.vault_events import SecretStored, VaultAnswer
from schemas.ledger.audit import AuditAction, audited, input_digest
from schemas.partition import well_routed
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.custody.errors import CustodyError
from signer.custody.event_signing import Ed25519Signer
from signer.keys.access import Refused as AccessRefused
from signer.keys.custody_maintenance import CustodyMaintenance
from signer.keys.key_register import KeyRegister
from signer.keys.keychain import Keychain
from signer.keys.order_accesses import handed_over, order_accesses
from signer.keys.orders import KeyOrderError, VerifiedKeyOrder, check_validity, open_order
from signer.keys.provisioning import KeyProvisioner
from signer.keys.recoveries import RecoveryTrail, recovery_order
from signer.keys.register import VaultRegister
from signer.keys.vaults.order_execution import VaultOrderExecutor
from signer.keys.vaults.orders import (
    VerifiedVaultOrder,
    authorize_order,
    check_timely,
    decode_vault_record,
    open_vault_order,
)


@dataclass(slots=True)
class Operations:
    """Applies registry records and executes orders; a refused one becomes an audit record."""

    identity: Ed25519Signer
    registry: Registry
    vault: VaultRegister
    provisioner: KeyProvisioner
    vaults: VaultOrderExecutor
    maintenance: CustodyMaintenance

    @property
    def keys(self) -> KeyRegister:
        """The register of keys."""
        return self.vault.keys

    @property
    def keychain(self) -> Keychain:
        """The opened keys of all accounts."""
        return self.provisioner.keychain

    def register(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Apply a registry record; return its audit record if it is refused."""
        try:
            self.registry.apply(record.value)
        except RegistryRecordError as error:
            return [self.audit_record("registry.refused", record, now_ms, str(error))]
        return []

    def execute_order(self, record: Record, now_ms: int) -> list[Outgoing]:
        """Execute an order; return the signer's answer, or an audit record of the refusal.

        Idempotent: a repeated order gets its first answer.
        """
        order_record = decode_vault_record(record.value)
        if order_record is not None and (order := recovery_order(order_record)) is not None:

            def about_order(action: AuditAction, detail: str) -> Outgoing:
                return self.audit_record(action, record, now_ms, detail)

            trail = RecoveryTrail(order, about_order)
            return self._recover(record, trail, now_ms)
        try:
            # 1. Both functions verify the signature before they return an order.
            if order_record is not None:
                vault_order = open_vault_order(order_record, self.registry)
                self._check_routed(record, vault_order.order.account)
                return self._answer_vault_order(vault_order, now_ms)
            key_order = open_order(record.value, self.registry)
            self._check_routed(record, key_order.order.account)
            return self._answer_key_order(key_order, now_ms)
        except (KeyOrderError, CustodyError) as error:
            return [self.audit_record("key.refused", record, now_ms, str(error))]

    def audit_record(
        self, action: AuditAction, record: Record, now_ms: int, detail: str
    ) -> Outgoing:
        """Return the audit record of an action on a record, usually its refusal."""
        source, subject = record.source, input_digest(record.value)
        return audited(action, source, subject, detail, actor=self.identity.keyid, at_ms=now_ms)

    def _check_routed(self, record: Record, account: str) -> None:
        """Refuse an order in another slot: its signer does not know all keys of the account."""
        if not well_routed(record, account, self.registry.partitions):
            raise KeyOrderError("the key or partition of the record does not match its account")

    def _answer_key_order(self, ordered: VerifiedKeyOrder, now_ms: int) -> list[Outgoing]:
        account, path = ordered.order.account, ordered.order.path
        check_validity(ordered.order, now_ms)
        # 2. Idempotent: a repeated order gets its first answer.
        if (earlier := self.vault.events.get(ordered.id)) is not None:
            return [Outgoing(Topic.VAULT, account, earlier.encode())]
        before = self.keys.find(account, path)
        # 3. If the process ends here, the new key existed in memory only; the order is carried out
        # again.
        answer = self.provisioner.execute(ordered, self.identity.keyid, now_ms)
        published = self._publish(account, self.identity.sign_event(answer))
        if before is not None:
            # The order replaced or deactivated this version, so its opened key is closed.
            self.keychain.forget(before)
        if isinstance(answer, KeyDeactivated) or answer.client_share is None:
            return [published]
        target = (self.registry.vaults[account, answer.vault], path, answer.version)
        actor = self.registry.admin_of(ordered.envelope, KEY_REQUEST_TYPE)
        return [published, handed_over(self.registry.org, ordered.id, target, actor, now_ms)]

    def _answer_vault_order(self, ordered: VerifiedVaultOrder, now_ms: int) -> list[Outgoing]:
        account, org = ordered.order.account, self.registry.org
        check_timely(ordered.order, now_ms)
        # 2. Idempotent, as for key orders. An earlier answer is not an access, so no record.
        if (earlier := self.vault.events.get(ordered.id)) is not None:
            return [Outgoing(Topic.VAULT, account, earlier.encode())]
        access = authorize_order(ordered, self.registry, now_ms)
        if isinstance(access, AccessRefused):
            return order_accesses(org, ordered, access, now_ms)
        # 3. If the process ends here, the order is carried out again, and shares of this attempt
        # open nothing.
        answer = self.vaults.execute(ordered, self.identity.keyid, now_ms)
        published = self._publish(account, self.identity.sign_event(answer))
        self._close_recovered(answer)
        handed = isinstance(answer, SecretStored | SecretRecovered) and bool(answer.client_share)
        return [published, *order_accesses(org, ordered, access, now_ms, handed=handed)]

    def _recover(self, record: Record, trail: RecoveryTrail, now_ms: int) -> list[Outgoing]:
        """Replace a client's share as ordered; return the answer, if any, and the audit trail."""
        envelope = Envelope.decode(record.value)
        # The request is recorded before anything of it is verified, so an attempt with a forged
        # signature leaves a record too.
        trail.requested(envelope.signatures[0].keyid)
        try:
            ordered = open_vault_order(envelope, self.registry)
            self._check_routed(record, ordered.order.account)
            check_timely(ordered.order, now_ms)
            trail.approved(ordered.actor)
            events = self._answer_vault_order(ordered, now_ms)
        except (KeyOrderError, CustodyError) as error:
            trail.refused(str(error))
            return trail.records
        if len(events) > 1:  # a single event is the earlier answer to a repeated order
            trail.done()
        return [*events, *trail.records]

    def _close_recovered(self, answer: VaultAnswer) -> None:
        """Close the key of a recovered share: the former share must not keep it open."""
        if isinstance(answer, SecretRecovered):
            key = self.keys.version(answer.account, answer.path, answer.version)
            if key is not None and key.vault == answer.vault:
                self.keychain.forget(key)

    def _publish(self, account: str, signed: bytes) -> Outgoing:
        """Return an event of this signer, after loading it as every reader will.

        The register thus counts it before the commit; if that commit fails, the process ends.
        """
        self.vault.load(signed, self.registry)
        return Outgoing(Topic.VAULT, account, signed)
