"""How a slot of the signer is put together, wherever its state and its records lie."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from signer.case_builder import CaseBuilder
from signer.custody.kms.port import RootKms
from signer.custody.kms.recorded import KmsJournal
from signer.custody.kms.root_file import open_local_kms
from signer.custody.process import forbid_inspection
from signer.custody.sealing import Holders
from signer.custody_records import CustodyRecords
from signer.identity import SealedIdentity, open_identity
from signer.key_import import KeyImports
from signer.keys.accesses import KeyAccesses
from signer.keys.authorized_use import KeyUse
from signer.keys.keychain import Keychain
from signer.keys.provisioning import KeyProvisioner
from signer.memory import Memory
from signer.registry import Registry
from signer.share_key_rotation import ShareKeyRotation
from signer.signatures import Ed25519Signer
from signer.stage import SigningStage
from signer.state import Sealer, StateStore
from signer.vaults.order_execution import VaultOrderExecutor
from signer.vaults.register import VaultRegister
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.identity import read_identity
from sixgate.kms.holders import open_holders, open_secret_holders, refuse_shared
from sixgate.settings.kms import KmsSettings
from streams.runners.custody_maintenance import CustodyMaintenance
from streams.runners.operations import Operations
from streams.runners.slot import Slot

NO_KMS = KmsSettings()


class ReleasedKeys(Protocol):
    """Who holds a signer's keys where it has no KMS; each call is written into the journal."""

    def starting(self, journal: KmsJournal) -> Holders:
        """Return who opens its own identity, before anybody knows its boot."""
        ...

    def holders(self, journal: KmsJournal) -> Holders:
        """Return who holds the keys of its vaults."""
        ...


@dataclass(frozen=True, slots=True)
class SignerKeys:
    """What a signer process holds: its identity, the key of its state's MACs, and who holds others.

    ``holders`` are the vaults', but those of secrets may have ``secret_holders`` of their own.
    """

    identity: Ed25519Signer
    state_key: bytes = field(repr=False)
    holders: Holders
    records: CustodyRecords
    secret_holders: Holders | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("A signer's keys cannot be copied or pickled.")


def open_signer_keys(
    folder: Folder,
    settings: KmsSettings = NO_KMS,
    released: ReleasedKeys | None = None,
    sealed: SealedIdentity | None = None,
) -> SignerKeys:
    """Open the keys of a folder's signer; raises ``FolderError``, ``CustodyError``.

    Its identity, unless it is given ``sealed``, is the folder's. Its vaults are held as the
    settings say (``SettingsError``), else by software in the folder; or ``released``, which stands
    over both. From before the first key is read, no other process of this user may look into this
    one.
    """
    forbid_inspection()
    journal = KmsJournal(wall_ms)
    holders = released.holders(journal) if released else open_holders(folder, settings, journal)
    starting = released.starting(journal) if released else holders
    sealed = sealed or read_identity(folder)
    own = open_identity(root_of(sealed, folder, starting), sealed)
    apart = None if released else open_secret_holders(settings, journal)
    if apart:
        refuse_shared(holders, apart)
    records = CustodyRecords(own.signer.keyid, secrets.token_hex(16), journal)
    return SignerKeys(own.signer, own.state_key, holders, records, apart)


def root_of(sealed: SealedIdentity, folder: Folder, holders: Holders) -> RootKms:
    """Return what opens an identity: the folder's own root, a holder's of that name, or the root.

    The root of now also knows the ones whose place it took. Raises ``CustodyError``.
    """
    if sealed.in_software and folder.root_key.exists():
        own = open_local_kms(folder.root_key, secrets.token_bytes)
        if own.key_id == sealed.root:
            return own
    named = (one.kms for one in holders.providers if one.kms.key_id == sealed.root)
    return next(named, holders.root)


def make_slot(
    held: SignerKeys,
    registry: Registry,
    store: StateStore,
    number: str,
    decided_before: Callable[[str], bool],
    now_ms: Callable[[], int],
) -> Slot:
    """Return a slot around its state, with the registry and keys still to be loaded.

    It decides for all accounts, unless its ``chores`` are told which it ``owns``.
    Whoever made it closes its ``operations.keychain``. Raises ``StateIntegrityError``.
    """
    vault, holders = VaultRegister(), held.holders
    keys = vault.keys
    keychain = Keychain(holders, registry, keys, secrets.token_bytes, boot_ms)
    memory = Memory(store, Sealer(held.state_key), number)
    shares = ShareKeyRotation(memory, holders.root, secrets.token_bytes, now_ms)
    keychain.share_boxes = shares
    imports = KeyImports(shares)
    provisioner = KeyProvisioner(keys, keychain, imports)
    vaults = VaultOrderExecutor(
        registry, vault, holders, imports, secrets.token_bytes, held.secret_holders
    )
    case_builder = CaseBuilder(registry, keys, memory, decided_before)
    key_use = KeyUse(keychain.use, KeyAccesses(keychain.openings))
    stage = SigningStage(held.identity, case_builder, key_use)
    chores = CustodyMaintenance(held.identity, vaults, keychain, shares, held.records)
    operations = Operations(held.identity, registry, vault, provisioner, vaults, chores)
    return Slot(stage, operations, now_ms)
