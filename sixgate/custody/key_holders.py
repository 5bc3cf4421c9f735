"""Key holders of ``sixgate custody``: only those for secrets, never those for signing keys.

Two barriers protect signing keys. The settings name only KMS keys for secrets, which wrap no
signing key: this also stops an attacker who controls the process. And a call for a vault of signing
keys is refused here: this stops our own mistakes.
"""

from schemas.canonical import MalformedError
from schemas.keys.release import IdentityContext, decode_context
from schemas.registry.custody import KEY_VAULTS
from signer.custody.errors import KmsDeniedError
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from sixgate.config.kms import KmsSettings
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers
from sixgate.kms.holders import open_holders, open_secret_holders


def open_custody_holders(folder: Folder, settings: KmsSettings, journal: KmsJournal) -> Holders:
    """Open the holders for secrets; raises ``SettingsError``, ``CustodyError``.

    Holders that also hold signing keys are allowed only for development.
    """
    former = (f"former.{name}" for name in providers(settings.former))
    named = [*providers(settings), *former]
    if named and not settings.insecure_dev:
        raise SettingsError(
            f"custody must not have access to the keys of signing keys: remove [kms.{named[0]}] "
            "from its settings, and name keys for secrets in [kms.secrets], as for the signer"
        )
    separate = open_secret_holders(settings, journal)
    if separate is None and not settings.insecure_dev:
        raise SettingsError(
            "the settings name no KMS keys for secrets: add [kms.secrets] with root and its "
            "section, here and for the signer, or set insecure_dev = true in [kms]"
        )
    return secrets_only(separate or open_holders(folder, settings, journal))


_ONLY_VAULT_KEYS = "Custody opens only the keys of vaults."


class SecretsOnlyKms:
    """A ``RootKms`` that never wraps, and never unwraps for a vault of signing keys."""

    __slots__ = ("_kms",)

    def __init__(self, kms: RootKms) -> None:
        self._kms = kms

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._kms.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:  # noqa: ARG002 - a port
        """Raise ``KmsDeniedError``: custody stores nothing."""
        raise KmsDeniedError("Custody does not store secrets: only the signer does.")

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises; raise ``KmsDeniedError`` for vaults of signing keys."""
        try:
            blob_context = decode_context(context)
        except MalformedError:
            raise KmsDeniedError(_ONLY_VAULT_KEYS) from None
        if isinstance(blob_context, IdentityContext):
            raise KmsDeniedError(_ONLY_VAULT_KEYS)
        if blob_context.vault in KEY_VAULTS:
            raise KmsDeniedError(
                f"Custody opens no signing keys, and {blob_context.vault} holds them."
            )
        return self._kms.unwrap(wrapped, context)

    def __repr__(self) -> str:
        return f"<SecretsOnly {self.key_id}>"


def secrets_only(holders: Holders) -> Holders:
    """Return holders that custody may use: for secrets only."""
    return Holders(
        SecretsOnlyKms(holders.root), tuple(map(_secrets_only_provider, holders.providers))
    )


def _secrets_only_provider(provider: Provider) -> Provider:
    return Provider(provider.name, SecretsOnlyKms(provider.kms), lambda _failure: None)
