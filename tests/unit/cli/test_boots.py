"""The signature of an outcome is verified before its boot is trusted."""

import json
from typing import Any

import pytest

from schemas.redaction import signed_part
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.attest_boots import named_signer
from sixgate.cli.exit_codes import CommandError, ExitCode
from tests.harness.builders.cases import SIGNER
from tests.harness.builders.signer_records import boot_event

OTHER = Ed25519Signer(SIGNER.keyid, b"\x31" * 32)


def outcome_of(by: Ed25519Signer = SIGNER, **changes: Any) -> dict[str, Any]:
    """Return an event signed by ``by``, then changed."""
    event: dict[str, Any] = json.loads(by.sign_event(boot_event(1)))
    del event["signature"]
    event |= {"signer": by.keyid}
    signature = by.sign(signed_part(event))
    return event | {"signature": f"0x{signature.hex()}"} | changes


def registry(*keys: str, name: str = SIGNER.keyid) -> dict[str, Any]:
    """Return a registry in which a signer had these keys, one after the other."""
    return {"org": "acme", "signer_keys": {name: list(keys)}}


KNOWN = registry(SIGNER.public_key)


def test_an_outcome_of_a_registered_signer_is_accepted() -> None:
    assert named_signer(KNOWN, outcome_of()) == ("acme", SIGNER.keyid, (SIGNER.public_key,))


def test_a_signers_former_key_still_proves_its_outcomes() -> None:
    rotated = registry(SIGNER.public_key, OTHER.public_key)
    for by in (SIGNER, OTHER):
        assert named_signer(rotated, outcome_of(by)).keys == (SIGNER.public_key, OTHER.public_key)


@pytest.mark.parametrize(
    "outcome",
    [
        outcome_of(OTHER),
        outcome_of(boot="0x" + "00" * 32),
        outcome_of(signature="0x"),
        outcome_of(signature="no hex"),
        outcome_of(signature="0x" + "00" * 64),
        outcome_of(signature=None),
        outcome_of(signer="signer-9"),
        outcome_of(signer=None),
    ],
)
def test_an_outcome_with_another_signature_is_refused(outcome: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as caught:
        named_signer(KNOWN, outcome)
    assert caught.value.code == ExitCode.NOT_ATTESTED


def test_an_unregistered_signer_is_refused() -> None:
    other = registry(SIGNER.public_key, name="signer-9")
    for known in (registry(), registry(OTHER.public_key), other):
        with pytest.raises(CommandError):
            named_signer(known, outcome_of())
