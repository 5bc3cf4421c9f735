"""Prepares a signer's keys: its attestor, its key holders, and its sealed identity.

Starting a signer and resealing its identity both use this, so a release sees the same requester.
"""

from contextlib import ExitStack
from dataclasses import dataclass

from signer.attestation.attestor import Attestor
from signer.custody.identity import SealedIdentity
from signer.custody.process import forbid_inspection
from sixgate.attesting.factory import configuration, open_attestor
from sixgate.config.kms import KmsSettings
from sixgate.config.signer import SignerProcessSettings
from sixgate.data_folder.identity import read_identity
from sixgate.data_folder.signer_files import SignerFiles, Trust
from sixgate.errors import SettingsError
from sixgate.kms.holders import refuse_software
from sixgate.releasing.release_holders import refuse_own_kms
from sixgate.releasing.releases import SignerReleases
from sixgate.services.slot import SignerKeys, open_signer_keys


@dataclass(frozen=True, slots=True)
class PreparedSigner:
    """A signer whose identity is still sealed."""

    settings: SignerProcessSettings
    folder: SignerFiles
    trust: Trust
    sealed: SealedIdentity
    releases: SignerReleases | None
    attestor: Attestor | None

    def keys(self) -> SignerKeys:
        """Open the signer's keys; raises ``SettingsError``, ``FolderError``, ``CustodyError``.

        Refuses an identity under a software root unless the settings have ``insecure_dev``.
        """
        refuse_software_identity(self.sealed, self.settings.kms)
        return open_signer_keys(self.folder, self.settings.kms, self.releases, self.sealed)


def prepare_signer(settings: SignerProcessSettings, opened: ExitStack) -> PreparedSigner:
    """Read the signer's identity, open its attestor and releases; ``opened`` closes them.

    Raises ``SettingsError``, ``FolderError``, ``CustodyError``, ``CollectionError``.
    """
    forbid_inspection()
    folder = SignerFiles(settings.data)
    trust, releases = folder.trust(), _releases(settings, opened)
    sealed = read_identity(folder)
    attestor = _attestor(settings, sealed, trust, opened)
    if releases and attestor:
        releases.attested_by(attestor)
    return PreparedSigner(settings, folder, trust, sealed, releases, attestor)


def refuse_software_identity(sealed: SealedIdentity, settings: KmsSettings) -> None:
    """Raise ``SettingsError`` for an identity that a copy of the folder discloses."""
    if sealed.in_software and not settings.insecure_dev:
        raise SettingsError(
            "the signer's identity is sealed under a root key in a file, so a copy of both files "
            "discloses it: run sixgate services reseal with these settings, or set insecure_dev = "
            "true in [kms]"
        )


def _releases(settings: SignerProcessSettings, opened: ExitStack) -> SignerReleases | None:
    """Return the releases that the settings name; they exclude KMSs of the signer."""
    if settings.releases is None:
        refuse_software(settings.kms)
        return None
    refuse_own_kms(settings.kms)
    if settings.attestation is None:
        raise SettingsError(
            "a signer that uses releases must attest itself: add a section [attestation]"
        )
    return SignerReleases(settings.releases, settings.data, opened)


def _attestor(
    settings: SignerProcessSettings, sealed: SealedIdentity, trust: Trust, opened: ExitStack
) -> Attestor | None:
    if settings.attestation is None:
        return None
    signer = settings.signer
    bound = configuration(
        settings.attestation,
        trust,
        signer.slot_numbers(),
        ledger_required=signer.ledger_required,
        head_required=signer.head_required,
    )
    return open_attestor(settings.attestation, sealed, trust, bound, opened)
