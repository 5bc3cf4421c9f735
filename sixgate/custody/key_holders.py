"""Who holds the keys of secrets for custody; what holds signing keys it does not ask.

Two things keep it from signing keys. Its settings name KMSs for secrets alone, whose keys are under
no signing key: that binds a thief of the process too. And what it asks names no vault of signing
keys: that binds our own mistakes.
"""

from schemas.canonical import MalformedError
from schemas.custody import KEY_VAULTS
from schemas.release import IdentityContext, decode_context
from signer.custody.errors import KmsDeniedError
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers
from sixgate.kms.holders import open_holders, open_secret_holders
from sixgate.settings.kms import KmsSettings


def open_custody_holders(folder: Folder, settings: KmsSettings, journal: KmsJournal) -> Holders:
    """Open the holders for secrets; raises ``SettingsError``, ``CustodyError``.

    Those that hold signing keys too are for development alone.
    """
    former = (f"former.{name}" for name in providers(settings.former))
    named = [*providers(settings), *former]
    if named and not settings.insecure_dev:
        raise SettingsError(
            f"custody needs no rights on what holds signing keys: take [kms.{named[0]}] out of "
            "its settings, and name keys for secrets in [kms.secrets], as the signer does"
        )
    apart = open_secret_holders(settings, journal)
    if apart is None and not settings.insecure_dev:
        raise SettingsError(
            "the settings name no keys for secrets: add [kms.secrets] with root and its section, "
            "here and for the signer, or set insecure_dev = true in [kms]"
        )
    return for_secrets(apart or open_holders(folder, settings, journal))


NOTHING_ELSE = "Custody opens keys of vaults and nothing else."


class SecretsOnlyKms:
    """A ``RootKms`` that wraps nothing, and unwraps nothing of a vault of signing keys."""

    __slots__ = ("_kms",)

    def __init__(self, kms: RootKms) -> None:
        self._kms = kms

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._kms.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:  # noqa: ARG002 - a port
        """Raise ``KmsDeniedError``: custody stores nothing."""
        raise KmsDeniedError("Custody stores no secrets: the signer does.")

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises; raise ``KmsDeniedError`` for what holds signing keys."""
        try:
            place = decode_context(context)
        except MalformedError:
            raise KmsDeniedError(NOTHING_ELSE) from None
        if isinstance(place, IdentityContext):
            raise KmsDeniedError(NOTHING_ELSE)
        if place.vault in KEY_VAULTS:
            raise KmsDeniedError(f"Custody opens no signing keys, and {place.vault} holds them.")
        return self._kms.unwrap(wrapped, context)

    def __repr__(self) -> str:
        return f"<SecretsOnly {self.key_id}>"


def for_secrets(holders: Holders) -> Holders:
    """Return holders as custody asks them."""
    return Holders(SecretsOnlyKms(holders.root), tuple(map(_only, holders.providers)))


def _only(provider: Provider) -> Provider:
    return Provider(provider.name, SecretsOnlyKms(provider.kms), lambda _failure: None)
