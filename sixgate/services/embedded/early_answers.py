"""Answers submitted records that need not enter the pipeline of a data folder.

1. A record that is no intent of a registered agent enters it: the gates record why not.
2. A repetition of a request that has its outcome ends like the first intent, if the signer
   remembers that one until the repetition expires. Otherwise it enters the pipeline, where the
   signer extends its memory. A repetition of an earlier record of the same submission shares
   the end of that record.
3. An intent over its agent's rate or bytes is refused. It gets no outcome, because nothing is
   stored of it; the minute's count of such intents is recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.intents.intent import EXPIRY_MS_MAX, request_digest
from schemas.intents.reasons import Gate
from schemas.ledger.audit import audited
from schemas.record import Outgoing
from signer.core.account import owner_key
from signer.core.authentication import authenticate
from signer.core.case import Authentic
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from sixgate.api import REFUSED, Json
from sixgate.backends.operations import Early
from sixgate.clocks import wall_ms
from sixgate.intents.intake import Intake, OverLimit, RefusedCount, intents_max
from sixgate.services.embedded.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class EarlyAnswers:
    """Answers records before they are appended; ``outcomes`` finds those of intents."""

    pipeline: Pipeline
    intake: Intake
    outcomes: Callable[[Sequence[str]], dict[str, Json]]

    def __call__(self, pairs: Sequence[tuple[str, bytes]]) -> Early:
        """Return what ends before the pipeline; raise ``ApiError`` ``disk_low``."""
        now_ms = wall_ms()
        self.record_refused(now_ms)
        # 1.
        with self.pipeline.lock:
            asked = {index: self._asked(*pair) for index, pair in enumerate(pairs)}
            known = {index: one for index, one in asked.items() if one is not None}
            firsts = {index: self._first(one) for index, one in known.items()}
        # 2. The lock is free again: finding outcomes may read the ledger.
        repeated = {index: first for index, first in firsts.items() if first is not None}
        outcomes = self.outcomes(list(repeated.values())) if repeated else {}
        found = {
            index: _repeated(index, outcomes[first])
            for index, first in repeated.items()
            if first in outcomes
        }
        new = {index: one for index, one in known.items() if index not in found}
        if new:
            self.intake.check_disk()
        admitted: dict[str, int] = {}
        repeats: dict[int, int] = {}
        for index, one in new.items():
            request = request_digest(one.intent)
            is_near = one.intent.expires_at_ms - now_ms <= EXPIRY_MS_MAX
            if is_near and request in admitted:
                # The signer will remember the first one for longer than this one is valid.
                repeats[index] = admitted[request]
            # 3.
            elif (over := self._problem(one, now_ms)) is not None:
                found[index] = _refused(index, one, over)
            else:
                admitted.setdefault(request, index)
        return Early(found, repeats)

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

    def _problem(self, asked: Authentic, now_ms: int) -> OverLimit | None:
        limit = intents_max(self.pipeline.slot.registry, asked.agent.agent)
        return self.intake.admit(asked.agent.agent, limit, asked.intent.encode(), now_ms)

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


def _repeated(index: int, outcome: Json) -> Json:
    return {"index": index, "intent": outcome["intent"], "result": outcome, "repeated": True}


def _refused(index: int, asked: Authentic, over: OverLimit) -> Json:
    refused = {"type": REFUSED, "gate": Gate.ADMISSION, "reason": over.code}
    refused |= {"intent": asked.digest, "detail": over.detail}
    return {"index": index, "intent": asked.digest, "result": refused, "repeated": False}


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
