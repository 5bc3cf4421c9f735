"""A signer that executes orders about keys, its import key, and events of signers."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.keys.curves import CURVES
from schemas.keys.key_events import (
    AnyOrder,
    KeyDeactivated,
    KeyDeactivation,
    KeyDelivery,
    KeyImport,
    KeyOrder,
    KeyRotation,
    answer_id,
    delivery_id,
    import_context,
)
from schemas.ledger.audit import AuditRecord
from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.redaction import redacted_digest
from schemas.registry.key_chains import KeyChain
from schemas.registry.records import AccountOpened, AddressClaimed, Entry
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.custody import curves
from signer.custody.errors import CorruptError
from signer.custody.hpke import HpkeKey, seal_for
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.sealing import Holders
from signer.keys.addresses.derivation import canonical_address, derive
from signer.keys.custody_maintenance import CustodyMaintenance
from signer.keys.custody_records import CustodyRecords
from signer.keys.key_import import ERASED, NOT_OPENED
from signer.keys.keychain import Keychain
from signer.keys.operations import Operations
from signer.keys.provisioning import KeyProvisioner
from signer.keys.register import VaultRegister
from signer.keys.share_key_rotation import ShareKeyRotation
from signer.keys.vaults.order_execution import VaultOrderExecutor
from signer.stage import loading
from signer.stage.memory import Memory
from signer.stage.state import SlotState, StateMac
from tests.harness.builders.cases import (
    ACCOUNT,
    KEY_PATH,
    NOW_MS,
    ORG,
    SIGNER,
    key_answer,
    key_request,
    registered,
    sealed_request,
)
from tests.harness.builders.custody_material import Stream, root_kms
from tests.harness.builders.state_store import DictStateStore


class ImportKey:
    """A signer's only key for imports, never rotated; 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._key = HpkeKey(secret)
        self.public_key = f"0x{self._key.public_key.hex()}"

    def open(self, box: bytes, context: bytes, sealed_for: str | None = None) -> bytearray:
        if sealed_for not in (None, self.public_key):
            raise CorruptError(ERASED)
        try:
            return self._key.open(box, context)
        except CorruptError:
            raise CorruptError(NOT_OPENED) from None


IMPORT_KEY = ImportKey(bytes(range(32)))
OTHER_IMPORT_KEY = ImportKey(bytes(32))
UNREGISTERED_SECRET = bytes(range(1, 33))
ORDER = bytes.fromhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")


def no_records() -> CustodyRecords:
    return CustodyRecords(SIGNER.keyid, "run-1", KmsJournal(lambda: NOW_MS))


def no_shares(disk: DictStateStore, holders: Holders) -> ShareKeyRotation:
    memory = Memory(disk, StateMac(b"k" * 32), "0")
    return ShareKeyRotation(memory, holders.root, secrets.token_bytes, lambda: NOW_MS)


@dataclass
class OrderExecutor:
    """Executes operators' orders as a signer does, with a real register, keychain and root."""

    kms: RootKms = field(default_factory=root_kms)
    entries: tuple[Entry, ...] = ()
    holders: Holders | None = None
    vault: list[Outgoing] = field(default_factory=list)
    offset: int = 0
    records: list[Outgoing] = field(default_factory=list)
    disk: DictStateStore = field(default_factory=DictStateStore)
    custody: CustodyRecords = field(default_factory=no_records)

    def __post_init__(self) -> None:
        self.operator, self.registry = registered(AccountOpened(account="ops"), *self.entries)
        self.register, source = VaultRegister(), Stream("executor")
        self.keys, holders = self.register.keys, self.holders or Holders(self.kms)
        self.keychain = Keychain(holders, self.registry, self.keys, source, lambda: 0)
        provisioner = KeyProvisioner(self.keys, self.keychain, IMPORT_KEY)
        vaults = VaultOrderExecutor(self.registry, self.register, holders, IMPORT_KEY, source)
        self.shares = no_shares(self.disk, holders)
        maintenance = CustodyMaintenance(SIGNER, vaults, self.keychain, self.shares, self.custody)
        self.operations = Operations(
            SIGNER, self.registry, self.register, provisioner, vaults, maintenance
        )

    def send(self, raw: bytes, account: str = ACCOUNT, partition: int | None = None) -> Outgoing:
        """Pass a record to the signer and return its single event."""
        at = partition_of(account, 4) if partition is None else partition
        record = Record(Topic.KEY_REQUESTS, at, self.offset, account, raw, NOW_MS)
        self.offset += 1
        answer, *self.records = self.operations.execute_order(record, NOW_MS)
        if answer.topic is Topic.VAULT:
            self.vault.append(answer)
        return answer

    def order(self, order: KeyOrder) -> Outgoing:
        return self.send(sealed_request(order).encode(), order.account)

    def claim(self, address: str, account: str = ACCOUNT) -> None:
        self.registry.apply(self.operator.write(AddressClaimed(account=account, address=address)))


