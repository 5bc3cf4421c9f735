"""Decodes a signed transaction into JSON data; pure."""

from dataclasses import fields
from typing import Any

from schemas.fields import SAFE_INTEGER_MAX
from signer.ethereum.authorization import SignedAuthorization, authority
from signer.ethereum.decoding import decode_signed, sender
from signer.ethereum.encoding import transaction_hash
from signer.ethereum.errors import SignatureError
from signer.ethereum.transaction import TYPE_BYTE_MAX
from sixgate.api import Json


def decoded(raw: bytes) -> Json:
    """Return type, hash, sender, every field and the signature of a signed transaction.

    Bytes are in hex, integers above 2^53 decimal strings. Raises ``EthereumError``, which names
    the location.
    """
    tx, signature = decode_signed(raw)
    return {
        "type": raw[0] if raw[0] <= TYPE_BYTE_MAX else 0,
        "hash": _plain(transaction_hash(raw)),
        "sender": _plain(sender(raw)),
        **{field.name: _plain(getattr(tx, field.name)) for field in fields(tx)},
        "signature": _signature(signature),
    }


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return f"0x{value.hex()}"
        case int() if value > SAFE_INTEGER_MAX:
            return str(value)
        case SignedAuthorization():
            return _authorization(value)
        case tuple():
            return [_plain(one) for one in value]
    return value


def _authorization(signed: SignedAuthorization) -> Json:
    terms = signed.authorization
    try:
        by = _plain(authority(signed))
    except SignatureError:
        by = None  # a chain skips such an entry
    return {
        "authority": by,
        **{field.name: _plain(getattr(terms, field.name)) for field in fields(terms)},
        "signature": _signature(signed.signature),
    }


def _signature(signature: bytes) -> Json:
    r, s = signature[:32], signature[32:64]
    return {"r": _plain(r), "s": _plain(s), "y_parity": signature[64]}
