"""Port to a key management service (KMS) that holds a root key."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from signer.custody.errors import CorruptError

PLAINTEXT_BYTES_MAX = 64
"""Every adapter can wrap this size; RSA-2048 with OAEP-SHA-256, plus a digest, is the tightest."""
WRAPPED_BYTES_MAX = 6144
"""The largest blob a cloud KMS returns (AWS KMS, ``CiphertextBlob``)."""
SOFTWARE_KMS = "local:"
"""Prefix of the ids of root keys in files."""


class KeyState(StrEnum):
    """The state of a key: usable, temporarily disabled, or permanently destroyed."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DESTROYED = "destroyed"  # or scheduled for destruction


class ProtectionLevel(StrEnum):
    """Where a key is stored; ``software`` includes everything that the KMS does not call an HSM."""

    SOFTWARE = "software"
    HSM = "hsm"


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """State and protection level of a key, as reported by its KMS."""

    state: KeyState
    protection: ProtectionLevel


class RootKms(Protocol):
    """A root key that never leaves its KMS and wraps small keys.

    Every adapter promises, and the contract tests check:

    - **Bounded time.** A call returns or raises within the adapter's configured timeout. It does
      not retry; the caller decides that.
    - **Typed errors.** ``KmsUnavailableError``, ``KmsDeniedError``, ``KmsKeyDisabledError``,
      ``KmsKeyNotFoundError`` or ``CorruptError``, and nothing else; no message contains plaintext.
    - **Authenticated context.** ``unwrap`` returns exactly what ``wrap`` took, under exactly the
      same context, or raises.
    - **No proof of unwrapping.** Some SDKs wrap with a public key and never ask the server, so the
      caller must unwrap once before relying on a blob.
    """

    @property
    def key_id(self) -> str:
        """The root key's name, provider first, as recorded in key descriptors."""
        ...

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Return ``plaintext`` (1 to ``PLAINTEXT_BYTES_MAX`` bytes) wrapped, bound to ``context``.

        The context is canonical JSON. It is authenticated, the provider may log it, and the blob
        does not contain it.
        """
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Return the plaintext in a buffer the caller owns and wipes.

        Raises ``CorruptError`` if blob or context differ from those of ``wrap``.
        """
        ...


class ProviderKms(RootKms, Protocol):
    """A ``RootKms`` that reports its key's status; every adapter implements it."""

    def check(self) -> KeyStatus:
        """Ask the KMS for the key's state and protection level.

        Time and errors are bounded as for every call; a missing key raises ``KmsKeyNotFoundError``.
        """
        ...


def require_wrappable(plaintext: bytes | bytearray) -> None:
    """Raise ``ValueError`` for a size that adapters do not promise to wrap."""
    if not 0 < len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise ValueError(f"A KMS wraps 1 to {PLAINTEXT_BYTES_MAX} bytes, not {len(plaintext)}.")


def require_wrapped(wrapped: bytes) -> None:
    """Raise ``CorruptError``, without a call, for a size that no cloud KMS produces."""
    if not 0 < len(wrapped) <= WRAPPED_BYTES_MAX:
        raise CorruptError(
            f"A wrapped key has {len(wrapped)} bytes, which no KMS produces; restore it from a "
            "backup."
        )


def owned_buffer(plaintext: bytes) -> bytearray:
    """Copy what a KMS unwrapped into a wipeable buffer; ``CorruptError`` for an invalid size."""
    if not 0 < len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise CorruptError(
            f"A KMS unwrapped to {len(plaintext)} bytes, which are never wrapped; restore the key."
        )
    return bytearray(plaintext)
