"""A signer that crashes anywhere, any number of times, checked by its published outcomes."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.intents.intent import AuthorizationIntent, TransactionIntent
from schemas.intents.outcome import IntentRejected
from schemas.intents.reasons import Reason
from signer.core.window import SPENT_MS
from signer.stage.memory import Memory
from signer.stage.stage import Arrival, Batch
from signer.stage.state import MAC_BYTES, StateIntegrityError, StateKey, StateWrite
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    COMMON,
    DAY_MS,
    ETH,
    HOUR_MS,
    MAINNET,
    NOW_MS,
    RECIPIENT,
    STRANGER,
    arrival,
    intent,
    sealed,
)
from tests.harness.builders.crashing_signer import (
    AGENTS,
    EVERY_CHAIN,
    HOT,
    KEYS,
    REGISTRY,
    SECRETS,
    ask,
    check_settled,
)
from tests.harness.builders.state_store import DictStateStore
from tests.harness.pipeline.signer_process import SLOT, STATE_MAC, Crash, Died, Disk, SignerProcess
from tests.harness.sizes import effort

LIMIT_WEI = 5 * ETH

waits = st.sampled_from([0, 1, 60_000, HOUR_MS, DAY_MS - 1, DAY_MS, SPENT_MS, SPENT_MS + 1])
crashes = st.sampled_from([None, None, *Crash])
requests = st.fixed_dictionaries(
    {
        "agent": st.sampled_from(sorted(AGENTS)),
        "kind": st.sampled_from(["transaction", "transaction", "authorization"]),
        "chain_id": st.sampled_from([BASE, MAINNET]),
        "every_chain": st.sampled_from([False, False, True]),
        "to": st.sampled_from([RECIPIENT] * 9 + [STRANGER]),
        "value_wei": st.sampled_from([0, 1, ETH, 2 * ETH, 5 * ETH, 5 * ETH + 1]),
        "nonce": st.sampled_from([None, None, None, 0, 1, 5]),
        "idempotency_key": st.sampled_from("abcdefgh"),
        "expires_in_ms": st.sampled_from([0, 1, HOUR_MS, HOUR_MS, DAY_MS, DAY_MS + 1, 3 * DAY_MS]),
    }
)


class CrashingSigner(RuleBasedStateMachine):
    """The adversary submits, replays, waits and kills, but cannot change the disk."""

    @initialize()
    def begin(self) -> None:
        self.now_ms = NOW_MS
        self.disk = Disk()
        self.submitted: list[Arrival] = []
        self.handed_out: dict[str, set[bytes]] = {}
        self.charged_ms: dict[str, int] = {}
        self.settled = True
        self.checked = 0
        self._boot()

    @rule(asked=st.lists(requests, min_size=1, max_size=4), wait_ms=waits, die=crashes)
    def submit(self, asked: list[dict[str, Any]], wait_ms: int, die: Crash | None) -> None:
        arrivals = [self._arrival(dict(one)) for one in asked]
        self.submitted += arrivals
        self._run(arrivals, wait_ms, die)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), wait_ms=waits, die=crashes)
    def repeat(self, data: st.DataObject, wait_ms: int, die: Crash | None) -> None:
        again = data.draw(st.lists(st.sampled_from(self.submitted), min_size=1, max_size=4))
        self._run(again, wait_ms, die)

    @rule(wait_ms=waits, die=crashes)
    def restart(self, wait_ms: int, die: Crash | None) -> None:
        self.now_ms += wait_ms
        self._boot(die)

    @invariant()
    def every_promise_holds(self) -> None:
        outcomes = self.disk.outcomes
        if self.settled and len(outcomes) > self.checked:
            check_settled(outcomes)
            check_limit(self.disk, {})
            check_limit(self.disk, self.charged_ms)
            self._check_no_false_refusal()
            self.checked = len(outcomes)
        assert all(len(versions) == 1 for versions in self.handed_out.values())
        assert len(self.disk.audits) == len({audit.id for audit in self.disk.audits})

    def teardown(self) -> None:
        """Assert that every submitted intent has an outcome in the end, its own or a shared one."""
        self._boot()
        if self.submitted:
            self._run(list(self.submitted), 0, None)
        decided = {outcome.intent for outcome in self.disk.outcomes}
        shared = {one.subject for one in self.disk.audits if one.detail in decided}
        assert decided | shared == {one.clearance.intent for one in self.submitted}
        check_settled(self.disk.outcomes)

    def _arrival(self, terms: dict[str, Any]) -> Arrival:
        account, by = AGENTS[terms["agent"]]
        expires_at_ms = self.now_ms + terms.pop("expires_in_ms")
        where = {"account": account, "key_path": HOT, "expires_at_ms": expires_at_ms}
        asked = wanted(terms | where)
        return arrival(asked, len(self.submitted), envelope=sealed(asked, by))

    def _run(self, arrivals: list[Arrival], wait_ms: int, die: Crash | None) -> None:
        self.now_ms += wait_ms
        numbered = [
            Arrival(f"{len(self.disk.published)}/{n}", a.clearance) for n, a in enumerate(arrivals)
        ]
        try:
            self._charge(self.process.run(numbered, self.now_ms, die))
        except Died:
            self.settled = False
            self.now_ms += wait_ms
            self._boot()

    def _boot(self, die: Crash | None = None) -> None:
        self.process = SignerProcess(self.disk, REGISTRY, KEYS, SECRETS, handed_out=self.handed_out)
        try:
            self._charge(self.process.start(self.now_ms, die))
        except Died:
            self._boot()
        self.settled = True

    def _charge(self, batch: Batch) -> None:
        for _, live in batch.pinned:
            self.charged_ms[live.intent] = self.now_ms

    def _check_no_false_refusal(self) -> None:
        """Assert that intents rejected for the limit would have exceeded it."""
        for refused in self.disk.outcomes[self.checked :]:
            limit = Reason.DAILY_LIMIT_EXCEEDED
            if isinstance(refused, IntentRejected) and refused.reason is limit:
                spent = [
                    (self.charged_ms.get(one.intent, one.decided_at_ms), one.value_wei)
                    for one in self.disk.signed()
                    if one.account == refused.account and one.sequence < refused.sequence
                ]
                oldest_ms = refused.decided_at_ms - SPENT_MS
                total = sum(wei for at_ms, wei in spent if at_ms >= oldest_ms)
                assert refused.value_wei is not None
                assert total + refused.value_wei > LIMIT_WEI


def wanted(terms: dict[str, Any]) -> TransactionIntent | AuthorizationIntent:
    kind, every_chain = terms.pop("kind"), terms.pop("every_chain")
    if kind == "transaction":
        return intent(**terms)
    chain_id = EVERY_CHAIN if every_chain else terms["chain_id"]
    shared = COMMON | {name: value for name, value in terms.items() if name in COMMON}
    return AuthorizationIntent(
        **(shared | {"chain_id": chain_id}), delegate=STRANGER, nonce=terms["nonce"]
    )


def check_limit(disk: Disk, made_ms: dict[str, int]) -> None:
    """Assert the limit for every 24 hours, by time of decision and by time of signature."""
    signed = [
        (one.account, made_ms.get(one.intent, one.decided_at_ms), one.value_wei)
        for one in disk.signed()
    ]
    for account, last_ms, _ in signed:
        day = [wei for of, at_ms, wei in signed if of == account and 0 <= last_ms - at_ms <= DAY_MS]
        assert sum(day) <= LIMIT_WEI


CrashingSigner.TestCase.settings = effort(0.5, soak=1)
TestCrashingSigner = CrashingSigner.TestCase


def lived(die: Crash | None) -> DictStateStore:
    """Return the state of two accounts after a few batches; the last one may crash."""
    disk = Disk()
    process = SignerProcess(disk, REGISTRY, KEYS, SECRETS)
    batches = [
        [("alice", "a", 1), ("bob", "a", 2), ("carol", "a", 3)],
        [("alice", "b", 4), ("alice", "a", 5), ("carol", "b", 6 * ETH)],
        [("bob", "c", 7), ("carol", "c", 8)],
    ]
    with suppress(Died):
        for n, batch in enumerate(batches):
            arrivals = [ask(*terms) for terms in batch]
            process.run(arrivals, NOW_MS + n, die if n == len(batches) - 1 else None)
    return disk.state


def prove(store: DictStateStore) -> None:
    memory = Memory(store, STATE_MAC, SLOT)
    for account in (ACCOUNT, "ops"):
        memory.account(account)
    list(memory.pinned())


@st.composite
def tamperings(draw: st.DrawFn, store: DictStateStore) -> list[StateWrite]:
    """Draw records that an attacker with every old record, but not the key, can write."""
    places = sorted(key for key in store.records if key.kind != "slot")
    sealed_ever = sorted({value for versions in store.versions.values() for value in versions})
    victim = draw(st.sampled_from(places))
    now = store.records[victim].value or b""
    other = draw(st.sampled_from(places))
    elsewhere = StateKey(draw(st.sampled_from([ACCOUNT, "ops"])), "live", "0x" + "ab" * 32)
    bit = draw(st.integers(0, 8 * len(now) - 1))
    flipped = bytearray(now)
    flipped[bit // 8] ^= 1 << bit % 8
    attacks = {
        "flip": [StateWrite(victim, bytes(flipped))],
        "cut": [StateWrite(victim, now[: bit // 8])],
        "remove": [StateWrite(victim, None)],
        "replay": [StateWrite(victim, draw(st.sampled_from(sealed_ever)))],
        "swap": [StateWrite(victim, store.records[other].value), StateWrite(other, now)],
        "copy": [StateWrite(elsewhere, now)],
        "invent": [StateWrite(victim, draw(st.binary(max_size=MAC_BYTES + 4)))],
    }
    return attacks[draw(st.sampled_from(sorted(attacks)))]


@pytest.mark.parametrize("die", [None, Crash.BEFORE_SIGNING])
@effort(0.75, soak=2)
@given(data=st.data())
def test_state_changed_without_the_key_is_detected(die: Crash | None, data: st.DataObject) -> None:
    store = lived(die)
    before = {key: write.value for key, write in store.records.items()}
    for write in data.draw(tamperings(store)):
        if write.value is None:
            del store.records[write.key]
        else:
            store.put(replace(store.records.get(write.key, write), value=write.value))
    if {key: write.value for key, write in store.records.items()} == before:
        prove(store)
    else:
        with pytest.raises(StateIntegrityError):
            prove(store)


def test_untouched_state_is_accepted() -> None:
    for die in (None, *Crash):
        prove(lived(die))
