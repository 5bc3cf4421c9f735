import pytest

from schemas.intents.reasons import Reason
from schemas.registry.records import ChainSet
from signer.core.account import Account
from signer.core.rules.chain_restriction import decide
from signer.core.rules.decision import Rejected
from tests.harness.builders.cases import ACCOUNT, chain, facts, intent, policy

BASE_CHAIN = chain(aliases=("base-mainnet", "coinbase"))


@pytest.mark.parametrize(
    ("allowed", "registered", "expected"),
    [
        (("base",), BASE_CHAIN, None),
        (("base-mainnet",), BASE_CHAIN, None),
        (("ethereum", "coinbase"), BASE_CHAIN, None),
        (("ethereum",), BASE_CHAIN, Reason.CHAIN_NOT_ALLOWED),
        (("bas",), BASE_CHAIN, Reason.CHAIN_NOT_ALLOWED),
        (("base-sepolia",), BASE_CHAIN, Reason.CHAIN_NOT_ALLOWED),
        (("8453",), BASE_CHAIN, Reason.CHAIN_NOT_ALLOWED),
        (("base-mainnet",), chain(aliases=()), Reason.CHAIN_NOT_ALLOWED),
        ("any", BASE_CHAIN, None),
        ((), BASE_CHAIN, None),
        ("any", None, Reason.CHAIN_UNKNOWN),
        ((), None, Reason.CHAIN_UNKNOWN),
        (("base",), None, Reason.CHAIN_UNKNOWN),
    ],
)
def test_an_agent_acts_on_registered_and_allowed_chains_only(
    allowed: object, registered: ChainSet | None, expected: Reason | None
) -> None:
    under = policy(tx_allowed_chains=allowed)
    decision = decide(intent(), under, Account(account=ACCOUNT), facts(chain=registered))
    assert (decision.reason if isinstance(decision, Rejected) else None) == expected
