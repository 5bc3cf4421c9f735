"""Adapter for AWS KMS: a symmetric root key, with the context as its EncryptionContext.

Source: docs.aws.amazon.com/kms/latest/APIReference (Encrypt, Decrypt, DescribeKey).
"""

import hashlib
from typing import Any

import orjson
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

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
from signer.custody.kms.port import (
    KeyState,
    KeyStatus,
    ProtectionLevel,
    owned_buffer,
)

DIGEST_NAME = "context-sha256"
_ALGORITHM = "SYMMETRIC_DEFAULT"
_ERROR_TYPES: dict[str, type[CustodyError]] = {
    "InvalidCiphertextException": CorruptError,
    "ValidationException": CorruptError,
    "DisabledException": KmsKeyDisabledError,
    "KMSInvalidStateException": KmsKeyDisabledError,
    "NotFoundException": KmsKeyNotFoundError,
    "IncorrectKeyException": KmsKeyNotFoundError,
    "InvalidArnException": KmsKeyNotFoundError,
    "AccessDeniedException": KmsDeniedError,
    "AccessDenied": KmsDeniedError,
    "InvalidKeyUsageException": KmsDeniedError,
    "UnrecognizedClientException": KmsDeniedError,
    "InvalidClientTokenId": KmsDeniedError,
    "InvalidSignatureException": KmsDeniedError,
    "SignatureDoesNotMatch": KmsDeniedError,
    "IncompleteSignature": KmsDeniedError,
    "MissingAuthenticationToken": KmsDeniedError,
    "MissingAuthenticationTokenException": KmsDeniedError,
    "ExpiredToken": KmsDeniedError,
    "ExpiredTokenException": KmsDeniedError,
    "NotAuthorized": KmsDeniedError,
    "OptInRequired": KmsDeniedError,
}
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_STATES = {
    "Enabled": KeyState.ENABLED,
    "Updating": KeyState.ENABLED,
    "PendingDeletion": KeyState.DESTROYED,
    "PendingReplicaDeletion": KeyState.DESTROYED,
}
_HSM_ORIGINS = {"AWS_KMS", "AWS_CLOUDHSM"}


class AwsKms(CloudKms):
    """A ``ProviderKms`` on one KMS key, named by its ARN or id.

    Aliases are not supported, as an alias can be moved to another key. ``client`` is boto3's,
    configured without retries.
    """

    __slots__ = ("_client", "_key_name")

    def __init__(self, client: Any, key_name: str, limits: CallLimits) -> None:
        self._client = client
        self._key_name = key_name
        super().__init__(Calls(f"aws:{key_name}", limits, _error_type))
        silence("boto3")
        silence("botocore")

    def _wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        reply = self._client.encrypt(
            KeyId=self._key_name,
            Plaintext=bytes(plaintext),
            EncryptionContext=encryption_context(context),
            EncryptionAlgorithm=_ALGORITHM,
        )
        self._require_same_key(reply["KeyId"])
        return bytes(reply["CiphertextBlob"])

    def _unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        reply = self._client.decrypt(
            KeyId=self._key_name,
            CiphertextBlob=wrapped,
            EncryptionContext=encryption_context(context),
            EncryptionAlgorithm=_ALGORITHM,
        )
        self._require_same_key(reply["KeyId"])
        return owned_buffer(reply["Plaintext"])

    def _status(self) -> KeyStatus:
        # Imported keys and external stores do not count as HSM keys, as copies exist.
        key = self._client.describe_key(KeyId=self._key_name)["KeyMetadata"]
        self._require_same_key(key["Arn"])
        state = _STATES.get(key["KeyState"], KeyState.DISABLED)
        if state is KeyState.ENABLED and key.get("KeySpec", _ALGORITHM) != _ALGORITHM:
            state = KeyState.DISABLED
        guarded = key.get("Origin") in _HSM_ORIGINS
        return KeyStatus(state, ProtectionLevel.HSM if guarded else ProtectionLevel.SOFTWARE)

    def _require_same_key(self, arn: str) -> None:
        """Raise ``CorruptError`` unless a reply is about the requested key."""
        if arn != self._key_name and not arn.endswith(f":key/{self._key_name}"):
            raise CorruptError(
                f"AWS KMS answered for another key than {self.key_id}, so the answer is ignored: "
                "check the endpoint."
            )


def encryption_context(context: bytes) -> dict[str, str]:
    """Return a context as AWS expects it: its fields as text, and the digest of its exact bytes.

    The fields are for people and policies (``kms:EncryptionContext:vault``); the digest binds the
    context.
    """
    digest = {DIGEST_NAME: hashlib.sha256(context).hexdigest()}
    try:
        fields = orjson.loads(context)
    except orjson.JSONDecodeError:
        return digest
    if not isinstance(fields, dict):
        return digest
    return {name: str(value) for name, value in fields.items() if name and value != ""} | digest


def _error_type(error: Exception) -> type[CustodyError]:
    if isinstance(error, _NO_CREDENTIALS):
        return KmsDeniedError
    if isinstance(error, ClientError):
        return _ERROR_TYPES.get(
            str(error.response.get("Error", {}).get("Code")), KmsUnavailableError
        )
    return KmsUnavailableError
