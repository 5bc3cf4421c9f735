"""How a slot of the signer is put together, wherever its state and its records lie."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from signer.casework import Casework
from signer.custody.kms.port import RootKms
from signer.custody.kms.recorded import KmsJournal
from signer.custody.kms.root_file import open_local_kms
from signer.custody.process import forbid_inspection
from signer.custody.sealing import Holders
from signer.custody_records import CustodyRecords
from signer.identity import SealedIdentity, open_identity
from signer.imports import Imports
from signer.keys.accesses import KeyAccesses
from signer.keys.keychain import Keychain
from signer.keys.provisioning import KeyProvisioner
from signer.keys.use import KeyUse
from signer.memory import Memory
from signer.registry import Registry
from signer.share_turns import ShareTurns
from signer.signatures import Ed25519Signer
from signer.stage import SigningStage
from signer.state import Sealer, StateStore
from signer.vaults.custodian import Custodian
from signer.vaults.register import VaultRegister
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.identity import read_identity
from sixgate.kms.holders import open_holders, open_secret_holders, refuse_shared
from sixgate.settings.kms import KmsSettings
from streams.runners.custody_chores import CustodyChores
from streams.runners.operations import Operations
from streams.runners.slot import Slot

NO_KMS = KmsSettings()


class Elsewhere(Protocol):
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
        raise TypeError("A signer's keys cannot be copied or pickled: they stay where they are.")


def open_signer_keys(
    folder: Folder,
    settings: KmsSettings = NO_KMS,
    elsewhere: Elsewhere | None = None,
    sealed: SealedIdentity | None = None,
) -> SignerKeys:
    """Open the keys of a folder's signer; raises ``FolderError``, ``CustodyError``.

    Its identity, unless it is given ``sealed``, is the folder's. Its vaults are held as the
    settings say (``SettingsWrong``), else by software in the folder; or ``elsewhere``, which stands
    over both. From before the first key is read, no other process of this user may look into this
    one.
    """
    forbid_inspection()
    journal = KmsJournal(wall_ms)
    holders = elsewhere.holders(journal) if elsewhere else open_holders(folder, settings, journal)
    starting = elsewhere.starting(journal) if elsewhere else holders
    sealed = sealed or read_identity(folder)
    own = open_identity(root_of(sealed, folder, starting), sealed)
    apart = None if elsewhere else open_secret_holders(settings, journal)
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
    Whoever made it closes its ``operations.keychain``. Raises ``StateDamaged``.
    """
    vault, holders = VaultRegister(), held.holders
    keys = vault.keys
    keychain = Keychain(holders, registry, keys, secrets.token_bytes, boot_ms)
    memory = Memory(store, Sealer(held.state_key), number)
    shares = ShareTurns(memory, holders.root, secrets.token_bytes, now_ms)
    keychain.share_boxes = shares
    imports = Imports(shares)
    provisioner = KeyProvisioner(keys, keychain, imports)
    vaults = Custodian(registry, vault, holders, imports, secrets.token_bytes, held.secret_holders)
    casework = Casework(registry, keys, memory, decided_before)
    key_use = KeyUse(keychain.use, KeyAccesses(keychain.openings))
    stage = SigningStage(held.identity, casework, key_use)
    chores = CustodyChores(held.identity, vaults, keychain, shares, held.records)
    operations = Operations(held.identity, registry, vault, provisioner, vaults, chores)
    return Slot(stage, operations, now_ms)
