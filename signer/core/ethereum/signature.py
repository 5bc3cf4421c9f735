"""ECDSA signatures on secp256k1 as Ethereum accepts them (65 bytes): checks and recovery.

Recovery calls libsecp256k1 through coincurve's low-level binding, because ``PublicKey`` creates an
object for each step. Every new signature is verified by recovery, which is half the cost of
signing. The version of coincurve is locked, and the tests compare with ``PublicKey``.
"""

from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found] # C without stubs
from coincurve.context import GLOBAL_CONTEXT

from signer.core.errors import SignatureError
from signer.core.ethereum.address import address_of_point

SIGNATURE_BYTES = 65
DIGEST_BYTES = 32
_UNCOMPRESSED_BYTES: Final = 65
_CONTEXT: Final = GLOBAL_CONTEXT.ctx
# Big-endian scalars of equal length compare like their numbers.
_ZERO: Final = bytes(32)
_ORDER: Final = bytes.fromhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
_HALF_ORDER: Final = (int.from_bytes(_ORDER, "big") // 2).to_bytes(32, "big")


def check_signature(signature: bytes) -> None:
    """Check that a signature is r (32 bytes), s (32), y parity (1) within Ethereum's ranges.

    r is from 1 to n - 1, s from 1 to n / 2 and y parity 0 or 1. Raises SignatureError that names
    the wrong part. Source: EIP-2 (low s), EIP-2718 envelopes (y parity).
    """
    if not isinstance(signature, bytes):
        raise SignatureError("signature", "must be bytes.")
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError("signature", f"is {len(signature)} bytes; it needs {SIGNATURE_BYTES}.")
    if not _ZERO < signature[:32] < _ORDER:
        raise SignatureError("signature.r", "must be from 1 to n - 1.")
    if not _ZERO < signature[32:64] <= _HALF_ORDER:
        raise SignatureError("signature.s", "must be from 1 to n / 2 (EIP-2).")
    if signature[64] > 1:
        raise SignatureError("signature.y_parity", "must be 0 or 1.")


def check_digest(digest: bytes) -> None:
    """Raise SignatureError unless a digest is exactly 32 bytes."""
    if not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise SignatureError("digest", f"must be {DIGEST_BYTES} bytes.")


def recover_address(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address whose key made ``signature`` over the 32-byte ``digest``.

    Raises SignatureError if `check_signature` or `check_digest` does, or the signature recovers to
    no key. Source: SEC 1, section 4.1.6.
    """
    check_signature(signature)
    check_digest(digest)
    point = ffi.new("secp256k1_pubkey *")
    parsed = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    if not (
        lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
            _CONTEXT, parsed, signature, signature[64]
        )
        and lib.secp256k1_ecdsa_recover(_CONTEXT, point, parsed, digest)
    ):
        raise SignatureError("signature", "recovers to no public key.")
    return address_of_point(_serialize(point))


def _serialize(point: Any) -> bytes:
    encoded = ffi.new("unsigned char[]", _UNCOMPRESSED_BYTES)
    size = ffi.new("size_t *", _UNCOMPRESSED_BYTES)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, encoded, size, point, lib.SECP256K1_EC_UNCOMPRESSED)
    serialized: bytes = ffi.buffer(encoded)[
        :
    ]  # faster than bytes(encoded), which makes an int of each byte
    return serialized
