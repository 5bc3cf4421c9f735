"""Transaction types (EIP-2718): the type of an intent, and whether its fields fit that type."""

from typing import Final

from schemas.intents.intent import TransactionIntent
from signer.core.ethereum.encoding import TRANSACTION_TYPES
from signer.core.ethereum.transaction import TxType
from signer.core.ethereum.validation import TransactionProblem

_COMMON: Final = frozenset({"chain_id", "nonce", "gas_limit", "to", "value_wei", "data"})
# The fields of each type, except the common ones.
FIELDS: Final[dict[int, frozenset[str]]] = {
    row.number: frozenset(name for name, _ in row.fields) - _COMMON for row in TRANSACTION_TYPES
}
GAS_PRICED: Final = frozenset(number for number, own in FIELDS.items() if "gas_price_wei" in own)
_TYPED_FIELDS: Final = tuple(sorted(frozenset().union(*FIELDS.values())))


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
