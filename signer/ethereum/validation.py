"""What a transaction must satisfy before a key is touched."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, get_args

from signer.ethereum.authorization import Authorization
from signer.ethereum.rule_table import AUTHORIZATION_RULES, RULES, Rule
from signer.ethereum.transaction import Transaction

_RULES_OF: Final = {
    record: tuple(rule for rule in RULES if record in rule.records)
    for record in get_args(Transaction)
}


@dataclass(frozen=True, slots=True)
class TransactionProblem:
    """Say why a transaction is refused: a stable code, the place, and a sentence with both."""

    code: str
    place: str
    detail: str


def first_problem(tx: Transaction) -> TransactionProblem | None:
    """Return the first rule that the transaction breaks, in the order of `RULES`, or None."""
    return _first(_RULES_OF[type(tx)], tx)


def first_authorization_problem(authorization: Authorization) -> TransactionProblem | None:
    """Return the first of `AUTHORIZATION_RULES` that is broken, or None.

    Chain id 0, an authorization for every chain, is within them.
    """
    return _first(AUTHORIZATION_RULES, authorization)


def _first(rules: Iterable[Rule], record: Any) -> TransactionProblem | None:
    for code, find, requirement, _ in rules:
        place = find(record)
        if place is not None:
            return TransactionProblem(code, place, f"{place} {requirement}.")
    return None