def terms(**changes: Any) -> dict[str, Any]:
    return {
        "org": ORG,
        "account": ACCOUNT,
        "path": KEY_PATH,
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    } | changes


def why(answer: Outgoing) -> str:
    record = AuditRecord.decode(answer.value)
    assert (answer.topic, record.action) == (Topic.AUDIT, "key.refused")
    return record.detail


def address_for(chain: KeyChain, secret: bytes) -> str:
    return canonical_address(
        chain, derive(chain, curves.public_key(CURVES[chain], bytearray(secret)))
    )


def delivery(
    secret: bytes = UNREGISTERED_SECRET,
    *,
    recipient: str = IMPORT_KEY.public_key,
    context: bytes | None = None,
    box: str | None = None,
    **changes: Any,
) -> bytes:
    """Return an import with its box; changes apply to the request before it is signed."""
    chain = changes.get("chain", KeyChain.ETHEREUM)
    about = terms(chain=chain) | changes
    if "address" not in about:
        about["address"] = address_for(chain, secret)
    names = (about["org"], about["account"], about["path"], chain, about["address"])
    sealed = f"0x{seal_for(recipient, secret, context or import_context(*names)).hex()}"
    order = KeyImport(**{"import_key": recipient, "box": redacted_digest(sealed)} | about)
    envelope = sealed_request(order)
    name = delivery_id(envelope.body())
    return KeyDelivery(id=name, request=envelope, box=box or sealed).encode()


def load(
    operations: Operations, registry: Iterable[Record], vault: Iterable[Record], seen: SlotState
) -> None:
    """Load what a signer loads at start."""
    loading.load(operations.registry, operations.vault, registry, vault, seen)


def executed_by(operations: Operations, executor: OrderExecutor, order: KeyOrder) -> Record:
    """Return the event of the same signer in another run for an order."""
    load(operations, registry_records(executor), vault_records(executor), seen_by(executor))
    raw = sealed_request(order).encode()
    at = partition_of(order.account, 4)
    answer, *_ = operations.execute_order(
        Record(Topic.KEY_REQUESTS, at, 0, order.account, raw, 0), NOW_MS
    )
    return Record(answer.topic, at, 9, answer.key, answer.value, 0)


def seen_by(executor: OrderExecutor) -> SlotState:
    return SlotState(
        registry_sequence=executor.registry.record_count,
        key_count=executor.register.count,
        key_digest=executor.register.digest(),
    )


def vault_records(executor: OrderExecutor) -> list[Record]:
    return [Record(s.topic, 0, n, s.key, s.value, 0) for n, s in enumerate(executor.vault)]


def registry_records(executor: OrderExecutor) -> list[Record]:
    written = enumerate(executor.operator.written)
    return [Record(Topic.REGISTRY, 0, n, "", raw, 0) for n, raw in written]


def fresh(executor: OrderExecutor) -> Operations:
    """Return the same signer after a restart, before it loads anything."""
    registry, register, holders = (
        Registry(executor.registry.trust_root),
        VaultRegister(),
        executor.holders,
    )
    holders = holders or Holders(root_kms())
    keychain = Keychain(holders, registry, register.keys, secrets.token_bytes, lambda: 0)
    vaults = VaultOrderExecutor(registry, register, holders, IMPORT_KEY, secrets.token_bytes)
    provisioner = KeyProvisioner(register.keys, keychain, IMPORT_KEY)
    shares, records = no_shares(executor.disk, holders), no_records()
    maintenance = CustodyMaintenance(SIGNER, vaults, keychain, shares, records)
    return Operations(SIGNER, registry, register, provisioner, vaults, maintenance)


SECOND, THIRD = b"\x02" * 32, b"\x03" * 32


def order(kind: type[KeyRotation | KeyDeactivation], version: int, **changes: Any) -> AnyOrder:
    terms: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "path": KEY_PATH,
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    }
    return kind(**(terms | changes), version=version)


def rotated(secret: bytes = SECOND, version: int = 1, /, **changes: Any) -> bytes:
    """Return the event of a rotation of ``version``."""
    request = order(KeyRotation, version)
    terms = {
        "id": answer_id(request.encode()),
        "version": version + 1,
        "request": sealed_request(request),
    }
    return SIGNER.sign_event(key_answer(key_request(), secret, **(terms | changes)))


def ended(version: int = 1, **changes: Any) -> bytes:
    """Return the event of a deactivation of ``version``."""
    request = order(KeyDeactivation, version)
    terms: dict[str, Any] = {
        "id": answer_id(request.encode()),
        "request": sealed_request(request),
        "account": ACCOUNT,
        "path": KEY_PATH,
        "version": version,
        "deactivated_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
    }
    return SIGNER.sign_event(KeyDeactivated(**(terms | changes)))
