"""The port to a key management service that holds a root key."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from signer.custody.errors import CorruptError

PLAINTEXT_BYTES_MAX = 64
"""What every adapter can wrap; the narrowest, RSA-2048 with OAEP-SHA-256, adds a digest to it."""
WRAPPED_BYTES_MAX = 6144
"""The largest blob a cloud KMS returns (AWS KMS, ``CiphertextBlob``)."""


class KeyState(StrEnum):
    """What a KMS does with a key: uses it, refuses to for now, or for good."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DESTROYED = "destroyed"  # or waiting to be


class ProtectionLevel(StrEnum):
    """What guards a key; ``software`` is also whatever the KMS does not call an HSM."""

    SOFTWARE = "software"
    HSM = "hsm"


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A key as its KMS describes it."""

    state: KeyState
    protection: ProtectionLevel


class RootKms(Protocol):
    """A root key that never leaves its KMS and wraps small keys.

    What every adapter promises, and the contract tests check:

    - **Bounded time.** A call returns or raises within the time the adapter was built with. It
      does not retry; the caller knows better whether to.
    - **Typed errors.** ``KmsUnavailableError``, ``KmsDeniedError``, ``KmsKeyDisabledError``,
      ``KmsKeyNotFoundError`` or ``CorruptError``, and nothing else; none says what was wrapped.
    - **Authenticated context.** ``unwrap`` gives back exactly what ``wrap`` took, under exactly
      the same context, or raises.
    - **No proof of the future.** Some SDKs wrap with a public key and never ask the server, so
      whoever wraps unwraps once before relying on the blob.
    """

    @property
    def key_id(self) -> str:
        """The root key's name, provider first, as it stands in key descriptors."""
        ...

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Return ``plaintext`` (1 to ``PLAINTEXT_BYTES_MAX`` bytes) wrapped, bound to ``context``.

        The context is canonical JSON; it is authenticated, may be logged by the provider, and is
        not stored in the blob.
        """
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Return what was wrapped, in a buffer the caller owns and wipes.

        Raise ``CorruptError`` when blob or context is not the one that ``wrap`` saw.
        """
        ...


class ProviderKms(RootKms, Protocol):
    """A ``RootKms`` that can say how its key stands; every adapter is one."""

    def check(self) -> KeyStatus:
        """Ask the KMS for the key's state and protection level.

        Bounded and typed as every call; a key that is not there raises ``KmsKeyNotFoundError``.
        """
        ...


def require_wrappable(plaintext: bytes | bytearray) -> None:
    """Raise ``ValueError`` for a size that no adapter promises to wrap."""
    if not 0 < len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise ValueError(f"A KMS wraps 1 to {PLAINTEXT_BYTES_MAX} bytes, not {len(plaintext)}.")


def require_wrapped(wrapped: bytes) -> None:
    """Raise ``CorruptError`` for a size that no cloud KMS makes, before one is asked."""
    if not 0 < len(wrapped) <= WRAPPED_BYTES_MAX:
        raise CorruptError("A wrapped key has a size that no KMS makes; restore it from a backup.")


def owned(plaintext: bytes) -> bytearray:
    """Return what a KMS unwrapped in a buffer of ours; ``CorruptError`` if nothing wraps to it."""
    if not 0 < len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise CorruptError("A KMS unwrapped to something that was never wrapped; restore the key.")
    return bytearray(plaintext)
