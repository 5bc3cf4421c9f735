"""HPKE (RFC 9180): base mode, X25519, HKDF-SHA-256, AES-256-GCM, one message per encapsulation.

``info`` binds a message to its context: it goes into the key schedule, so a box opens only under
exactly the same ``info``, like an AAD. Base mode does not authenticate the sender: sign the box if
that matters.
"""

from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.errors import CorruptError

KEY_BYTES = 32
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
# SubjectPublicKeyInfo of X25519 in DER (RFC 8410) has one form: this, and the 32 bytes.
_SPKI = bytes.fromhex("302a300506032b656e032100")


class HpkeKey:
    """A private key that opens boxes until it is closed."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: bytes | bytearray) -> None:
        """Take 32 bytes, which the caller may wipe; raise ``ValueError`` for another length."""
        self._private: X25519PrivateKey | None = X25519PrivateKey.from_private_bytes(private)
        self.public_key = self._private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, random_bytes: RandomBytes) -> "HpkeKey":
        """Return a new key; raise ``RandomnessError``."""
        with wiping(draw(random_bytes, KEY_BYTES)) as private:
            return cls(private)

    @property
    def spki(self) -> bytes:
        """Return the public key as SubjectPublicKeyInfo (DER)."""
        return _SPKI + self.public_key

    def open(self, box: bytes, info: bytes) -> bytearray:
        """Return the content of a box sealed to this key and ``info``; the caller wipes it.

        Raises ``CorruptError`` for any other box, and after ``close``.
        """
        if self._private is None:
            raise CorruptError("The key that a box was sealed to is closed; send a new request.")
        try:
            return bytearray(SUITE.decrypt(box, self._private, info))
        except (InvalidTag, ValueError):
            raise CorruptError(
                "A sealed box does not open: it is for another key or purpose, or was modified."
            ) from None

    def close(self) -> None:
        """Drop the key; OpenSSL clears its copy. No box opens afterwards."""
        self._private = None

    def __repr__(self) -> str:
        return f"<HpkeKey 0x{self.public_key.hex()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An HpkeKey cannot be copied or pickled: it holds a secret key.")


def seal(public_key: bytes, content: bytes | bytearray, info: bytes) -> bytes:
    """Return a box for this public key (32 bytes): encapsulated key, ciphertext, tag.

    Raises ``ValueError`` for an invalid public key, also one of low order, which would make the
    shared secret predictable.
    """
    try:
        return SUITE.encrypt(content, X25519PublicKey.from_public_bytes(public_key), info)
    except ValueError:
        raise ValueError("not a valid X25519 public key") from None


def seal_for(public_key: str, content: bytes | bytearray, info: bytes) -> bytes:
    """Return a box for a public key in 0x hex; raise what ``seal`` raises."""
    return seal(bytes.fromhex(public_key[2:]), content, info)


def public_key_of(spki: bytes) -> bytes:
    """Return the 32 bytes of an X25519 key in DER; ``ValueError`` unless it is valid."""
    public_key = spki.removeprefix(_SPKI)
    if len(spki) != len(_SPKI) + KEY_BYTES or len(public_key) != KEY_BYTES:
        raise ValueError("not the SubjectPublicKeyInfo of an X25519 key")
    seal(public_key, b"", b"")
    return public_key
