"""A root key in Azure Key Vault: an RSA key and RSA-OAEP-256, since ordinary vaults hold no other.

OAEP has no associated data, so SHA-256 of the context is encrypted in front of the plaintext. It is
also encryption to a public key: whoever has that can make a blob that opens, so a blob proves which
context it was made for, and not who made it.

Wrapping needs the public key alone and is done here. The SDK would do the same, without asking the
vault whether the key is still enabled, and would send the plaintext there whenever its own attempt
fails. What the vault would refuse is refused here: a key outside its dates unwraps, and wraps no
more. Source: learn.microsoft.com/rest/api/keyvault/keys.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.keyvault.keys import KeyClient, KeyType, KeyVaultKey
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.calls import SENTENCES, CallLimits, Calls
from signer.custody.kms.cloud import CloudKms
from signer.custody.kms.port import (
    KeyState,
    KeyStatus,
    ProtectionLevel,
    owned,
)
from signer.custody.kms.sdk_logging import silence

DIGEST_BYTES = 32
MODULUS_BITS = (2048, 3072, 4096)  # what Key Vault offers; OAEP-256 puts 190 bytes in the first
_HSM_TYPES = {KeyType.rsa_hsm}
_RSA_TYPES = {KeyType.rsa, KeyType.rsa_hsm}
_BAD_REQUEST = 400
_DISABLED_CODES = {"KeyDisabled", "KeyExpired", "KeyNotYetValid"}


class KeyName(NamedTuple):
    """A key's identifier, taken apart: ``https://VAULT/keys/NAME/VERSION``."""

    vault_url: str
    name: str
    version: str

    @classmethod
    def parsed(cls, identifier: str) -> "KeyName":
        """Take an identifier apart; ``ValueError`` unless it names a version."""
        parts = urlsplit(identifier)
        segments = parts.path.split("/")
        if parts.scheme != "https" or len(segments) != 4 or segments[:2] != ["", "keys"]:  # noqa: PLR2004
            raise ValueError("is not https://VAULT/keys/NAME/VERSION")
        return cls(f"https://{parts.netloc}", segments[2], segments[3])


class AzureKms(CloudKms):
    """A ``ProviderKms`` on one version of a vault's RSA key.

    The version is pinned: after a rotation, a new version is another root.
    """

    __slots__ = ("_clock_ms", "_key_name", "_keys", "_remote", "_remote_for")

    def __init__(
        self,
        keys: KeyClient,
        remote_for: Callable[[KeyVaultKey], CryptographyClient],
        key_name: str,
        limits: CallLimits,
        clock_ms: Callable[[], int],
    ) -> None:
        """``remote_for`` makes what unwraps with a key; all clients are made without retries."""
        self._keys = keys
        self._remote_for = remote_for
        self._remote: CryptographyClient | None = None
        self._key_name = key_name
        self._clock_ms = clock_ms
        super().__init__(Calls(f"azure:{key_name}", limits, _kind))
        silence("azure")

    def _require_wrapped(self, wrapped: bytes) -> None:
        if len(wrapped) * 8 not in MODULUS_BITS:
            raise CorruptError(SENTENCES[CorruptError].format(self.key_id))

    def _status(self) -> KeyStatus:
        return _status_of(self._key(), self._clock_ms())

    def _wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        key = self._key()  # the public key that the vault hands out now
        if _status_of(key, self._clock_ms()).state is not KeyState.ENABLED:
            raise KmsKeyDisabledError(SENTENCES[KmsKeyDisabledError].format(self.key_id))
        bound = hashlib.sha256(context).digest() + plaintext  # 96 bytes at most
        return _public_key(key).encrypt(bound, OAEP(MGF1(SHA256()), SHA256(), None))

    def _unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        answered_for: list[object] = []
        unwrapped = self._proven_remote().unwrap_key(
            KeyWrapAlgorithm.rsa_oaep_256, wrapped, raw_response_hook=_noting(answered_for)
        )
        self._require_own(answered_for[-1])
        digest, plaintext = unwrapped.key[:DIGEST_BYTES], unwrapped.key[DIGEST_BYTES:]
        if not hmac.compare_digest(digest, hashlib.sha256(context).digest()):
            raise CorruptError(SENTENCES[CorruptError].format(self.key_id))
        return owned(plaintext)

    def _proven_remote(self) -> CryptographyClient:
        """Return a client of the key that was asked for.

        Given a name alone, the SDK would unwrap with whatever key the vault first answered with.
        """
        if self._remote is None:
            self._remote = self._remote_for(self._key())
        return self._remote

    def _key(self) -> KeyVaultKey:
        name = KeyName.parsed(self._key_name)
        key = self._keys.get_key(name.name, name.version)
        self._require_own(key.id)
        return key

    def _require_own(self, identifier: object) -> None:
        """Raise ``CorruptError`` unless a reply is about the version that was asked for.

        The vault writes its host in lower case, and the names of keys have none.
        """
        if not isinstance(identifier, str) or identifier.lower() != self._key_name.lower():
            raise CorruptError(
                f"The vault answered for another key than {self.key_id}; nothing it said counts: "
                "see that the settings name the right vault."
            )


