"""What the signer remembers of an intent that it has decided."""

from schemas.intent import TransactionIntent, intent_digest
from schemas.outcome import IntentRejected, TransactionSigned
from signer.account import Account, LiveIntent
from signer.authority import Allocation, Judgement, Refusal, authorize
from signer.case import Case
from tests.harness.builders.cases import DAY_MS, NOW_MS, SIGNER


def live_of(one: TransactionIntent) -> LiveIntent:
    return LiveIntent(
        account=one.account,
        intent=intent_digest(one.encode()),
        agent=one.agent,
        idempotency_key=one.idempotency_key,
        expires_at_ms=one.expires_at_ms,
        decided_at_ms=NOW_MS,
        forget_at_ms=NOW_MS + DAY_MS,
        sequence=1,
    )


def judge(one: Case, account: Account) -> Judgement:
    """Return what the signer of these tests decides."""
    return authorize(one, account, SIGNER.keyid)


def allocated(judged: Judgement) -> TransactionSigned:
    """Return what a judgement allocates, or fail."""
    assert isinstance(judged, Allocation), judged
    assert isinstance(judged.live.pinned, TransactionSigned)
    return judged.live.pinned


def refused(judged: Judgement) -> IntentRejected:
    """Return what a judgement refuses, or fail."""
    assert isinstance(judged, Refusal), judged
    assert isinstance(judged.live.pinned, IntentRejected)
    return judged.live.pinned
