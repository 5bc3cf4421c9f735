"""A report counts only if a registered simulator signed it for exactly this intent and chain."""

import pytest

from schemas.dsse import INTENT_TYPE, SIMULATION_TYPE, Envelope
from schemas.intents.intent import intent_digest
from schemas.intents.reasons import Reason
from signer.core.case import verified_report
from tests.harness.builders.cases import (
    ALICE,
    MAINNET,
    MALLORY,
    SIGNER,
    SIMULATOR,
    intent,
    registered,
    report,
    sealed_report,
    service,
)

ASKED = intent(simulate_first=True)
NAME = intent_digest(ASKED.encode())
REPORT = report(ASKED)
SOUND = sealed_report(REPORT)
REGISTRY = registered(service(MALLORY, "gateway"))[1]


def test_a_registered_simulators_report_is_trusted() -> None:
    assert verified_report(SOUND, REGISTRY, ASKED, NAME) == (REPORT, None)


def test_an_absent_report_is_no_problem() -> None:
    assert verified_report(None, REGISTRY, ASKED, NAME) == (None, None)


UNTRUSTED: dict[str, Envelope] = {
    "signed by an agent": sealed_report(REPORT, ALICE),
    "signed by another service": sealed_report(REPORT, MALLORY),
    "signed by the signer": sealed_report(REPORT, SIGNER),
    "signed by mallory in the simulator's name": sealed_report(
        REPORT, type(MALLORY)(SIMULATOR.keyid, b"!" * 32)
    ),
    "of another type": SIMULATOR.sign_envelope(INTENT_TYPE, REPORT.encode()),
    "for another intent": sealed_report(report(intent(value_wei=2))),
    "for another chain": sealed_report(report(ASKED, chain_id=MAINNET)),
    "with a payload of its own": SOUND.model_copy(
        update={"payload": sealed_report(report(ASKED, gas_limit=1)).payload}
    ),
    "that is no report": SIMULATOR.sign_envelope(SIMULATION_TYPE, b"{}"),
    "in loose JSON": SIMULATOR.sign_envelope(SIMULATION_TYPE, REPORT.encode() + b" "),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_an_invalid_report_is_not_trusted(name: str) -> None:
    judged = verified_report(UNTRUSTED[name], REGISTRY, ASKED, NAME)
    assert judged == (None, Reason.SIMULATION_UNTRUSTED)


def test_a_revoked_simulators_report_is_not_trusted() -> None:
    _, registry = registered(service(SIMULATOR, "simulator", active=False))
    judged = verified_report(SOUND, registry, ASKED, NAME)
    assert judged == (None, Reason.SIMULATION_UNTRUSTED)
