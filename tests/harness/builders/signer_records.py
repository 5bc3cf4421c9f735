"""A boot record without attestation evidence, and the state record of a decided intent."""

import base64
from typing import Any

from schemas.intents.intent import TransactionIntent, intent_digest, request_digest
from schemas.intents.outcome import IntentRejected, TransactionSigned
from schemas.keys.boot import BootFacts, SignerBoot, evidence_digest
from signer.core.account import Account, LiveIntent
from signer.core.case import Case
from signer.core.decide import Allocation, Judgement, Refusal, authorize
from signer.core.registry.registry import Registry
from tests.harness.builders.cases import DAY_MS, NOW_MS, SIGNER

EVIDENCE = b"{}"


def boot_event(unique: int, **changes: Any) -> SignerBoot:
    """Return the record of a boot; ``unique`` distinguishes boots."""
    members: dict[str, Any] = {
        "org": "acme",
        "signer": SIGNER.keyid,
        "public_key": SIGNER.public_key,
        "started_at_ms": NOW_MS,
        "configuration": "0x" + "04" * 32,
        "key_set": "0x" + "03" * 32,
        "registry": Registry("0x" + "00" * 32).last_digest,
        "registry_sequence": 0,
        "unique": f"0x{unique:032x}",
    }
    facts = BootFacts(**(members | changes))
    return SignerBoot(
        id=facts.boot_id(),
        facts=facts,
        evidence=base64.b64encode(EVIDENCE).decode(),
        evidence_digest=evidence_digest(EVIDENCE),
        simulated=True,
    )


def live_of(one: TransactionIntent) -> LiveIntent:
    return LiveIntent(
        account=one.account,
        intent=intent_digest(one.encode()),
        request=request_digest(one),
        agent=one.agent,
        idempotency_key=one.idempotency_key,
        expires_at_ms=one.expires_at_ms,
        decided_at_ms=NOW_MS,
        forget_at_ms=NOW_MS + DAY_MS,
        sequence=1,
    )


def judge(one: Case, account: Account) -> Judgement:
    """Return the decision of the tests' signer."""
    return authorize(one, account, SIGNER.keyid)


def allocated(judged: Judgement) -> TransactionSigned:
    """Return the allocation, or fail if the intent was refused."""
    assert isinstance(judged, Allocation), judged
    assert isinstance(judged.live.pinned, TransactionSigned)
    return judged.live.pinned


def refused(judged: Judgement) -> IntentRejected:
    """Return the refusal, or fail if the intent was allocated."""
    assert isinstance(judged, Refusal), judged
    assert isinstance(judged.live.pinned, IntentRejected)
    return judged.live.pinned
