import pytest

from schemas.intents.reasons import Reason
from signer.core.account import Account
from signer.core.rules.allowlist import decide
from signer.core.rules.decision import Rejected
from tests.harness.builders.cases import ACCOUNT, RECIPIENT, STRANGER, facts, intent, policy

ZERO = "0x" + "00" * 20


@pytest.mark.parametrize(
    ("allowlist", "to", "creation", "expected"),
    [
        ((RECIPIENT,), RECIPIENT, False, None),
        ((STRANGER, RECIPIENT), RECIPIENT, False, None),
        ((STRANGER,), RECIPIENT, False, Reason.RECIPIENT_NOT_ALLOWED),
        ((RECIPIENT,), ZERO, False, Reason.RECIPIENT_NOT_ALLOWED),
        ((RECIPIENT,), RECIPIENT[:-1] + "2", False, Reason.RECIPIENT_NOT_ALLOWED),
        ("any", STRANGER, False, None),
        ((), STRANGER, False, None),
        ("any", None, False, Reason.CONTRACT_CREATION),
        ((), None, False, Reason.CONTRACT_CREATION),
        ((RECIPIENT,), None, True, None),
        ("any", None, True, None),
        ((RECIPIENT,), STRANGER, True, Reason.RECIPIENT_NOT_ALLOWED),
    ],
)
def test_only_listed_recipients_pass(
    allowlist: object,
    to: str | None,
    *,
    creation: bool,
    expected: Reason | None,
) -> None:
    under = policy(tx_to_allowlist=allowlist, allow_contract_creation=creation)
    decision = decide(intent(to=to), under, Account(account=ACCOUNT), facts())
    assert (decision.reason if isinstance(decision, Rejected) else None) == expected


def test_the_rejection_names_the_recipient() -> None:
    under = policy(tx_to_allowlist=(STRANGER,))
    decision = decide(intent(), under, Account(account=ACCOUNT), facts())
    assert decision.evidence == {"to": RECIPIENT}
