"""Answers submitted records that need not enter the pipeline of a data folder.

1. A record that is no intent of a registered agent enters it: the gates record why not.
2. A repetition of a request that has its outcome ends like the first intent, if the signer
   remembers that one until the repetition expires. Otherwise it enters the pipeline, where the
   signer extends its memory.
3. An intent over its agent's rate is refused. It gets no outcome, because nothing is stored of it;
   the minute's count of such intents is recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.intents.intent import request_digest
from schemas.intents.reasons import Gate
from schemas.ledger.audit import audited
from schemas.record import Outgoing
from signer.core.account import owner_key
from signer.core.authentication import authenticate
from signer.core.case import Authentic
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from sixgate.api import REFUSED, ApiError, Json
from sixgate.clocks import wall_ms
from sixgate.intents.intake import Intake, RefusedCount, intents_max
from sixgate.services.embedded.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class EarlyAnswers:
    """Answers records before they are appended; ``outcomes`` finds those of intents."""

    pipeline: Pipeline
    intake: Intake
    outcomes: Callable[[Sequence[str]], dict[str, Json]]

    def __call__(self, pairs: Sequence[tuple[str, bytes]]) -> dict[int, Json]:
        """Return the answers of the records that must not be appended, by index.

        Raises ``ApiError`` ``quota_exceeded`` and ``disk_low``: then none may be appended.
        """
        self.record_refused(wall_ms())
        # 1.
        with self.pipeline.lock:
            asked = {index: self._asked(*pair) for index, pair in enumerate(pairs)}
            known = {index: one for index, one in asked.items() if one is not None}
            firsts = {index: self._first(one) for index, one in known.items()}
        # 2. The lock is free again: finding outcomes may read the ledger.
        repeated = {index: first for index, first in firsts.items() if first is not None}
        outcomes = self.outcomes(list(repeated.values())) if repeated else {}
        found: dict[int, Json] = {}
        admitted: set[str] = set()
        for index, one in known.items():
            outcome = outcomes.get(repeated.get(index, ""))
            request = request_digest(one.intent)
            if outcome is None and request in admitted:
                continue  # it repeats a record before it, which the signer decides first
            # 3.
            answer = _repeated(outcome) if outcome else self._refused(one)
            if answer is None:
                admitted.add(request)
            else:
                found[index] = {"index": index} | answer
        return found

    def record_refused(self, at_ms: int | None = None) -> None:
        """Record the refused counts of ended minutes; all counts if ``at_ms`` is None."""
        if counts := self.intake.ended(at_ms):
            signer = self.pipeline.slot.signer
            self.pipeline.publish([_audit(count, signer) for count in counts])

    def _asked(self, key: str, value: bytes) -> Authentic | None:
        try:
            asked = authenticate(Envelope.decode(value), self.pipeline.slot.registry)
        except (MalformedError, UnknownAgentError, InvalidSignatureError):
            return None
        return asked if key == asked.intent.account else None

    def _refused(self, asked: Authentic) -> Json | None:
        limit = intents_max(self.pipeline.slot.registry, asked.agent.agent)
        over = self.intake.admit(asked.agent.agent, limit, asked.intent.encode(), wall_ms())
        if over is None:
            return None
        if over.code != "rate_exceeded":
            raise ApiError(over.code, f"{asked.agent.agent}: {over.detail}; nothing was accepted")
        refused = {"type": REFUSED, "gate": Gate.ADMISSION, "reason": over.code}
        refused |= {"intent": asked.digest, "detail": over.detail}
        return {"intent": asked.digest, "result": refused, "repeated": False}

    def _first(self, asked: Authentic) -> str | None:
        """Return the intent whose outcome this one shares, or None if the signer must decide.

        The conditions are those of ``signer.core.decide``, except that the signer's memory stays as
        it is.
        """
        intent, memory = asked.intent, self.pipeline.slot.stage.memory
        owner = memory.live(intent.account, owner_key(intent.agent, intent.idempotency_key))
        for same in (owner, memory.live(intent.account, asked.digest)):
            if same is not None and same.intent == asked.digest and same.pinned is None:
                return asked.digest
        if owner is None or owner.pinned is not None or owner.request != request_digest(intent):
            return None
        return owner.intent if intent.expires_at_ms <= owner.forget_at_ms else None


def _repeated(outcome: Json) -> Json:
    return {"intent": outcome["intent"], "result": outcome, "repeated": True}


def _audit(refused: RefusedCount, signer: str) -> Outgoing:
    # With the digest: a process that started again in the same minute counts anew.
    source = f"intake/{refused.agent}/{refused.minute_ms}/{refused.digest}"
    detail = f"{refused.count} intents of {refused.agent} over its limits in this minute"
    return audited(
        "intent.over_limit",
        source,
        refused.digest,
        detail,
        actor=signer,
        at_ms=refused.minute_ms,
    )