def _noting(answered_for: list[object]) -> Callable[[Any], None]:
    """Return a hook that notes which key each answer names; the SDK's result names our own."""

    def note(response: Any) -> None:
        if response.http_response.status_code < _BAD_REQUEST:
            answered_for.append(response.http_response.json().get("kid"))

    return note


def _status_of(key: KeyVaultKey, now_ms: int) -> KeyStatus:
    enabled = key.properties.enabled and _in_its_time(key, now_ms) and key.key_type in _RSA_TYPES
    level = ProtectionLevel.HSM if key.key_type in _HSM_TYPES else ProtectionLevel.SOFTWARE
    return KeyStatus(KeyState.ENABLED if enabled else KeyState.DISABLED, level)


def _in_its_time(key: KeyVaultKey, now_ms: int) -> bool:
    begins, ends = key.properties.not_before, key.properties.expires_on
    begun = begins is None or _ms(begins) <= now_ms
    return begun and (ends is None or now_ms < _ms(ends))


def _ms(time: datetime) -> int:
    return int(time.timestamp()) * 1000  # Key Vault tells whole seconds


def _public_key(key: KeyVaultKey) -> RSAPublicKey:
    """Load the public key; ``CorruptError`` for a size that Key Vault does not make."""
    material: Any = key.key  # which has its fields set one by one, unseen by type checkers
    exponent, modulus = (int.from_bytes(part, "big") for part in (material.e, material.n))
    if modulus.bit_length() not in MODULUS_BITS:
        raise CorruptError("The vault's key is no RSA key of a size that Key Vault makes.")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _kind(error: Exception) -> type[CustodyError]:
    if isinstance(error, ResourceNotFoundError):
        return KmsKeyNotFoundError
    if isinstance(error, ClientAuthenticationError):
        return KmsDeniedError
    if isinstance(error, DecodeError) or not isinstance(error, HttpResponseError):
        return KmsUnavailableError
    return _kind_of_answer(error)


def _kind_of_answer(error: HttpResponseError) -> type[CustodyError]:
    match error.status_code:
        case 400:
            return CorruptError
        case 401:
            return KmsDeniedError
        case 403 if error.error is None:  # cut: why is not known
            return KmsUnavailableError
        case 403:
            disabled = _DISABLED_CODES.intersection(_inner_codes(error))
            return KmsKeyDisabledError if disabled else KmsDeniedError
        case 404:
            return KmsKeyNotFoundError
    return KmsUnavailableError


def _inner_codes(error: HttpResponseError) -> Iterator[str]:
    """Yield what the vault says below its own code, one inside the other: KeyDisabled for one."""
    inner = getattr(error.error, "innererror", None)
    while isinstance(inner, dict):
        yield str(inner.get("code"))
        inner = inner.get("innererror")
