"""Who holds the keys of vaults: the root and the providers that the settings name, or a folder's.

Without a section for any KMS they are software, each under a file of its own in the data folder.
"""

import secrets

from schemas.custody import PROVIDERS
from signer.custody.failures import ProviderFailure
from signer.custody.kms.hsm_guard import HsmGuardedKms
from signer.custody.kms.journal import JournaledKms, KmsJournal
from signer.custody.kms.port import ProviderKms, RootKms
from signer.custody.kms.root_file import open_local_kms
from signer.custody.kms.roots import Roots
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.holder_files import open_local_holders
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers
from sixgate.settings.kms import HolderSections, KmsSettings


def refuse_software(settings: KmsSettings) -> None:
    """Raise ``SettingsError`` where nothing but the folder's own software keys would be used."""
    if not settings.insecure_dev and not providers(settings):
        raise SettingsError(
            "the settings name no KMS, and the data folder's own keys are software: add [kms] with "
            "root and its section, or set insecure_dev = true in it"
        )


def open_holders(folder: Folder, settings: KmsSettings, journal: KmsJournal) -> Holders:
    """Open the holders of keys, each call of which is written into the journal.

    Where the settings have others for secrets, these hold signing keys alone.
    Raises ``SettingsError``, ``CustodyError``.
    """
    if not providers(settings):
        return _distinct(_of_folder(folder, journal))
    return _Opening(settings, journal, guarded=not settings.insecure_dev).holders("kms")


def open_secret_holders(settings: KmsSettings, journal: KmsJournal) -> Holders | None:
    """Open the holders that the settings have for secrets; None where they have none."""
    if settings.secrets is None:
        return None
    if not providers(settings.secrets):
        raise SettingsError("[kms.secrets] names no KMS: add a section for one, and root")
    guarded = not settings.insecure_dev
    return _Opening(settings.secrets, journal, guarded=guarded).holders("kms.secrets")


def refuse_shared(keys: Holders, secrets: Holders) -> None:
    """Raise ``SettingsError`` where one key holds signing keys and secrets.

    Whoever may use it for secrets could open the signing keys.
    """
    if shared := _names(keys) & _names(secrets):
        raise SettingsError(
            f"{min(shared)} holds signing keys and secrets: give [kms.secrets] keys of its own"
        )


def _names(holders: Holders) -> set[str]:
    """Return the names of all keys; AWS knows one by its ARN and by the last part of that."""
    found = {holders.root.key_id, *(provider.kms.key_id for provider in holders.providers)}
    aws = {name for name in found if name.startswith("aws:")}
    return found - aws | {f"aws:{name.removeprefix('aws:').rpartition('/')[2]}" for name in aws}


def _distinct(holders: Holders) -> Holders:
    """Refuse one key that would hold two shares: who has it would have them both."""
    keys = [provider.kms.key_id for provider in holders.providers]
    if len(set(keys)) != len(keys):
        raise SettingsError("two providers have the same key: give each a key of its own")
    return holders


def _of_folder(folder: Folder, journal: KmsJournal) -> Holders:
    """Open a folder's own; from before there were any, it has none."""
    root = open_local_kms(folder.root_key, secrets.token_bytes)
    found = open_local_holders(folder.holder_keys, secrets.token_bytes)
    kept = tuple(_provider(name, JournaledKms(kms, journal)) for name, kms in found)
    return Holders(JournaledKms(root, journal), kept)


class _Opening:
    """Opens what settings name, and what it took the place of."""

    def __init__(self, settings: HolderSections, journal: KmsJournal, *, guarded: bool) -> None:
        self._settings = settings
        self._journal = journal
        self._guarded = guarded

    def holders(self, section: str) -> Holders:
        """Open all; ``section`` names in a sentence which settings to mend."""
        root = self._settings.root
        if root is None:
            raise SettingsError(
                f"the settings name KMSs, and not whose key is the root: set {section}.root"
            )
        return _distinct(self._holders(root))

    def _holders(self, root: str) -> Holders:
        named, former = providers(self._settings), providers(self._settings.former)
        opened = {name: self._open(kms()) for name, kms in named.items()}
        before = {name: self._open(kms()) for name, kms in former.items()}
        holding = {name: opened[name] for name in PROVIDERS if name in opened}
        local = self._settings.local
        if local and local.holders:
            for name, kms in open_local_holders(local.holders, secrets.token_bytes):
                holding.setdefault(name, self._open(kms))
        kept = {
            name: Roots(kms, (before[name],)) if name in before else kms
            for name, kms in holding.items()
        }
        return Holders(
            Roots(opened[root], tuple(before.values())),
            tuple(_provider(name, kms) for name, kms in kept.items()),
        )

    def _open(self, kms: ProviderKms) -> ProviderKms:
        recorded = JournaledKms(kms, self._journal)
        return HsmGuardedKms(recorded) if self._guarded else recorded


def _provider(name: str, kms: RootKms) -> Provider:
    return Provider(name, kms, _heard)


def _heard(_failure: ProviderFailure) -> None:
    """Take note of nothing: the journal has the call, whoever still waited for it."""
