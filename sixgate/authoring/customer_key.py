"""The customer's side of CMEK: its own layer over a value, under a key that stays with it."""

from typing import NoReturn

from signer.custody import aead
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.cmek import CmekContext, fingerprint_of, header
from signer.custody.envelope import require_same

KEY_BYTES = aead.KEY_BYTES


class CustomerKey:
    """A customer's key: 32 uniformly random bytes, which the caller may wipe afterwards.

    Raise ``ValueError`` for another length.
    """

    __slots__ = ("_cipher", "fingerprint")

    def __init__(self, key: bytes | bytearray) -> None:
        self._cipher = aead.load_key(key)
        self.fingerprint = fingerprint_of(key)

    def seal(
        self, place: CmekContext, value: bytes | bytearray, random_bytes: RandomBytes
    ) -> bytes:
        """Return the value under this key, for this version of this secret and no other."""
        nonce = draw(random_bytes, aead.NONCE_BYTES)
        aad = place.aad(self.fingerprint)
        return aead.seal(self._cipher, nonce, value, aad, header(self.fingerprint))

    def open(self, place: CmekContext, sealed: bytes) -> bytearray:
        """Return the value in a buffer the caller wipes.

        Raise ``CorruptError`` for another key's, another place's, or one that was changed.
        """
        aad = place.aad(self.fingerprint)
        return aead.unseal(self._cipher, sealed, aad, header(self.fingerprint))

    def __repr__(self) -> str:
        return f"<CustomerKey {self.fingerprint}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A CustomerKey cannot be copied or pickled: it holds a secret key.")


def moved(
    old: CustomerKey,
    new: CustomerKey,
    place: CmekContext,
    sealed: bytes,
    random_bytes: RandomBytes,
) -> bytes:
    """Return a value as the next version of its secret, under the new key, proven to open.

    Raise ``CorruptError`` for one that does not open under the old key.
    """
    after = place.model_copy(update={"version": place.version + 1})
    with wiping(old.open(place, sealed)) as value:
        renewed = new.seal(after, value, random_bytes)
        with wiping(new.open(after, renewed)) as proof:
            require_same(proof, value)
    return renewed
