"""AES-256-GCM with 96-bit nonces and 128-bit tags (NIST SP 800-38D), and the blobs made of it.

A blob is ``header || nonce || ciphertext || tag``. The header is in clear, begins with a format
byte, and is authenticated in front of the AAD, so a blob cannot be read as another format. Random
nonces allow 2^32 blobs under one key (SP 800-38D, 8.3).
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signer.custody.buffers import wipe
from signer.custody.errors import CorruptError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
FORMAT_1 = b"\x01"


def load_key(key: bytes | bytearray) -> AESGCM:
    """Load 32 bytes into a cipher that never prints them; the caller may wipe its copy.

    OpenSSL clears the cipher's own copy when the object is dropped. Raises ``ValueError`` for
    another length, AES-128 included.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"An AES-256 key is {KEY_BYTES} bytes, not {len(key)}.")
    return AESGCM(key)


def encrypt(
    key: AESGCM, nonce: bytes | bytearray, plaintext: bytes | bytearray, aad: bytes
) -> bytes:
    """Return ``ciphertext || tag``; the nonce must never repeat under a key."""
    _require_nonce(nonce)
    return key.encrypt(nonce, plaintext, aad)


def decrypt(key: AESGCM, nonce: bytes | bytearray, ciphertext: bytes, aad: bytes) -> bytearray:
    """Return the plaintext in a buffer the caller owns; raise ``CorruptError`` if the tag is wrong.

    It is decrypted directly into that buffer: no other copy is made.
    """
    _require_nonce(nonce)
    if len(ciphertext) < TAG_BYTES:
        raise CorruptError("An encrypted value is shorter than its tag; restore it from a backup.")
    plaintext = bytearray(len(ciphertext) - TAG_BYTES)
    try:
        key.decrypt_into(nonce, ciphertext, aad, plaintext)
    except InvalidTag:
        wipe(plaintext)  # OpenSSL has already written the unauthenticated plaintext
        raise CorruptError(
            "An encrypted value fails its tag: it was modified, moved, or is under another key; "
            "restore it from a backup."
        ) from None
    return plaintext


def seal(
    key: AESGCM,
    nonce: bytes | bytearray,
    plaintext: bytes | bytearray,
    aad: bytes,
    header: bytes = FORMAT_1,
) -> bytes:
    """Encrypt into a blob; the nonce must never repeat under a key."""
    return header + nonce + encrypt(key, nonce, plaintext, _bind(header, aad))


def unseal(key: AESGCM, blob: bytes, aad: bytes, header: bytes = FORMAT_1) -> bytearray:
    """Decrypt a blob of exactly this header and AAD; raise ``CorruptError`` for any other."""
    body = len(header) + NONCE_BYTES
    if not blob.startswith(header) or len(blob) < body:
        raise CorruptError("An encrypted value has an unknown format; restore it from a backup.")
    return decrypt(key, blob[len(header) : body], blob[body:], _bind(header, aad))


def _bind(header: bytes, aad: bytes) -> bytes:
    # The length comes first, so that header and AAD have only one encoding.
    return bytes((len(header),)) + header + aad


def _require_nonce(nonce: bytes | bytearray) -> None:
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"A GCM nonce is {NONCE_BYTES} bytes, not {len(nonce)}.")
