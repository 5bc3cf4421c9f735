"""The customer's side of CMEK: encrypts values under a key that never leaves the customer."""

from typing import NoReturn

from signer.custody import aead
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.cmek import CmekContext, fingerprint_of, header
from signer.custody.envelope import require_same

KEY_BYTES = aead.KEY_BYTES


class CustomerKey:
    """A customer key: 32 uniformly random bytes, which the caller may wipe afterwards.

    Raises ``ValueError`` for another length.
    """

    __slots__ = ("_cipher", "fingerprint")

    def __init__(self, key: bytes | bytearray) -> None:
        self._cipher = aead.load_key(key)
        self.fingerprint = fingerprint_of(key)

    def seal(
        self, context: CmekContext, value: bytes | bytearray, random_bytes: RandomBytes
    ) -> bytes:
        """Encrypt a value for one version of one secret."""
        nonce = draw(random_bytes, aead.NONCE_BYTES)
        aad = context.aad(self.fingerprint)
        return aead.seal(self._cipher, nonce, value, aad, header(self.fingerprint))

    def open(self, context: CmekContext, sealed: bytes) -> bytearray:
        """Decrypt a value into a buffer that the caller wipes.

        Raises ``CorruptError`` if it was sealed with another key or for another place, or modified.
        """
        aad = context.aad(self.fingerprint)
        return aead.unseal(self._cipher, sealed, aad, header(self.fingerprint))

    def __repr__(self) -> str:
        return f"<CustomerKey {self.fingerprint}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A CustomerKey cannot be copied or pickled: it holds a secret key.")


def rekeyed(
    old: CustomerKey,
    new: CustomerKey,
    context: CmekContext,
    sealed: bytes,
    random_bytes: RandomBytes,
) -> bytes:
    """Return a value re-encrypted under the new key as its secret's next version.

    The result is proven to open. Raises ``CorruptError`` if the value does not open under the old
    key.
    """
    next_context = context.model_copy(update={"version": context.version + 1})
    with wiping(old.open(context, sealed)) as value:
        result = new.seal(next_context, value, random_bytes)
        with wiping(new.open(next_context, result)) as proof:
            require_same(proof, value)
    return result
