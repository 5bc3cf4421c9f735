"""Adapter for Azure Key Vault: an RSA root key with RSA-OAEP-256; ordinary vaults have no others.

OAEP has no associated data, so the SHA-256 of the context is encrypted in front of the plaintext.
It is also public-key encryption: anyone with the public key can make a blob that opens, so a blob
proves its context, but not its author.

Wrapping needs only the public key and is done here. The SDK would do the same, but without asking
the vault whether the key is still enabled, and it would send the plaintext to the vault if its own
attempt fails. This adapter refuses what the vault would refuse: a key outside its validity dates
unwraps, but no longer wraps. Source: learn.microsoft.com/rest/api/keyvault/keys.
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
from signer.custody.kms.calls import MESSAGES, CallLimits, Calls
from signer.custody.kms.cloud import CloudKms, silence
from signer.custody.kms.port import (
    KeyState,
    KeyStatus,
    ProtectionLevel,
    owned_buffer,
)

DIGEST_BYTES = 32
MODULUS_BITS = (2048, 3072, 4096)  # the sizes of Key Vault; 2048 bits hold 190 bytes with OAEP-256
_HSM_TYPES = {KeyType.rsa_hsm}
_RSA_TYPES = {KeyType.rsa, KeyType.rsa_hsm}
_BAD_REQUEST = 400
_DISABLED_CODES = {"KeyDisabled", "KeyExpired", "KeyNotYetValid"}


class KeyName(NamedTuple):
    """The parts of a key identifier: ``https://VAULT/keys/NAME/VERSION``."""

    vault_url: str
    name: str
    version: str

    @classmethod
    def parsed(cls, identifier: str) -> "KeyName":
        """Parse an identifier; ``ValueError`` unless it names a version."""
        parts = urlsplit(identifier)
        segments = parts.path.split("/")
        if parts.scheme != "https" or len(segments) != 4 or segments[:2] != ["", "keys"]:  # noqa: PLR2004
            raise ValueError("is not https://VAULT/keys/NAME/VERSION")
        return cls(f"https://{parts.netloc}", segments[2], segments[3])


class AzureKms(CloudKms):
    """A ``ProviderKms`` on one version of a vault's RSA key.

    The version is pinned: a new version, after a rotation, is another root key.
    """

    __slots__ = ("_client", "_client_for", "_clock_ms", "_key_name", "_keys")

    def __init__(
        self,
        keys: KeyClient,
        client_for: Callable[[KeyVaultKey], CryptographyClient],
        key_name: str,
        limits: CallLimits,
        clock_ms: Callable[[], int],
    ) -> None:
        """``client_for`` makes a client that unwraps with a key; no client retries."""
        self._keys = keys
        self._client_for = client_for
        self._client: CryptographyClient | None = None
        self._key_name = key_name
        self._clock_ms = clock_ms
        super().__init__(Calls(f"azure:{key_name}", limits, _error_type))
        silence("azure")

    def _require_wrapped(self, wrapped: bytes) -> None:
        if len(wrapped) * 8 not in MODULUS_BITS:
            raise CorruptError(MESSAGES[CorruptError].format(self.key_id))

    def _status(self) -> KeyStatus:
        return _status_of(self._key(), self._clock_ms())

    def _wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        key = self._key()  # fetched for each call, with its current state
        if _status_of(key, self._clock_ms()).state is not KeyState.ENABLED:
            raise KmsKeyDisabledError(MESSAGES[KmsKeyDisabledError].format(self.key_id))
        bound = hashlib.sha256(context).digest() + plaintext  # 96 bytes at most
        return _public_key(key).encrypt(bound, OAEP(MGF1(SHA256()), SHA256(), None))

    def _unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        answered_for: list[object] = []
        unwrapped = self._crypto_client().unwrap_key(
            KeyWrapAlgorithm.rsa_oaep_256, wrapped, raw_response_hook=_key_id_hook(answered_for)
        )
        self._require_same_key(answered_for[-1])
        digest, plaintext = unwrapped.key[:DIGEST_BYTES], unwrapped.key[DIGEST_BYTES:]
        if not hmac.compare_digest(digest, hashlib.sha256(context).digest()):
            raise CorruptError(MESSAGES[CorruptError].format(self.key_id))
        return owned_buffer(plaintext)

    def _crypto_client(self) -> CryptographyClient:
        """Return a client for exactly the configured key.

        With only a name, the SDK would unwrap with any key that the vault's first answer names.
        """
        if self._client is None:
            self._client = self._client_for(self._key())
        return self._client

    def _key(self) -> KeyVaultKey:
        name = KeyName.parsed(self._key_name)
        key = self._keys.get_key(name.name, name.version)
        self._require_same_key(key.id)
        return key

    def _require_same_key(self, identifier: object) -> None:
        """Raise ``CorruptError`` unless a reply is about the requested version.

        The comparison ignores case: the vault writes its host in lower case, and key names are
        case-insensitive.
        """
        if not isinstance(identifier, str) or identifier.lower() != self._key_name.lower():
            raise CorruptError(
                f"The vault answered for another key than {self.key_id}, so the answer is ignored: "
                "check that the settings name the right vault."
            )


