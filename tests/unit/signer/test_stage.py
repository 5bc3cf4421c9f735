"""Signing stage: authentication, duplicates, crash recovery and charges."""

import pytest

from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE
from schemas.intents.outcome import IntentRejected, TransactionSigned
from schemas.intents.reasons import Reason
from schemas.ledger.audit import input_digest
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.errors import InvalidSignatureError
from signer.core.window import SPENT_MS
from signer.custody.errors import KmsUnavailableError
from signer.custody.event_signing import verify_event
from signer.keys.key_register import KeyRegister
from signer.stage.stage import Arrival, Batch, HaltError
from tests.harness.builders.cases import (
    ACCOUNT,
    ALICE,
    DAY_MS,
    ETH,
    HOUR_MS,
    MALLORY,
    NOW_MS,
    SIGNER,
    agent,
    arrival,
    chain,
    intent,
    policy,
    provisioned,
    registered,
    report,
    sealed,
    sealed_report,
)
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess, reasons

LIMITED = policy(tx_daily_limit_eth="5")


def fresh(disk: Disk | None = None) -> SignerProcess:
    _, registry = registered(under=LIMITED)
    return SignerProcess(disk or Disk(), registry, provisioned(registry))


def test_an_intent_is_charged_and_signed_once_as_requested() -> None:
    process = fresh()
    process.run([arrival(intent(value_wei=3 * ETH, nonce=0))], NOW_MS)
    [outcome] = process.disk.outcomes
    assert isinstance(outcome, TransactionSigned)
    assert (outcome.value_wei, outcome.nonce, outcome.spent_wei) == (3 * ETH, 0, 3 * ETH)
    assert (outcome.sequence, outcome.decided_at_ms) == (1, NOW_MS)
    verify_event(outcome, SIGNER.public_key)
    account = process.memory.account(ACCOUNT)
    assert (account.spent_wei(NOW_MS), account.sequence) == (3 * ETH, 1)
    topics = [event.topic for event in process.disk.published]
    assert topics == [Topic.OUTCOMES, Topic.SIGNED]


def test_the_verdicts_of_gates_do_not_matter() -> None:
    process = fresh()
    process.run([arrival(intent(value_wei=6 * ETH))], NOW_MS)  # no verdicts at all
    assert reasons(process.disk) == [Reason.DAILY_LIMIT_EXCEEDED]


def forged() -> dict[str, Arrival]:
    asked = intent()
    another = ALICE.sign_envelope(KEY_REQUEST_TYPE, asked.encode())
    return {
        "by another key": arrival(asked, envelope=sealed(asked, MALLORY)),
        "for another type": arrival(asked, envelope=another),
        "over another body": arrival(
            asked,
            envelope=sealed(asked).model_copy(
                update={"payload": sealed(intent(value_wei=2)).payload}
            ),
        ),
        "for an agent of another account": arrival(intent(account="ops")),
        "for an unknown agent": arrival(intent(agent="mallory"), envelope=sealed(asked, MALLORY)),
        "for an unregistered agent": arrival(intent(agent="nobody")),
        "for another organisation": arrival(intent(org="evil")),
        "over no intent": arrival(asked, envelope=ALICE.sign_envelope(INTENT_TYPE, b"{}")),
        "over loose JSON": arrival(
            asked, envelope=ALICE.sign_envelope(INTENT_TYPE, asked.encode() + b" ")
        ),
    }


@pytest.mark.parametrize("name", forged())
def test_a_clearance_whose_intent_is_forged_ends_in_an_audit_record(name: str) -> None:
    process = fresh()
    process.run([forged()[name]], NOW_MS)
    assert process.disk.outcomes == []
    [audit] = process.disk.audits
    assert audit.action == "record.refused"
    assert process.memory.account(ACCOUNT).sequence == 0


def test_the_digest_in_a_clearance_is_not_trusted() -> None:
    process, asked = fresh(), intent()
    of_another = arrival(intent(value_wei=2), intent=arrival(asked).clearance.intent)
    process.run([of_another], NOW_MS)
    assert process.disk.outcomes == []
    [audit] = process.disk.audits
    assert audit.action == "record.refused"
    assert "not the digest of the intent" in audit.detail


