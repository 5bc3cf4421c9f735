"""Repeated requests at the signer: one outcome, whatever an agent, a broker or a crash does."""

import hashlib
import json
from typing import Any

import pytest

from schemas.intents.intent import TransactionIntent, intent_digest, request_digest
from schemas.intents.intent_parts import ClientShare
from schemas.intents.outcome import IntentRejected
from schemas.intents.reasons import Reason
from schemas.registry.records import SettingSet
from signer.core.account import LiveIntent
from signer.core.decide import Duplicate
from signer.core.errors import RegistryEntryError
from signer.core.registry.settings import (
    REMEMBER_MS_MAX,
    REMEMBER_MS_MIN,
    Settings,
    checked_setting,
)
from tests.harness.builders.cases import (
    ACCOUNT,
    DAY_MS,
    ETH,
    HOUR_MS,
    MAINNET,
    MALLORY,
    NOW_MS,
    STRANGER,
    agent,
    arrival,
    case,
    chain,
    intent,
    policy,
    provisioned,
    registered,
    sealed,
)
from tests.harness.builders.signer_records import judge, live_of
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess

SHARE = ClientShare(key_version=1, share_key="0x" + "01" * 32, box="0x" + "02" * 80)
FIRST = intent(value_wei=ETH)


def fresh(disk: Disk | None = None, remember_ms: int | None = None) -> SignerProcess:
    entries = [chain(chain_id=MAINNET, name="ethereum", aliases=())]
    bob = agent(agent="bob", public_key=MALLORY.public_key, key_paths=("agents/alice/keys/hot",))
    setting = [SettingSet(name="idempotency.remember_ms", value=remember_ms)] if remember_ms else []
    rules = policy(tx_daily_limit_eth="5")
    _, registry = registered(*entries, bob, *setting, under=rules)
    return SignerProcess(disk or Disk(), registry, provisioned(registry))


def name(one: TransactionIntent) -> str:
    return intent_digest(one.encode())


def ends(disk: Disk) -> list[str]:
    return [o.reason if isinstance(o, IntentRejected) else "signed" for o in disk.outcomes]


def told(disk: Disk) -> list[tuple[str, str]]:
    """Return which intents the audit records call repetitions, and of which intents."""
    assert {audit.action for audit in disk.audits} <= {"intent.duplicate"}
    return [(audit.subject, audit.detail) for audit in disk.audits]


def again(at_ms: int = NOW_MS, **changes: Any) -> TransactionIntent:
    return FIRST.model_copy(update={"expires_at_ms": at_ms + HOUR_MS + 1} | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at_ms": FIRST.expires_at_ms + 1},
        {"expires_at_ms": FIRST.expires_at_ms - 1},
        {"expires_at_ms": NOW_MS},  # expired, but the request is done: the answer is its outcome
        {"client_share": SHARE},
        {"client_share": SHARE, "expires_at_ms": NOW_MS + DAY_MS},
    ],
)
def test_the_same_request_again_gets_the_first_outcome_and_no_charge(
    changes: dict[str, Any],
) -> None:
    process = fresh()
    repetition = FIRST.model_copy(update=changes)
    process.run([arrival(FIRST)], NOW_MS)
    process.run([arrival(repetition, 1)], NOW_MS)
    assert ends(process.disk) == ["signed"]
    assert told(process.disk) == [(name(repetition), name(FIRST))]
    account = process.memory.account(ACCOUNT)
    assert (account.spent_wei(NOW_MS), account.sequence, account.live_count) == (ETH, 1, 1)
    assert list(account.nonces.values()) == [0]
    assert account.intents_of("alice", NOW_MS) == 1


CHANGED: dict[str, Any] = {
    "mode": "submit",
    "chain_id": MAINNET,
    "key_path": "agents/alice/keys/cold",
    "tx_type": 2,
    "to": STRANGER,
    "value_wei": ETH + 1,
    "data": "0x00",
    "gas_limit": 21_001,
    "gas_price_wei": 1,
    "max_fee_per_gas_wei": 2,
    "max_priority_fee_per_gas_wei": 0,
    "access_list": (),
    "max_fee_per_blob_gas_wei": 1,
    "blob_versioned_hashes": (),
    "authorization_list": (),
    "nonce": 0,
    "simulate_first": True,
}
# An intent with another one of these cannot own the same key.
OTHER_OWNER = {"v", "kind", "org", "account", "agent", "idempotency_key"}


def test_every_field_but_two_is_compared() -> None:
    compared = TransactionIntent.model_fields.keys() - OTHER_OWNER
    assert compared - CHANGED.keys() == {"expires_at_ms", "client_share"}


