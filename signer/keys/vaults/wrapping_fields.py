"""Conversion of wrapped data keys between event fields and ``SealedSecret``; pure."""

from typing import Any

from schemas.keys.wrapped import Wrapped
from signer.custody.envelope import SealedSecret, WrappedShare


def sealed_from(event: Wrapped, ciphertext: bytes) -> SealedSecret:
    """Return a version with its data key wrapped as in an event."""
    shares = tuple(
        WrappedShare(share.provider, _bytes(share.blob)) for share in event.wrapped_shares or ()
    )
    kek, dek = _bytes(event.wrapped_kek or "0x"), _bytes(event.wrapped_dek or "0x")
    return SealedSecret(kek, dek, ciphertext, shares)


def wrapping_fields(sealed: SealedSecret) -> dict[str, Any]:
    """Return the event fields of a wrapped data key; the inverse of ``sealed_from``."""
    fields = {
        "wrapped_kek": f"0x{sealed.wrapped_kek.hex()}" if sealed.wrapped_kek else None,
        "wrapped_dek": f"0x{sealed.wrapped_dek.hex()}" if sealed.wrapped_dek else None,
        "wrapped_shares": tuple(
            {"provider": share.provider, "blob": f"0x{share.blob.hex()}"}
            for share in sealed.wrapped_shares
        ),
    }
    return {name: value for name, value in fields.items() if value}


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