def test_an_audit_record_names_no_unauthenticated_intent() -> None:
    process, asked = fresh(), arrival(intent())
    name = asked.clearance.intent
    forged_copy = arrival(intent(), envelope=sealed(intent(), MALLORY), intent=name)
    process.run([asked, asked, forged_copy], NOW_MS)
    duplicate, refused = process.disk.audits
    assert (duplicate.action, duplicate.subject) == ("intent.duplicate", name)
    assert refused.action == "record.refused"
    assert refused.subject == input_digest(forged_copy.clearance.encode())


def test_a_duplicate_gets_an_audit_record_and_no_second_outcome() -> None:
    process = fresh()
    process.run([arrival(intent(), 0), arrival(intent(), 1)], NOW_MS)
    process.run([arrival(intent(), 2)], NOW_MS + 1)
    fresh(process.disk).run([arrival(intent(), 3)], NOW_MS + 2)
    assert reasons(process.disk) == ["signed"]
    audits = process.disk.audits
    assert [audit.action for audit in audits] == ["intent.duplicate"] * 3
    assert len({audit.id for audit in audits}) == 3


def test_a_refused_intent_stays_refused_after_the_policy_changes() -> None:
    process = fresh()
    asked = intent(value_wei=6 * ETH)
    process.run([arrival(asked)], NOW_MS)
    _, registry = registered(under=policy())
    SignerProcess(process.disk, registry, process.keys).run([arrival(asked)], NOW_MS + 1)
    assert reasons(process.disk) == [Reason.DAILY_LIMIT_EXCEEDED]


def test_one_idempotency_key_for_two_intents_is_a_conflict_and_both_stay_decided() -> None:
    process = fresh()
    first, second = intent(value_wei=1), intent(value_wei=2)
    process.run([arrival(first), arrival(second)], NOW_MS)
    process.run([arrival(second), arrival(first)], NOW_MS + 1)
    assert reasons(process.disk) == ["signed", Reason.IDEMPOTENCY_CONFLICT] or reasons(
        process.disk
    ) == [Reason.IDEMPOTENCY_CONFLICT, "signed"]
    assert len(process.disk.audits) == 2


def test_every_agent_has_its_own_idempotency_keys() -> None:
    _, registry = registered(
        agent(agent="bob", public_key=MALLORY.public_key, key_paths=("agents/alice/keys/hot",))
    )
    process = SignerProcess(Disk(), registry, provisioned(registry))
    bob = intent(agent="bob")
    process.run([arrival(intent()), arrival(bob, envelope=sealed(bob, MALLORY))], NOW_MS)
    assert reasons(process.disk) == ["signed", "signed"]


def test_a_forgotten_intent_is_looked_up_before_it_is_refused_as_expired() -> None:
    process = fresh()
    process.run([arrival(intent())], NOW_MS)
    later_ms = NOW_MS + 2 * DAY_MS
    process.run([arrival(intent(idempotency_key="next", expires_at_ms=later_ms + 1))], later_ms)
    assert process.memory.account(ACCOUNT).live_count == 1
    process.run([arrival(intent())], later_ms)
    assert reasons(process.disk) == ["signed", "signed"]
    assert process.disk.audits[-1].action == "intent.duplicate"


def test_a_forgotten_intent_gets_no_second_outcome_when_its_key_was_used_again() -> None:
    process = fresh()
    first = intent()
    process.run([arrival(first)], NOW_MS)
    later_ms = NOW_MS + 2 * DAY_MS
    process.run([arrival(first)], later_ms)  # its record goes after this batch
    process.run([arrival(intent(expires_at_ms=later_ms + HOUR_MS))], later_ms)
    process.run([arrival(first)], later_ms)
    assert reasons(process.disk) == ["signed", "signed"]
    assert [audit.action for audit in process.disk.audits] == ["intent.duplicate"] * 2


@pytest.mark.parametrize("expires_in_ms", [0, 2 * DAY_MS])
def test_an_intent_missing_from_the_state_is_looked_up_before_it_is_refused(
    expires_in_ms: int,
) -> None:
    asked = intent(expires_at_ms=NOW_MS + expires_in_ms)
    process = fresh()
    process.run([arrival(asked)], NOW_MS)
    survived = Disk(published=process.disk.published, outcomes=process.disk.outcomes)
    fresh(survived).run([arrival(asked)], NOW_MS)
    assert [audit.action for audit in survived.audits] == ["intent.duplicate"]


