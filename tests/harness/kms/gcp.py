"""A stand-in for Google Cloud KMS, over gRPC with the messages of Google's SDK.

It has AES-256-GCM with AAD, key versions with states and protection levels, and checksums of
requests (checked) and replies (sent). It stores nothing and authenticates no client.
"""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.cloud.kms_v1 import (
    CryptoKey,
    CryptoKeyVersion,
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    GetCryptoKeyRequest,
    ProtectionLevel,
)

from signer.custody.kms.crc32c import crc32c
from tests.harness.kms.faults import Fault, Faults, other

RING = "projects/acme/locations/europe-west6/keyRings/sixgate/cryptoKeys"
SERVICE = "google.cloud.kms.v1.KeyManagementService"
State: Any = CryptoKeyVersion.CryptoKeyVersionState
_NONCE_BYTES, _NUMBER_BYTES = 12, 4


@dataclass
class Version:
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    state: Any = State.ENABLED


@dataclass
class Key:
    name: str
    protection: ProtectionLevel
    versions: list[Version] = field(default_factory=lambda: [Version()])

    def version_name(self, index: int) -> str:
        return f"{self.name}/cryptoKeyVersions/{index + 1}"


class GcpStandIn:
    def __init__(self, port: int = 0) -> None:
        self.faults = Faults()
        self._keys: dict[str, Key] = {}
        self._server = grpc.server(ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add_key(self, name: str, protection: ProtectionLevel = ProtectionLevel.HSM) -> str:
        full = f"{RING}/{name}"
        self._keys[full] = Key(full, protection)
        return full

    def disable(self, name: str) -> None:
        self._set(name, State.DISABLED)

    def enable(self, name: str) -> None:
        self._set(name, State.ENABLED)

    def destroy(self, name: str) -> None:
        self._set(name, State.DESTROY_SCHEDULED)

    def forget(self, name: str) -> None:
        del self._keys[name]

    def rotate(self, name: str) -> None:
        self._keys[name].versions.append(Version())

    def close(self) -> None:
        self._server.stop(grace=None).wait()

    def _set(self, name: str, state: Any) -> None:
        for version in self._keys[name].versions:
            version.state = state

    def _handlers(self) -> Any:
        def handler(answer: Callable[[Any, Any], Any], request: Any, reply: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                self._faulty(answer),
                request_deserializer=request.deserialize,
                response_serializer=lambda made: (
                    made if isinstance(made, bytes) else reply.serialize(made)
                ),
            )

        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Encrypt": handler(self._encrypt, EncryptRequest, EncryptResponse),
                "Decrypt": handler(self._decrypt, DecryptRequest, DecryptResponse),
                "GetCryptoKey": handler(self._get, GetCryptoKeyRequest, CryptoKey),
            },
        )

    def _faulty(self, answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def faulty(request: Any, context: Any) -> Any:
            match self.faults.meet():
                case Fault.DENY:
                    context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission denied.")
                case Fault.THROTTLE:
                    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded.")
                case Fault.FAIL:
                    context.abort(grpc.StatusCode.INTERNAL, "Internal error.")
                case Fault.CLOSE:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
                case Fault.HANG | Fault.DRIP:
                    self.faults.wait()
                case Fault.LATE:
                    self.faults.be_late()
                case Fault.GARBAGE:
                    return b"\xff<html>no protobuf</html>"
            return answer(request, context)

        return faulty

    def _get(self, request: GetCryptoKeyRequest, context: Any) -> CryptoKey:
        key = self._known(request.name, context)
        if self.faults.now is Fault.OTHER_KEY:
            key = Key(f"{RING}/another", key.protection)
        index = len(key.versions) - 1
        primary = CryptoKeyVersion(
            name=key.version_name(index),
            state=key.versions[index].state,
            protection_level=key.protection,
        )
        purpose = CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT
        return CryptoKey(name=key.name, purpose=purpose, primary=primary)

    def _encrypt(self, request: EncryptRequest, context: Any) -> EncryptResponse:
        key = self._known(request.name, context)
        _require_sum(request.plaintext, request.plaintext_crc32c, context)
        aad = request.additional_authenticated_data
        _require_sum(aad, request.additional_authenticated_data_crc32c, context)
        index = len(key.versions) - 1
        cipher = _cipher(key.versions[index], context)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        number = index.to_bytes(_NUMBER_BYTES, "big")
        blob = number + nonce + cipher.encrypt(nonce, request.plaintext, aad)
        named = key if self.faults.now is not Fault.OTHER_KEY else Key(f"{RING}/x", key.protection)
        return EncryptResponse(
            name=named.version_name(index),
            ciphertext=blob,
            ciphertext_crc32c=self._sum(blob),
            verified_plaintext_crc32c=self._verified(request.plaintext_crc32c),
            verified_additional_authenticated_data_crc32c=self._verified(
                request.additional_authenticated_data_crc32c
            ),
            protection_level=key.protection,
        )

    def _decrypt(self, request: DecryptRequest, context: Any) -> DecryptResponse:
        key = self._known(request.name, context)
        blob, aad = request.ciphertext, request.additional_authenticated_data
        _require_sum(blob, request.ciphertext_crc32c, context)
        _require_sum(aad, request.additional_authenticated_data_crc32c, context)
        index = int.from_bytes(blob[:_NUMBER_BYTES], "big")
        nonce, sealed = (
            blob[_NUMBER_BYTES : _NUMBER_BYTES + _NONCE_BYTES],
            blob[_NUMBER_BYTES + _NONCE_BYTES :],
        )
        if index >= len(key.versions) or len(sealed) < 16:
            _abort_corrupt(context)
        try:
            plaintext = _cipher(key.versions[index], context).decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError):
            _abort_corrupt(context)
        if self.faults.now is Fault.OTHER_PLAINTEXT:
            plaintext = other(plaintext)
        return DecryptResponse(
            plaintext=plaintext,
            plaintext_crc32c=self._sum(plaintext),
            used_primary=index == len(key.versions) - 1,
            protection_level=key.protection,
        )

    def _known(self, name: str, context: Any) -> Key:
        if name not in self._keys:
            context.abort(grpc.StatusCode.NOT_FOUND, f"CryptoKey {name} not found.")
        return self._keys[name]

    def _verified(self, said: int | None) -> bool:
        """Return whether the request had a checksum that was compared; the reply reports it."""
        return said is not None and self.faults.now is not Fault.UNVERIFIED

    def _sum(self, data: bytes) -> int:
        return crc32c(data) ^ (self.faults.now is Fault.BAD_CHECKSUM)


def _cipher(version: Version, context: Any) -> AESGCM:
    if version.state is not State.ENABLED:
        message = f"The key version is not enabled, current state is: {version.state.name}."
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)
    return AESGCM(version.secret)


def _require_sum(data: bytes, said: int | None, context: Any) -> None:
    if said is not None and said != crc32c(data):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The checksum did not match the data.")


def _abort_corrupt(context: Any) -> NoReturn:
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Decryption failed: the ciphertext is invalid.")
    raise AssertionError
