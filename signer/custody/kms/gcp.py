"""Adapter for Google Cloud KMS: a symmetric root key, AES-256-GCM with the context as AAD.

Every request and reply carries CRC-32C checksums, and both ends compare them.
Source: cloud.google.com/kms/docs/data-integrity-guidelines.
"""

from typing import Any

from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.kms_v1 import CryptoKey, CryptoKeyVersion, KeyManagementServiceClient
from google.cloud.kms_v1 import ProtectionLevel as GoogleLevel

from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.calls import CallLimits, Calls
from signer.custody.kms.cloud import CloudKms, silence
from signer.custody.kms.crc32c import crc32c
from signer.custody.kms.port import (
    KeyState,
    KeyStatus,
    ProtectionLevel,
    owned_buffer,
)

_ERROR_TYPES: tuple[tuple[type[Exception], type[CustodyError]], ...] = (
    (google.FailedPrecondition, KmsKeyDisabledError),
    (google.InvalidArgument, CorruptError),
    (google.NotFound, KmsKeyNotFoundError),
    (google.Forbidden, KmsDeniedError),
    (google.Unauthorized, KmsDeniedError),
    (TransportError, KmsUnavailableError),
    (GoogleAuthError, KmsDeniedError),
)
_State = CryptoKeyVersion.CryptoKeyVersionState
_DESTROYED = {_State.DESTROYED, _State.DESTROY_SCHEDULED}
_HSM = {GoogleLevel.HSM, GoogleLevel.HSM_SINGLE_TENANT}


class GcpKms(CloudKms):
    """A ``ProviderKms`` on one CryptoKey, named ``projects/…/cryptoKeys/…``.

    Its primary version wraps, and each blob is unwrapped by the version that wrapped it, so a
    rotation in the KMS needs no change here.
    """

    __slots__ = ("_client", "_key_name", "_timeout_s")

    def __init__(
        self, client: KeyManagementServiceClient, key_name: str, limits: CallLimits
    ) -> None:
        self._client = client
        self._key_name = key_name
        self._timeout_s = limits.call_s_max
        super().__init__(Calls(f"gcp:{key_name}", limits, _error_type))
        silence("google")

    def _wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        request = {
            "name": self._key_name,
            "plaintext": bytes(plaintext),
            "plaintext_crc32c": crc32c(plaintext),
            "additional_authenticated_data": context,
            "additional_authenticated_data_crc32c": crc32c(context),
        }
        reply = self._client.encrypt(request=request, **self._no_retry)
        _require_intact(bool(reply.verified_plaintext_crc32c))
        _require_intact(bool(reply.verified_additional_authenticated_data_crc32c))
        _require_intact(reply.ciphertext_crc32c == crc32c(reply.ciphertext))
        _require_intact(reply.name.startswith(f"{self._key_name}/cryptoKeyVersions/"))
        return bytes(reply.ciphertext)

    def _unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        request = {
            "name": self._key_name,
            "ciphertext": wrapped,
            "ciphertext_crc32c": crc32c(wrapped),
            "additional_authenticated_data": context,
            "additional_authenticated_data_crc32c": crc32c(context),
        }
        reply = self._client.decrypt(request=request, **self._no_retry)
        _require_intact(reply.plaintext_crc32c == crc32c(reply.plaintext))
        return owned_buffer(reply.plaintext)

    def _status(self) -> KeyStatus:
        key = self._client.get_crypto_key(request={"name": self._key_name}, **self._no_retry)
        _require_intact(key.name == self._key_name)
        return _status_of(key)

    @property
    def _no_retry(self) -> dict[str, Any]:
        # By default the SDK retries: if the server is down, for almost a minute.
        return {"retry": None, "timeout": self._timeout_s}


def _status_of(key: CryptoKey) -> KeyStatus:
    """Return the status of the primary version, which wraps; a key without one cannot wrap."""
    state, level = key.primary.state, key.primary.protection_level
    if state in _DESTROYED:
        found = KeyState.DESTROYED
    else:
        usable = (
            state == _State.ENABLED and key.purpose == CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT
        )
        found = KeyState.ENABLED if usable else KeyState.DISABLED
    return KeyStatus(found, ProtectionLevel.HSM if level in _HSM else ProtectionLevel.SOFTWARE)


def _require_intact(intact: bool) -> None:  # noqa: FBT001 - an asserted condition
    if not intact:
        raise CorruptError(
            "Google Cloud KMS and this process disagree on the bytes sent, or on the key, so "
            "something between them modifies data: retry, then check the network path."
        )


def _error_type(error: Exception) -> type[CustodyError]:
    found = (kind for foreign, kind in _ERROR_TYPES if isinstance(error, foreign))
    return next(found, KmsUnavailableError)
