"""The store of idempotency keys against a model: repeats, conflicts, crashes and forgetting."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import TransactionIntent, decode_intent
from sixgate.gateway.database import Database
from sixgate.gateway.idempotency import (
    Begun,
    IdempotencyKeys,
    KeyConflictError,
    KeyInUseError,
    KeyName,
    NewRequest,
    SignedIntent,
)
from tests.harness.builders.cases import ALICE, NOW_MS, intent
from tests.harness.sizes import sized

REMEMBER_MS = 1_000
NAMES = st.builds(KeyName, st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]))
VALUES_WEI = {"r": 1, "another form of r": 1, "s": 2}
REQUESTS = st.sampled_from(sorted(VALUES_WEI))


class Known:
    """What the model knows of a key."""

    def __init__(self, request: str, signed: SignedIntent, at_ms: int) -> None:
        self.request, self.signed, self.at_ms = request, signed, at_ms
        self.running = True
        self.outcome: dict[str, Any] | None = None
        self.submitted = False
        self.ended = False  # at any time
        self.ended_here = False  # since the last start


class Keys(RuleBasedStateMachine):
    """Runs the store and the model side by side."""

    @initialize()
    def start(self) -> None:
        self.folder = TemporaryDirectory()
        self.database = Database(Path(self.folder.name) / "gateway.db")
        self.keys = IdempotencyKeys(self.database)
        self.known: dict[KeyName, Known] = {}
        self.now_ms, self.made = 10_000, 0

    def _new(self, request: str) -> NewRequest:
        value_wei = VALUES_WEI[request]

        def repeats(earlier: SignedIntent) -> bool:
            body = Envelope.decode(earlier.envelope).body()
            found = decode_intent(body)
            return isinstance(found, TransactionIntent) and found.value_wei == value_wei

        return NewRequest(request, partial(self._make, value_wei), repeats)

    @rule(name=NAMES, request=REQUESTS)
    def begin(self, name: KeyName, request: str) -> None:
        self._forget()
        known = self.known.get(name)
        made_before, new = self.made, self._new(request)
        terms: Any = {"now_ms": self.now_ms, "remember_ms": REMEMBER_MS}
        if known is None:
            begun = self.keys.begin(name, new, **terms)
            self.known[name] = Known(request, begun.signed, self.now_ms)
            assert begun == Begun(begun.signed)
        elif (other := VALUES_WEI[known.request] != VALUES_WEI[request]) or known.running:
            refused = KeyConflictError if other else KeyInUseError
            with pytest.raises(refused, match=known.signed.intent):
                self.keys.begin(name, new, **terms)
        else:
            begun = self.keys.begin(name, new, **terms)
            repeated = Begun(known.signed, True, known.outcome, known.submitted)  # noqa: FBT003
            assert begun == repeated
            known.running = True
        assert self.made == made_before + (known is None), "a repetition was admitted and signed"

    @rule(name=NAMES, request=REQUESTS)
    def begin_and_fail(self, name: KeyName, request: str) -> None:
        self._forget()
        if name in self.known:
            return

        def make() -> SignedIntent:
            raise LookupError

        with pytest.raises(LookupError):
            self.keys.begin(
                name, self._new(request)._replace(make=make), now_ms=self.now_ms,
                remember_ms=REMEMBER_MS,
            )  # fmt: skip

    @rule(name=NAMES, outcome=st.none() | st.just({"type": "x"}), submitted=st.booleans())
    def finish(self, name: KeyName, outcome: dict[str, Any] | None, submitted: bool) -> None:  # noqa: FBT001
        known = self.known.get(name)
        if known is None or not known.running:
            return
        self.keys.finish(name, outcome, submitted=submitted)
        known.running = False
        known.outcome = outcome or known.outcome
        known.ended |= outcome is not None
        known.ended_here |= outcome is not None
        known.submitted = (known.submitted or submitted) and known.outcome is None

    @rule(ms=st.sampled_from([1, 400, 1_001]))
    def wait(self, ms: int) -> None:
        if not any(known.running for known in self.known.values()):
            self.now_ms += ms  # a request never runs as long as keys are remembered

    @rule(flushed=st.booleans())
    def restart(self, flushed: bool) -> None:  # noqa: FBT001
        if flushed:
            self.keys.flush()
        self.keys = IdempotencyKeys(self.database)
        again: list[SignedIntent] = []
        self.keys.resume(again.append)
        for known in self.known.values():
            resumed = known.signed in again
            assert resumed or known.ended, "an undecided intent was not submitted at the start"
            assert not (resumed and flushed and known.ended_here)
            known.running = known.ended_here = False
            known.outcome, known.submitted = None, resumed
        assert len(again) == len(set(again))

    @invariant()
    def one_intent_each(self) -> None:
        if hasattr(self, "known"):
            intents = [known.signed.intent for known in self.known.values()]
            assert len(intents) == len(set(intents))

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    def _forget(self) -> None:
        oldest_ms = self.now_ms - REMEMBER_MS
        self.known = {n: known for n, known in self.known.items() if known.at_ms >= oldest_ms}

    def _make(self, value_wei: int) -> SignedIntent:
        self.made += 1
        made = intent(value_wei=value_wei, expires_at_ms=NOW_MS + self.made)
        envelope = ALICE.sign_envelope(INTENT_TYPE, made.encode())
        return SignedIntent("main", f"0x{self.made:064x}", envelope.encode())


TestKeys = Keys.TestCase
# Each step writes to the disk.
TestKeys.settings = settings(max_examples=sized(20, 2_000), stateful_step_count=20)
