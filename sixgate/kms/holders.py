"""Opens the key holders of vaults: the root key and the providers that the settings name.

If the settings have no KMS section, they are software keys, each in a file in the data folder.
"""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.registry.custody import PROVIDERS
from signer.custody.errors import ProviderFailure
from signer.custody.kms.hsm_guard import HsmGuardedKms
from signer.custody.kms.journal import JournaledKms, KmsJournal
from signer.custody.kms.local import LocalKms
from signer.custody.kms.port import ProviderKms, RootKms
from signer.custody.kms.root_file import open_local_kms
from signer.custody.kms.roots import RotatedRoot
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from sixgate.config.kms import HolderSections, KmsSettings
from sixgate.data_folder.signer_files import SignerFiles, holder_file
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers


def refuse_software(settings: KmsSettings) -> None:
    """Raise ``SettingsError`` if only the data folder's software keys would be used."""
    if not settings.insecure_dev and not providers(settings):
        raise SettingsError(
            "the settings name no KMS, and the data folder has only software keys: add [kms] with "
            "root and its section, or set insecure_dev = true in [kms]"
        )


def open_holders(folder: SignerFiles, settings: KmsSettings, journal: KmsJournal) -> Holders:
    """Open the key holders; the journal records each call.

    If the settings have separate holders for secrets, these hold only signing keys.
    Raises ``SettingsError``, ``CustodyError``.
    """
    if not providers(settings):
        return _require_distinct_keys(_folder_holders(folder, journal))
    return _HolderOpener(settings, journal, guarded=not settings.insecure_dev).holders("kms")


def open_secret_holders(settings: KmsSettings, journal: KmsJournal) -> Holders | None:
    """Open the separate holders for secrets; None if the settings have no such section."""
    if settings.secrets is None:
        return None
    if not providers(settings.secrets):
        raise SettingsError("[kms.secrets] names no KMS: add root and a section for a KMS")
    guarded = not settings.insecure_dev
    return _HolderOpener(settings.secrets, journal, guarded=guarded).holders("kms.secrets")


def refuse_shared(keys: Holders, secrets: Holders) -> None:
    """Raise ``SettingsError`` if one key wraps both signing keys and secrets.

    A process that may use it for secrets could open the signing keys.
    """
    if shared := _key_ids(keys) & _key_ids(secrets):
        raise SettingsError(
            f"{min(shared)} wraps both signing keys and secrets: use other keys in [kms.secrets]"
        )


def _key_ids(holders: Holders) -> set[str]:
    """Return the ids of all keys; an AWS key has two names, its ARN and the last part of it."""
    found = {holders.root.key_id, *(provider.kms.key_id for provider in holders.providers)}
    aws = {name for name in found if name.startswith("aws:")}
    return found - aws | {f"aws:{name.removeprefix('aws:').rpartition('/')[2]}" for name in aws}


def _require_distinct_keys(holders: Holders) -> Holders:
    """Refuse a key that would wrap two shares: an attacker with that key would have both."""
    keys = [provider.kms.key_id for provider in holders.providers]
    if len(set(keys)) != len(keys):
        raise SettingsError("two providers have the same key: give each provider a separate key")
    return holders


def _folder_holders(folder: SignerFiles, journal: KmsJournal) -> Holders:
    """Open a data folder's holders; a folder of an older version has no providers."""
    root = open_local_kms(folder.root_key, secrets.token_bytes)
    found = open_local_holders(folder.holder_keys, secrets.token_bytes)
    current = tuple(_provider(name, JournaledKms(kms, journal)) for name, kms in found)
    return Holders(JournaledKms(root, journal), current)


def open_local_holders(
    folder: Path, random_bytes: Callable[[int], bytes]
) -> Iterator[tuple[str, LocalKms]]:
    """Open the providers with a root key file; a missing one is an unavailable provider.

    Raises ``RootFileError`` for an unusable file.
    """
    for name in PROVIDERS:
        file = holder_file(folder, name)
        if file.exists():
            yield name, open_local_kms(file, random_bytes)


class _HolderOpener:
    """Opens the key holders that settings name, with their former keys."""

    def __init__(self, settings: HolderSections, journal: KmsJournal, *, guarded: bool) -> None:
        self._settings = settings
        self._journal = journal
        self._guarded = guarded

    def holders(self, section: str) -> Holders:
        """Open all holders; ``section`` is the name of the settings for error messages."""
        root = self._settings.root
        if root is None:
            raise SettingsError(
                f"the settings name KMSs, but not which of their keys is the root: set "
                f"{section}.root"
            )
        return _require_distinct_keys(self._holders(root))

    def _holders(self, root: str) -> Holders:
        named, former = providers(self._settings), providers(self._settings.former)
        opened = {name: self._open(kms()) for name, kms in named.items()}
        former_opened = {name: self._open(kms()) for name, kms in former.items()}
        holding = {name: opened[name] for name in PROVIDERS if name in opened}
        local = self._settings.local
        if local and local.holders:
            for name, kms in open_local_holders(local.holders, secrets.token_bytes):
                holding.setdefault(name, self._open(kms))
        current = {
            name: RotatedRoot(kms, (former_opened[name],)) if name in former_opened else kms
            for name, kms in holding.items()
        }
        return Holders(
            RotatedRoot(opened[root], tuple(former_opened.values())),
            tuple(_provider(name, kms) for name, kms in current.items()),
        )

    def _open(self, kms: ProviderKms) -> ProviderKms:
        recorded = JournaledKms(kms, self._journal)
        return HsmGuardedKms(recorded) if self._guarded else recorded


def _provider(name: str, kms: RootKms) -> Provider:
    return Provider(name, kms, _ignore_failure)


def _ignore_failure(_failure: ProviderFailure) -> None:
    """Do nothing: the journal already has the failed call."""