def test_the_request_digest_is_what_the_format_says() -> None:
    request = json.loads(FIRST.model_copy(update={"client_share": SHARE}).encode())
    del request["expires_at_ms"], request["client_share"]
    encoded = json.dumps(request, sort_keys=True, separators=(",", ":")).encode()
    wanted = hashlib.sha256(b"sixgate/request/v1\0" + encoded).hexdigest()
    assert request_digest(FIRST) == f"0x{wanted}"


@pytest.mark.parametrize("field", sorted(CHANGED))
def test_the_same_key_with_another_field_is_a_conflict(field: str) -> None:
    other = FIRST.model_copy(update={field: CHANGED[field]})
    assert request_digest(other) != request_digest(FIRST)
    process = fresh()
    process.run([arrival(FIRST), arrival(other, 1)], NOW_MS)
    process.run([arrival(other, 2)], NOW_MS)
    assert ends(process.disk) == ["signed", Reason.IDEMPOTENCY_CONFLICT]
    assert told(process.disk) == [(name(other), name(other))]
    assert process.memory.account(ACCOUNT).spent_wei(NOW_MS) == ETH


def test_the_key_of_another_agent_is_another_key() -> None:
    process = fresh()
    bob = FIRST.model_copy(update={"agent": "bob"})
    of_bob = arrival(bob, 1, envelope=sealed(bob, MALLORY))
    process.run([arrival(FIRST), of_bob], NOW_MS)
    assert ends(process.disk) == ["signed", "signed"]
    assert told(process.disk) == []


def test_a_repetition_in_the_same_batch_repeats_the_pinned_request() -> None:
    process = fresh()
    process.run([arrival(FIRST), arrival(again(), 1)], NOW_MS)
    assert ends(process.disk) == ["signed"]
    assert told(process.disk) == [(name(again()), name(FIRST))]


@pytest.mark.parametrize("die", [Crash.BEFORE_SIGNING, Crash.BEFORE_OUTCOMES])
def test_a_repetition_after_a_restart_repeats_what_was_pinned_and_not_signed(die: Crash) -> None:
    disk, handed_out = Disk(), dict[str, set[bytes]]()
    first = fresh(disk)
    first.handed_out = handed_out
    with pytest.raises(Died):
        first.run([arrival(FIRST)], NOW_MS, die)
    assert disk.outcomes == []
    second = fresh(disk)
    second.handed_out = handed_out
    second.run([arrival(again(), 1)], NOW_MS + 1)  # before recovery: the request is only pinned
    assert disk.outcomes == []
    assert told(disk) == [(name(again()), name(FIRST))]
    second.start(NOW_MS + 2)
    assert ends(disk) == ["signed"]
    assert [len(signed) for signed in handed_out.values()] == [1]


def test_of_two_signers_only_the_one_that_commits_decides_a_request() -> None:
    disk = Disk()
    fenced = fresh(disk)
    fenced.stage.allocate([arrival(FIRST)], NOW_MS)  # another signer takes over: never committed
    process = fresh(disk)
    process.run([arrival(again(), 1)], NOW_MS)
    process.run([arrival(FIRST)], NOW_MS)
    assert ends(disk) == ["signed"]
    assert told(disk) == [(name(FIRST), name(again()))]


def test_a_repetition_of_a_refused_request_shares_the_refusal() -> None:
    process = fresh()
    dear = intent(value_wei=6 * ETH)
    repetition = dear.model_copy(update={"expires_at_ms": NOW_MS + 2})
    process.run([arrival(dear)], NOW_MS)
    process.run([arrival(repetition, 1)], NOW_MS)
    assert ends(process.disk) == [Reason.DAILY_LIMIT_EXCEEDED]
    assert told(process.disk) == [(name(repetition), name(dear))]


def test_a_conflicting_intent_does_not_own_the_key() -> None:
    process = fresh()
    other = again(value_wei=2)
    process.run([arrival(FIRST), arrival(other, 1)], NOW_MS)
    of_other = other.model_copy(update={"expires_at_ms": NOW_MS + 5})
    process.run([arrival(of_other, 2), arrival(again(), 3)], NOW_MS)
    conflict = Reason.IDEMPOTENCY_CONFLICT
    assert ends(process.disk) == ["signed", conflict, conflict]
    assert told(process.disk) == [(name(again()), name(FIRST))]


def test_a_repetition_stays_one_until_it_expires_although_the_first_is_older() -> None:
    """Otherwise a broker could keep the repetition back until the first intent is forgotten."""
    process = fresh()
    process.run([arrival(FIRST)], NOW_MS)
    late_ms = NOW_MS + DAY_MS
    repetition = again(expires_at_ms=late_ms + DAY_MS)
    process.run([arrival(repetition, 1)], late_ms)
    for n, at_ms in enumerate((late_ms + 1, late_ms + 2, late_ms + DAY_MS - 1)):
        process = fresh(process.disk)
        process.run([arrival(repetition, 2 + n)], at_ms)
    assert ends(process.disk) == ["signed"]
    assert set(told(process.disk)) == {(name(repetition), name(FIRST))}


