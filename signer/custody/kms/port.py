"""The port to a key management service that holds a root key."""

from typing import Protocol

PLAINTEXT_BYTES_MAX = 64
"""What every adapter can wrap; the narrowest, RSA-2048 with OAEP-SHA-256, adds a digest to it."""


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
