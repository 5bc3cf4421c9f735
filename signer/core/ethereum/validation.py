"""Validation of transactions and authorizations, before any key is used."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, get_args

from signer.core.ethereum.authorization import Authorization
from signer.core.ethereum.rule_table import AUTHORIZATION_RULES, RULES, Rule
from signer.core.ethereum.transaction import Transaction

_RULES_OF: Final = {
    record: tuple(rule for rule in RULES if record in rule.records)
    for record in get_args(Transaction)
}


@dataclass(frozen=True, slots=True)
class TransactionProblem:
    """Why a transaction is rejected: a stable code, the location, and a sentence with it."""

    code: str
    location: str
    detail: str


def first_problem(tx: Transaction) -> TransactionProblem | None:
    """Return the problem of the first broken rule, in the order of `RULES`, or None."""
    return _first(_RULES_OF[type(tx)], tx)


def first_authorization_problem(authorization: Authorization) -> TransactionProblem | None:
    """Return the problem of the first broken rule of `AUTHORIZATION_RULES`, or None.

    Chain id 0 (every chain) passes.
    """
    return _first(AUTHORIZATION_RULES, authorization)


def _first(rules: Iterable[Rule], record: Any) -> TransactionProblem | None:
    for code, find, requirement, _ in rules:
        location = find(record)
        if location is not None:
            return TransactionProblem(code, location, f"{location} {requirement}.")
    return None
