"""Whose word an outcome is, before its boot is believed."""

import json
from typing import Any

import pytest

from schemas.redaction import signed_part
from signer.signatures import Ed25519Signer
from sixgate.cli.attest.boots import named_signer
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from tests.harness.builders.cases import SIGNER
from tests.harness.builders.signer_records import life

OTHER = Ed25519Signer(SIGNER.keyid, b"\x31" * 32)


def said(by: Ed25519Signer = SIGNER, **changes: Any) -> dict[str, Any]:
    """Return an event that a signer signed, then changed."""
    event: dict[str, Any] = json.loads(by.sign_event(life(1)))
    del event["signature"]
    event |= {"signer": by.keyid}
    signature = by.sign(signed_part(event))
    return event | {"signature": f"0x{signature.hex()}"} | changes


def registry(*keys: str, name: str = SIGNER.keyid) -> dict[str, Any]:
    """Return a registry in which a signer had these keys, one after the other."""
    return {"org": "acme", "signer_keys": {name: list(keys)}}


KNOWN = registry(SIGNER.public_key)


def test_the_registered_signers_outcome_is_its_own() -> None:
    assert named_signer(KNOWN, said()) == ("acme", SIGNER.keyid, (SIGNER.public_key,))


def test_what_a_signer_decided_with_a_key_that_it_has_no_more_still_leads_to_its_boot() -> None:
    rotated = registry(SIGNER.public_key, OTHER.public_key)
    for by in (SIGNER, OTHER):
        assert named_signer(rotated, said(by)).keys == (SIGNER.public_key, OTHER.public_key)


@pytest.mark.parametrize(
    "outcome",
    [
        said(OTHER),
        said(boot="0x" + "00" * 32),
        said(signature="0x"),
        said(signature="no hex"),
        said(signature="0x" + "00" * 64),
        said(signature=None),
        said(signer="signer-9"),
        said(signer=None),
    ],
)
def test_an_outcome_that_somebody_else_wrote_leads_nowhere(outcome: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as caught:
        named_signer(KNOWN, outcome)
    assert caught.value.code == ExitCode.NOT_ATTESTED


def test_a_signer_that_nobody_registered_leads_nowhere() -> None:
    elsewhere = registry(SIGNER.public_key, name="signer-9")
    for known in (registry(), registry(OTHER.public_key), elsewhere):
        with pytest.raises(CommandError):
            named_signer(known, said())
