"""Transactions of intents: their EIP-2718 type, and records of ``signer.core.ethereum``."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from schemas.intents.intent import AuthorizationIntent, TransactionIntent
from schemas.intents.intent_parts import AccessListEntry
from schemas.intents.intent_parts import SignedAuthorization as Delegation
from schemas.intents.outcome import TransactionSigned
from signer.core.ethereum.authorization import Authorization, SignedAuthorization
from signer.core.ethereum.encoding import TRANSACTION_TYPES
from signer.core.ethereum.fields import AccessList
from signer.core.ethereum.transaction import Transaction, TxType
from signer.core.ethereum.validation import TransactionProblem

_COMMON: Final = frozenset({"chain_id", "nonce", "gas_limit", "to", "value_wei", "data"})
# The fields of each type, except the common ones.
FIELDS: Final[dict[int, frozenset[str]]] = {
    row.number: frozenset(name for name, _ in row.fields) - _COMMON for row in TRANSACTION_TYPES
}
GAS_PRICED: Final = frozenset(number for number, own in FIELDS.items() if "gas_price_wei" in own)
_TYPED_FIELDS: Final = tuple(sorted(frozenset().union(*FIELDS.values())))


def transaction_of(draft: TransactionSigned) -> Transaction:
    """Return the transaction that an allocation pins; its fields fit its type."""
    tx_type = TxType.FEE_MARKET if draft.tx_type is None else draft.tx_type
    record = TRANSACTION_TYPES[tx_type].record
    return record(
        **{name: _READ.get(name, _number)(getattr(draft, name)) for name in _NAMES[record]}
    )


def authorization_of(intent: AuthorizationIntent, nonce: int) -> Authorization:
    """Return the authorization that an intent requests, with its allocated nonce."""
    return Authorization(intent.chain_id, _bytes(intent.delegate), nonce)


def type_of(intent: TransactionIntent) -> int:
    """Return the type that an intent names, else the one that its fee fields imply."""
    if intent.tx_type is not None:
        return intent.tx_type
    if intent.gas_price_wei is None:
        return TxType.FEE_MARKET
    return TxType.LEGACY if intent.access_list is None else TxType.ACCESS_LIST


def type_problem(intent: TransactionIntent) -> TransactionProblem | None:
    """Return why the fields do not form a transaction of one type, or None."""
    wanted = type_of(intent)
    if wanted not in FIELDS:
        return TransactionProblem(
            "tx_type_unknown", "tx_type", f"tx_type {wanted} is not 0, 1, 2, 3 or 4."
        )
    if intent.gas_price_wei is not None and intent.max_fee_per_gas_wei is not None:
        return TransactionProblem(
            "fee_fields_contradict",
            "gas_price_wei",
            "gas_price_wei and max_fee_per_gas_wei are both set: set only one.",
        )
    present = (name for name in _TYPED_FIELDS if getattr(intent, name) is not None)
    foreign = next((name for name in present if name not in FIELDS[wanted]), None)
    if foreign is None:
        return None
    detail = f"{foreign} is not a field of a transaction of type {wanted}."
    return TransactionProblem("field_of_another_type", foreign, detail)


def _number(value: int | None) -> int:
    return value or 0


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _recipient(to: str | None) -> bytes | None:
    return _bytes(to) if to else None


def _access_list(entries: tuple[AccessListEntry, ...] | None) -> AccessList:
    return tuple((_bytes(e.address), tuple(map(_bytes, e.storage_keys))) for e in entries or ())


def _hashes(hashes: tuple[str, ...] | None) -> tuple[bytes, ...]:
    return tuple(map(_bytes, hashes or ()))


def _authorizations(entries: tuple[Delegation, ...] | None) -> tuple[SignedAuthorization, ...]:
    return tuple(map(_authorization, entries or ()))


def _authorization(one: Delegation) -> SignedAuthorization:
    terms = Authorization(one.chain_id, _bytes(one.address), one.nonce)
    r, s = one.r.to_bytes(32, "big"), one.s.to_bytes(32, "big")
    return SignedAuthorization(terms, r + s + bytes([one.y_parity]))


_NAMES: Final = {
    row.record: tuple(field.name for field in fields(row.record)) for row in TRANSACTION_TYPES
}
# Converters of the fields that are not numbers.
_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "to": _recipient,
    "data": _bytes,
    "access_list": _access_list,
    "blob_versioned_hashes": _hashes,
    "authorization_list": _authorizations,
}