def test_an_expired_repetition_of_a_forgotten_request_is_looked_up() -> None:
    process = fresh()
    repetition = again()
    process.run([arrival(FIRST), arrival(repetition, 1)], NOW_MS)
    later_ms = NOW_MS + 3 * DAY_MS
    process.run([arrival(intent(idempotency_key="n", expires_at_ms=later_ms + 1))], later_ms)
    process.run([arrival(repetition, 2)], later_ms + 1)
    assert ends(process.disk) == ["signed", "signed"]
    assert told(process.disk)[-1] == (name(repetition), name(repetition))


def test_a_repetition_that_expires_too_late_is_refused_and_stays_refused() -> None:
    """Otherwise an agent would decide how long the signer remembers."""
    process = fresh()
    far = again(expires_at_ms=NOW_MS + 3 * DAY_MS)
    process.run([arrival(FIRST), arrival(far, 1)], NOW_MS)
    later_ms = NOW_MS + 2 * DAY_MS
    for n in range(3):  # by then nothing is left of both but a marker
        at_ms = later_ms + n + 1
        other = intent(idempotency_key=f"{n}", expires_at_ms=at_ms + 1)
        process.run([arrival(other, 2 + n)], at_ms)
    process.run([arrival(far, 9)], later_ms + 10)
    assert ends(process.disk) == ["signed", Reason.EXPIRY_TOO_FAR, "signed", "signed", "signed"]
    assert told(process.disk) == [(name(far), name(far))]


def test_a_forgotten_key_can_be_used_again() -> None:
    process = fresh()
    process.run([arrival(FIRST)], NOW_MS)
    later_ms = NOW_MS + DAY_MS + 1
    process.run([arrival(intent(idempotency_key="n", expires_at_ms=later_ms + 1))], later_ms)
    process.run([arrival(again(later_ms), 2)], later_ms)
    assert ends(process.disk) == ["signed"] * 3


def test_a_key_is_remembered_as_long_as_the_setting_says() -> None:
    remember_ms = 3 * DAY_MS
    process = fresh(remember_ms=remember_ms)
    process.run([arrival(FIRST)], NOW_MS)
    for n, at_ms in enumerate((NOW_MS + DAY_MS + 1, NOW_MS + remember_ms)):
        process.run([arrival(again(at_ms), n)], at_ms)
        process.run([arrival(again(at_ms, value_wei=2), 5 + n)], at_ms)
    conflict = Reason.IDEMPOTENCY_CONFLICT
    assert ends(process.disk) == ["signed", conflict, conflict]
    assert {first for _, first in told(process.disk)} == {name(FIRST)}


@pytest.mark.parametrize("value", [0, REMEMBER_MS_MIN - 1, REMEMBER_MS_MAX + 1, True, "86400000"])
def test_a_key_is_remembered_for_at_least_a_day_and_at_most_thirty(value: object) -> None:
    name = "idempotency.remember_ms"
    assert checked_setting(Settings(), name, REMEMBER_MS_MAX).remember_ms == 30 * DAY_MS
    assert Settings().remember_ms == REMEMBER_MS_MIN == DAY_MS
    with pytest.raises(RegistryEntryError, match="remember_ms"):
        checked_setting(Settings(), name, value)


def test_of_a_record_of_an_older_version_only_the_same_bytes_are_a_duplicate() -> None:
    old = live_of(FIRST).model_copy(update={"request": None})
    assert b"request" not in old.encode()
    assert LiveIntent.decode(old.encode()) == old
    account = fresh().memory.account(ACCOUNT)
    assert judge(case(FIRST, owner=old), account) == Duplicate(name(FIRST))
    judged = judge(case(again(), owner=old), account)
    assert not isinstance(judged, Duplicate)


def test_a_repetition_is_recognised_before_any_rule() -> None:
    """The first outcome counts, also if the policy or the agent has changed since."""
    account = fresh().memory.account(ACCOUNT)
    changed = case(again(), owner=live_of(FIRST), agent=agent(active=False), key=None)
    assert judge(changed, account) == Duplicate(name(FIRST))


def test_repetitions_leave_no_records() -> None:
    process = fresh()
    process.run([arrival(FIRST)], NOW_MS)
    before = process.memory.account(ACCOUNT)
    many = [again(expires_at_ms=NOW_MS + DAY_MS - n) for n in range(1, 50)]
    process.run([arrival(one, n) for n, one in enumerate(many)], NOW_MS)
    assert len(told(process.disk)) == 49
    assert process.memory.account(ACCOUNT) == before
    assert before.live_count == 1