def test_a_remembered_intent_is_not_looked_up() -> None:
    process = fresh()
    asked = intent(expires_at_ms=NOW_MS + 1)
    process.run([arrival(asked)], NOW_MS)
    process.run([arrival(asked)], NOW_MS + 1)
    assert [audit.action for audit in process.disk.audits] == ["intent.duplicate"]
    assert process.ledger.asked == []


def test_an_undecided_expired_intent_is_refused_as_expired() -> None:
    process = fresh()
    process.run([arrival(intent(expires_at_ms=NOW_MS))], NOW_MS)
    assert reasons(process.disk) == [Reason.EXPIRED]


def test_a_key_that_does_not_open_causes_a_refusal_without_a_charge() -> None:
    process = fresh()

    def closed(*_: object) -> None:
        raise KmsUnavailableError("the KMS does not answer")

    process.stage.key_use.open_key = closed  # type: ignore[assignment] # it never returns
    process.run([arrival(intent(value_wei=ETH))], NOW_MS)
    assert reasons(process.disk) == [Reason.KEY_UNAVAILABLE]
    account = process.memory.account(ACCOUNT)
    assert (account.spent_wei(NOW_MS), account.nonces) == (0, {})


def test_time_never_goes_back_after_a_restart() -> None:
    process = fresh()
    process.run([arrival(intent(value_wei=5 * ETH))], NOW_MS)
    again = fresh(process.disk)
    again.run([arrival(intent(value_wei=1, idempotency_key="b"))], NOW_MS - 30 * DAY_MS)
    [_, refused] = again.disk.outcomes
    assert isinstance(refused, IntentRejected)
    assert (refused.reason, refused.decided_at_ms) == (Reason.DAILY_LIMIT_EXCEEDED, NOW_MS)


@pytest.mark.parametrize("die", Crash)
def test_a_crash_at_any_point_leads_to_the_same_single_outcome(die: Crash) -> None:
    first = fresh()
    asked = [arrival(intent(value_wei=3 * ETH)), arrival(intent(idempotency_key="b"))]
    with pytest.raises(Died):
        first.run(asked, NOW_MS, die)
    second = fresh(first.disk)
    second.handed_out.update(first.handed_out)
    second.start(NOW_MS + 1000)
    second.run(asked, NOW_MS + 1000)
    signed = first.disk.signed()
    assert [one.sequence for one in signed] == [1, 2]
    assert [one.nonce for one in signed] == [0, 1]
    assert all(len(versions) == 1 for versions in second.handed_out.values())


@pytest.mark.parametrize("die", [Crash.BEFORE_SIGNING, Crash.BEFORE_OUTCOMES])
def test_an_allocation_is_signed_as_pinned_despite_registry_changes(die: Crash) -> None:
    first = fresh()
    with pytest.raises(Died):
        first.run(
            [
                arrival(
                    intent(
                        gas_limit=None, max_fee_per_gas_wei=None, max_priority_fee_per_gas_wei=None
                    )
                )
            ],
            NOW_MS,
            die,
        )
    _, registry = registered(
        agent(active=False), chain(default_fees=None), under=policy(tx_max_value_eth="0")
    )
    second = SignerProcess(first.disk, registry, first.keys)
    second.start(NOW_MS + 3 * DAY_MS)
    [outcome] = first.disk.signed()
    assert (outcome.decided_at_ms, outcome.fees_from) == (NOW_MS, "chain-defaults")
    made = first.handed_out | second.handed_out
    assert made[outcome.intent] == {first.disk.published[-1].value}


def test_a_charge_recovered_after_a_crash_counts_from_the_recovery() -> None:
    first = fresh()
    with pytest.raises(Died):
        first.run([arrival(intent(value_wei=5 * ETH))], NOW_MS, Crash.BEFORE_SIGNING)
    back_ms = NOW_MS + DAY_MS - 1
    second = fresh(first.disk)
    second.start(back_ms)
    account = second.memory.account(ACCOUNT)
    assert account.spent_wei(back_ms + SPENT_MS) == 5 * ETH
    assert account.spent_wei(back_ms + SPENT_MS + 1) == 0


