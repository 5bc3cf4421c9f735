"""Registered facts alone never allow a signature."""

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


def test_a_case_of_registered_facts_has_no_usable_key() -> None:
    _, registry = registered()
    asked = intent()
    authentic = Authentic(asked, agent(), intent_digest(asked.encode()))
    case = registered_case(authentic, registry, provisioned(registry).reference, NOW_MS)
    judged = authorize(case, Account(account=ACCOUNT), SIGNER.keyid)
    assert isinstance(judged, Refusal)
    assert isinstance(judged.live.pinned, IntentRejected)
    assert judged.live.pinned.reason is Reason.KEY_UNAVAILABLE
