"""Reseals the signer's identity under the root key that the settings name; the keys stay the same.

1. Open the identity under its old root, seal it under the new one, and prove that it opens.
2. Replace the file atomically. *If the process ends before the rename, the file is unchanged. If it
   ends after that, the identity is sealed under the new root.*
"""

from contextlib import ExitStack
from typing import NamedTuple

from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.identity import SealedIdentity, open_identity, reseal_identity
from signer.custody.kms.journal import KmsJournal
from signer.custody.sealing import Holders
from sixgate.clocks import wall_ms
from sixgate.config.signer import SignerProcessSettings
from sixgate.data_folder.identity import identity_bytes
from sixgate.data_folder.signer_files import FolderError, SignerFiles
from sixgate.kms.holders import open_holders
from sixgate.logs import log_kms_call
from sixgate.services.signer_keys import PreparedSigner, prepare_signer
from sixgate.services.slot import root_of


class Resealed(NamedTuple):
    """The sealed identity, its former root, and whether the file changed."""

    sealed: SealedIdentity
    before: str
    changed: bool


def reseal(settings: SignerProcessSettings) -> Resealed:
    """Seal the folder's identity under the root key of the settings. Idempotent.

    Raises ``SettingsError``, ``FolderError``, ``CustodyError``, ``CollectionError``; the file is
    then unchanged.
    """
    with ExitStack() as opened:
        prepared = prepare_signer(settings, opened)
        sealed = _resealed(prepared, _holders(prepared))  # 1.
    # 2. One rename: the file always holds one complete identity.
    return Resealed(sealed, prepared.sealed.root, replace_identity(prepared.folder, sealed))


def _holders(prepared: PreparedSigner) -> Holders:
    journal = KmsJournal(wall_ms, log_kms_call)
    if prepared.releases:
        return prepared.releases.identity_holders(journal)
    return open_holders(prepared.folder, prepared.settings.kms, journal)


def _resealed(prepared: PreparedSigner, holders: Holders) -> SealedIdentity:
    sealed, source = prepared.sealed, root_of(prepared.sealed, prepared.folder, holders)
    if sealed.root == holders.root.key_id:
        open_identity(source, sealed)  # proves that the root opens it
        return sealed
    return reseal_identity(source, holders.root, sealed)


def replace_identity(folder: SignerFiles, sealed: SealedIdentity) -> bool:
    """Replace the file atomically and durably; return False if it is unchanged.

    Raises ``FolderError``; the old file then remains.
    """
    path, content = folder.signer_identity, sealed.encode()
    if identity_bytes(path) == content:
        return False
    try:
        write_atomic(path, content, replace=True, mode=MODE_PRIVATE)
    except OSError as error:
        raise FolderError(f"{path} cannot be written: {error.strerror}") from None
    return True
