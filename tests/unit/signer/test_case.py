"""Registered facts alone never allow a signature."""

from schemas.intents.intent import intent_digest
from schemas.intents.outcome import IntentRejected
from schemas.intents.reasons import Reason
from signer.core.account import Account
from signer.core.case import Authentic, registered_case
from signer.core.decide import Refusal, authorize
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
