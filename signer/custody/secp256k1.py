"""secp256k1 on a key that stays in its caller's buffer: libsecp256k1 through coincurve's binding.

coincurve's own ``PrivateKey`` stores the key as immutable bytes, which cannot be wiped, and as an
integer. Its binding takes a pointer to our buffer instead; the version of coincurve is locked, and
the tests compare with ``PrivateKey`` and with eth-keys in Python.
"""

from typing import Any

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found] # C without stubs
from coincurve.context import GLOBAL_CONTEXT

SECRET_BYTES = 32
DIGEST_BYTES = 32
COMPACT_BYTES = 64
PUBLIC_KEY_BYTES = 65

_CONTEXT = GLOBAL_CONTEXT.ctx  # blinded against side channels when coincurve was imported


def point_at(secret: bytearray) -> Any:
    """Return a C pointer into a buffer of 32 bytes; ``ValueError`` for any other length.

    Unlike the buffer, it never prints its content, so every frame below works on the pointer.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"A secp256k1 key is {SECRET_BYTES} bytes, not {len(secret)}.")
    return ffi.from_buffer("unsigned char[]", secret)


def is_secret(pointer: Any) -> bool:
    """Return whether the bytes are a key: big endian, from 1 to n - 1. Constant time."""
    return bool(lib.secp256k1_ec_seckey_verify(_CONTEXT, pointer))


def public_key(pointer: Any) -> bytes:
    """Return the uncompressed point (SEC 1: 0x04, x, y); ``ValueError`` for an invalid key."""
    point = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_create(_CONTEXT, point, pointer):
        raise ValueError("The bytes are not a secp256k1 key.")
    encoded = ffi.new("unsigned char[]", PUBLIC_KEY_BYTES)
    size = ffi.new("size_t *", PUBLIC_KEY_BYTES)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, encoded, size, point, lib.SECP256K1_EC_UNCOMPRESSED)
    return bytes(encoded)


def sign(pointer: Any, digest32: bytes) -> bytes:
    """Return ``r || s || y_parity``: ECDSA, nonce of RFC 6979, low s; the same bytes every time.

    ``y_parity`` is 0 or 1; an r beyond the group order (2 or 3) has a probability of 2^-127. Raises
    ``ValueError`` for a digest of another length, and for an invalid key.
    """
    if len(digest32) != DIGEST_BYTES:
        raise ValueError(f"A digest to sign is {DIGEST_BYTES} bytes, not {len(digest32)}.")
    signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    if not lib.secp256k1_ecdsa_sign_recoverable(
        _CONTEXT, signature, digest32, pointer, ffi.NULL, ffi.NULL
    ):
        raise ValueError("The bytes are not a secp256k1 key.")
    compact = ffi.new("unsigned char[]", COMPACT_BYTES)
    parity = ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(
        _CONTEXT, compact, parity, signature
    )
    return bytes(compact) + bytes((parity[0],))
