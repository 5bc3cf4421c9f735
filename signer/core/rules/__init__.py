"""The rule of every gate, for every kind of intent, in the order of the gates."""

from collections.abc import Mapping
from typing import Final

from schemas.intents.intent import AnyIntent
from schemas.intents.reasons import Gate
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.rules import (
    admission,
    allowlist,
    chain_restriction,
    daily_limit,
    delegation,
    message,
    signing,
    simulation,
    typed_data,
    value_cap,
)
from signer.core.rules.decision import PASSED, Decision, GateFacts, Rule


def _not_applicable(_i: AnyIntent, _p: Policy, _a: Account, _f: GateFacts) -> Decision:
    """Pass: a message moves no value, costs no gas and cannot be simulated."""
    return PASSED


def _message_rules(allowlisted: Rule) -> dict[Gate, Rule]:
    return {
        Gate.ADMISSION: admission.decide,
        Gate.ALLOWLIST: allowlisted,
        Gate.VALUE_CAP: _not_applicable,
        Gate.DAILY_LIMIT: _not_applicable,
        Gate.CHAIN_RESTRICTION: chain_restriction.decide,
        Gate.SIMULATION: _not_applicable,
        Gate.SIGNING: signing.decide_key,
    }


RULES: Final[Mapping[str, Mapping[Gate, Rule]]] = {
    "transaction": {
        Gate.ADMISSION: admission.decide_transaction,
        Gate.ALLOWLIST: allowlist.decide,
        Gate.VALUE_CAP: value_cap.decide,
        Gate.DAILY_LIMIT: daily_limit.decide,
        Gate.CHAIN_RESTRICTION: chain_restriction.decide,
        Gate.SIMULATION: simulation.decide,
        Gate.SIGNING: signing.decide,
    },
    "personal_sign": _message_rules(message.decide),
    "typed_data": _message_rules(typed_data.decide),
    "authorization": _message_rules(delegation.decide)
    | {Gate.CHAIN_RESTRICTION: delegation.decide_chain, Gate.SIGNING: signing.decide_delegation},
}
