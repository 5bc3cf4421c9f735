from typing import Final

from coincurve import PublicKey

from signer.ethereum.address import address_of
from signer.ethereum.errors import SignatureError

SIGNATURE_BYTES = 65
# Big-endian scalars of equal length compare as the numbers they are.
_ZERO: Final = bytes(32)
_ORDER: Final = bytes.fromhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
_HALF_ORDER: Final = (int.from_bytes(_ORDER, "big") // 2).to_bytes(32, "big")


def check_signature(signature: bytes) -> None:
    """Refuse a signature that is not r (32 bytes), s (32), y parity (1) as Ethereum accepts it.

    r is from 1 to n - 1, s from 1 to n / 2 and y parity 0 or 1. Raises SignatureError with the
    part at fault. Source: EIP-2 (low s), EIP-2718 envelopes (y parity).
    """
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError("signature", f"is {len(signature)} bytes; it needs {SIGNATURE_BYTES}.")
    if not _ZERO < signature[:32] < _ORDER:
        raise SignatureError("signature.r", "must be from 1 to n - 1.")
    if not _ZERO < signature[32:64] <= _HALF_ORDER:
        raise SignatureError("signature.s", "must be from 1 to n / 2 (EIP-2).")
    if signature[64] > 1:
        raise SignatureError("signature.y_parity", "must be 0 or 1.")


def recover_address(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address whose key made ``signature`` over the 32-byte ``digest``.

    Raises SignatureError if the signature is refused by `check_signature` or no key can have
    made it. Source: SEC 1, section 4.1.6.
    """
    check_signature(signature)
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as error:
        raise SignatureError("signature", "recovers to no public key.") from error
    return address_of(key.format(compressed=False))
