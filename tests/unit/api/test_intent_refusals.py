"""Every reason of a refusal has a status, and every problem a sentence."""

import pytest

from schemas.intents.reason_meanings import MEANING
from schemas.intents.reasons import Reason
from sixgate.api.intent_refusals import ANSWERS, refused

INTENT = "0x" + "ab" * 32
STATUSES = {400, 403, 409, 422, 429, 503}


def test_every_reason_has_an_answer() -> None:
    assert set(ANSWERS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_carries_its_reason_its_detail_and_its_transaction(reason: Reason) -> None:
    evidence = {"limit_wei": "5", "spent_wei": "6"}
    event = {"reason": reason.value, "detail": "why", "gate": "admission", "evidence": evidence}
    problem = refused(event, INTENT, with_key=False)
    assert problem.status in STATUSES
    assert MEANING[reason].rstrip(".") in problem.detail
    assert "why" in problem.detail
    assert problem.detail.endswith(f"transaction {INTENT}.")
    assert problem.body()["transaction_id"] == INTENT
    assert problem.body()["gate"] == "admission"


def test_only_a_revert_is_unprocessable_and_its_code_is_the_documented_one() -> None:
    unprocessable = [reason for reason, answer in ANSWERS.items() if answer.status == 422]
    assert unprocessable == [Reason.SIMULATION_REVERTED]
    codes = {answer.code for answer in ANSWERS.values() if answer.code}
    assert codes == {"simulation_failed", "simulation_unavailable"}


def test_exactly_what_may_be_retried_says_when() -> None:
    for reason, answer in ANSWERS.items():
        waits = answer.status in {429, 503} and reason is not Reason.SIMULATION_MISSING
        assert (answer.retry_after_s is not None) is waits


def test_an_unattributed_end_has_no_gate() -> None:
    event = {"reason": "signature_invalid", "detail": "no"}
    problem = refused(event, INTENT, with_key=True)
    assert (problem.status, problem.body()["gate"]) == (403, None)


def test_with_a_key_a_retry_needs_another_one() -> None:
    event = {"reason": "key_unavailable", "detail": "no", "gate": "signing"}
    assert "with a new Idempotency-Key" in refused(event, INTENT, with_key=True).detail
    assert "Idempotency-Key" not in refused(event, INTENT, with_key=False).detail
