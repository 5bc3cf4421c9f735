"""Composition of a signer slot, independent of where its state and its records are stored."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.custody.identity import SealedIdentity, open_identity
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.kms.root_file import open_local_kms
from signer.custody.process import forbid_inspection
from signer.custody.sealing import Holders
from signer.keys.authorized_use import KeyUse
from signer.keys.custody_maintenance import CustodyMaintenance
from signer.keys.custody_records import CustodyRecords
from signer.keys.key_import import ShareKeyImportBoxes
from signer.keys.keychain import Keychain
from signer.keys.operations import Operations
from signer.keys.provisioning import KeyProvisioner
from signer.keys.register import VaultRegister
from signer.keys.share_key_rotation import ShareKeyRotation
from signer.keys.vaults.order_execution import VaultOrderExecutor
from signer.stage.memory import Memory
from signer.stage.recorded import LedgerOutcomes, Recorded
from signer.stage.slot import Slot
from signer.stage.stage import SigningStage
from signer.stage.state import StateMac, StateStore
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.kms import KmsSettings
from sixgate.data_folder.identity import read_identity
from sixgate.data_folder.signer_files import SignerFiles
from sixgate.kms.holders import open_holders, open_secret_holders, refuse_shared
from sixgate.logs import log_kms_call

NO_KMS = KmsSettings()


class ReleasedKeys(Protocol):
    """Key holders of a signer that has no KMS. The journal records every call."""

    def identity_holders(self, journal: KmsJournal) -> Holders:
        """Return the holders that open the signer's identity, before its boot is known."""
        ...

    def holders(self, journal: KmsJournal) -> Holders:
        """Return the holders of the keys of its vaults."""
        ...


@dataclass(frozen=True, slots=True)
class SignerKeys:
    """Keys of a signer process: its identity, the MAC key of its state, and the vaults' holders.

    ``secret_holders`` replace ``holders`` for vaults of secrets, if the settings name any.
    """

    identity: Ed25519Signer
    state_key: bytes = field(repr=False)
    holders: Holders
    records: CustodyRecords
    secret_holders: Holders | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("A signer's keys cannot be copied or pickled.")


def open_signer_keys(
    folder: SignerFiles,
    settings: KmsSettings = NO_KMS,
    released: ReleasedKeys | None = None,
    sealed: SealedIdentity | None = None,
) -> SignerKeys:
    """Open the keys of a folder's signer.

    ``sealed`` defaults to the folder's identity. ``released`` holds the vaults' keys if given, else
    the KMSs of the settings, else software keys in the folder. Raises ``FolderError``,
    ``CustodyError``, ``SettingsError``.
    """
    # Before the first key is in memory: no other process of this user can read it from there.
    forbid_inspection()
    journal = KmsJournal(wall_ms, log_kms_call)
    holders = released.holders(journal) if released else open_holders(folder, settings, journal)
    # A release binds every call to a boot. The identity is opened before there is one.
    identity_holders = released.identity_holders(journal) if released else holders
    sealed = sealed or read_identity(folder)
    identity = open_identity(root_of(sealed, folder, identity_holders), sealed)
    secret_holders = None if released else open_secret_holders(settings, journal)
    if secret_holders:
        refuse_shared(holders, secret_holders)
    records = CustodyRecords(identity.signer.keyid, secrets.token_hex(16), journal)
    return SignerKeys(identity.signer, identity.state_key, holders, records, secret_holders)


def root_of(sealed: SealedIdentity, folder: SignerFiles, holders: Holders) -> RootKms:
    """Return the root key that opens an identity. Raises ``CustodyError``.

    1. The folder's software root, if it has the id that the identity names.
    2. A provider with that id. 3. The current root, which also opens what former roots wrapped.
    """
    if sealed.in_software and folder.root_key.exists():
        local = open_local_kms(folder.root_key, secrets.token_bytes)
        if local.key_id == sealed.root:
            return local
    named = (one.kms for one in holders.providers if one.kms.key_id == sealed.root)
    return next(named, holders.root)


def make_slot(
    signer_keys: SignerKeys,
    registry: Registry,
    store: StateStore,
    number: str,
    ledger: LedgerOutcomes,
    now_ms: Callable[[], int],
) -> Slot:
    """Return a slot with its state loaded; the caller loads the registry and the vault events.

    ``number`` is the slot's number. The caller closes the slot. Raises ``StateIntegrityError``.
    """
    vault, holders = VaultRegister(), signer_keys.holders
    keys = vault.keys
    keychain = Keychain(holders, registry, keys, secrets.token_bytes, boot_ms)
    memory = Memory(store, StateMac(signer_keys.state_key), number)
    shares = ShareKeyRotation(memory, holders.root, secrets.token_bytes, now_ms)
    keychain.share_boxes = shares
    imports = ShareKeyImportBoxes(shares)
    provisioner = KeyProvisioner(keys, keychain, imports)
    vaults = VaultOrderExecutor(
        registry, vault, holders, imports, secrets.token_bytes, signer_keys.secret_holders
    )
    key_use = KeyUse(keychain.use)
    stage = SigningStage(signer_keys.identity, registry, memory, keys, key_use, Recorded(ledger))
    maintenance = CustodyMaintenance(
        signer_keys.identity, vaults, keychain, shares, signer_keys.records
    )
    operations = Operations(signer_keys.identity, registry, vault, provisioner, vaults, maintenance)
    return Slot(stage, operations, now_ms)