def _key_id_hook(answered_for: list[object]) -> Callable[[Any], None]:
    """Return a hook that collects the key id of each answer; the SDK's result has only our own."""

    def append_key_id(response: Any) -> None:
        if response.http_response.status_code < _BAD_REQUEST:
            answered_for.append(response.http_response.json().get("kid"))

    return append_key_id


def _status_of(key: KeyVaultKey, now_ms: int) -> KeyStatus:
    enabled = key.properties.enabled and _valid_at(key, now_ms) and key.key_type in _RSA_TYPES
    level = ProtectionLevel.HSM if key.key_type in _HSM_TYPES else ProtectionLevel.SOFTWARE
    return KeyStatus(KeyState.ENABLED if enabled else KeyState.DISABLED, level)


def _valid_at(key: KeyVaultKey, now_ms: int) -> bool:
    begins, ends = key.properties.not_before, key.properties.expires_on
    begun = begins is None or _ms(begins) <= now_ms
    return begun and (ends is None or now_ms < _ms(ends))


def _ms(time: datetime) -> int:
    return int(time.timestamp()) * 1000  # Key Vault uses whole seconds


def _public_key(key: KeyVaultKey) -> RSAPublicKey:
    """Load the public key; ``CorruptError`` for a size that Key Vault does not offer."""
    material: Any = key.key  # the SDK sets its fields dynamically, unseen by type checkers
    exponent, modulus = (int.from_bytes(part, "big") for part in (material.e, material.n))
    if modulus.bit_length() not in MODULUS_BITS:
        raise CorruptError(
            f"The vault's RSA key has {modulus.bit_length()} bits, a size that Key Vault does not "
            "offer: check that the settings name the right vault."
        )
    return RSAPublicNumbers(exponent, modulus).public_key()


def _error_type(error: Exception) -> type[CustodyError]:
    if isinstance(error, ResourceNotFoundError):
        return KmsKeyNotFoundError
    if isinstance(error, ClientAuthenticationError):
        return KmsDeniedError
    if isinstance(error, DecodeError) or not isinstance(error, HttpResponseError):
        return KmsUnavailableError
    return _error_type_of_response(error)


def _error_type_of_response(error: HttpResponseError) -> type[CustodyError]:
    match error.status_code:
        case 400:
            return CorruptError
        case 401:
            return KmsDeniedError
        case 403 if error.error is None:  # a truncated answer: the reason is unknown
            return KmsUnavailableError
        case 403:
            disabled = _DISABLED_CODES.intersection(_inner_codes(error))
            return KmsKeyDisabledError if disabled else KmsDeniedError
        case 404:
            return KmsKeyNotFoundError
    return KmsUnavailableError


def _inner_codes(error: HttpResponseError) -> Iterator[str]:
    """Yield the nested error codes of an answer, for example ``KeyDisabled``."""
    inner = getattr(error.error, "innererror", None)
    while isinstance(inner, dict):
        yield str(inner.get("code"))
        inner = inner.get("innererror")
