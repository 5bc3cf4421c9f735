"""How a slot of the signer is put together, wherever its state and its records lie."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import open_local_kms
from signer.keychain import Keychain
from signer.keys import KeyRegister
from signer.memory import Memory
from signer.registry import Registry
from signer.signatures import Ed25519Signer
from signer.stage import SigningStage
from signer.state import Sealer, StateStore
from sixgate.clocks import boot_ms
from sixgate.folder import Folder
from sixgate.identity import open_identity
from streams.runners.operations import Operations
from streams.runners.slot import Slot


@dataclass(frozen=True, slots=True)
class SignerKeys:
    """What a signer process holds: its root KMS, its identity, the key of its state's MACs."""

    kms: LocalKms = field(repr=False)
    identity: Ed25519Signer
    state_key: bytes = field(repr=False)


def open_signer_keys(folder: Folder) -> SignerKeys:
    """Open the keys of a folder's signer; raises ``FolderError``, ``CustodyError``."""
    kms = open_local_kms(folder.root_key, secrets.token_bytes)
    return SignerKeys(kms, *open_identity(folder, kms))


def make_slot(
    held: SignerKeys,
    registry: Registry,
    store: StateStore,
    number: str,
    decided_before: Callable[[str], bool],
) -> Slot:
    """Return a slot around its state, with the registry and keys still to be loaded.

    Whoever made it closes its ``operations.keychain``. Raises ``StateDamaged``.
    """
    keys = KeyRegister()
    keychain = Keychain(held.kms, registry, keys, secrets.token_bytes, boot_ms)
    memory = Memory(store, Sealer(held.state_key), number)
    stage = SigningStage(held.identity, registry, keys, memory, keychain.use, decided_before)
    return Slot(stage, Operations(held.identity, registry, keys, keychain))
