"""What is registered alone lets nothing be signed."""

from schemas.intent import intent_digest
from schemas.outcome import IntentRejected
from schemas.reasons import Reason
from signer.account import Account
from signer.authority import Refusal, authorize
from signer.case import Authentic, registered_case
from tests.harness.builders.cases import (
    ACCOUNT,
    NOW_MS,
    SIGNER,
    agent,
    intent,
    provisioned,
    registered,
)


def test_a_case_of_what_is_registered_has_its_key_shut() -> None:
    _, registry = registered()
    asked = intent()
    authentic = Authentic(asked, agent(), intent_digest(asked.encode()))
    case = registered_case(authentic, registry, provisioned(registry), NOW_MS)
    judged = authorize(case, Account(account=ACCOUNT), SIGNER.keyid)
    assert isinstance(judged, Refusal)
    assert isinstance(judged.live.pinned, IntentRejected)
    assert judged.live.pinned.reason is Reason.KEY_UNAVAILABLE
