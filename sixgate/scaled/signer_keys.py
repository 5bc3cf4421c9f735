"""How a signer comes to its keys: who attests it, who holds them, where its identity is sealed.

What starts a signer and what reseals its identity do this alike, so that a release sees one asker.
"""

from contextlib import ExitStack
from dataclasses import dataclass

from signer.attestation.attestor import Attestor
from signer.custody.process import forbid_inspection
from signer.identity import SealedIdentity
from sixgate.attesting.opening import configuration, open_attestor
from sixgate.composition import SignerKeys, open_signer_keys
from sixgate.data_folder.folder import Folder, Trust
from sixgate.data_folder.identity import read_identity
from sixgate.errors import SettingsError
from sixgate.kms.holders import refuse_software
from sixgate.releasing.release_holders import refuse_own_kms
from sixgate.releasing.releases import SignerReleases
from sixgate.scaled.settings import Settings
from sixgate.settings.kms import KmsSettings


@dataclass(frozen=True, slots=True)
class PreparedSigner:
    """A signer that has not opened its identity yet."""

    settings: Settings
    folder: Folder
    trust: Trust
    sealed: SealedIdentity
    releases: SignerReleases | None
    attestor: Attestor | None

    def keys(self) -> SignerKeys:
        """Open its keys; raises ``SettingsError``, ``FolderError``, ``CustodyError``.

        An identity in software is refused unless the settings say that they are for development.
        """
        refuse_software_identity(self.sealed, self.settings.kms)
        return open_signer_keys(self.folder, self.settings.kms, self.releases, self.sealed)


def prepare_signer(settings: Settings, opened: ExitStack) -> PreparedSigner:
    """Read who the signer is; ``opened`` closes what is opened.

    Raises ``SettingsError``, ``FolderError``, ``CustodyError``, ``CollectionError``.
    """
    forbid_inspection()
    folder = Folder(settings.data)
    trust, releases = folder.trust(), _releases(settings, opened)
    sealed = read_identity(folder)
    attestor = _attestor(settings, sealed, trust, opened)
    if releases and attestor:
        releases.attested_by(attestor)
    return PreparedSigner(settings, folder, trust, sealed, releases, attestor)


def refuse_software_identity(sealed: SealedIdentity, settings: KmsSettings) -> None:
    """Raise ``SettingsError`` for an identity that whoever copies the folder has."""
    if sealed.in_software and not settings.insecure_dev:
        raise SettingsError(
            "the signer's identity is sealed under a root key in a file, which whoever copies both "
            "has: run sixgate services reseal with these settings, or set insecure_dev = true in "
            "[kms]"
        )


def _releases(settings: Settings, opened: ExitStack) -> SignerReleases | None:
    """Let releases hold the keys where the settings name any; KMSs of its own are refused."""
    if settings.releases is None:
        refuse_software(settings.kms)
        return None
    refuse_own_kms(settings.kms)
    if settings.attestation is None:
        raise SettingsError(
            "a signer that goes through releases attests itself: add a section [attestation]"
        )
    return SignerReleases(settings.releases, settings.data, opened)


def _attestor(
    settings: Settings, sealed: SealedIdentity, trust: Trust, opened: ExitStack
) -> Attestor | None:
    if settings.attestation is None:
        return None
    signer = settings.signer
    said = configuration(
        settings.attestation,
        trust,
        signer.slot_numbers(),
        ledger_required=signer.ledger_required,
        head_required=signer.head_required,
    )
    return open_attestor(settings.attestation, sealed, trust, said, opened)