def test_a_changed_key_of_a_pinned_allocation_halts_the_signer() -> None:
    first = fresh()
    with pytest.raises(Died):
        first.run([arrival(intent())], NOW_MS, Crash.BEFORE_SIGNING)
    other = provisioned(first.registry, (ACCOUNT, "agents/alice/keys/hot", b"\x02" * 32))
    for keys in (other, KeyRegister()):
        with pytest.raises(HaltError):
            SignerProcess(first.disk, first.registry, keys).start(NOW_MS)
    assert first.disk.outcomes == []


def test_a_signed_batch_may_be_committed_with_the_next_one() -> None:
    process = fresh()
    one = process.stage.allocate([arrival(intent())], NOW_MS)
    process.disk.commit(one.events, process.memory.drain())
    events: list[Outgoing] = process.stage.sign(one)
    two: Batch = process.stage.allocate([arrival(intent(idempotency_key="b"))], NOW_MS)
    process.stage.allocate([arrival(intent())], NOW_MS)
    process.disk.commit(events + two.events, process.memory.drain())
    process.disk.commit(process.stage.sign(two), process.memory.drain())
    again = fresh(process.disk)  # the set of live records must still be the head's
    assert again.memory.account(ACCOUNT).live_count == 2
    assert reasons(process.disk) == ["signed", "signed"]


def test_a_simulation_for_another_intent_is_untrusted() -> None:
    process = fresh()
    asked = intent(simulate_first=True)
    other = sealed_report(report(intent(simulate_first=True, value_wei=2)))
    process.run([arrival(asked, simulation=other)], NOW_MS)
    assert reasons(process.disk) == [Reason.SIMULATION_UNTRUSTED]


def test_an_outcome_s_signature_covers_every_field() -> None:
    process = fresh()
    process.run([arrival(intent())], NOW_MS)
    [outcome] = process.disk.signed()
    for change in ({"nonce": 1}, {"raw_transaction": "0x00"}, {"to": None}, {"signature": None}):
        with pytest.raises(InvalidSignatureError):
            verify_event(outcome.model_copy(update=change), SIGNER.public_key)


def test_an_intent_refused_for_a_far_expiry_stays_refused() -> None:
    process = fresh()
    far = intent(expires_at_ms=NOW_MS + 3 * DAY_MS)
    process.run([arrival(far)], NOW_MS)
    for n in range(3):  # nothing is left of it in the state by the third day
        at_ms = NOW_MS + 2 * DAY_MS + n + 1
        process.run([arrival(intent(idempotency_key=f"{n}", expires_at_ms=at_ms + 1))], at_ms)
    process.run([arrival(far)], NOW_MS + 2 * DAY_MS + 10)
    assert reasons(process.disk) == [Reason.EXPIRY_TOO_FAR, "signed", "signed", "signed"]
    assert process.disk.audits[-1].action == "intent.duplicate"


def test_refusals_for_a_far_expiry_leave_one_marker_per_day_of_expiry() -> None:
    process = fresh()
    day_ms = NOW_MS // DAY_MS * DAY_MS + 9 * DAY_MS
    far = [intent(idempotency_key=f"{n}", expires_at_ms=day_ms + n) for n in (0, 1, DAY_MS)]
    process.run([arrival(one) for one in far], NOW_MS)
    markers = []
    for n, days in enumerate((3, 10, 12)):
        at_ms = day_ms + (days - 9) * DAY_MS + 1
        process.run([arrival(intent(idempotency_key=f"late-{n}", expires_at_ms=at_ms + 1))], at_ms)
        markers.append(process.memory.account(ACCOUNT).live_count - 1)
    assert markers == [2, 1, 0]


def test_a_refusal_for_a_far_expiry_causes_no_later_ledger_queries() -> None:
    process = fresh()
    process.run([arrival(intent(expires_at_ms=NOW_MS + 365 * DAY_MS))], NOW_MS)
    process.ledger.asked.clear()
    for n in range(5):
        at_ms = NOW_MS + (n + 1) * DAY_MS + 1
        asked = intent(idempotency_key=f"{n}", expires_at_ms=at_ms + DAY_MS)
        process.run([arrival(asked)], at_ms)
    assert reasons(process.disk)[1:] == ["signed"] * 5
    assert process.ledger.asked == []
