import base64
import hashlib
from typing import Any

import pytest

from schemas.canonical import MalformedError, canonical_bytes
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.evidence import Claims, EvidenceFile, evidence_file
from tests.harness.builders.attestation import simulated_evidence, verified

NONCE = b"\x05" * 32
KEY = b"\x30\x01\x02"
CLAIMS = Claims(
    ephemeral_key=base64.b64encode(KEY).decode(),
    key_set="0x" + "06" * 32,
    configuration="0x" + "07" * 32,
)


def test_evidence_round_trips_through_its_file_and_verifies() -> None:
    evidence = simulated_evidence()
    raw = evidence_file(evidence, NONCE, CLAIMS).encode()
    found = EvidenceFile.decode(raw)
    assert found.evidence() == evidence
    verified(found.evidence())


def test_the_file_has_the_claims_but_not_the_purpose() -> None:
    """The verifier chooses the purpose: a file could name any."""
    file = evidence_file(simulated_evidence(), NONCE, CLAIMS)
    digest = hashlib.sha256(KEY).digest()
    wanted = Binding(Purpose.KEY_RELEASE, NONCE, digest, b"\x06" * 32, b"\x07" * 32)
    assert file.binding(Purpose.KEY_RELEASE) == wanted


def test_the_verifiers_nonce_overrides_the_files() -> None:
    file = evidence_file(simulated_evidence(), NONCE, CLAIMS)
    asked = file.binding(Purpose.KEY_RELEASE, b"\x08" * 32)
    assert asked
    assert asked.nonce == b"\x08" * 32


def test_a_file_without_claims_has_no_binding() -> None:
    assert evidence_file(simulated_evidence(), NONCE).binding(Purpose.KEY_RELEASE) is None
    assert evidence_file(simulated_evidence(), None, CLAIMS).binding(Purpose.KEY_RELEASE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "0x" + "05" * 31},
        {"nonce": "0x" + "05" * 65},
        {"report": "0x0"},
        {"crl": "A" * 100_000},
        {"more": 1},
        {"v": 2},
    ],
)
def test_a_malformed_file_is_refused(change: dict[str, Any]) -> None:
    whole = evidence_file(simulated_evidence(), NONCE, CLAIMS)
    with pytest.raises(MalformedError):
        EvidenceFile.decode(canonical_bytes(whole.plain() | change))
