"""Moving the signer's own identity under the root that its settings name; it stays the same key.

What was sealed is proven to open before the file is replaced, and that is one rename: whoever dies
at any moment leaves the file as it was, or whole under the new root.
"""

from contextlib import ExitStack
from typing import NamedTuple

from signer.custody.kms.recorded import KmsJournal
from signer.custody.sealing import Holders
from signer.identity import SealedIdentity, open_identity, reseal_identity
from sixgate.clocks import wall_ms
from sixgate.composition import root_of
from sixgate.data_folder.identity import replace_identity
from sixgate.kms.holders import open_holders
from sixgate.logs import log_kms_call
from sixgate.scaled.settings import Settings
from sixgate.scaled.signer_keys import PreparedSigner, prepare_signer


class Resealed(NamedTuple):
    """The identity as it is sealed now, the root it was under, and whether its file changed."""

    sealed: SealedIdentity
    before: str
    changed: bool


def reseal(settings: Settings) -> Resealed:
    """Seal the identity of the settings' folder under the settings' root.

    Raises ``SettingsError``, ``FolderError``, ``CustodyError``, ``CollectionError``; then the file
    is as it was.
    """
    with ExitStack() as opened:
        prepared = prepare_signer(settings, opened)
        sealed = _under(prepared, _holders(prepared))
    return Resealed(sealed, prepared.sealed.root, replace_identity(prepared.folder, sealed))


def _holders(prepared: PreparedSigner) -> Holders:
    journal = KmsJournal(wall_ms, log_kms_call)
    if prepared.releases:
        return prepared.releases.starting(journal)
    return open_holders(prepared.folder, prepared.settings.kms, journal)


def _under(prepared: PreparedSigner, holders: Holders) -> SealedIdentity:
    sealed, source = prepared.sealed, root_of(prepared.sealed, prepared.folder, holders)
    if sealed.root == holders.root.key_id:
        open_identity(source, sealed)
        return sealed
    return reseal_identity(source, holders.root, sealed)
