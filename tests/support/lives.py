"""What the signer remembers of an intent that it has decided."""

from schemas.intent import Intent, intent_digest
from signer.account import LiveIntent
from tests.support.cases import DAY_MS, NOW_MS


def live_of(one: Intent) -> LiveIntent:
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
