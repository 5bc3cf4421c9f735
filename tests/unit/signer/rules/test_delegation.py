from typing import Any

import pytest

from schemas.intents.intent import AuthorizationIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.rules import delegation
from signer.core.rules.decision import PASSED, Decision, Rejected
from tests.harness.builders.cases import ACCOUNT, BASE, COMMON, RECIPIENT, STRANGER, facts, policy

NOBODY = "0x" + "00" * 20


def decision(under: Policy, **changes: Any) -> Decision:
    terms = COMMON | {"delegate": RECIPIENT, "nonce": 0, "chain_id": BASE} | changes
    asked = AuthorizationIntent.model_construct(**terms)
    return delegation.decide(asked, under, Account(account=ACCOUNT), facts())


@pytest.mark.parametrize("delegate", [STRANGER, NOBODY, "0X" + RECIPIENT[2:]])
def test_only_listed_delegates_pass(delegate: str) -> None:
    for listed in ((), (RECIPIENT,)):
        under = policy(delegate_allowlist=listed, allow_any_chain_delegation=True)
        rejected = decision(under, delegate=delegate)
        assert isinstance(rejected, Rejected)
        assert rejected.reason is Reason.DELEGATE_NOT_ALLOWED
        assert rejected.evidence == {"delegate": delegate}


def test_a_delegation_for_every_chain_needs_a_policy_field() -> None:
    once = policy(delegate_allowlist=(RECIPIENT,))
    assert decision(once) == PASSED
    rejected = decision(once, chain_id=0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.ANY_CHAIN_DELEGATION
    everywhere = policy(delegate_allowlist=(RECIPIENT,), allow_any_chain_delegation=True)
    assert decision(everywhere, chain_id=0) == PASSED


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"nonce": 2**64 - 1}, "authorization_nonce_out_of_range", "nonce"),
        ({"nonce": -1}, "authorization_nonce_out_of_range", "nonce"),
        ({"chain_id": 2**64}, "authorization_chain_id_out_of_range", "chain_id"),
        ({"delegate": "0x1111"}, "authorization_address_malformed", "address"),
    ],
)
def test_an_authorization_that_breaks_the_protocol_is_rejected_with_its_place(
    changes: dict[str, Any], code: str, place: str
) -> None:
    listed = policy().model_copy(update={"delegate_allowlist": (RECIPIENT, "0x1111")})
    rejected = decision(listed, **changes)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.INVALID_TRANSACTION
    assert rejected.evidence == {"code": code, "place": place}
